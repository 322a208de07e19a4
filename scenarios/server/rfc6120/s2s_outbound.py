"""RFC 6120 §8, §10 between servers: what a user sends to a remote domain, as it comes there."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_error
from lab.plugin.federation import Remote
from lab.wire.namespaces import CLIENT, LAB, NS, SASL, SERVER, XML_LANG
from lab.wire.negotiation import Stage
from lab.wire.s2s import ServerSession, receive_stream
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server.rfc6120._s2s import KINDS, UNKNOWN, greet, login_of, somebody, stanza, taken
from scenarios.server.rfc6120._stanzas import require_delivered
from scenarios.server.rfc6120._streams import bound_with, header

RFC = Specification("RFC 6120")

every_kind = pytest.mark.parametrize("kind", KINDS)


def sent_there(alice: Session, incoming: ServerSession, xml: str, identifier: str) -> Element:
    """What becomes of a stanza of alice's on the subject's stream, where it comes once."""
    alice.send(xml)
    got = incoming.expect(identifier)
    alice.sentinel(incoming)
    copies = [one for one in incoming.inbox if one.get("id") == identifier]
    require(not copies, "one copy of the stanza", copies[0] if copies else "")
    return got


@every_kind
@RFC.must(
    "8.1.2.2", "8.1.1.2", "8.1.2.1", says="A stanza to a remote domain has the sender's full JID, and its 'to'."
)
def test_stanza_to_a_remote_domain_has_both_addresses(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    got = sent_there(alice, incoming, *stanza(kind, to=somebody(remote)))
    require_equal(got.get("from"), alice.jid, "'from'")
    require_equal(got.get("to"), somebody(remote), "'to'")


@pytest.mark.parametrize("forged", ["remote", "other-user", "domain"])
@RFC.must("8.1.2.1", "8.1.2.2", says="A forged 'from' does not pass the sender's server on the way to another.")
def test_forged_from_does_not_go_to_a_remote_domain(
    alice: Session, remote: Remote, connect: Connect, forged: str
) -> None:
    incoming = taken(alice, remote)
    mallory = connect(label="mallory")
    lie = {"remote": somebody(remote), "other-user": alice.jid, "domain": alice.domain}[forged]
    xml, identifier = stanza("message", to=somebody(remote), sender=lie)
    mallory.send(xml)
    mallory.send("</stream:stream>")
    mallory.expect_closed(stream=False)
    alice.sentinel(incoming)
    came = [one for one in incoming.inbox if one.get("id") == identifier]
    require(not came or came[0].get("from") == mallory.jid, f"'from' is {mallory.jid}", came[0] if came else "")


ADDRESSES = {
    "domain": "{domain}",
    "bare": "somebody@{domain}",
    "full": "somebody@{domain}/r",
    "resource-of-the-domain": "{domain}/r",
    "spaces-in-the-resource": "somebody@{domain}/a resource",
}


@pytest.mark.parametrize("to", ADDRESSES.values(), ids=ADDRESSES.keys())
@RFC.must("8.1.1.1", "8.1.1.2", "10.4", says="'to' comes to the remote domain as it was written.")
def test_to_is_not_changed_for_a_remote_domain(alice: Session, remote: Remote, to: str) -> None:
    incoming = taken(alice, remote)
    address = to.format(domain=remote.domain)
    got = sent_there(alice, incoming, *stanza("message", to=address))
    require_equal(got.get("to"), address, "'to'")


@every_kind
@RFC.must("4.8.3", says="What goes to another server is qualified by jabber:server, with its children.")
def test_stanza_to_a_remote_domain_is_re_scoped(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    xml, identifier = stanza(kind, to=somebody(remote))
    got = sent_there(alice, incoming, xml, identifier)
    require_equal(got.tag, f"{{{SERVER}}}{kind}", "the stanza")
    strays = [one for one in got.iter() if str(one.tag).startswith(f"{{{CLIENT}}}")]
    require(not strays, "nothing of jabber:client", got)
    require(len(got), "its children", got)


RICH = {
    "message": "<message type='{type}' id='{id}' to='{to}'><subject>S</subject><body>B &lt;&amp; \N{SNOWMAN}</body>"
    "<thread>T</thread>" + UNKNOWN + "</message>",
    "presence": "<presence id='{id}' to='{to}'><show>dnd</show><status>S</status><priority>5</priority>"
    + UNKNOWN
    + "</presence>",
    "iq": "<iq type='set' id='{id}' to='{to}'><lab xmlns='" + LAB + "' one='1'>text<deep><er/></deep>tail</lab></iq>",
}


@every_kind
@RFC.must_not("8.4", "8.1.3", says="Stanzas go to a remote domain with all their children, their id and their type.")
def test_stanza_to_a_remote_domain_is_not_modified(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    identifier = f"{new_id()} <&>"
    written = RICH[kind].format(
        type="chat", to=somebody(remote), id=identifier.replace("&", "&amp;").replace("<", "&lt;")
    )
    got = sent_there(alice, incoming, written, identifier)
    require_delivered(got, written, alice.jid, namespace=SERVER)


@pytest.mark.parametrize("kind", ["normal", "chat", "headline", "groupchat", "error"])
@RFC.must_not("8.4", "8.2.1", says="A message goes to a remote domain with the type that it has.")
def test_message_to_a_remote_domain_keeps_its_type(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    identifier = new_id()
    error = (
        "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        if kind == "error"
        else ""
    )
    xml = f"<message type='{kind}' id='{identifier}' to='{somebody(remote)}'><body>Hello</body>{error}</message>"
    got = sent_there(alice, incoming, xml, identifier)
    require_equal(got.get("type", "normal"), kind, "the type")


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe", "unavailable"])
@RFC.must("10.4", "8.1.2.2", says="Presence of a type goes to the remote domain, with that type and both addresses.")
def test_presence_of_a_type_goes_to_a_remote_domain(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    contact = f"somebody@{remote.domain}"
    first = {
        "unsubscribe": f"<presence type='subscribe' to='{contact}'/>",
        "unavailable": f"<presence to='{contact}'/>",
    }
    alice.send(f"{first.get(kind, '')}<presence type='{kind}' to='{contact}'/>")
    got = incoming.expect(lambda e: localname(e) == "presence" and e.get("type") == kind, f"presence: {kind}")
    require((got.get("from") or "").startswith(alice.bare_jid), f"'from' is {alice.bare_jid}", got)
    require_equal((got.get("to") or "").partition("/")[0], contact, "'to'")


@RFC.must("10.1", says="Stanzas to one recipient at a remote domain come in the order in which they were sent.")
def test_order_to_a_remote_domain_is_kept(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    in_order(alice, remote, incoming)


@RFC.must("10.1", says="Stanzas that had to wait for the stream come in their order, too.")
def test_order_is_kept_while_the_stream_comes_about(alice: Session, remote: Remote) -> None:
    marks = [new_id() for _ in range(50)]
    alice.send_together(message(remote, mark, place) for place, mark in enumerate(marks))
    incoming = remote.receive()
    incoming.expect(marks[-1])
    require_equal(of(marks, incoming), marks[:-1], "the messages before the last")


@RFC.must("10.1", says="A stanza sent while the stream is negotiated does not overtake one that waits for it.")
def test_order_is_kept_behind_success(alice: Session, remote: Remote) -> None:
    first = greet(alice, remote)
    incoming = up_to_success(remote)
    second = greet(alice, remote)
    alice.sentinel()
    incoming.send("<stream:features/>")
    incoming.expect(second)
    require_equal(of([first], incoming), [first], "the messages before the second")


def up_to_success(remote: Remote) -> ServerSession:
    """The subject's stream behind its login, with our header sent and the features still to come."""
    incoming = remote.receive(Stage.SECURED)
    login_of(incoming)
    incoming.send(f"<success xmlns='{SASL}'/>")
    receive_stream(incoming, None)
    return incoming


