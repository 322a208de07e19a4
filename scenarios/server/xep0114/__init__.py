"""XEP-0114: external components, as a component, the users of its server and its would-be impostors see it.

There is one component domain, so these checks run one after the other.
"""
