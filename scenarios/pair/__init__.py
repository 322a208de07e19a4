"""Two clients and the server between them: what users do with each other. A failure names who broke a requirement."""
