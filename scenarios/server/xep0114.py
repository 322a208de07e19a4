"""XEP-0114: external components, as a component, the users of its server and its would-be impostors see it.

There is one component domain, so these checks run one after the other.
"""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from secrets import token_hex

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.component import digest, open_component_stream, shake_hands
from lab.wire.namespaces import CLIENT, COMPONENT, LAB, NS, STREAM
from lab.wire.negotiation import expect_header, header
from lab.wire.session import Session, StreamEnded, StreamFailed, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    deliver,
    identifier,
    require_delivered,
    require_no_copy,
    stanza,
)

XEP = Specification("XEP-0114")
RFC = Specification("RFC 6120")

pytestmark = pytest.mark.xdist_group("component")

every_kind = pytest.mark.parametrize("kind", ["message", "presence", "iq"])


@pytest.fixture(autouse=True)
def _components_are_gone(connect: Connect) -> Iterator[None]:
    """Wait for the server to let the component's connections go: the next check takes the name again."""
    yield
    for session in connect.open:
        if session.namespace == COMPONENT:
            session.tamper = None
            _leave(session)


def _leave(session: Session) -> None:
    try:
        session.send("</stream:stream>")
        session.expect_closed(stream=False)
    except PeerError as error:
        session.trace.note(session.label, f"leaving: {error.message}")
    session.transport.close()


def _secret(connect: Connect) -> str:
    return connect.cell.component.secret if connect.cell.component else ""


def _salted(connect: Connect) -> tuple[Session, str]:
    """A component that has exchanged headers, and the stream id that it was given."""
    session = connect.component(ready=False)
    return session, open_component_stream(session)


def _require_refusal_or_silence(session: Session, asked: str) -> None:
    """The check fails where a stanza that a component must not send is served.

    The server may end the stream with an error, return the stanza as an error, or drop it without a word.
    """
    try:
        session.expect_nothing(
            f"<iq type='result' id='{asked}' from='{session.domain}' to='{session.jid}'/>",
            lambda e: e.get("id") == asked and not stanza_error_condition(e),
            "a result for a stanza that a component must not send",
        )
    except StreamFailed as error:
        refusals = {"improper-addressing", "invalid-from", "bad-format", "invalid-xml", "not-authorized"}
        require(error.condition in refusals, f"a stream error: {', '.join(sorted(refusals))}", error.seen)


# --- stream headers


@XEP.must("3", says="The server answers the header of a component that it serves with its own, and an id in it.")
def test_header_is_answered(connect: Connect) -> None:
    session = connect.component(ready=False)
    stream_id = open_component_stream(session)
    require(stream_id, "a stream id", "none")
    if session.header is None:
        raise PeerError("no stream header")
    require_equal(session.header.element.tag, f"{{{STREAM}}}stream", "the root element")
    require_equal(session.header.content_namespace, COMPONENT, "the content namespace")
    require_equal(session.header.get("from"), session.jid, "'from'")


@XEP.must("3", says="Each stream has an id of its own: it is the salt of the handshake.")
def test_stream_ids_differ(connect: Connect) -> None:
    ids = []
    for _ in range(3):
        session, stream_id = _salted(connect)
        ids.append(stream_id)
        _leave(session)
    require(len(set(ids)) == len(ids) and all(ids), "three different ids", ", ".join(ids))


@pytest.mark.parametrize("name", ["unknown", "user", "server"])
@XEP.must(
    "3", says="A name that is not served gets a stream error, inside a stream that the server opens and closes."
)
def test_unserved_name_is_refused(name: str, connect: Connect) -> None:
    domain = connect.cell.domain
    target = {"unknown": f"{token_hex(4)}.{domain}", "user": f"romeo@{domain}", "server": domain}[name]
    session = connect.component(target, ready=False)
    stream_id = open_component_stream(session)
    try:
        answer = session.receive(timeout=0.5)
    except StreamFailed:
        session.expect_closed()
        return
    except NoAnswer:
        # Nothing says that the server has to refuse before it has seen the handshake.
        session.send(f"<handshake>{digest(stream_id, _secret(connect))}</handshake>")
        session.expect_stream_error()
        session.expect_closed()
        return
    require(False, "a stream error", answer)


