"""The external component's side of XEP-0114: stream header to the component's name, then the handshake."""

from __future__ import annotations

import hashlib

from lab.cell import Cell
from lab.errors import PeerError
from lab.wire.namespaces import COMPONENT
from lab.wire.negotiation import connect_component, expect_header, header
from lab.wire.session import Observer, Session, show
from lab.wire.trace import Trace


def digest(stream_id: str, secret: str) -> str:
    """The handshake's content: SHA-1 over stream id and secret, in lower-case hexadecimal (XEP-0114 §3)."""
    return hashlib.sha1((stream_id + secret).encode()).hexdigest()  # noqa: S324 - the protocol says SHA-1


def open_component_stream(session: Session) -> str:
    """Exchange headers as the component `session.jid`. Answers the stream id, the handshake's salt."""
    session.send(header(to=session.jid, namespace=COMPONENT, version=None, lang=None))
    return expect_header(session).get("id") or ""


def shake_hands(session: Session, stream_id: str, secret: str) -> None:
    """Prove the secret and wait for the empty handshake in return. Raises PeerError."""
    session.send(f"<handshake>{digest(stream_id, secret)}</handshake>")
    answer = session.receive()
    if answer.tag != f"{{{COMPONENT}}}handshake":
        raise PeerError("the handshake was refused", expected="<handshake/>", seen=show(answer))


def connect(
    cell: Cell,
    *,
    domain: str | None = None,
    trace: Trace | None = None,
    label: str = "component",
    observer: Observer | None = None,
) -> Session:
    """A component session, ready for stanzas."""
    session = connect_component(cell, domain=domain, trace=trace, label=label, observer=observer)
    try:
        stream_id = open_component_stream(session)
        shake_hands(session, stream_id, cell.component.secret if cell.component else "")
    except BaseException:
        session.transport.close()
        raise
    return session
