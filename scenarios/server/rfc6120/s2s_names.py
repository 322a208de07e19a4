"""RFC 6120 §3.2, §10.4.3 between servers: how the subject finds a remote domain, and what it says where it cannot.

Names of the lab's zone say where they are served (`lab.engines.names`): so a check can have a first target that is
dead, a service that is said not to exist, or no name at all.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from lab.plugin import Specification, Stage, premise, require, require_equal
from lab.plugin.federation import Remote
from lab.wire.s2s import receive_stream
from lab.wire.session import Session, localname
from lab.wire.transport import NoAnswer
from scenarios.server.rfc6120._s2s import (
    BOUNCES,
    KINDS,
    expect_bounce,
    greet,
    stanza,
    still_federates,
)

RFC = Specification("RFC 6120")

DEAD = "s1"
"""A target whose port nobody listens on."""
every_kind = pytest.mark.parametrize("kind", KINDS)


@RFC.must("13.9.2", "3.2.1", "3.1", "10.4", says="A remote domain is found by the port of its SRV record.")
def test_srv_record_is_followed(alice: Session, remote: Remote) -> None:
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, None)
    header = session.header
    require_equal(
        header.get("to") if header else None, remote.domain, "'to' of the header: the domain, not the target"
    )


@RFC.should("3.2.1", "10.4", says="Where the first target is dead, the next one is called, by its priority.")
@pytest.mark.parametrize("dead", [1, 2], ids=["one", "two"])
def test_next_target_is_called(alice: Session, remote: Remote, dead: int) -> None:
    domain = remote.served(*[DEAD] * dead, f"s{remote.door.port}")
    xml, identifier = stanza("message", to=f"somebody@{domain}")
    alice.send(xml)
    session = remote.receive(jid=domain)
    require_equal(session.expect(identifier).get("from"), alice.jid, "'from' of the message")


@RFC.should("3.2.1", "10.4", says="Of two targets that live, the one with the better priority is called.")
def test_better_priority_is_called_first(alice: Session, remote: Remote, another: Remote) -> None:
    domain = remote.served(f"s{remote.door.port}", f"s{another.door.port}")
    xml, identifier = stanza("message", to=f"somebody@{domain}")
    alice.send(xml)
    session = remote.receive(jid=domain)
    require_equal(session.expect(identifier).get("from"), alice.jid, "'from' of the message")
    try:
        another.receive(Stage.CONNECTED, timeout=0.01)
    except NoAnswer:
        return
    require(False, "no call at the second target", "a connection")


UNREACHABLE = {
    "no-such-name": ("nothing", ("remote-server-not-found",)),
    "no-such-service": ("s0", BOUNCES),
    "nobody-listens": (DEAD, BOUNCES),
}
unreachable = pytest.mark.parametrize(("where", "conditions"), UNREACHABLE.values(), ids=UNREACHABLE.keys())


@every_kind
@unreachable
@RFC.must(
    "10.4.3", "8.3.3.16", "3.2.1", says="What cannot be sent to a remote domain comes back as an error that says so."
)
def test_unreachable_domain_is_told(
    alice: Session, remote: Remote, kind: str, where: str, conditions: tuple[str, ...]
) -> None:
    # A domain without a name MUST be remote-server-not-found. Of one with a name that nobody answers at, §10.4.3 and
    # §8.3.3.16 say different things.
    to = f"somebody@{remote.served(where)}/r"
    xml, identifier = stanza(kind, to=to)
    alice.send(xml)
    error = expect_bounce(alice, identifier, *conditions)
    require_equal(localname(error), kind, "the stanza that comes back")


@unreachable
@RFC.should("8.3.1", says="The error over a domain that is not reached has both addresses of the stanza, swapped.")
def test_error_of_an_unreachable_domain_has_its_address(
    alice: Session, remote: Remote, where: str, conditions: tuple[str, ...]
) -> None:
    to = f"somebody@{remote.served(where)}/r"
    xml, identifier = stanza("message", to=to)
    alice.send(xml)
    error = expect_bounce(alice, identifier, *conditions)
    require_equal((error.get("from"), error.get("to")), (to, alice.jid), "'from' and 'to' of the error")


@RFC.should("8.3.3.16", says="The type of remote-server-not-found is cancel.")
def test_unknown_domain_is_an_error_to_cancel(alice: Session, remote: Remote) -> None:
    xml, identifier = stanza("message", to=f"somebody@{remote.served('nothing')}")
    alice.send(xml)
    error = expect_bounce(alice, identifier, "remote-server-not-found").find("{*}error")
    require_equal(error.get("type") if error is not None else None, "cancel", "the type of the error")


@pytest.mark.parametrize("kind", KINDS)
@RFC.must_not("8.3.1", "8.2.3", says="An error or a result that cannot be sent is not answered by an error.")
def test_unreachable_domain_brings_no_error_for_an_error(alice: Session, remote: Remote, kind: str) -> None:
    to = f"somebody@{remote.served('nothing')}/r"
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    xml, identifier = stanza(kind, to=to, content=error)
    kinds = {"message": "type='chat'", "iq": "type='get'"}
    alice.send(
        xml.replace(kinds.get(kind, f"<{kind} "), "type='error'" if kind in kinds else f"<{kind} type='error' ")
    )
    behind, mark = stanza("message", to=to)
    alice.send(behind)
    premise(
        lambda: expect_bounce(alice, mark),
        "what cannot be sent does not come back, so that nobody knows when it was tried",
    )
    alice.expect_nothing(
        f"<{kind} type='error' id='{identifier}' from='{to}'>{error}</{kind}>",
        lambda e: e.get("id") == identifier,
        "an error for an error",
    )


@RFC.must("10.4.3", says="Each stanza that waited for a domain which cannot be reached comes back.")
def test_every_stanza_that_waited_is_told(alice: Session, remote: Remote) -> None:
    to = f"somebody@{remote.served(DEAD)}/r"
    made = [stanza("message", to=to) for _ in range(10)]
    alice.send_together(xml for xml, _ in made)
    for _, identifier in made:
        expect_bounce(alice, identifier, *BOUNCES)


@pytest.mark.parametrize("where", [where for where, _ in UNREACHABLE.values()], ids=UNREACHABLE.keys())
@RFC.should("10.4", "10.4.3", says="A domain that cannot be reached harms no other: the next one is reached.")
def test_unreachable_domain_harms_no_other(alice: Session, remote: Remote, where: str) -> None:
    xml, identifier = stanza("message", to=f"somebody@{remote.served(where)}")
    alice.send(xml)
    with suppress(NoAnswer):  # how it is told is another check's matter
        expect_bounce(alice, identifier)
    still_federates(alice, remote)


@RFC.must(
    "4.9.1.3",
    "10.4.3",
    says="A peer that says it does not serve the domain: the sender is told that it is not reached.",
)
def test_host_unknown_of_the_peer_is_told(alice: Session, remote: Remote) -> None:
    identifier = greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, None)
    session.send(
        "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    )
    session.expect_closed(stream=False)
    remote.door.close()
    expect_bounce(alice, identifier, *BOUNCES)
