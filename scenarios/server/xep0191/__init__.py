"""XEP-0191 (Blocking Command): the block list, and what passes between a user and whom the user blocks."""
