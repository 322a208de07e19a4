"""The three parts of a dialback, as the lab plays them: who is called, who calls, and who is asked about a key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from lab.plugin import require, require_equal, require_error, unsupported
from lab.plugin.federation import Remote
from lab.wire.namespaces import DIALBACK, SERVER
from lab.wire.negotiation import Stage
from lab.wire.s2s import OFFER_DIALBACK, ServerSession, answer_verify, dialback, expect_verify, is_dialback
from lab.wire.session import Matches, Session, StreamEnded, StreamFailed, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, NoAnswer, TlsFailed

AT_ONCE = 0.01  # seconds


def text(sender: str, to: str, identifier: str, *, kind: str = "chat") -> str:
    """A message between servers, or (without a sender) as a client sends it."""
    stamped = f" from='{sender}'" if sender else ""
    return f"<message{stamped} to='{to}' id='{identifier}' type='{kind}'><body>dialback {identifier}</body></message>"


def say(alice: Session, domain: str) -> str:
    """Let a user write to somebody of that domain. Answers the message's id."""
    identifier = new_id()
    alice.send(text("", f"bob@{domain}", identifier))
    return identifier


def arrives(session: ServerSession, alice: Session, identifier: str, *, domain: str = "") -> None:
    """What a user said comes to us, as it was said."""
    got = session.expect(has_id(identifier), "the user's message")
    _require_text(got, alice.jid, f"bob@{domain or session.jid}", identifier)


def comes_back(alice: Session, identifier: str, *conditions: str) -> None:
    """What a user said comes back as an error, with one of these conditions (any, when none is given)."""
    got = alice.expect(has_id(identifier), "the message, come back")
    require_equal((localname(got), got.get("to")), ("message", alice.jid), "what came")
    require_error(got, *conditions)


def _require_text(got: Element, sender: str, to: str, identifier: str) -> None:
    seen = (localname(got), got.get("from"), got.get("to"), got.get("type"), got.findtext("{*}body"))
    require_equal(seen, ("message", sender, to, "chat", f"dialback {identifier}"), "the message")


def has_id(identifier: str) -> Matches:
    return lambda element: element.get("id") == identifier


def speaks_dialback(session: ServerSession) -> bool:
    """Whether the subject's stream header declares the namespace (§2.4.1)."""
    return session.header is not None and DIALBACK in session.header.element.nsmap.values()


# --- the subject as initiating server


def asks_to_be_let_in(
    remote: Remote, *, offers: str = OFFER_DIALBACK, timeout: float | None = None
) -> tuple[ServerSession, Element]:
    """The subject's stream to us, where nothing but dialback is offered, and its `<db:result/>` with the key."""
    session = remote.receive(Stage.SECURED, offers=offers, timeout=timeout)
    if not speaks_dialback(session):
        unsupported("the namespace jabber:server:dialback in its stream header")
    asked = session.expect(lambda e: is_dialback(e, "result"), "<db:result/> with a key")
    require_equal((asked.get("from"), asked.get("to")), (session.domain, session.jid), "the domain pair")
    return session, asked


def let_in(session: ServerSession) -> None:
    """Tell the subject that its key is right."""
    session.send(dialback("result", session, kind="valid"))


def key_of(element: Element) -> str:
    return (element.text or "").strip()


# --- the subject as receiving server


def caller(remote: Remote, *, jid: str = "") -> ServerSession:
    """Our stream to the subject, without any certificate: it has to dial back, if it wants to know who we are."""
    try:
        session = remote.call(Stage.SECURED, anonymous=True, jid=jid)
    except (TlsFailed, StreamFailed, StreamEnded, ConnectionLost) as error:  # RFC 6120 §6.4.5: too weak a proof
        unsupported(f"streams of servers without a certificate: {error}")
    if not speaks_dialback(session):
        unsupported("the namespace jabber:server:dialback in its stream header")
    return session


def ask_to_be_let_in(session: ServerSession, *, sender: str = "", to: str = "") -> str:
    """Send a new key. Answers it."""
    key = new_id() * 4
    session.send(dialback("result", session, key, sender=sender, to=to))
    return key


