"""Streams between servers, where the lab is one of them: `jabber:server`, STARTTLS, SASL EXTERNAL, Server Dialback.

A stream goes one way (RFC 6120 §4.4): who opened it sends stanzas on it. `call` opens one to the subject; a `Door` is
where the subject opens its own to us, and `receive_…` are the steps of that, each of which does one thing, so that a
scenario can stop between any two and misbehave.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Literal

from lab.cell import Cell
from lab.cell import Transport as TransportName
from lab.errors import MachineError, PeerError, UsageError
from lab.wire.header import DECLARATION, header
from lab.wire.namespaces import BIDI, BIDI_FEATURE, DIALBACK, DIALBACK_FEATURE, SASL, SERVER, TLS
from lab.wire.negotiation import Stage, begin_tls, expect_header, mechanisms, open_stream, starttls
from lab.wire.session import Observer, Session, show
from lab.wire.stream import Element, Event
from lab.wire.trace import Trace
from lab.wire.transport import NoAnswer, Transport, client_context

ALPN = "xmpp-server"  # XEP-0368 §3
OFFER_STARTTLS = f"<starttls xmlns='{TLS}'><required/></starttls>"
OFFER_EXTERNAL = f"<mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
OFFER_DIALBACK = f"<dialback xmlns='{DIALBACK_FEATURE}'><errors/></dialback>"
OFFER_BIDI = f"<bidi xmlns='{BIDI_FEATURE}'/>"


_UNSTAMPED = re.compile(r"\A(<(?:message|presence|iq)(?=[\s/>]))(?![^>]*\sfrom=)")


class ServerSession(Session):
    """A stream between the lab's domain (`jid`) and the subject's (`domain`), whoever opened it.

    `stream_id` is that of the response header, ours or the subject's; `both_ways` that the subject asked for
    XEP-0288 on a stream of its own, `proved` that it has proved its name on it (we believe all that it says).
    """

    def __init__(
        self,
        transport: Transport,
        *,
        jid: str,
        domain: str,
        patience: float,
        trace: Trace | None = None,
        label: str = "remote",
        observer: Observer | None = None,
    ) -> None:
        super().__init__(
            transport,
            domain=domain,
            patience=patience,
            trace=trace,
            label=label,
            namespace=SERVER,
            observer=observer,
        )
        self.jid = jid
        self.stream_id = ""
        self.both_ways = False
        self.proved = False
        self.server_name: str | None = None
        """The name in SNI, of a subject that has begun TLS with us."""

    def opening(self) -> str:
        declaration = DECLARATION if self.header is None else ""
        attributes = f"from='{self.jid}' xmlns:db='{DIALBACK}'"
        return header(to=self.domain, namespace=SERVER, attributes=attributes, declaration=declaration)


class RemoteUser(Session):
    """A user of the lab's domain as one session: it sends on our stream, and gets what comes on the subject's.

    `outgoing` is our stream, logged in; `receive` takes the subject's, which it opens when it has something to send,
    within so many seconds. A stanza without `from` is stamped with `jid`, as a server does it for its users.
    """

    def __init__(
        self, outgoing: ServerSession, receive: Callable[[float], ServerSession], *, jid: str, label: str
    ) -> None:
        super().__init__(
            outgoing.transport,
            domain=outgoing.domain,
            patience=outgoing.patience,
            trace=outgoing.trace,
            label=label,
            namespace=SERVER,
            observer=outgoing.observer,
        )
        self.jid = jid
        self.header = outgoing.header
        self._receive = receive
        self._incoming: ServerSession | None = None

    def send(self, xml: str | Element) -> None:
        super().send(_UNSTAMPED.sub(rf"\1 from='{self.jid}'", xml) if isinstance(xml, str) else xml)

    def _read_event(self, deadline: float, limit: float) -> Event:
        if self._incoming is None:
            self._incoming = self._receive(max(deadline - time.monotonic(), 0.0))
        return self._incoming._read_event(deadline, limit)

    def abandon(self) -> None:
        super().abandon()
        if self._incoming is not None:
            self._incoming.abandon()


# --- the lab calls the subject


def call(
    cell: Cell,
    stage: Stage,
    *,
    jid: str,
    certificate: Path | None,
    over: TransportName = "s2s",
    domain: str = "",
    context: ssl.SSLContext | None = None,
    trace: Trace | None = None,
    label: str = "remote-out",
    observer: Observer | None = None,
) -> ServerSession:
    """A stream from the domain `jid` to the subject, brought up to `stage`; AUTHENTICATED means SASL EXTERNAL.

    `certificate` is shown where the subject asks for one (None: none is), unless `context` says all of TLS. `domain`
    is another one than the cell's.
    Raises PeerError, MachineError; closes what it opened when it fails.
    """
    endpoint = cell.endpoint(over)
    if endpoint is None:
        raise UsageError(f"the cell has no {over} endpoint")
    transport = Transport.connect(endpoint.host, endpoint.port, timeout=cell.patience)
    session = ServerSession(
        transport,
        jid=jid,
        domain=domain or cell.domain,
        patience=cell.patience,
        trace=trace,
        label=label,
        observer=observer,
    )
    direct = over == "s2s-direct-tls"
    context = context or client_context(cell.ca, certificate=certificate, alpn=(ALPN,) if direct else ())
    try:
        if direct:
            begin_tls(session, context)
        if stage >= Stage.OPENED:
            open_server_stream(session)
        if stage >= Stage.SECURED and not direct:
            starttls(session, context)
            open_server_stream(session)
        if stage >= Stage.AUTHENTICATED:
            log_in_by_certificate(session)
            open_server_stream(session)
    except BaseException:
        session.abandon()
        raise
    return session


def open_server_stream(session: ServerSession) -> Element:
    """As `open_stream`; keeps the stream id."""
    features = open_stream(session)
    session.stream_id = (session.header.get("id") if session.header else None) or ""
    return features


def log_in_by_certificate(session: ServerSession, authzid: str | None = "") -> None:
    """SASL EXTERNAL (§6.4.1): an empty `authzid` says that it is in the header, None sends none. Raises PeerError."""
    offered = mechanisms(session.features) if session.features is not None else []
    if "EXTERNAL" not in offered:
        raise PeerError("a server with a certificate is not offered EXTERNAL", seen=f"mechanisms: {offered}")
    text = "" if authzid is None else b64encode(authzid.encode()).decode() or "="
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{text}</auth>")
    answer = session.receive()
    if answer.tag == f"{{{SASL}}}challenge":
        session.send(f"<response xmlns='{SASL}'>{b64encode(session.jid.encode()).decode()}</response>")
        answer = session.receive()
    if answer.tag != f"{{{SASL}}}success":
        raise PeerError("EXTERNAL failed", expected="<success/>", seen=show(answer))


# --- the subject calls the lab


class Door:
    """A port of this machine where the subject finds the lab (`Federation.host`), in the order of arrival."""

    def __init__(self, host: str) -> None:
        """Raises MachineError where nothing can listen there."""
        try:
            self._socket = socket.create_server((host, 0), backlog=32)
        except OSError as error:
            raise MachineError(f"nothing can listen on {host}", cause=str(error)) from error

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def accept(self, timeout: float) -> Transport:
        """The next connection. Raises NoAnswer where none comes."""
        self._socket.settimeout(max(timeout, 0.0005))
        try:
            connection, _ = self._socket.accept()
        except TimeoutError as error:
            raise NoAnswer(
                f"the server did not connect within {timeout:.1f} s", expected="a connection to the remote server"
            ) from error
        return Transport(connection)

    def close(self) -> None:
        self._socket.close()


def receive_stream(session: ServerSession, features: str | None, *, stream_id: str | None = None) -> None:
    """Take the subject's stream header, and answer with ours and these features (none where None)."""
    session.stream.restart()
    expect_header(session)
    session.stream_id = token_hex(8) if stream_id is None else stream_id
    attributes = f"from='{session.jid}' id='{session.stream_id}'"
    if SASL not in (offers := features or "") or DIALBACK_FEATURE in offers:
        # This alone says that dialback is there (XEP-0220 §2.4.1): it is not where EXTERNAL is all that is offered.
        attributes += f" xmlns:db='{DIALBACK}'"
    told = "" if features is None else f"<stream:features>{features}</stream:features>"
    caller = (session.header.get("from") if session.header else None) or session.domain  # §4.7.2: a service, say
    session.send(header(to=caller, namespace=SERVER, attributes=attributes) + told)


