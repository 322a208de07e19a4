"""Checks on two servers with each other: a user on each, both ways."""