@XEP.must("3", says="A namespace that is not supported on the port gets an invalid-namespace stream error.")
def test_unsupported_namespace_is_refused(connect: Connect) -> None:
    session = connect.component(ready=False)
    session.send(header(to=session.jid, namespace=f"{LAB}:component", version=None, lang=None))
    expect_header(session)
    session.expect_stream_error("invalid-namespace")
    session.expect_closed()


# --- the handshake


@XEP.must("3", says="The right handshake is acknowledged with an empty handshake element.")
def test_right_handshake_is_acknowledged(connect: Connect) -> None:
    session, stream_id = _salted(connect)
    session.send(f"<handshake>{digest(stream_id, _secret(connect))}</handshake>")
    answer = session.receive()
    require(answer.tag == f"{{{COMPONENT}}}handshake", "<handshake/>", answer)
    require(len(answer) == 0 and not (answer.text or "").strip(), "an empty <handshake/>", answer)


WRONG: dict[str, Callable[[str, str], str]] = {
    "wrong-secret": lambda salt, _: digest(salt, "not the secret"),
    "secret-alone": lambda _, secret: digest("", secret),
    "secret-in-clear": lambda _, secret: secret,
    "other-order": lambda salt, secret: digest(secret, salt),
    "base64": lambda salt, secret: b64encode(bytes.fromhex(digest(salt, secret))).decode(),
    "another-hash": lambda salt, secret: hashlib.sha256((salt + secret).encode()).hexdigest(),
    "cut-short": lambda salt, secret: digest(salt, secret)[:-1],
    "empty": lambda _salt, _secret: "",
}

each_wrong = pytest.mark.parametrize("wrong", WRONG)


@each_wrong
@XEP.must("3", says="After a handshake that is not valid the server closes the stream and the connection.")
def test_wrong_handshake_ends_the_connection(wrong: str, connect: Connect) -> None:
    session, salt = _salted(connect)
    session.send(f"<handshake>{WRONG[wrong](salt, _secret(connect))}</handshake>")
    _expect_the_end(session)


def _expect_the_end(session: Session) -> None:
    """Wait for the closing tag and the end of the connection; a stream error may come first, an answer may not."""
    try:
        answer = session.receive()
    except StreamFailed:
        session.expect_closed()
    except StreamEnded:
        session.expect_closed(stream=False)
    else:
        require(False, "the end of the stream", answer)


@XEP.should("3", says="A handshake that is not valid gets a not-authorized stream error.")
def test_wrong_handshake_is_not_authorized(connect: Connect) -> None:
    session, salt = _salted(connect)
    session.send(f"<handshake>{WRONG['wrong-secret'](salt, _secret(connect))}</handshake>")
    session.expect_stream_error("not-authorized")
    session.expect_closed()


@XEP.must("3", says="A handshake that was valid on another stream is not valid on this one.")
def test_handshake_of_another_stream_is_not_valid(connect: Connect) -> None:
    first, salt = _salted(connect)
    shake_hands(first, salt, _secret(connect))
    _leave(first)
    second, _ = _salted(connect)
    second.send(f"<handshake>{digest(salt, _secret(connect))}</handshake>")
    _expect_the_end(second)


@every_kind
@XEP.must("3", says="A stanza sent before the handshake is not delivered.")
def test_stanza_before_the_handshake_is_not_delivered(kind: str, bob: Session, connect: Connect) -> None:
    session, _ = _salted(connect)
    sent = stanza(kind, bob.jid, f"from='ghost@{session.jid}'")
    session.send(sent)
    # With a wrong handshake behind it the server must end this stream, and has looked at the stanza by then.
    session.send("<handshake>wrong</handshake>")
    _end_of(session)
    carol = connect(label="carol")
    bob.expect_nothing(sent, lambda e: e.get("id") == identifier(sent), "a stanza of nobody known", after=carol)


def _end_of(session: Session) -> None:
    try:
        while True:
            session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return


@XEP.must("3", says="Nothing is delivered to a component before its handshake.")
def test_nothing_is_delivered_before_the_handshake(alice: Session, connect: Connect) -> None:
    session, stream_id = _salted(connect)
    early = stanza("message", session.jid)
    alice.send(early)
    alice.sentinel()
    shake_hands(session, stream_id, _secret(connect))
    late = stanza("message", session.jid)
    alice.send(late)
    got = session.receive()
    require(got.get("id") == identifier(late), "only what was sent after the handshake", got)
    require_delivered(got, late, alice.jid, namespace=COMPONENT)


# --- from users to the component


