"""XEP-0388 (Extensible SASL Profile): what SASL2 offers, takes, refuses and ends with."""
