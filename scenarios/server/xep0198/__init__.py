"""XEP-0198 (Stream Management): what a server counts, keeps and sends again."""
