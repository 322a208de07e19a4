"""XEP-0124: the checks of BOSH below what it carries, by what they are about."""
