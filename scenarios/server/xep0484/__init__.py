"""XEP-0484 (FAST): tokens that a server gives to a client, and what they are good for."""