@every_kind
@XEP.must("3", says="Stanzas of users reach the component unmodified, from the full JID of the user.")
def test_stanza_of_a_user_reaches_the_component(kind: str, alice: Session, component_session: Session) -> None:
    sent = stanza(kind, component_session.jid)
    got = deliver(alice, component_session, sent)
    require_delivered(got, sent, alice.jid, namespace=COMPONENT)


@pytest.mark.parametrize(
    "address",
    ["{user}@{domain}", "{user}@{domain}/r/with space", "{domain}/only-a-resource"],
    ids=["bare", "full", "domain-and-resource"],
)
@every_kind
@XEP.must("3", says="Stanzas to any address at the component's name reach the component.")
def test_any_address_of_the_component_is_routed(
    kind: str, address: str, alice: Session, component_session: Session
) -> None:
    target = address.format(user=f"ghost-{new_id()}", domain=component_session.jid)
    sent = stanza(kind, target)
    got = deliver(alice, component_session, sent)
    require_delivered(got, sent, alice.jid, namespace=COMPONENT)


@XEP.must("3", says="Many stanzas of a user reach the component in their order, each once.")
def test_stanzas_reach_the_component_in_order(alice: Session, component_session: Session) -> None:
    sent = [stanza(("message", "presence", "iq")[n % 3], f"u{n % 5}@{component_session.jid}") for n in range(45)]
    alice.send("".join(sent))
    alice.sentinel(component_session)
    got = [e for e in component_session.inbox if e.get("id")]
    require_equal([e.get("id") for e in got], [identifier(xml) for xml in sent], "ids")
    for element, xml in zip(got, sent, strict=True):
        require_delivered(element, xml, alice.jid, namespace=COMPONENT)


# --- from the component to users


@every_kind
@pytest.mark.parametrize("sender", ["{domain}", "ghost@{domain}", "ghost@{domain}/r"], ids=["domain", "bare", "full"])
@XEP.must("3", says="Stanzas from any address at the component's name reach users, as jabber:client has them.")
def test_stanza_of_the_component_reaches_the_user(
    sender: str, kind: str, bob: Session, component_session: Session
) -> None:
    address = sender.format(domain=component_session.jid)
    sent = stanza(kind, bob.jid, f"from='{address}'")
    component_session.send(sent)
    got = bob.expect(identifier(sent))
    require_delivered(got, sent, address, namespace=CLIENT)
    require_no_copy(component_session, bob, got)


@XEP.must("3", says="An iq of the component to the server is answered to the address that it was sent from.")
def test_iq_of_the_component_is_answered(component_session: Session) -> None:
    asked = new_id()
    sender = f"ghost@{component_session.jid}/r"
    domain = component_session.domain
    component_session.send(
        f"<iq type='get' id='{asked}' from='{sender}' to='{domain}'><query xmlns='{NS['disco']}'/></iq>"
    )
    reply = component_session.expect(asked)
    require(reply.tag == f"{{{COMPONENT}}}iq", "an iq in the component's namespace", reply)
    require_result(reply)
    require(reply.get("from") == domain, f"'from' is {domain}", reply)
    require(reply.get("to") == sender, f"'to' is {sender}", reply)
    require(reply.find("disco:query/disco:identity", NS) is not None, "the server's identity", reply)


@XEP.must("3", says="A request of a user and the component's result or error for it pass each once, unmodified.")
@pytest.mark.parametrize("answer", ["result", "error"])
def test_component_answers_a_user(answer: str, alice: Session, component_session: Session) -> None:
    request = stanza("iq", component_session.jid)
    got = deliver(alice, component_session, request)
    require_delivered(got, request, alice.jid, namespace=COMPONENT)
    content = UNKNOWN
    if answer == "error":
        content += (
            f"<error type='wait'><resource-constraint xmlns='{NS['stanzas']}'/>"
            f"<text xmlns='{NS['stanzas']}' xml:lang='eo'>Ne nun</text></error>"
        )
    response = (
        f"<iq type='{answer}' id='{got.get('id')}' from='{component_session.jid}' to='{alice.jid}'>{content}</iq>"
    )
    component_session.send(response)
    reply = alice.expect(identifier(request))
    require_delivered(reply, response, component_session.jid)
    require_no_copy(component_session, alice, reply)


# --- addresses that a component must not use


