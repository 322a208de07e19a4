"""XEP-0386 (Bind 2): a resource bound along with SASL2's success, and what is switched on with it."""
