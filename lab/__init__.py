"""Stanzalab: the conformance, fuzz and interop lab for XMPP servers and clients."""

__version__ = "0.1.0"
