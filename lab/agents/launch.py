"""Starts an agent of a client that is in a cell: whom it is to log in as, and where, goes into its environment."""

from __future__ import annotations

from lab.agents.agent import Agent, Reader
from lab.cell import Account, ClientPlace, Endpoint
from lab.wire.trace import Trace


def launch(
    place: ClientPlace,
    account: Account,
    endpoint: Endpoint,
    *,
    patience: float,
    ready_within: float | None = None,
    ca: str = "",
    direct: bool = False,
    resource: str = "",
    trace: Trace | None = None,
    label: str = "agent",
    reader: Reader | None = None,
) -> Agent:
    """An agent that reads commands. `endpoint` is where the tap (or a relay) listens, `ca` whom to trust there;
    `ready_within` are seconds that it may take to start, `patience` those for whatever it does then.

    Raises AgentFault, AgentGone: it does not come so far, and is gone.
    """
    environment = {
        "XMPP_JID": account.jid,
        "XMPP_PASSWORD": account.password,
        "XMPP_HOST": endpoint.host,
        "XMPP_PORT": str(endpoint.port),
        "XMPP_TLS": "direct" if direct else "starttls",
        "XMPP_CA": ca or place.ca,
    }
    if resource:
        environment["XMPP_RESOURCE"] = resource
    agent = Agent(place.argv, environment, patience=patience, trace=trace, label=label, reader=reader)
    try:
        agent.ready(ready_within)
    except BaseException:
        agent.close()
        raise
    return agent