def receive_starttls(session: ServerSession, certificate: Path, ca: Path | None) -> None:
    """Let the subject begin TLS, as it has to ask. Raises PeerError (its alert among others)."""
    asked = session.receive()
    if asked.tag != f"{{{TLS}}}starttls":
        raise PeerError("the server did not begin TLS", expected="<starttls/>", seen=show(asked))
    session.send(f"<proceed xmlns='{TLS}'/>")
    accept_tls(session, certificate, ca)


def accept_tls(session: ServerSession, certificate: Path, ca: Path | None, *, alpn: bool = False) -> None:
    """TLS at once, with this certificate; the subject may show one of an authority in `ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if ca is not None:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    if alpn:
        context.set_alpn_protocols([ALPN])

    def named(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        session.server_name = name

    context.sni_callback = named
    try:
        session.transport.accept_tls(context, timeout=session.patience)
    except PeerError as error:
        session.trace.note(session.label, f"TLS: {error.seen}")
        raise
    tls = session.transport.secured()
    session.trace.note(
        session.label,
        f"TLS: {tls.version()}; {'with' if tls.getpeercert() else 'without'} a certificate of the server",
    )


Login = Literal["EXTERNAL", "dialback"]


def receive_login(session: ServerSession) -> Login:
    """Let the subject prove its name as it chooses, and believe it. Raises PeerError where it does neither.

    Behind EXTERNAL the next stream is opened, too (§6.4.6). The subject may ask for both ways before (XEP-0288 §2.2).
    """
    asked = session.receive()
    if asked.tag == f"{{{BIDI}}}bidi":
        session.both_ways = True
        asked = session.receive()
    if not _is_login(asked):
        raise PeerError("the server did not log in", expected="<auth/> or <db:result/>", seen=show(asked))
    return _believe(session, asked)


def _is_login(element: Element) -> bool:
    return element.tag == f"{{{SASL}}}auth" or is_dialback(element, "result")


def _believe(session: ServerSession, asked: Element) -> Login:
    session.proved = True
    if is_dialback(asked, "result"):
        session.send(dialback("result", session, kind="valid", to=asked.get("from", "")))
        return "dialback"
    session.send(f"<success xmlns='{SASL}'/>")
    receive_stream(session, "")
    return "EXTERNAL"


def receive(
    transport: Transport,
    stage: Stage,
    *,
    jid: str,
    domain: str,
    certificate: Path,
    ca: Path | None,
    patience: float,
    direct: bool = False,
    offers: str = OFFER_EXTERNAL + OFFER_DIALBACK,
    trace: Trace | None = None,
    label: str = "remote-in",
    observer: Observer | None = None,
) -> ServerSession:
    """The subject's stream on a connection to our `jid`, brought up to `stage`; see `call`.

    `offers` are the features under TLS.
    """
    session = ServerSession(
        transport, jid=jid, domain=domain, patience=patience, trace=trace, label=label, observer=observer
    )
    try:
        if direct:
            accept_tls(session, certificate, ca, alpn=True)
        if stage >= Stage.OPENED and not direct:
            receive_stream(session, OFFER_STARTTLS)
        if stage >= Stage.SECURED:
            if not direct:
                receive_starttls(session, certificate, ca)
            receive_stream(session, offers)
        if stage >= Stage.AUTHENTICATED:
            receive_login(session)
    except BaseException:
        session.abandon()
        raise
    return session


# --- Server Dialback (XEP-0220)


def dialback(
    name: Literal["result", "verify"],
    session: ServerSession,
    key: str = "",
    *,
    kind: str = "",
    to: str = "",
    sender: str = "",
    stream_id: str = "",
) -> str:
    """`<db:result/>` or `<db:verify/>` from the lab's domain, as text. `kind` is the type of an answer."""
    attributes = f"from='{sender or session.jid}' to='{to or session.domain}'"
    attributes += f" id='{stream_id}'" if stream_id else ""
    attributes += f" type='{kind}'" if kind else ""
    return f"<db:{name} xmlns:db='{DIALBACK}' {attributes}>{key}</db:{name}>"


