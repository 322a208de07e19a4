"""RFC 7395: the checks of XMPP over WebSocket, by what they are about."""
