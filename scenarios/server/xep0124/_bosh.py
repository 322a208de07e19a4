"""BOSH sessions as their checks handle them: bodies, requests and their responses, logins by hand.

Sessions of `Connect.bosh` show whole bodies, so that `make prove` can damage each attribute of them.
No check stands here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, impossible, require, require_equal
from lab.wire.bosh import BoshSession
from lab.wire.namespaces import BIND, CLIENT, HTTPBIND, NS, SASL
from lab.wire.session import new_id, show
from lab.wire.stream import Element

RESTART = {"xmpp:restart": "true", "xml:lang": "en"}
TERMINATE = {"type": "terminate"}
EMPTY_ANSWERS = 10  # empty responses that are passed over while something is awaited


def create(connect: Connect, label: str = "client", **attributes: str | None) -> tuple[BoshSession, Element]:
    """A session that was just asked for (attributes go over the usual ones), and the response."""
    session = connect.bosh(attributes=dict(attributes), label=label)
    session.send_raw(session.opening().encode())
    created = session.receive()
    require_equal(created.tag, f"{{{HTTPBIND}}}body", "the root of the response")
    return session, created


def created(connect: Connect, label: str = "client", **attributes: str | None) -> BoshSession:
    """A session that exists."""
    session, response = create(connect, label, **attributes)
    if not response.get("sid"):
        raise PeerError("no BOSH session was created", expected="a sid", seen=show(response))
    return session


def post(session: BoshSession, payload: str = "", attributes: Mapping[str, str | None] | None = None) -> None:
    """Send a request with the next rid; its response is left to be received."""
    session.send_raw(session.body(payload, attributes).encode())


def ask(session: BoshSession, payload: str = "", attributes: Mapping[str, str | None] | None = None) -> Element:
    """Send a request with the next rid, and answer the response that comes next."""
    post(session, payload, attributes)
    return session.receive()


def until(session: BoshSession, name: str, response: Element | None = None) -> Element:
    """The first response, from `response` on, that holds a payload of that local name; empty ones are passed over."""
    for _ in range(EMPTY_ANSWERS):
        response = session.receive() if response is None else response
        if any(str(child.tag).rpartition("}")[2] == name for child in response):
            return response
        require(response.get("type") is None, f"<{name}/>", response)
        response = None
    raise PeerError(f"no <{name}/> came", expected=f"<{name}/>", seen=f"{EMPTY_ANSWERS} responses without")


def log_in(session: BoshSession, account: Account, first: Element | None = None) -> str:
    """SASL PLAIN, restart and bind on a session that was just created. Answers the full JID."""
    until(session, "features", first)
    identity = b64encode(f"\0{account.localpart}\0{account.password}".encode()).decode()
    post(session, f"<auth xmlns='{SASL}' mechanism='PLAIN'>{identity}</auth>")
    until(session, "success")
    post(session, "", {**RESTART, "to": session.domain})
    until(session, "features")
    post(session, f"<iq xmlns='{CLIENT}' type='set' id='{new_id()}'><bind xmlns='{BIND}'/></iq>")
    bound = until(session, "iq").findtext(".//bind:jid", namespaces=NS)
    if not bound:
        raise PeerError("no resource was bound over BOSH", expected="<jid/>")
    session.jid = bound
    return bound


def bound(connect: Connect, label: str = "client", **attributes: str | None) -> BoshSession:
    """A session of a fresh account, bound."""
    account = connect.account()
    session, response = create(connect, label, **attributes)
    log_in(session, account, response)
    return session


def ping(session: BoshSession, identifier: str) -> str:
    """An iq that the server answers, whatever it thinks of it."""
    asked = f"<iq xmlns='{CLIENT}' type='get' id='{identifier}' to='{session.domain}'>"
    return f"{asked}<ping xmlns='urn:xmpp:ping'/></iq>"


def anything() -> str:
    """Something that a server answers before login: a SASL mechanism that does not exist."""
    return f"<auth xmlns='{SASL}' mechanism='X-{new_id().upper()}'>=</auth>"


def message(to: str, identifier: str) -> str:
    return f"<message xmlns='{CLIENT}' to='{to}' id='{identifier}' type='chat'><body>{identifier}</body></message>"


def number(body: Element, attribute: str) -> int:
    """A whole number, as an attribute of a body gives it; the check fails where it is none."""
    value = body.get(attribute) or ""
    require(value.isascii() and value.isdigit(), f"a whole number for {attribute!r}", body)
    return int(value)


def require_terminated(body: Element, *conditions: str) -> None:
    """The check fails unless `body` ends the session with one of `conditions`."""
    fits = body.get("type") == "terminate" and body.get("condition") in conditions
    require(fits, f"<body type='terminate' condition='{' or '.join(conditions)}'/>", body)


def seconds_or_impossible(body: Element, attribute: str, most: int) -> int:
    """So many seconds as `attribute` says; the check is impossible where that is more than a check may wait."""
    value = number(body, attribute)
    if value > most:
        impossible(f"the server's {attribute} is {value} s, and a check waits for {most} s at most")
    return value


def pass_time(connect: Connect, seconds: int) -> None:
    """Let the server's own clock run for about so many seconds: a request of another session is held as long."""
    clock, response = create(connect, "clock", wait=str(seconds))
    until(clock, "features", response)
    post(clock)
    clock.receive(timeout=seconds + clock.patience)
