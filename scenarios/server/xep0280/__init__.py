"""XEP-0280: which messages a server copies to the other resources of an account, to which, and in what form."""
