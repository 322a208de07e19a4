"""XEP-0363 (HTTP file upload): slots over XMPP, files over HTTPS."""
