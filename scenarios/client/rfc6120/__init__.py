"""RFC 6120, the client's side: TLS and certificates, SASL, streams, iqs."""