def in_order(alice: Session, remote: Remote, incoming: ServerSession) -> None:
    marks = [new_id() for _ in range(50)]
    alice.send_together(message(remote, mark, place) for place, mark in enumerate(marks))
    alice.sentinel(incoming)
    require_equal(of(marks, incoming), marks, "the messages")


def of(marks: list[str], incoming: ServerSession) -> list[str | None]:
    """Which of these have come, in their order: the server may say something of its own between."""
    return [one.get("id") for one in incoming.inbox if one.get("id") in marks]


def message(remote: Remote, mark: str, place: int) -> str:
    """A message to one recipient, now by the bare and now by the full JID, which are the same here (§10.1)."""
    to = somebody(remote) if place % 2 else somebody(remote).partition("/")[0]
    return f"<message type='chat' id='{mark}' to='{to}'><body>{place}</body></message>"


@RFC.should("10.4.1", "10.1", says="What follows goes over the stream that is there: no second connection is made.")
def test_existing_stream_is_used(alice: Session, bob: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    for user in (alice, bob):
        identifier = greet(user, remote)
        require_equal(incoming.expect(identifier).get("from"), user.jid, "'from'")
    try:
        remote.receive(timeout=0.01)
    except NoAnswer:
        return
    require(False, "one connection", "a second one")


@RFC.must_not("8.1.5", "4.7.4", says="The language of a stanza comes to the remote domain as it was written.")
def test_language_of_a_stanza_goes_to_a_remote_domain(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    got = sent_there(alice, incoming, *stanza("message", to=somebody(remote), extra="xml:lang='cs'"))
    require_equal(got.get(XML_LANG), "cs", "xml:lang")


@RFC.should("8.1.5", "4.7.4", says="A stanza without a language gets that of its sender's stream on its way.")
def test_language_of_the_stream_goes_to_a_remote_domain(connect: Connect, remote: Remote) -> None:
    text = header(to=connect.cell.domain, lang="de", declaration="")
    alice = bound_with(connect, text)
    incoming = taken(alice, remote)
    got = sent_there(alice, incoming, *stanza("message", to=somebody(remote)))
    require_equal(got.get(XML_LANG), "de", "xml:lang")


@pytest.mark.parametrize("size", [5_000, 10_000], ids=["half", "whole"])
@RFC.must_not("13.12", "8.4", says="A stanza of 10,000 bytes goes to a remote domain whole.")
def test_large_stanza_goes_to_a_remote_domain(alice: Session, remote: Remote, size: int) -> None:
    incoming = taken(alice, remote)
    bare, identifier = stanza("message", to=somebody(remote), content="<body></body>")
    text = "x" * (size - len(bare))
    got = sent_there(alice, incoming, bare.replace("<body>", f"<body>{text}"), identifier)
    body = got.findtext("s:body", namespaces=NS) or ""
    require(body == text, f"a body of {len(text)} bytes, unchanged", f"a body of {len(body)} bytes")


@RFC.must(
    "8.2.3", "8.1.3", says="The remote entity's answer to an iq comes back, with its id, from whom it was asked."
)
@pytest.mark.parametrize("kind", ["result", "error"])
def test_answer_of_a_remote_entity_comes_back(alice: Session, remote: Remote, kind: str) -> None:
    incoming = taken(alice, remote)
    xml, identifier = stanza("iq", to=somebody(remote))
    asked = sent_there(alice, incoming, xml, identifier)
    inner = f"<done xmlns='{LAB}'/>" if kind == "result" else UNSUPPORTED
    remote.call().send(
        f"<iq type='{kind}' id='{identifier}' from='{asked.get('to')}' to='{asked.get('from')}'>{inner}</iq>"
    )
    got = alice.expect(identifier)
    require_equal(got.get("from"), somebody(remote), "'from' of the answer")
    if kind == "error":
        require_error(got, "service-unavailable")
    else:
        require_equal(got.get("type"), "result", "the type of the answer")
        require(got.find("lab:done", NS) is not None, "the payload of the answer", got)


UNSUPPORTED = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


@RFC.must(
    "10.4.3", "8.3.1", says="An error that the remote server sends for a message comes to who sent the message."
)
def test_error_of_a_remote_server_comes_back(alice: Session, remote: Remote) -> None:
    incoming = taken(alice, remote)
    xml, identifier = stanza("message", to=somebody(remote))
    sent_there(alice, incoming, xml, identifier)
    remote.call().send(
        f"<message type='error' id='{identifier}' from='{somebody(remote)}' to='{alice.jid}'>{UNSUPPORTED}</message>"
    )
    got = alice.expect(identifier)
    require_error(got, "service-unavailable", kind="cancel")
    require_equal(got.get("from"), somebody(remote), "'from' of the error")
