"""RFC 6120 §8.1.1.2, §8.1.2.2 between servers: stanzas of a remote server with addresses that they may not have.

Each ends the stream by an error, and is never delivered. Both are checked apart, and by which error a third time:
that nobody can speak in another's name is the one that everything rests on.
"""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require
from lab.plugin.federation import Remote
from lab.wire.s2s import ServerSession
from lab.wire.session import Session, stream_error_condition
from lab.wire.stream import Element
from scenarios.server.rfc6120._s2s import (
    KINDS,
    arrives,
    end_of,
    expect_nothing_from,
    is_stream_error,
    somebody,
    stanza,
)
from scenarios.server.rfc6120._streams import CONDITIONS

RFC = Specification("RFC 6120")

CLOSE = "</stream:stream>"
every_kind = pytest.mark.parametrize("kind", KINDS)

FOREIGN_SENDERS = {
    "another-server": "somebody@{another}/r",
    "the-subject": "{domain}",
    "a-user-of-the-subject": "{alice}",
    "a-service-of-the-subject": "room@conference.{domain}/nick",
    "subdomain": "somebody@sub.{remote}/r",
    "parent-domain": "somebody@{parent}/r",
    "lookalike": "somebody@x{remote}/r",
    "domain-in-the-localpart": "{remote}@{another}/r",
    "domain-in-the-resource": "somebody@{another}/{remote}",
}
foreign_senders = pytest.mark.parametrize("sender", FOREIGN_SENDERS.values(), ids=FOREIGN_SENDERS.keys())


def filled(address: str, alice: Session, remote: Remote, another: Remote) -> str:
    return address.format(
        alice=alice.jid,
        domain=alice.domain,
        remote=remote.domain,
        parent=remote.domain.partition(".")[2],
        another=another.domain,
    )


def one_domain(remote: Remote) -> ServerSession:
    """Our stream, logged in by a certificate that gives us no other domain, not even one below ours."""
    return remote.call(certificate=remote.certificate_of(remote.domain))


def answer_to(outgoing: ServerSession, xml: str) -> list[Element]:
    """What comes back on the stream for a stanza, behind which we close: so nobody waits for silence."""
    outgoing.send(xml + CLOSE)
    return end_of(outgoing)


def require_stream_error(came: list[Element], *conditions: str) -> None:
    """The stream ended by an error, of one of `conditions` (any defined one, where none is given)."""
    expected = f"a stream error: {' or '.join(conditions) or 'any condition'}"
    require(came and is_stream_error(came[-1]), expected, came[-1] if came else "the end of the stream, without one")
    require(stream_error_condition(came[-1]) in (conditions or CONDITIONS), expected, came[-1])


