"""Streams resumed along with a login by SASL2 (XEP-0198 §9.2). No check stands here."""

from __future__ import annotations

from lab.plugin import Connect, require
from lab.wire.namespaces import NS
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session
from lab.wire.stream import Element
from scenarios.server._sasl2 import authenticate, message_of_plain, offered_inline, require_success, secured
from scenarios.server.xep0198._managed import Managed, Tally, resumption

AGENT = UserAgent.new().xml()


def resuming(connect: Connect, stream: Managed, inner: str, *, previd: str | None = None) -> tuple[Session, Element]:
    """A new stream that asks for the old one, and for `inner`, along with its login; and the success."""
    session = secured(connect, stream.account, "PLAIN", label="again")
    offered_inline(session, "sm:sm", "stream resumption")
    asked = resumption(stream.name if previd is None else previd, stream.tally.handled)
    answer = authenticate(session, "PLAIN", message_of_plain(stream.account), f"{AGENT}{asked}{inner}")
    require_success(answer)
    return session, answer


def resumed_by_login(connect: Connect, stream: Managed, inner: str = "") -> tuple[Managed, Element]:
    session, answer = resuming(connect, stream, inner)
    resumed = answer.find("sm:resumed", NS)
    require(resumed is not None, "<resumed/> in the success", answer)
    session.jid = stream.session.jid
    tally = Tally(session, sent=stream.tally.sent_stanzas, handled=stream.tally.handled)
    return Managed(session, stream.account, stream.enabled, tally), answer
