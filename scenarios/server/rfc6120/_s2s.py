"""Servers that talk to each other, as the checks on streams between them handle it. No check stands here.

`alice` is a user of the subject; `ADDRESS` is somebody at the lab's own domain. What the subject sends to a remote
server comes on a stream that it opens (`taken`); what the remote server sends goes over one that the lab opens
(`Remote.call`).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from lab.errors import LabError, PeerError
from lab.plugin import impossible, require, require_error
from lab.plugin.federation import Remote
from lab.wire.header import DECLARATION, header
from lab.wire.namespaces import LAB, SASL, SERVER, STREAM, TLS
from lab.wire.negotiation import Stage
from lab.wire.s2s import (
    OFFER_DIALBACK,
    OFFER_EXTERNAL,
    OFFER_STARTTLS,
    ServerSession,
    open_server_stream,
    receive_login,
    receive_starttls,
    receive_stream,
)
from lab.wire.session import Session, StreamEnded, StreamFailed, localname, new_id, show
from lab.wire.stream import Element, Received
from lab.wire.transport import ConnectionLost, NoAnswer, client_context
from scenarios.server.rfc6120._sasl import forbid_success, is_sasl

UNKNOWN = f"<unheard-of xmlns='{LAB}'><detail of='it'>text</detail></unheard-of>"
"""A payload that no server knows."""
BOUNCES = ("remote-server-not-found", "remote-server-timeout")
"""What tells a sender that the remote server was not reached (§10.4.3)."""
AT_ONCE = 0.01  # seconds
KINDS = ("message", "presence", "iq")


def somebody(remote: Remote) -> str:
    """A full JID at the remote server."""
    return f"somebody@{remote.domain}/r"


def stanza(kind: str, *, to: str, sender: str = "", extra: str = "", content: str | None = None) -> tuple[str, str]:
    """A stanza of `kind` and its fresh id; `extra` is put into its start tag; no `sender`, no `from`."""
    identifier = new_id()
    payloads = {"message": "<body>Hello</body>", "presence": "<status>Hello</status>", "iq": UNKNOWN}
    types = {"message": "type='chat' ", "presence": "", "iq": "type='get' "}
    addresses = f"to='{to}' " + (f"from='{sender}' " if sender else "")
    inner = payloads[kind] if content is None else content
    return f"<{kind} {types[kind]}id='{identifier}' {addresses}{extra}>{inner}</{kind}>", identifier


def greet(alice: Session, remote: Remote, kind: str = "message") -> str:
    """Alice sends a stanza to somebody there, which makes her server call; answers its id."""
    xml, identifier = stanza(kind, to=somebody(remote))
    alice.send(xml)
    return identifier


def taken(alice: Session, remote: Remote, stage: Stage = Stage.AUTHENTICATED) -> ServerSession:
    """The subject's stream to the lab, called for by a greeting of alice's, brought up to `stage`.

    Where that is the end, the greeting has come.
    """
    identifier = greet(alice, remote)
    session = remote.receive(stage)
    if stage >= Stage.AUTHENTICATED:
        session.expect(identifier, "alice's message on the subject's stream")
    return session


def up_to_login(alice: Session, remote: Remote, features: str = OFFER_EXTERNAL) -> ServerSession:
    """As `taken`, step by step within the check: TLS, and then these features."""
    greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS)
    receive_starttls(session, remote.certificate, remote.ca)
    receive_stream(session, features)
    return session


def login_of(session: ServerSession) -> Element:
    """The subject's EXTERNAL. That it tries that is a SHOULD of one check (§6.3.4), and no other's matter."""
    try:
        asked = session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        impossible("the server leaves where EXTERNAL is all that is offered")
    if not is_sasl(asked, "auth"):
        impossible("the server does not log in by EXTERNAL, though it is offered")
    return asked


def all_the_way(alice: Session, remote: Remote) -> tuple[ServerSession, str]:
    """A stream of the subject's that is taken wholly within the check; and the id of what alice sends on it."""
    identifier = greet(alice, remote)
    session = remote.receive(Stage.CONNECTED)
    receive_stream(session, OFFER_STARTTLS)
    receive_starttls(session, remote.certificate, remote.ca)
    receive_stream(session, OFFER_EXTERNAL + OFFER_DIALBACK)
    receive_login(session)
    return session, identifier


