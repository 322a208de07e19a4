"""RFC 6121, the client's side: roster, subscriptions, presence, messages."""
