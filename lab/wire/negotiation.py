"""How a stream comes about, step by step, in the order of RFC 6120: header (§4), STARTTLS (§5), SASL (§6), bind (§7).

Each step takes a Session, does one thing and leaves the rest as it is, so that a scenario can stop between any
two and misbehave. `connect` runs all of them up to a stage.
"""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from enum import IntEnum

from lab.cell import Account, Cell
from lab.cell import Transport as TransportName
from lab.errors import PeerError, UsageError
from lab.wire import sasl
from lab.wire.header import header
from lab.wire.namespaces import COMPONENT, NS, REGISTER, SASL, STREAM, TLS
from lab.wire.sasl2 import Login
from lab.wire.session import Observer, Session, localname, new_id, show, stanza_error_condition
from lab.wire.stream import Element, StreamOpened
from lab.wire.trace import Trace
from lab.wire.transport import Transport, usual_context
from lab.wire.within_http import is_within_http, within_http

CHALLENGES = 4  # more than any mechanism of ours has


class Stage(IntEnum):
    """How far a connection has come. Each stage includes the ones before it."""

    CONNECTED = 0  # TCP (and direct TLS, and the WebSocket handshake), nothing sent
    OPENED = 1  # stream headers exchanged, features received
    SECURED = 2  # TLS under the stream, headers again, features with SASL mechanisms; within HTTP the same as OPENED
    AUTHENTICATED = 3  # SASL done, headers again, features with bind
    BOUND = 4  # a resource is bound


def expect_header(session: Session) -> StreamOpened:
    """Wait for the peer's stream header. Raises PeerError."""
    event = session.next_event()
    if not isinstance(event, StreamOpened):
        raise PeerError("no stream header came first", expected="a stream header", seen=show(event))
    session.header = event
    return event


def open_stream(session: Session) -> Element:
    """Send a header, take the peer's header and features (§4.2, §4.3.2). Answers the features.

    What a header is depends on what carries the stream: see `Session.opening`.
    """
    opening = session.opening()
    session.stream.restart()
    session.send_raw(opening.encode())
    expect_header(session)
    features = session.expect(lambda e: e.tag == f"{{{STREAM}}}features", "stream features behind the stream header")
    session.features = features
    return features


def starttls(session: Session, context: ssl.SSLContext) -> None:
    """STARTTLS, up to the handshake (§5.4.2, §5.4.3); the caller opens the stream again."""
    session.send(f"<starttls xmlns='{TLS}'/>")
    answer = session.receive()
    if answer.tag != f"{{{TLS}}}proceed":
        raise PeerError("STARTTLS was refused", expected="<proceed/>", seen=show(answer))
    begin_tls(session, context)


def begin_tls(session: Session, context: ssl.SSLContext) -> None:
    """The TLS handshake on this connection, now."""
    session.transport.start_tls(context, session.domain, timeout=session.patience)
    tls = session.transport.secured()
    cipher = tls.cipher()
    session.trace.note(
        session.label, f"TLS: {tls.version()} {cipher[0] if cipher else ''} alpn={session.transport.alpn}"
    )


def mechanisms(features: Element) -> list[str]:
    """The SASL mechanisms on offer (§6.3.3)."""
    return [(m.text or "").strip() for m in features.iterfind("sasl:mechanisms/sasl:mechanism", NS)]


def channel_bindings(features: Element) -> list[str] | None:
    """The channel binding types announced (XEP-0440), None where nothing is announced."""
    announced = features.find("sasl-cb:sasl-channel-binding", NS)
    if announced is None:
        return None
    return [b.get("type", "") for b in announced.iterfind("sasl-cb:channel-binding", NS)]


def authenticate(session: Session, account: Account, mechanism: str | None = None, *, authzid: str = "") -> None:
    """SASL with a mechanism of our choice, or the best on offer (§6.4); the caller opens the stream again."""
    tls = session.transport.tls
    if mechanism is None:
        if session.features is None:
            raise UsageError("authenticate needs the stream features: open the stream first")
        mechanism = sasl.choose(mechanisms(session.features), channel_bindings(session.features), tls)
    played = sasl.mechanism(mechanism, account, tls=tls, authzid=authzid)
    session.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{_encode(played.initial())}</auth>")
    for _ in range(CHALLENGES):
        answer = session.receive()
        if answer.tag == f"{{{SASL}}}challenge":
            session.send(f"<response xmlns='{SASL}'>{_encode(played.respond(_decode(answer)))}</response>")
        elif answer.tag == f"{{{SASL}}}success":
            played.finish(_decode(answer) or None)
            return
        else:
            raise PeerError(f"{mechanism} failed", expected="<success/>", seen=show(answer))
    raise PeerError(f"{mechanism} has no end", expected="<success/>", seen=f"{CHALLENGES} challenges")


def log_in(session: Session, login: Login) -> Element:
    """SASL2 to its end (XEP-0388 §2.3 to §2.6): answers the success. No new stream follows, but features do.

    Raises Sasl2Failed, and PeerError where the exchange is wrong or has no end.
    """
    session.send(login.begin())
    for _ in range(CHALLENGES):
        answer = session.receive()
        more = login.take(answer)
        if more is None:
            session.jid = login.jid
            return answer
        session.send(more)
    raise PeerError(f"{login.mechanism.name} has no end", expected="<success/>", seen=f"{CHALLENGES} challenges")