def expect_bounce(alice: Session, identifier: str, *conditions: str) -> Element:
    """Alice's stanza of that id comes back to her as an error: the remote server was not reached (§10.4.3)."""
    error = alice.expect(
        lambda e: e.get("id") == identifier and e.get("type") == "error", f"an error for the stanza {identifier!r}"
    )
    require_error(error, *conditions)
    return error


def still_federates(alice: Session, fresh: Remote) -> None:
    """Whatever happened, the subject reaches another remote server, and is reached by it."""
    taken(alice, fresh)
    arrives(fresh.call(), alice)


def arrives(outgoing: ServerSession, alice: Session) -> None:
    """A message of the remote server's reaches alice."""
    xml, identifier = stanza("message", to=alice.jid, sender=f"somebody@{outgoing.jid}/r")
    outgoing.send(xml)
    got = alice.expect(identifier, "a message from the remote server")
    require(localname(got) == "message", "a message", got)
    require(got.get("from") == f"somebody@{outgoing.jid}/r", f"'from' is somebody@{outgoing.jid}/r", got)


def expect_nothing_from(alice: Session, fresh: Remote, forbidden: str, identifier: str, what: str) -> None:
    """Show that alice gets no stanza of that id: what another remote server sends her later comes first."""
    alice.expect_nothing(forbidden, lambda e: e.get("id") == identifier, what, after=fresh.call())


def server_header(
    session: ServerSession,
    *,
    to: str | None = "",
    sender: str | None = "",
    version: str | None = "1.0",
    attributes: str = "",
) -> str:
    """Our initial header as text: right, unless told otherwise. None leaves an address out."""
    named = session.jid if sender == "" else sender
    shown = f"from='{named}' " if named is not None else ""
    return header(
        to=session.domain if to == "" else to,
        namespace=SERVER,
        version=version,
        attributes=f"{shown}{attributes}".strip(),
        declaration="" if session.header else DECLARATION,
    )


def with_certificate(remote: Remote) -> ssl.SSLContext:
    """TLS settings of a calling server that shows its right certificate."""
    return client_context(remote.ca, certificate=remote.certificate)


def end_of(session: ServerSession) -> list[Element]:
    """What the subject still sends until its stream or the connection ends. Fails where neither ends in time."""
    came: list[Element] = []
    try:
        while True:
            event = session.next_event()
            if not isinstance(event, Received):
                return came
            came.append(event.element)
    except LabError as error:
        require(not _silent(error), "the end of the stream", f"it stays open; before: {[show(e) for e in came]}")
        return came


def at_proceed(remote: Remote) -> ServerSession:
    """A connection on which the subject awaits TLS."""
    session = remote.call(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/>")
    require(is_tls(answer := session.receive(), "proceed"), "<proceed/>", answer)
    return session


def require_no_login(connected: Callable[[], ServerSession]) -> None:
    """The check fails where EXTERNAL lets our server in, on the stream that `connected` brings under TLS.

    The subject may turn it away before that: at the handshake, or at the header behind it.
    """
    try:
        session = connected()
        open_server_stream(session)
        session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth></stream:stream>")
    except PeerError:
        return
    session.inbox += end_of(session)
    forbid_success(session)


def _silent(error: LabError) -> bool:
    return isinstance(error, NoAnswer)


def by_now(session: ServerSession) -> list[Element]:
    """What has come on a stream that no sentinel goes over yet: a round trip of alice's has given it the time."""
    came: list[Element] = []
    try:
        while isinstance(event := session.next_event(timeout=AT_ONCE), Received):
            came.append(event.element)
    except NoAnswer:
        return came
    return came


def is_tls(element: Element, name: str) -> bool:
    return bool(element.tag == f"{{{TLS}}}{name}")


def is_stream_error(element: Element) -> bool:
    return bool(element.tag == f"{{{STREAM}}}error")