def is_asked(
    session: ServerSession, remote: Remote, *, jid: str = "", domain: str = "", known: ServerSession | None = None
) -> tuple[ServerSession, Element]:
    """A stream of the subject's to us as the authoritative server, and its `<db:verify/>`, for a key on `session`.

    `jid` is the domain of ours that it asks, `domain` the one of its own that it asks for. It may ask on a stream
    that is `known` as well (§2.1.2).
    """
    try:
        asking = remote.receive(Stage.SECURED, jid=jid)
    except NoAnswer:
        _is_let_in_by_none(session)
        if known is None:
            raise
        asking = known
        asking.jid = jid or asking.jid
    asking.domain = domain or asking.domain
    element = expect_verify(asking)
    require_equal((element.get("from"), element.get("to")), (asking.domain, asking.jid), "the domain pair")
    return asking, element


def _is_let_in_by_none(session: ServerSession) -> None:
    """Whoever refuses a key before anything is asked has a policy for that (§2.2.1, §2.5)."""
    with suppress(NoAnswer):
        try:
            refused = session.receive(timeout=AT_ONCE).get("type") == "error"
        except (StreamFailed, StreamEnded, ConnectionLost):
            refused = True
        if refused:
            unsupported("letting in whom dialback alone vouches for")


def result(session: ServerSession, *, sender: str = "", to: str = "") -> Element:
    """What the subject says of our key."""
    pair = (to or session.domain, sender or session.jid)
    return session.expect(
        lambda e: is_dialback(e, "result") and (e.get("from"), e.get("to")) == pair,
        f"<db:result from='{pair[0]}' to='{pair[1]}'/>",
    )


def are_let_in(remote: Remote, session: ServerSession) -> ServerSession:
    """A whole dialback, in which the key is right. Answers the stream on which the subject asked us about it."""
    ask_to_be_let_in(session)
    asking, asked = is_asked(session, remote)
    answer_verify(asking, asked, "valid")
    told = result(session)
    require(told.get("type") == "valid", "<db:result/> of type valid", told)
    return asking


def be_through(session: ServerSession) -> None:
    """Wait until the subject has gone through all that we sent on this stream: it must answer about any key."""
    identifier = new_id()
    session.send(dialback("verify", session, "no such key", stream_id=identifier))
    answer = session.expect(
        lambda e: is_dialback(e, "verify") and e.get("id") == identifier, "an answer to <db:verify/> on the stream"
    )
    require_equal((answer.get("from"), answer.get("to")), (session.domain, session.jid), "the domain pair")


def through_or_ended(session: ServerSession) -> None:
    """As `be_through`; or the subject has ended the stream because of what we sent, or says nothing here.

    While it verifies a key it need not go on: it has had the time that an answer may take, then.
    """
    with suppress(StreamEnded, StreamFailed, ConnectionLost, NoAnswer):
        be_through(session)


def not_delivered(alice: Session, session: Session, sender: str, settled: Callable[[], None]) -> None:
    """Send alice a message of `sender`, which must not reach her."""
    identifier = new_id()
    message = text(f"bob@{sender}", alice.jid, identifier)
    session.send(message)
    settled()
    alice.expect_nothing(message, has_id(identifier), "a message of somebody who was not verified")


def delivered(alice: Session, session: Session, sender: str) -> None:
    """Send alice a message of `sender`, which must reach her."""
    identifier = new_id()
    session.send(text(f"bob@{sender}", alice.jid, identifier))
    got = alice.expect(has_id(identifier), "the message of a server that was verified")
    _require_text(got, f"bob@{sender}", alice.jid, identifier)


def require_dialback_error(element: Element, *conditions: str) -> None:
    """An answer of type error, with an error in it that stanzas have, too (§2.5)."""
    condition = stanza_error_condition(element)
    fits = element.get("type") == "error" and condition and (not conditions or condition in conditions)
    require(fits, f"type error, with {' or '.join(conditions) or 'a defined condition'}", element)
    error = element.find(f"{{{SERVER}}}error")
    require(error is not None, "<error/> in the namespace jabber:server", element)
