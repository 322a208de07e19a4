"""XEP-0045 (Multi-User Chat): what a service does for, and to, outsiders, occupants, moderators, admins, owners."""
