"""How the tap receives a client: RFC 6120 from the server's side, up to the login (§4, §5, §6).

What it offers is data (`Offer`), wrong things among it; what the client did is data, too (`Arrival`). Nothing here
knows a server behind it.
"""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Literal
from xml.sax.saxutils import quoteattr

from lab.cell import Account
from lab.errors import PeerError
from lab.fakes import authentication
from lab.fakes.authentication import Challenge, Refused, Success
from lab.wire.namespaces import CLIENT, SASL, STREAM, TLS
from lab.wire.session import Session, show
from lab.wire.stream import Element, StreamOpened

LOGINS = 7  # that a client may try: with five retries, which RFC 6120 §6.4.5 has as the most, and one too many
STEPS = 5  # of one login
ALPN = "xmpp-client"  # XEP-0368 §3


@dataclass(frozen=True)
class Offer:
    """What the tap shows a client before it is logged in.

    `certificate` is one of `lab.tap.tap.CERTIFICATES`; `before_tls` and `mechanisms` are the SASL mechanisms offered
    without and with TLS. Where it `lies`, it does not know the password: every login succeeds, and what stands for
    the proof of ours is the `lie`. Where it `refuses`, every login fails with that condition (§6.5). `after_proceed`
    is sent in clear behind `<proceed/>`, before TLS.
    """

    certificate: str = "right"
    starttls: Literal["required", "optional", "absent"] = "required"
    before_tls: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")
    lies: bool = False
    lie: Literal["no-proof", "wrong-proof", "at-once"] = "no-proof"
    refuses: str = ""
    after_proceed: str = ""


@dataclass
class Arrival:
    """What a client did on one connection, as far as it came.

    `secured`: TLS stands. `tls_failure`: the handshake failed, in OpenSSL's words. `tried` has each login: mechanism,
    and whether it went over TLS; `acts_as` the authorization identity of each, None where none could be read.
    `headers` are its stream headers, `namespaces` what each of them declares (by prefix), `declared` that an XML
    declaration stood before the first, `restarted` that it opened a stream after SASL. `server_name` and `alpn` are
    what its TLS asked for. `closed`: it closed its stream; `left`: it went, by itself.
    """

    secured: bool = False
    tls_failure: str = ""
    server_name: str | None = None
    alpn: str | None = None
    tried: list[tuple[str, bool]] = field(default_factory=list)
    acts_as: list[str | None] = field(default_factory=list)
    authenticated: bool = False
    headers: list[Mapping[str, str]] = field(default_factory=list)
    namespaces: list[Mapping[str | None, str]] = field(default_factory=list)
    restarted: bool = False
    declared: bool = False
    closed: bool = False
    left: bool = False


def greet(
    session: Session, offer: Offer, arrival: Arrival, account: Account, certificate: Path, *, direct: bool = False
) -> None:
    """Take a client as far as its third stream header, which is not answered yet. Fills `arrival` as it goes.

    Raises PeerError where the client does not come so far; the connection is then still open.
    """
    if direct:
        _secure(session, arrival, certificate)
    else:
        _open(session, arrival, _features_before_tls(offer))
        if _begins_tls(session, arrival, offer, account):
            session.send(f"<proceed xmlns='{TLS}'/>{offer.after_proceed}")
            _secure(session, arrival, certificate)
    if arrival.secured:
        session.stream.restart()
        _open(session, arrival, _mechanisms(offer.mechanisms))
        _log_in(session, arrival, offer, account, None)
    session.stream.restart()
    _take_header(session, arrival)
    arrival.restarted = True


def answer_header(session: Session) -> None:
    """Our own stream header (§4.7); it is for whom the client said that it is (§4.7.2)."""
    sender = session.header.get("from") if session.header else None
    to = f" to={quoteattr(sender)}" if sender else ""
    session.send(
        f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' from='{session.domain}'{to} "
        f"id='{token_hex(8)}' version='1.0' xml:lang='en'>"
    )


def _open(session: Session, arrival: Arrival, features: str) -> None:
    _take_header(session, arrival)
    answer_header(session)
    session.send(f"<stream:features>{features}</stream:features>")


def _take_header(session: Session, arrival: Arrival) -> None:
    event = session.next_event()
    if not isinstance(event, StreamOpened):
        raise PeerError("the client sent no stream header", expected="a stream header", seen=show(event))
    session.header = event
    if not arrival.headers:
        first = next(e for e in session.trace.entries if e.session == session.label and e.direction == "received")
        arrival.declared = first.text.lstrip().startswith("<?xml")
    arrival.headers.append({str(name): str(value) for name, value in event.element.attrib.items()})
    arrival.namespaces.append({prefix: str(name) for prefix, name in event.element.nsmap.items()})


