"""XEP-0163 (Personal Eventing Protocol): what an owner, contacts and strangers see of an account's nodes."""
