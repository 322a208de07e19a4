"""An agent outside the lab's tree, with a small client in it: what it can do it does well, or wrong in one way.

The variable FAKE_AGENT names the way.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import sys
import threading
from pathlib import Path
from typing import Any

import fake_core
import fake_im
import fake_login
from telling import WRONG, Failed, tell

from lab.cell import Account, Cell, Endpoint, Subject, Transport
from lab.errors import LabError
from lab.wire import negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session, StreamFailed
from lab.wire.transport import ConnectionLost, NoAnswer

FEATURES = (fake_im, fake_core)
REDIRECTS = 3  # that it follows in a row
LOCK = threading.Lock()
"""Held by whoever reads or writes: two threads at once are too much for TLS."""
STATE: dict[str, Any] = {"asked": False}


def log_in(stage: Stage) -> Session:
    """At the address that it was told, or where a server sends it on to (RFC 6120 §4.9.3.19)."""
    endpoint = Endpoint(os.environ["XMPP_HOST"], int(os.environ["XMPP_PORT"]))
    domain = os.environ["XMPP_JID"].partition("@")[2]
    for redirects in itertools.count():
        try:
            return log_in_at(endpoint, domain, stage)
        except StreamFailed as failure:
            there = failure.element.findtext("{*}see-other-host")
            if there is None or (redirects >= REDIRECTS and WRONG != "redirects-for-ever"):
                raise
            host, _, port = there.rpartition(":")
            endpoint = Endpoint(host, int(port))
            if WRONG == "asks-the-other-domain":
                domain = host
    raise AssertionError("never reached")


def log_in_at(endpoint: Endpoint, domain: str, stage: Stage) -> Session:
    account = Account(os.environ["XMPP_JID"].partition("@")[0], domain, os.environ["XMPP_PASSWORD"])
    over: Transport = "c2s-direct-tls" if os.environ["XMPP_TLS"] == "direct" else "c2s"
    cell = Cell(domain, Subject("", ""), {over: endpoint}, ca=Path(os.environ["XMPP_CA"]), patience=30.0)
    session = fake_login.log_in(cell, account, over, stage, fake_im.ACKS)
    plain = session.send

    def send(xml: Any) -> None:
        with LOCK:
            plain(xml)

    setattr(session, "send", send)  # noqa: B010 - the type checker may not know
    return session


def connect(number: int) -> None:
    try:
        session = log_in(Stage.AUTHENTICATED if WRONG == "enables-early" else Stage.BOUND)
        if WRONG == "enables-early":
            fake_im.ACKS.begin(session)
            negotiation.bind(session)
    except LabError as error:
        tell("failed", id=number, reason=str(error))
        return
    STATE["session"], STATE["asked"] = session, False
    STATE["listener"] = threading.Thread(target=listen, args=(session,), daemon=True)
    STATE["listener"].start()
    fake_im.begin(session)
    if WRONG != "stays-away":
        session.send(fake_core.presence())
    tell("online", jid=session.jid)
    tell("done", id=number, jid="somebody@else" if WRONG == "wrong-jid" else session.jid)


def listen(session: Session) -> None:
    try:
        while True:
            while (stanza := received(session)) is not None:
                heard(session, stanza)
            select.select([session.transport], [], [])
    except LabError as error:
        if not STATE["asked"] and WRONG != "never-offline":
            tell("offline", reason=str(error))
        if not isinstance(error, ConnectionLost):
            fake_core.ended(session, error)
        if isinstance(error, ConnectionLost):
            session.transport.close()
            if not STATE["asked"] and fake_im.ACKS.name:
                resume(session.jid)


def received(session: Session) -> Any:
    """The next stanza that has come, or None."""
    with LOCK, contextlib.suppress(NoAnswer):
        return session.receive(timeout=0.002)
    return None


def resume(jid: str) -> None:
    """Come again to a stream that broke, if that is possible."""
    try:
        session = log_in(Stage.AUTHENTICATED)
        session.jid = jid
        fake_im.ACKS.resume(session)
    except LabError as error:
        tell("log", text=f"not resumed: {error}")
        return
    STATE["session"] = session
    tell("online", jid=jid)
    listen(session)


def leave(session: Session) -> None:
    """Close the stream, and the socket only once nobody reads it: its number may be another one's next."""
    STATE["asked"] = True
    with contextlib.suppress(LabError):  # it may be gone
        if WRONG == "leaves-without-closing":
            session.transport.abort()
        else:
            # At once: whoever has read the one has read the other.
            session.send("</stream:stream>" + ("<presence/>" if WRONG == "talks-behind-the-end" else ""))
    STATE["listener"].join(30.0)
    session.transport.close()


def heard(session: Session, stanza: Any) -> None:
    if not fake_core.passes_over(session, stanza):
        any(feature.heard(session, stanza) for feature in FEATURES)


def carry_out(command: str, number: int, line: dict[str, Any]) -> None:
    session = STATE.get("session")
    if command == "connect":
        connect(number)
    elif command == "disconnect" and session is not None:
        fake_im.end(session)
        leave(session)
        tell("done", id=number)
    elif session is not None and (does := next((f.DOES[command] for f in FEATURES if command in f.DOES), None)):
        try:
            tell("done", id=number, **does(session, line))
        except Failed as failure:
            tell("failed", id=number, reason=str(failure))
    elif WRONG != "does-anything":
        tell("unsupported", id=number)
    else:
        tell("done", id=number)


def main() -> None:
    if WRONG == "rubbish":
        sys.stdout.write("Welcome to the fake client!\n")
        sys.stdout.flush()
    if WRONG != "never-ready":
        tell("ready", client="fake", version="1")
    for text in sys.stdin:
        if WRONG == "floods":
            while True:
                tell("log", text="x" * 1000)
        if WRONG == "exits":
            sys.exit("I do not like you")
        try:
            line = json.loads(text)
            command, number = line["command"], line["id"]
        except (ValueError, TypeError, KeyError):
            if WRONG == "fragile":
                raise
            continue
        if WRONG == "hangs":
            continue
        carry_out(command, number, line)
        if WRONG == "answers-twice-over":
            carry_out(command, number, line)
    session = STATE.get("session")
    if session is not None and not STATE["asked"]:
        leave(session)
    if WRONG == "never-ends":
        threading.Event().wait()


main()
