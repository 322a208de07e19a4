"""RFC 6120 §8, §10 between servers: what a remote server sends, as users get it, and how it is answered.

Stanzas with addresses that they may not have stand in `s2s_addresses`.
"""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.plugin import (
    Connect,
    Specification,
    Stage,
    impossible,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.plugin.federation import Remote
from lab.wire.namespaces import CLIENT, DISCO_INFO, LAB, NS, PING, SERVER, XML_LANG
from lab.wire.negotiation import starttls
from lab.wire.s2s import ServerSession, open_server_stream
from lab.wire.session import Session, StreamFailed, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server.rfc6120._s2s import (
    KINDS,
    UNKNOWN,
    arrives,
    end_of,
    greet,
    is_stream_error,
    server_header,
    somebody,
    stanza,
    with_certificate,
)
from scenarios.server.rfc6120._sasl import auth, require_success
from scenarios.server.rfc6120._stanzas import require_delivered
from scenarios.server.rfc6120._streams import expect_features, open_with

RFC = Specification("RFC 6120")

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def alice(alice: Session) -> Session:
    """Available: what a client that is not gets is not asked here."""
    alice.send("<presence/>")
    alice.sentinel()
    return alice


def delivered(outgoing: ServerSession, alice: Session, xml: str, identifier: str) -> Element:
    """What becomes of a remote server's stanza, which reaches alice once.

    An iq may be kept from her: its sender is nobody with whom she shares presence (RFC 6121 §8.5.3.1).
    """
    outgoing.send(xml)
    try:
        got = alice.expect(identifier)
    except NoAnswer:
        if not xml.startswith("<iq"):
            raise
        unsupported("delivery of the iqs of strangers")
    outgoing.sentinel(alice)
    copies = [one for one in alice.inbox if one.get("id") == identifier]
    require(not copies, "one copy of the stanza", copies[0] if copies else "")
    return got


@every_kind
@RFC.must("8.1.2.2", "8.1.1.2", "10.5.4", says="A remote server's stanza reaches the user with the addresses it has.")
def test_remote_stanza_keeps_its_addresses(alice: Session, remote: Remote, kind: str) -> None:
    got = delivered(remote.call(), alice, *stanza(kind, to=alice.jid, sender=somebody(remote)))
    require_equal(got.get("from"), somebody(remote), "'from'")
    require_equal(got.get("to"), alice.jid, "'to'")


SENDERS = {"domain": "{domain}", "bare": "somebody@{domain}", "resource-of-the-domain": "{domain}/r"}


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS.keys())
@RFC.must("8.1.2.2", says="Whoever at the remote domain sends a stanza, it is delivered as theirs.")
def test_remote_sender_of_any_form_is_taken(alice: Session, remote: Remote, sender: str) -> None:
    address = sender.format(domain=remote.domain)
    got = delivered(remote.call(), alice, *stanza("message", to=alice.jid, sender=address))
    require_equal(got.get("from"), address, "'from'")


@every_kind
@RFC.must("4.8.3", says="What comes from another server is delivered to a client qualified by jabber:client.")
def test_remote_stanza_is_re_scoped(alice: Session, remote: Remote, kind: str) -> None:
    got = delivered(remote.call(), alice, *stanza(kind, to=alice.jid, sender=somebody(remote)))
    require_equal(got.tag, f"{{{CLIENT}}}{kind}", "the stanza")
    strays = [one for one in got.iter() if str(one.tag).startswith(f"{{{SERVER}}}")]
    require(not strays, "nothing of jabber:server", got)
    require(len(got), "its children", got)


RICH = {
    "message": "<message type='chat' id='{id}' from='{of}' to='{to}'><subject>S</subject>"
    "<body>B &lt;&amp; \N{SNOWMAN}</body><thread>T</thread>" + UNKNOWN + "</message>",
    "presence": "<presence id='{id}' from='{of}' to='{to}'><show>dnd</show><status>S</status><priority>5</priority>"
    + UNKNOWN
    + "</presence>",
    "iq": "<iq type='set' id='{id}' from='{of}' to='{to}'><lab xmlns='"
    + LAB
    + "' one='1'>text<deep><er/></deep>tail</lab></iq>",
}


