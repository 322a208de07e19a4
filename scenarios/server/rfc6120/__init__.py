"""RFC 6120, XMPP Core, server role: what a client and its contacts can observe of a server.

Streams and XML (§4, §11, §13.12): `stream_headers`, `header_errors`, `stream_errors`, `stream_features`,
`stream_closing`, `xml_restrictions`, `xml_well_formedness`, `xml_namespaces`, `encoding`, `limits`; what they share
is in `_streams`. TLS (§5), SASL (§6), binding (§7) and stanzas (§8, §10) have modules by those names.
"""
