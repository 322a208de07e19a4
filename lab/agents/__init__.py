"""Agents: the small programs that drive a client for the lab, one JSON command a line in, one JSON event a line out.

`contract` says what may be said, `agent` holds one running agent, `trial` tries an agent against the contract. What
is said of an account goes into the agent's environment. Nothing here knows a container or a verdict.
docs/clients.md tells authors of agents all of it.
"""
