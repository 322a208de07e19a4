"""How the fake client logs in (RFC 6120 §4 to §7): TLS whatever is offered, SCRAM first, and no word believed."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Any

from telling import WRONG

from lab.cell import Account, Cell
from lab.cell import Transport as Over
from lab.errors import PeerError
from lab.wire import negotiation, sasl
from lab.wire.namespaces import NS, SASL, SERVER, TLS
from lab.wire.negotiation import Stage
from lab.wire.session import Observer, Session, show
from lab.wire.transport import Transport, client_context

MECHANISMS = {
    "prefers-plain": ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"),
    "has-no-scram": ("PLAIN",),
    "has-no-plain": ("SCRAM-SHA-1", "SCRAM-SHA-256"),
}.get(WRONG, ("SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"))
_FIRST_HEADER: dict[str, dict[str, Any]] = {
    "header-without-to": {"to": None},
    "header-without-lang": {"lang": None},
    "header-with-bad-lang": {"lang": "en_GB"},
    "header-of-old-version": {"version": "01.0"},
    "header-of-a-server": {"namespace": SERVER},
    "header-with-more": {"attributes": "xmlns:more='urn:stanzalab:more'"},
    "header-undeclared": {"declaration": ""},
}


def log_in(cell: Cell, account: Account, over: Over, stage: Stage, observer: Observer) -> Session:
    """A session, authenticated or bound as well. Raises PeerError."""
    endpoint = cell.endpoint(over)
    assert endpoint is not None
    transport = Transport.connect(endpoint.host, endpoint.port, timeout=cell.patience)
    session = Session(transport, domain=cell.domain, patience=cell.patience, label="client", observer=observer)
    try:
        _negotiate(session, cell, account, over == "c2s-direct-tls")
        if stage >= Stage.BOUND:
            _bind(session, account)
    except BaseException:
        transport.close()
        raise
    return session


def _negotiate(session: Session, cell: Cell, account: Account, direct: bool) -> None:
    injected = ""
    if direct and WRONG == "forgets-direct-tls":
        session.send(negotiation.header(to=session.domain))
    if direct:
        _begin_tls(session, cell)
    _open(session, account, first=True)
    if not direct and not _stays_in_clear(session):
        session.send(f"<starttls xmlns='{TLS}'/>")
        answer = session.receive()
        if answer.tag != f"{{{TLS}}}proceed":
            raise PeerError("no TLS", seen=show(answer))
        injected = next(e.text for e in reversed(session.trace.entries) if e.direction == "received")
        _begin_tls(session, cell)
        if WRONG != "no-restart-after-tls":
            _open(session, account)
    believed = WRONG == "believes-before-tls" and ">PLAIN<" in injected
    _authenticate(session, account, "PLAIN" if believed else _mechanism(session))
    if WRONG != "no-restart-after-sasl":
        _open(session, account)


def _stays_in_clear(session: Session) -> bool:
    offered = negotiation.mechanisms(session.features) if session.features is not None else []
    return bool(offered) and (WRONG == "logs-in-in-clear" or (WRONG == "plain-in-clear" and "PLAIN" in offered))


def _begin_tls(session: Session, cell: Cell) -> None:
    alpn = ("xmpp-client",) if WRONG != "names-no-protocol" else ()
    context = client_context(cell.ca, alpn=alpn, verify=WRONG != "trusts-anybody")
    name = session.domain
    if WRONG == "trusts-nobody":
        context = client_context(None)
    elif WRONG == "names-another":
        context.check_hostname, name = False, f"other.{name}"
    session.transport.start_tls(context, name, timeout=session.patience)


def _open(session: Session, account: Account, *, first: bool = False) -> None:
    said: dict[str, Any] = {"to": session.domain, "lang": "en"}
    if session.transport.tls and WRONG != "header-without-from":
        said["attributes"] = f"from='{account.jid}'"
    if not first:
        said["declaration"] = ""
    else:
        said |= _FIRST_HEADER.get(WRONG, {})
    session.stream.restart()
    session.send(negotiation.header(**said))
    negotiation.expect_header(session)
    session.features = session.expect(lambda e: e.tag == f"{{{NS['stream']}}}features", "stream features")


def _mechanism(session: Session) -> str:
    if WRONG == "no-restart-after-tls":
        return "SCRAM-SHA-1"
    offered = negotiation.mechanisms(session.features) if session.features is not None else []
    for name in MECHANISMS:
        if name in offered:
            return name
    if WRONG == "tries-anything":
        return "PLAIN"
    raise PeerError("no mechanism that it knows", seen=", ".join(offered))


def _authenticate(session: Session, account: Account, mechanism: str) -> None:
    authzid = account.jid if WRONG == "acts-as-itself" else ""
    while True:
        played = sasl.mechanism(mechanism, account, authzid=authzid)
        initial = played.initial() or b""
        if authzid and mechanism != "PLAIN":
            initial = initial.replace(b"n,,", f"n,a={authzid},".encode(), 1)
        session.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{b64encode(initial).decode()}</auth>")
        answer = _answered(session, played)
        if answer.tag == f"{{{SASL}}}success":
            return
        if WRONG != "never-gives-up":
            raise PeerError(f"{mechanism} failed", expected="<success/>", seen=show(answer))


def _answered(session: Session, played: sasl.Mechanism) -> Any:
    """What the handshake came to. Raises PeerError where the server did not prove who it is."""
    while (answer := session.receive()).tag == f"{{{SASL}}}challenge":
        response = b64encode(played.respond(b64decode(answer.text or ""))).decode()
        session.send(f"<response xmlns='{SASL}'>{response}</response>")
    if answer.tag == f"{{{SASL}}}success" and WRONG != "believes-any-server":
        played.finish(b64decode(answer.text or "") or None)
    return answer


def _bind(session: Session, account: Account) -> None:
    wanted = os.environ.get("XMPP_RESOURCE")
    if WRONG == "talks-before-binding":
        session.send(f"<message to='nobody@{session.domain}'><body>early</body></message>")
    try:
        negotiation.bind(session, wanted)
    except PeerError:
        if WRONG != "goes-on-without-resource":
            raise
        session.jid = f"{account.jid}/none"
        session.send("<presence/>")
    if WRONG == "keeps-its-resource" and wanted:
        session.jid = f"{account.jid}/{wanted}"
