"""Private XML storage as checks use it (XEP-0049). Nothing here judges."""

from __future__ import annotations

from lab.plugin import unsupported
from lab.wire.namespaces import NS, PRIVATE
from lab.wire.session import Session, new_id, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._discovery import answered

ABSENT = {"service-unavailable", "feature-not-implemented"}


def with_private_storage(session: Session) -> Session:
    """The same session, on whose server there is private storage; else the check is `unsupported`.

    No feature is defined that says so: a request for what was never stored must do.
    """
    reply = answered(lambda: fetch(session, f"<lab xmlns='urn:stanzalab:private:{new_id()}'/>"))
    if stanza_error_condition(reply) in ABSENT:
        unsupported(PRIVATE)
    return session


def store(session: Session, content: str, *, to: str | None = None) -> Element:
    """Store elements (§2.3). Answers the reply."""
    return session.iq("set", f"<query xmlns='{PRIVATE}'>{content}</query>", to=to)


def fetch(session: Session, asked: str, *, to: str | None = None) -> Element:
    """Ask for what is stored under an (empty) element. Answers the reply."""
    return session.iq("get", f"<query xmlns='{PRIVATE}'>{asked}</query>", to=to)


def contents(reply: Element) -> list[Element]:
    """What the query of a result holds."""
    query = reply.find("private:query", NS) if reply.get("type") == "result" else None
    return [] if query is None else list(query)
