"""What a client must do, seen through the tap; and what it must not believe, where a server lies."""