@foreign_senders
@RFC.must_not(
    "8.1.2.2", "13.12", says="A stanza 'from' a domain that the peer has not proved to be is not delivered."
)
def test_stanza_of_a_foreign_domain_is_not_delivered(
    alice: Session, remote: Remote, another: Remote, sender: str
) -> None:
    alice.send("<presence/>")
    xml, identifier = stanza("message", to=alice.jid, sender=filled(sender, alice, remote, another))
    answer_to(one_domain(remote), xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza in the name of another domain")


@foreign_senders
@RFC.must(
    "8.1.2.2",
    "4.9.1.1",
    says="A stanza 'from' a domain that the peer has not proved to be ends the stream by an error.",
)
def test_stanza_of_a_foreign_domain_ends_the_stream(
    alice: Session, remote: Remote, another: Remote, sender: str
) -> None:
    xml, _ = stanza("message", to=alice.jid, sender=filled(sender, alice, remote, another))
    require_stream_error(answer_to(one_domain(remote), xml))


@RFC.must("8.1.2.2", says="The error for a stanza 'from' a domain that the peer is not is invalid-from.")
def test_foreign_domain_is_named_invalid_from(alice: Session, remote: Remote, another: Remote) -> None:
    xml, _ = stanza("message", to=alice.jid, sender=somebody(another))
    require_stream_error(answer_to(remote.call(), xml), "invalid-from")


@pytest.mark.parametrize("missing", ["from", "to"])
@RFC.must("8.1.2.2", "8.1.1.2", says="The error for a stanza that lacks an address is improper-addressing.")
def test_missing_address_is_named_improper_addressing(alice: Session, remote: Remote, missing: str) -> None:
    xml, _ = stanza("message", to=alice.jid, sender=somebody(remote))
    addresses = {"from": f"from='{somebody(remote)}' ", "to": f"to='{alice.jid}' "}
    require_stream_error(answer_to(remote.call(), xml.replace(addresses[missing], "")), "improper-addressing")


@pytest.mark.parametrize("kind", ["presence", "iq"])
@RFC.must_not("8.1.2.2", "13.12", says="Presence and iqs, too, pass only from the domain that the peer is.")
def test_other_stanzas_of_a_foreign_domain_are_not_delivered(
    alice: Session, remote: Remote, another: Remote, kind: str
) -> None:
    # An iq is for whom alice shares her presence with (RFC 6121 §8.5.3.1).
    alice.send(f"<presence/><presence to='{somebody(another)}'/>")
    xml, identifier = stanza(kind, to=alice.jid, sender=somebody(another))
    answer_to(remote.call(), xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza in the name of another domain")


@RFC.must_not("8.1.2.2", "13.12", says="Nobody answers in the name of another server, though alice has asked it.")
def test_answer_of_a_foreign_domain_is_not_delivered(alice: Session, remote: Remote, another: Remote) -> None:
    xml, identifier = stanza("iq", to=somebody(another))
    alice.send(xml)
    another.receive().expect(identifier)
    forged = f"<iq type='result' id='{identifier}' from='{somebody(another)}' to='{alice.jid}'/>"
    answer_to(remote.call(), forged)
    expect_nothing_from(alice, another, forged, identifier, "an answer in the name of another domain")


@every_kind
@RFC.must("8.1.2.2", "4.9.1.1", says="A server's stanza without 'from' ends the stream by an error.")
def test_stanza_without_from_ends_the_stream(alice: Session, remote: Remote, kind: str) -> None:
    xml, _ = stanza(kind, to=alice.jid)
    require_stream_error(answer_to(remote.call(), xml))


@every_kind
@RFC.must("8.1.1.2", "4.9.1.1", says="A server's stanza without 'to' ends the stream by an error.")
def test_stanza_without_to_ends_the_stream(remote: Remote, kind: str) -> None:
    xml, _ = stanza(kind, to="", sender=somebody(remote))
    require_stream_error(answer_to(remote.call(), xml.replace("to='' ", "")))


@RFC.must_not("8.1.2.2", says="A server's stanza without 'from' is not delivered.")
def test_stanza_without_from_is_not_delivered(alice: Session, remote: Remote, another: Remote) -> None:
    xml, identifier = stanza("message", to=alice.jid)
    answer_to(remote.call(), xml)
    expect_nothing_from(alice, another, xml, identifier, "a stanza of nobody")


MALFORMED = {"empty": "", "no-domain": "somebody@", "space": "some body@{domain}"}
malformed = pytest.mark.parametrize("address", MALFORMED.values(), ids=MALFORMED.keys())


@malformed
@RFC.must(
    "8.1.2.2", "4.9.1.1", says="A server's stanza with a 'from' that is no address ends the stream by an error."
)
def test_malformed_from_ends_the_stream(alice: Session, remote: Remote, address: str) -> None:
    xml, _ = stanza("message", to=alice.jid, sender="@")
    came = answer_to(remote.call(), xml.replace("from='@'", f"from='{address.format(domain=remote.domain)}'"))
    require_stream_error(came)


@malformed
@RFC.must("8.1.1.2", "4.9.1.1", says="A server's stanza with a 'to' that is no address ends the stream by an error.")
def test_malformed_to_ends_the_stream(alice: Session, remote: Remote, address: str) -> None:
    xml, _ = stanza("message", to=address.format(domain=alice.domain), sender=somebody(remote))
    require_stream_error(answer_to(remote.call(), xml))


FOREIGN_RECIPIENTS = {
    "nobody-s": "somebody@unknown.invalid",
    "own": "other@{remote}",
    "third": "somebody@{another}/r",
}
foreign_recipients = pytest.mark.parametrize("to", FOREIGN_RECIPIENTS.values(), ids=FOREIGN_RECIPIENTS.keys())


@foreign_recipients
@RFC.must("8.1.1.2", "10.5", says="A server's stanza for a domain that the receiver does not serve: host-unknown.")
def test_stanza_for_a_foreign_domain_ends_the_stream(
    alice: Session, remote: Remote, another: Remote, to: str
) -> None:
    xml, _ = stanza("message", to=filled(to, alice, remote, another), sender=somebody(remote))
    require_stream_error(answer_to(remote.call(), xml), "host-unknown", "host-gone")


@RFC.must_not("8.1.1.2", "10.5", says="A server does not pass a server's stanza on to a third one.")
def test_stanza_for_a_third_server_is_not_passed_on(alice: Session, remote: Remote, another: Remote) -> None:
    xml, identifier = stanza("message", to=somebody(another), sender=somebody(remote))
    answer_to(remote.call(), xml)
    own, mark = stanza("message", to=somebody(another))
    alice.send(own)  # which opens the stream to it
    incoming = another.receive()
    incoming.expect(mark)
    incoming.expect_nothing(xml, lambda e: e.get("id") == identifier, "a stanza of a third server", after=alice)


@RFC.should("8.1.2.2", says="A peer whose stream ended over a wrong address is served again when it comes back.")
def test_server_is_served_again_behind_a_wrong_address(alice: Session, remote: Remote) -> None:
    xml, _ = stanza("message", to=alice.jid, sender="somebody@unknown.invalid")
    answer_to(remote.call(), xml)
    arrives(remote.call(), alice)
