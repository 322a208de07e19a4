"""Checks of XEP-0077: in-band registration, with the server itself."""