@every_kind
@RFC.must_not("8.4", "8.1.3", says="A remote server's stanza is delivered with all its children and its id.")
def test_remote_stanza_is_not_modified(alice: Session, remote: Remote, kind: str) -> None:
    identifier = f"{new_id()} <&>"
    escaped = identifier.replace("&", "&amp;").replace("<", "&lt;")
    written = RICH[kind].format(id=escaped, of=somebody(remote), to=alice.jid)
    require_delivered(delivered(remote.call(), alice, written, identifier), written, somebody(remote))


@pytest.mark.parametrize("kind", ["normal", "chat", "headline"])
@RFC.must_not("8.4", "8.2.1", says="A remote server's message is delivered with the type that it has.")
def test_remote_message_keeps_its_type(alice: Session, remote: Remote, kind: str) -> None:
    identifier = new_id()
    xml = (
        f"<message type='{kind}' id='{identifier}' from='{somebody(remote)}' to='{alice.jid}'>"
        "<body>Hello</body></message>"
    )
    got = delivered(remote.call(), alice, xml, identifier)
    require_equal(got.get("type", "normal"), kind, "the type")


@RFC.must("10.1", says="A remote server's stanzas to one recipient are delivered in their order.")
def test_order_of_a_remote_server_is_kept(alice: Session, remote: Remote) -> None:
    outgoing = remote.call()
    marks = [new_id() for _ in range(50)]
    outgoing.send_together(
        f"<message type='chat' id='{mark}' from='{somebody(remote)}' "
        f"to='{alice.jid if place % 2 else alice.bare_jid}'><body>{place}</body></message>"
        for place, mark in enumerate(marks)
    )
    outgoing.sentinel(alice)
    came = [one.get("id") for one in alice.inbox if one.get("from") == somebody(remote)]
    require_equal(came, marks, "the messages")


@RFC.must_not("8.1.5", "4.7.4", says="The language of a remote server's stanza is delivered as it was written.")
def test_language_of_a_remote_stanza_is_kept(alice: Session, remote: Remote) -> None:
    xml = stanza("message", to=alice.jid, sender=somebody(remote), extra="xml:lang='cs'")
    require_equal(delivered(remote.call(), alice, *xml).get(XML_LANG), "cs", "xml:lang")


@RFC.should("8.1.5", "4.7.4", says="A remote server's stanza without a language gets that of its stream.")
def test_language_of_a_server_s_stream_is_delivered(alice: Session, remote: Remote) -> None:
    session = remote.call(Stage.OPENED)
    starttls(session, with_certificate(remote))
    open_server_stream(session)
    require_success(auth(session, "EXTERNAL", "="))
    open_with(session, server_header(session).replace("xml:lang='en'", "xml:lang='de'"))
    expect_features(session)
    xml = stanza("message", to=alice.jid, sender=somebody(remote))
    require_equal(delivered(session, alice, *xml).get(XML_LANG), "de", "xml:lang")


@pytest.mark.parametrize("size", [5_000, 10_000], ids=["half", "whole"])
@RFC.must_not("13.12", "8.4", says="A remote server's stanza of 10,000 bytes is delivered whole.")
def test_large_remote_stanza_is_delivered(alice: Session, remote: Remote, size: int) -> None:
    bare, identifier = stanza("message", to=alice.jid, sender=somebody(remote), content="<body></body>")
    text = "x" * (size - len(bare))
    got = delivered(remote.call(), alice, bare.replace("<body>", f"<body>{text}"), identifier)
    body = got.findtext("c:body", namespaces=NS) or ""
    require(body == text, f"a body of {len(text)} bytes, unchanged", f"a body of {len(body)} bytes")