@every_kind
@pytest.mark.parametrize("forged", ["user", "server", "another-domain", "subdomain", "missing"])
@XEP.must("3", says="What a component sends bears a 'from' at its own name: no other reaches a user.")
def test_from_of_another_domain_does_not_arrive(
    forged: str, kind: str, bob: Session, component_session: Session, connect: Connect
) -> None:
    domain, server = component_session.jid, component_session.domain
    carol = connect(label="carol")
    address = {
        "user": f"from='{carol.jid}'",
        "server": f"from='{server}'",
        "another-domain": "from='mallory@forged.example/r'",
        "subdomain": f"from='mallory@sub.{domain}'",
        "missing": "",
    }[forged]
    sent = stanza(kind, bob.jid, address)
    component_session.send(sent)
    _require_refusal_or_silence(component_session, identifier(sent))

    def from_elsewhere(element: Element) -> bool:
        # A server that puts the component's own name where 'from' is missing lets no forgery through.
        claimed = (element.get("from") or "").partition("/")[0].rpartition("@")[2]
        return element.get("id") == identifier(sent) and claimed != domain

    bob.expect_nothing(sent, from_elsewhere, "a stanza from an address that is not the component's", after=carol)


@XEP.must("3", says="What a component sends bears a 'to': a request without one is not served.")
def test_request_without_to_is_not_served(component_session: Session) -> None:
    asked = new_id()
    component_session.send(f"<iq type='get' id='{asked}' from='{component_session.jid}'>{UNKNOWN}</iq>")
    _require_refusal_or_silence(component_session, asked)


# --- several connections, and none


@XEP.must(
    "3", says="A second connection for a name is refused with a stream error or served; stanzas come to one of them."
)
def test_second_connection_is_refused_or_served(alice: Session, component_session: Session, connect: Connect) -> None:
    second = connect.component(ready=False)
    sessions = [component_session]
    try:
        shake_hands(second, open_component_stream(second), _secret(connect))
        sessions.append(second)
    except StreamFailed as error:
        require_equal(error.condition, "conflict", "a stream error")
    sent = [stanza("message", f"u{number}@{component_session.jid}") for number in range(12)]
    alice.send("".join(sent))
    got = _collect(sessions, len(sent), alice.patience)
    alice.sentinel()
    got += _collect(sessions, 1, 0.2)
    require_equal(sorted(map(_id, got)), sorted(map(identifier, sent)), "ids")
    for element, xml in zip(sorted(got, key=_id), sorted(sent, key=identifier), strict=True):
        require_delivered(element, xml, alice.jid, namespace=COMPONENT)


def _id(element: Element) -> str:
    return element.get("id") or ""


def _collect(sessions: list[Session], number: int, seconds: float) -> list[Element]:
    """What comes on any of these connections, up to so many stanzas and so long; a connection may be gone."""
    got: list[Element] = []
    left = list(sessions)
    deadline = time.monotonic() + seconds
    while len(got) < number and left and time.monotonic() < deadline:
        for session in tuple(left):
            try:
                got.append(session.receive(timeout=0.02))
            except NoAnswer:
                continue
            except (StreamFailed, StreamEnded, ConnectionLost):
                left.remove(session)  # the older connection gave way to the newer one
    return got


@pytest.mark.parametrize("since", ["never-there", "gone"])
@RFC.must("8.2.3", "10.5", says="An iq to a component that is not connected comes back as an error.")
def test_iq_to_an_absent_component_is_refused(since: str, alice: Session, connect: Connect) -> None:
    if connect.cell.component is None:
        impossible("the cell has no place for a component")
    if since == "gone":
        session = connect.component()
        request = stanza("iq", session.jid)
        require_delivered(deliver(alice, session, request), request, alice.jid, namespace=COMPONENT)
        _leave(session)
    asked = new_id()
    target = connect.cell.component.domain
    alice.send(f"<iq type='get' id='{asked}' to='{target}'>{UNKNOWN}</iq>")
    reply = alice.expect(asked, timeout=15.0)
    require_error(reply)
    require(reply.get("from") == target, f"'from' is {target}", reply)
    require(reply.get("to") in {None, alice.jid}, f"'to' is {alice.jid}", reply)


@RFC.must("4.4", says="When a component closes its stream, the server closes its own, and the connection.")
def test_stream_closed_by_the_component_is_closed_by_the_server(component_session: Session) -> None:
    component_session.send("</stream:stream>")
    component_session.expect_closed()