def is_dialback(element: Element, name: str) -> bool:
    return element.tag == f"{{{DIALBACK}}}{name}"


def log_in_by_dialback(session: ServerSession, asked_on: Callable[[], ServerSession]) -> ServerSession:
    """Prove our name with a key that we vouch for ourselves, on the stream that `asked_on` then finds; answers it.

    Raises PeerError where the key is not asked for, or not taken.
    """
    session.send(dialback("result", session, token_hex(20)))
    asking = asked_on()
    answer_verify(asking, expect_verify(asking), "valid")
    told = session.expect(lambda e: is_dialback(e, "result"), "<db:result/>")
    if told.get("type") != "valid":
        raise PeerError("dialback failed", expected="<db:result type='valid'/>", seen=show(told))
    return asking


def expect_verify(session: ServerSession) -> Element:
    """The subject's question about a key; it may prove its own name first. What else comes stays in the inbox."""
    while True:
        element = session.expect(lambda e: is_dialback(e, "verify") or _is_login(e), "<db:verify/>")
        if is_dialback(element, "verify"):
            return element
        _believe(session, element)


def answer_verify(session: ServerSession, asked: Element, kind: str, content: str = "", **other: str) -> None:
    """Answer a `<db:verify/>`, to whom it came from; `other` attributes than the right ones can be given."""
    facts = {"sender": asked.get("to", ""), "to": asked.get("from", ""), "stream_id": asked.get("id", ""), **other}
    session.send(dialback("verify", session, content, kind=kind, **facts))