@RFC.must("13.12", "4.9.1.1", says="A remote server's stanza that is too large is policy-violation, or is delivered.")
def test_huge_remote_stanza_is_delivered_or_refused(alice: Session, remote: Remote) -> None:
    outgoing = remote.call()
    text = "x" * (512 * 1024)
    xml, identifier = stanza("message", to=alice.jid, sender=somebody(remote), content=f"<body>{text}</body>")
    try:
        outgoing.send(xml + "</stream:stream>")
        came = end_of(outgoing)
    except PeerError:
        came = []  # cut off while it was sent
    if [one for one in came if is_stream_error(one)]:
        error = StreamFailed(came[-1])
        require_equal(error.condition, "policy-violation", "the stream error")
    alice.sentinel()
    whole = [one for one in alice.inbox if one.get("id") == identifier]
    require(all(one.findtext("{*}body") == text for one in whole), "the whole body, or nothing", "a part of it")
    arrives(remote.call(), alice)


# --- requests to the subject


def asked(alice: Session, remote: Remote, to: str, payload: str) -> Element:
    """The answer to an iq of the remote server's, which comes on the stream that the subject opens."""
    outgoing = remote.call()
    identifier = new_id()
    outgoing.send(f"<iq type='get' id='{identifier}' from='{somebody(remote)}' to='{to}'>{payload}</iq>")
    incoming = remote.receive()
    answer = incoming.expect(identifier, "the answer to the remote server's iq")
    require_equal(localname(answer), "iq", "the answer")
    require_equal(answer.get("to"), somebody(remote), "'to' of the answer")
    require_equal(answer.get("from"), to, "'from' of the answer")
    again = greet(alice, remote)
    incoming.expect(again)
    copies = [one for one in incoming.inbox if one.get("id") == identifier]
    require(not copies, "one answer", copies[0] if copies else "")
    return answer


@RFC.must(
    "10.5.1",
    "8.2.3",
    "8.1.2.2",
    says="An iq of a remote entity to the domain is answered, over a stream of the subject's.",
)
def test_remote_iq_to_the_domain_is_answered(alice: Session, remote: Remote) -> None:
    answer = asked(alice, remote, alice.domain, f"<query xmlns='{DISCO_INFO}'/>")
    require_identity(answer)


def require_identity(answer: Element) -> None:
    """An identity; or an error, which nobody has to give a reason for (XEP-0030 §3.1)."""
    if answer.get("type") == "error":
        require_error(answer)
        return
    require_result(answer)
    require(answer.find("disco:query/disco:identity", NS) is not None, "an identity", answer)


@RFC.must("10.5.1", "8.2.3", says="A ping of a remote entity is answered, by a result or an error.")
def test_remote_ping_is_answered(alice: Session, remote: Remote) -> None:
    answer = asked(alice, remote, alice.domain, f"<ping xmlns='{PING}'/>")
    if answer.get("type") != "result":
        require_error(answer)


@RFC.must(
    "8.4",
    "10.5.1",
    "8.3.1",
    says="A payload that the server does not know is service-unavailable to a remote entity.",
)
def test_unknown_remote_payload_is_answered(alice: Session, remote: Remote) -> None:
    require_error(asked(alice, remote, alice.domain, UNKNOWN), "service-unavailable", "feature-not-implemented")


@pytest.mark.parametrize("to", ["bare", "full"])
@RFC.must(
    "10.5.3.1", "8.2.3", says="An iq of a remote entity to an account that does not exist: service-unavailable."
)
def test_remote_iq_to_no_account_is_refused(alice: Session, remote: Remote, to: str) -> None:
    address = f"nobody-{new_id()}@{alice.domain}" + ("/r" if to == "full" else "")
    answer = asked(alice, remote, address, UNKNOWN)
    require_error(answer, "service-unavailable")


