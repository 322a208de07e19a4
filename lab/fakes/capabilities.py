"""The fake server's own capabilities (XEP-0390): one disco#info result, its hashes, and what is told of them."""

from __future__ import annotations

from functools import cache

from lab.wire.capabilities import Hash, caps, digest, node
from lab.wire.namespaces import CAPS_2, DISCO_INFO, DISCO_ITEMS, PING
from lab.wire.session import parse

FEATURES = (DISCO_INFO, DISCO_ITEMS, PING, CAPS_2, f"{CAPS_2}:gratuitous")
INFO = "<identity category='server' type='im'/>" + "".join(f"<feature var='{feature}'/>" for feature in FEATURES)
"""What stands in the `<query/>` of its disco#info."""
FUNCTIONS = ("sha-256", "sha3-256")


@cache
def _own() -> tuple[Hash, ...]:
    query = parse(f"<query xmlns='{DISCO_INFO}'>{INFO}</query>")
    return tuple((function, digest(function, query)) for function in FUNCTIONS)


def stream_feature() -> str:
    """The hashes, as they stand among the stream features (§5.2)."""
    return caps(_own())


def nodes() -> set[str]:
    """The nodes at which the same is answered as without one (§6.1)."""
    return {node(one) for one in _own()}
