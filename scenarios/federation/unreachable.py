"""Servers that are not to be reached (RFC 6120 §10.4): a name that does not resolve, and a server that is down.

Both are of the sender's own server: whoever is on the other side has no part in it.
"""

from __future__ import annotations

import pytest

from lab.plugin import Specification, impossible, require, require_equal, require_error
from lab.plugin.border import Federation
from lab.wire.namespaces import PING
from lab.wire.session import new_id
from lab.wire.stream import Element

CORE = Specification("RFC 6120")

CLOSED = 1
"""A port of this machine's at which nobody listens."""

KINDS = {
    "message": "<message to='{to}' id='{id}' type='chat'><body>hello</body></message>",
    "iq": f"<iq to='{{to}}' id='{{id}}' type='get'><ping xmlns='{PING}'/></iq>",
}
KIND = pytest.mark.parametrize("kind", KINDS)


@CORE.must(
    "10.4.3", "8.3.3.16", says="A stanza to a domain that does not resolve is refused as remote-server-not-found."
)
@KIND
def test_name_that_does_not_resolve(federation: Federation, kind: str) -> None:
    domain = f"nobody-{new_id()}.invalid.test"
    refused = returned(federation, kind, f"romeo@{domain}/orchard")
    with federation.here.blamed():
        require_error(refused, "remote-server-not-found")


@CORE.must("10.4.3", "8.3.3.17", says="A stanza to a server that does not answer is refused by an error for that.")
@KIND
def test_server_that_is_down(federation: Federation, kind: str) -> None:
    refused = returned(federation, kind, f"romeo@{down(federation)}/orchard")
    with federation.here.blamed():
        require_error(refused, "remote-server-timeout", "remote-server-not-found")  # §8.3.3.16 names that, too


@CORE.must("10.4.3", "8.3.1", says="Each of the stanzas that wait for a server in vain is returned, by its own id.")
def test_every_stanza_in_vain_is_returned(federation: Federation) -> None:
    alice, domain = federation.alice(), down(federation)
    wanted = [new_id() for _ in range(5)]
    alice.send_together(KINDS["message"].format(to=f"romeo@{domain}", id=identifier) for identifier in wanted)
    with federation.here.blamed():
        for identifier in wanted:
            require_equal(alice.expect(identifier, "the error").get("type"), "error", "the type")


@CORE.should("10.4", says="A server that is not reached holds nothing up that goes elsewhere.")
def test_nothing_else_is_held_up(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    bob.send("<presence/>")
    bob.sentinel()
    identifier = new_id()
    alice.send(KINDS["message"].format(to=f"romeo@{down(federation)}", id=new_id()))
    alice.send(KINDS["message"].format(to=bob.jid, id=identifier))
    bob.expect(identifier, "the message")


def returned(federation: Federation, kind: str, to: str) -> Element:
    """The error that must come for a stanza that reaches nobody."""
    alice, identifier = federation.alice(), new_id()
    with federation.here.blamed():
        alice.send(KINDS[kind].format(to=to, id=identifier))
        refused = alice.expect(identifier, f"the {kind} returned as an error")
        require(refused.get("type") == "error", "an error", refused)
    return refused


def down(federation: Federation) -> str:
    """A domain that resolves to a port at which nobody listens; a new one, so that nothing of it is remembered."""
    zone = federation.here.cell.federation
    if zone is None:
        impossible("no name of a remote server resolves in the cell")
    return f"x{new_id()}.s{CLOSED}.{zone.zone}"