@RFC.must("10.5.4", "8.2.3", says="An iq of a remote entity to a resource that is not there: service-unavailable.")
def test_remote_iq_to_no_resource_is_refused(alice: Session, remote: Remote) -> None:
    require_error(asked(alice, remote, f"{alice.bare_jid}/not-there", UNKNOWN), "service-unavailable")


@RFC.must(
    "8.2.3", "8.1.3", says="A user's answer to a remote entity's iq goes back to it, over the subject's stream."
)
@pytest.mark.parametrize("kind", ["result", "error"])
def test_answer_of_a_user_goes_to_a_remote_entity(alice: Session, remote: Remote, kind: str) -> None:
    got = delivered(remote.call(), alice, *stanza("iq", to=alice.jid, sender=somebody(remote)))
    inner = (
        f"<done xmlns='{LAB}'/>"
        if kind == "result"
        else "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    )
    alice.send(f"<iq type='{kind}' id='{got.get('id')}' to='{got.get('from')}'>{inner}</iq>")
    answer = remote.receive().expect(got.get("id") or "")
    require_equal(answer.get("type"), kind, "the type of the answer")
    require_equal(answer.get("from"), alice.jid, "'from' of the answer")
    require_equal(answer.get("to"), somebody(remote), "'to' of the answer")
    if kind == "error":
        require_equal(stanza_error_condition(answer), "service-unavailable", "the condition")
    else:
        require(answer.find("lab:done", NS) is not None, "the payload of the answer", answer)


@pytest.mark.parametrize("to", ["bare", "full"])
@RFC.must("10.5.3.1", "8.3.1", says="A remote entity's message to no account is answered by an error, or not at all.")
def test_remote_message_to_no_account(alice: Session, remote: Remote, to: str) -> None:
    outgoing = remote.call()
    address = f"nobody-{new_id()}@{alice.domain}" + ("/r" if to == "full" else "")
    xml, identifier = stanza("message", to=address, sender=somebody(remote))
    outgoing.send(xml)
    outgoing.sentinel(alice)
    again = greet(alice, remote)
    incoming = remote.receive()
    incoming.expect(again)
    for one in incoming.inbox:
        if one.get("id") == identifier:
            require_error(one, "service-unavailable")
            require_equal(one.get("from"), address, "'from' of the error")


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@RFC.must_not("8.3.1", says="An error stanza of a remote entity's is not answered, even where nobody can take it.")
def test_remote_error_is_not_answered(alice: Session, remote: Remote, kind: str) -> None:
    outgoing = remote.call()
    identifier = new_id()
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    xml = (
        f"<{kind} type='error' id='{identifier}' from='{somebody(remote)}' to='{alice.bare_jid}/not-there'>"
        f"{error}</{kind}>"
    )
    outgoing.send(xml)
    outgoing.sentinel(alice)
    again = greet(alice, remote)
    incoming = remote.receive()
    incoming.expect(again)
    incoming.expect_nothing(
        f"<{kind} type='error' id='{identifier}' to='{somebody(remote)}'>{error}</{kind}>",
        lambda e: e.get("id") == identifier,
        "an answer to an error",
        after=alice,
    )


@RFC.must("10.5", says="A remote entity's iq to a service of the subject's is answered by that service.")
def test_remote_iq_to_a_service_is_answered(remote: Remote, connect: Connect) -> None:
    if (service := connect.cell.services.get("muc")) is None:
        impossible("the server has no rooms")
    identifier = new_id()
    outgoing = remote.call(domain=service)
    query = f"<query xmlns='{DISCO_INFO}'/>"
    outgoing.send(f"<iq type='get' id='{identifier}' from='{somebody(remote)}' to='{service}'>{query}</iq>")
    answer = remote.receive().expect(identifier, "the answer to the remote server's iq")
    require_equal(answer.get("from"), service, "'from' of the answer")
    require_identity(answer)