def bind(session: Session, resource: str | None = None) -> str:
    """Bind a resource, the server's choice or ours (§7.6, §7.7). Answers the full JID."""
    wanted = f"<resource>{resource}</resource>" if resource is not None else ""
    answer = session.iq("set", f"<bind xmlns='{NS['bind']}'>{wanted}</bind>")
    jid = answer.findtext("bind:bind/bind:jid", namespaces=NS)
    if answer.get("type") != "result" or not jid:
        raise PeerError("no resource was bound", expected="<jid/> in a result", seen=show(answer))
    session.jid = jid
    return jid


def register(session: Session, account: Account) -> None:
    """Make an account in-band, before authentication (XEP-0077 §3.1.1)."""
    answer = session.iq(
        "set",
        f"<query xmlns='{REGISTER}'><username>{account.localpart}</username>"
        f"<password>{account.password}</password></query>",
        to=account.domain,
    )
    if answer.get("type") != "result":
        raise PeerError(
            "no account could be made in-band",
            expected="a result",
            seen=stanza_error_condition(answer) or show(answer),
            hint="switch in-band registration on for the lab, or name another way in the cell file",
        )


def connect(
    cell: Cell,
    stage: Stage,
    *,
    account: Account | None = None,
    resource: str | None = None,
    over: TransportName = "c2s",
    context: ssl.SSLContext | None = None,
    mechanism: str | None = None,
    sender: str = "",
    trace: Trace | None = None,
    label: str = "client",
    observer: Observer | None = None,
) -> Session:
    """A session brought up to `stage`. Raises PeerError, MachineError; closes what it opened when it fails.

    Without a `mechanism`, the login is the quickest that is safe, not the strongest: no check is about it.
    `sender` is who we say to be in stream headers under TLS; those before it say nobody (RFC 6120 §4.7.1).
    """
    endpoint = cell.endpoint(over)
    if endpoint is None:
        raise UsageError(f"the cell has no {over} endpoint")
    if is_within_http(over):
        session = within_http(cell, over, context=context, trace=trace, label=label, observer=observer)
    else:
        transport = Transport.connect(endpoint.host, endpoint.port, timeout=cell.patience)
        session = Session(
            transport, domain=cell.domain, patience=cell.patience, trace=trace, label=label, observer=observer
        )
    try:
        _advance(session, cell, stage, account, resource, over, context, mechanism, sender)
    except BaseException:
        session.abandon()
        raise
    return session


def _advance(
    session: Session,
    cell: Cell,
    stage: Stage,
    account: Account | None,
    resource: str | None,
    over: TransportName,
    context: ssl.SSLContext | None,
    mechanism: str | None,
    sender: str,
) -> None:
    direct = over == "c2s-direct-tls"
    if direct:
        begin_tls(session, context or usual_context(cell.ca, "xmpp-client"))
    if session.transport.tls is not None:
        session.sender = sender
    if stage >= Stage.OPENED:
        open_stream(session)
    if stage >= Stage.SECURED and not (direct or is_within_http(over)):
        starttls(session, context or usual_context(cell.ca))
        session.sender = sender
        open_stream(session)
    if stage >= Stage.AUTHENTICATED:
        if account is None:
            raise UsageError("a session needs an account to authenticate")
        authenticate(session, account, mechanism or _quickest(session))
        open_stream(session)
    if stage >= Stage.BOUND:
        bind(session, resource)


def connect_component(
    cell: Cell,
    *,
    domain: str | None = None,
    trace: Trace | None = None,
    label: str = "component",
    observer: Observer | None = None,
) -> Session:
    """A TCP connection to the component port with a Session for it; nothing is sent yet (XEP-0114 §3)."""
    endpoint = cell.endpoint("component")
    if endpoint is None or cell.component is None:
        raise UsageError("the cell has no place for a component")
    transport = Transport.connect(endpoint.host, endpoint.port, timeout=cell.patience)
    session = Session(
        transport,
        domain=cell.domain,
        patience=cell.patience,
        trace=trace,
        label=label,
        namespace=COMPONENT,
        observer=observer,
    )
    session.jid = domain or cell.component.domain
    return session


def _quickest(session: Session) -> str | None:
    """PLAIN, where TLS makes it safe: SCRAM's hashing is most of a login's time. None: the best on offer."""
    offered = session.features is not None and "PLAIN" in mechanisms(session.features)
    return "PLAIN" if offered and session.transport.tls else None


def _encode(data: bytes | None) -> str:
    """Base64 as SASL in XMPP has it: `=` for empty, nothing for none (§6.4.2)."""
    if data is None:
        return ""
    return b64encode(data).decode() or "="


def _decode(element: Element) -> bytes:
    text = (element.text or "").strip()
    if text in {"", "="}:
        return b""
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise PeerError(f"<{localname(element)}/> is not base64", seen=text[:80]) from error


__all__ = [
    "Stage",
    "authenticate",
    "begin_tls",
    "bind",
    "connect",
    "connect_component",
    "expect_header",
    "header",
    "log_in",
    "mechanisms",
    "new_id",
    "open_stream",
    "register",
    "starttls",
]