def _features_before_tls(offer: Offer) -> str:
    required = "<required/>" if offer.starttls == "required" else ""
    starttls = "" if offer.starttls == "absent" else f"<starttls xmlns='{TLS}'>{required}</starttls>"
    return starttls + (_mechanisms(offer.before_tls) if offer.before_tls else "")


def _mechanisms(names: tuple[str, ...]) -> str:
    offered = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    return f"<mechanisms xmlns='{SASL}'>{offered}</mechanisms>"


def _begins_tls(session: Session, arrival: Arrival, offer: Offer, account: Account) -> bool:
    """Whether the client asks for TLS; else it has logged in without."""
    element = session.receive()
    if element.tag == f"{{{TLS}}}starttls":
        return True
    _log_in(session, arrival, offer, account, element)
    return False


def _secure(session: Session, arrival: Arrival, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols([ALPN])
    context.sni_callback = lambda _, name, __: setattr(arrival, "server_name", name)
    try:
        session.transport.accept_tls(context, timeout=session.patience)
    except PeerError as error:
        arrival.tls_failure = error.seen
        session.trace.note(session.label, f"TLS: {error.seen}")
        raise
    arrival.secured, arrival.alpn = True, session.transport.alpn
    session.trace.note(session.label, f"TLS: {session.transport.secured().version()}")


def _log_in(session: Session, arrival: Arrival, offer: Offer, account: Account, first: Element | None) -> None:
    """SASL (§6.4), until the client is in or has had enough tries."""
    password = f"not {account.password}" if offer.lies else account.password
    for _ in range(LOGINS):
        element = first if first is not None else session.receive()
        first = None
        if element.tag != f"{{{SASL}}}auth":
            raise PeerError("the client did not log in", expected="<auth/>", seen=show(element))
        mechanism = element.get("mechanism", "")
        arrival.tried.append((mechanism, arrival.secured))
        arrival.acts_as.append(_authorization_identity(mechanism, element))
        offered = offer.mechanisms if arrival.secured else offer.before_tls
        try:
            if mechanism not in offered:
                raise Refused("invalid-mechanism")
            if offer.refuses:
                raise Refused(offer.refuses)
            exchange = authentication.exchange(
                mechanism,
                lambda localpart: password if localpart == account.localpart else None,
                domain=account.domain,
                tls=None,  # no channel binding is offered
                certificate=b"",
                checks=not offer.lies,
            )
            _play(session, exchange, element, offer)
        except Refused as refused:
            session.send(f"<failure xmlns='{SASL}'><{refused.condition}/></failure>")
        else:
            arrival.authenticated = True
            return
    raise PeerError("the client did not log in", expected="a login that succeeds", seen=f"{LOGINS} that failed")


def _authorization_identity(mechanism: str, auth: Element) -> str | None:
    """Whom the client wants to act as (RFC 4616 §2, RFC 5801 §4); empty for itself, None where it cannot be read."""
    with contextlib.suppress(Refused, UnicodeDecodeError):
        text = (authentication.decode(auth.text) or b"").decode()
        if mechanism == "PLAIN" and "\0" in text:
            return text.partition("\0")[0]
        if mechanism.startswith("SCRAM-") and text.count(",") > 1:
            return text.split(",")[1].removeprefix("a=").replace("=2C", ",").replace("=3D", "=")
    return None


def _play(session: Session, exchange: authentication.Exchange, element: Element, offer: Offer) -> None:
    """One exchange to its end. Raises Refused."""
    if offer.lies and offer.lie == "at-once":
        session.send(f"<success xmlns='{SASL}'/>")
        return
    for _ in range(STEPS):
        match exchange.respond(authentication.decode(element.text)):
            case Challenge(data):
                session.send(f"<challenge xmlns='{SASL}'>{b64encode(data).decode()}</challenge>")
            case Success(_, data):
                if offer.lies and offer.lie == "wrong-proof":
                    data = b"v=" + b64encode(token_bytes(32))
                session.send(f"<success xmlns='{SASL}'>{b64encode(data).decode() if data else ''}</success>")
                return
        element = session.receive()
        if element.tag != f"{{{SASL}}}response":
            raise Refused("aborted")
    raise Refused("malformed-request")
