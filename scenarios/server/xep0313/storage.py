"""XEP-0313 §6.1: which messages an archive has and which it has not, and that it has each once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.plugin import Connect, impossible, require_equal, require_result, unsupported
from lab.wire.namespaces import BLOCKING, CARBONS, CHAT_STATES, HINTS
from lab.wire.session import Session, new_id
from scenarios.server._contacts import appear, log_out
from scenarios.server._discovery import advertises
from scenarios.server.xep0313._archive import MAM, Archive, awaited, exchange, holds, own_archive, send


@dataclass(frozen=True)
class Rule:
    """A kind of message: its type, what stands in it besides, whether it has a body, whether it is archived."""

    name: str
    type: str
    content: str = ""
    body: bool = True
    archived: bool = True
    says: str = "A message of type normal or chat with a body is archived."


HINT = "A message with a body whose sender asks that it be not stored (XEP-0334 §4) is not."
STORE = "A message without a body that its sender asks to be stored (XEP-0334 §4.4) is archived."
RULES = (
    Rule("chat", "chat"),
    Rule("normal", "normal"),
    Rule("no-type", ""),
    Rule("chat-with-state", "chat", f"<active xmlns='{CHAT_STATES}'/>"),
    Rule("two-languages", "chat", "<body xml:lang='de'>Hallo</body>"),
    Rule("no-store", "chat", f"<no-store xmlns='{HINTS}'/>", archived=False, says=HINT),
    Rule("no-permanent-store", "chat", f"<no-permanent-store xmlns='{HINTS}'/>", archived=False, says=HINT),
    Rule("normal-no-store", "normal", f"<no-store xmlns='{HINTS}'/>", archived=False, says=HINT),
    Rule("store", "chat", f"<store xmlns='{HINTS}'/>", body=False, says=STORE),
    Rule("normal-store", "normal", f"<store xmlns='{HINTS}'/>", body=False, says=STORE),
)
DIRECTIONS = ("sent", "received", "received-offline")


def _param(rule: Rule, direction: str) -> object:
    requires = MAM.may if HINTS in rule.content else MAM.should  # of hints §6.1.1 has no word
    return pytest.param(rule, direction, id=f"{rule.name}:{direction}", marks=requires("6.1.1", says=rule.says))


@pytest.mark.parametrize(("rule", "direction"), [_param(rule, way) for rule in RULES for way in DIRECTIONS])
def test_message(rule: Rule, direction: str, connect: Connect) -> None:
    account = connect.account()
    archive = own_archive(connect, account=account)
    if HINTS in rule.content and not advertises(archive.session, archive.session.domain, HINTS):
        unsupported(HINTS)
    other = connect(label="bob")
    identifiers = [new_id(), new_id()]
    type_ = f" type='{rule.type}'" if rule.type else ""
    body = f"<body>{rule.name}</body>" if rule.body else ""
    sender, to = (archive.session, other.jid) if direction == "sent" else (other, archive.session.jid)
    if direction == "received-offline":
        log_out(archive.session)
        to = archive.jid
    message = f"<message id='{identifiers[0]}' to='{to}'{type_}>{body}{rule.content}</message>"
    control = f"<message id='{identifiers[1]}' to='{to}' type='chat'><body>control</body></message>"
    sender.send_together([message, control])
    sender.sentinel()
    if direction == "received":
        archive.session.expect(identifiers[1], "the message behind it")
    if direction == "received-offline":
        archive = archive.seen_by(connect(account=account, label="alice again"))
    wanted = identifiers if rule.archived else identifiers[1:]
    _refused(other, identifiers)
    kept = [result.message.get("id") for result in awaited(archive, len(wanted), should=True).results]
    require_equal(kept, wanted, "the ids of the messages in the archive")


def _refused(sender: Session, identifiers: list[str]) -> None:
    """Messages for the absent may be bounced (RFC 6121 §8.5.2.2.1); then they belong into no archive (§6.1)."""
    if any(e.get("type") == "error" and e.get("id") in identifiers for e in sender.inbox):
        impossible("messages for the absent are refused")


# --- once


def _two(connect: Connect) -> tuple[Archive, Session]:
    """An archive, and two available sessions of its account, both with carbons where the server has them."""
    account = connect.account()
    archive = own_archive(connect, account=account)
    second = connect(account=account, label="second")
    for session in (archive.session, second):
        if advertises(session, session.domain, CARBONS):
            require_result(session.iq("set", f"<enable xmlns='{CARBONS}'/>"))
        appear(session)
    # What comes to the account goes to the first alone, or to both (RFC 6121 §8.5.2.1.1).
    archive.session.send("<presence><priority>5</priority></presence>")
    archive.session.sentinel()
    return archive, second


@pytest.mark.parametrize("case", ["received-at-one", "received-by-all", "sent"])
@MAM.must("6.1.1", says="A message stands in an archive once, whatever the number of its copies (carbons, forks).")
def test_message_is_archived_once(case: str, connect: Connect) -> None:
    archive, second = _two(connect)
    bob = own_archive(connect, label="bob")
    if case == "sent":
        exchange(archive.session, bob.session, "hello")
    else:
        exchange(bob.session, archive.session, "hello", to=archive.jid if case == "received-by-all" else None)
    bob.session.sentinel(second)  # where copies go as well; it is archived, too
    bodies = [body for body in awaited(archive, 2).bodies if not body.startswith("sentinel-")]
    require_equal(bodies, ["hello"], "the bodies of the messages in the archive")
    bodies = [body for body in awaited(bob, 2).bodies if not body.startswith("sentinel-")]
    require_equal(bodies, ["hello"], "the bodies of the messages in the other side's archive")


# --- what is not accepted


@MAM.should_not(
    "6.1", says="A message that the account did not accept, of a blocked contact (XEP-0191), is not archived."
)
def test_message_of_a_blocked_contact_is_not_archived(connect: Connect) -> None:
    archive, mallory, bob = own_archive(connect), connect(label="mallory"), connect(label="bob")
    if not advertises(archive.session, archive.session.domain, BLOCKING):
        unsupported(BLOCKING)
    exchange(mallory, archive.session, "before")
    item = f"<item jid='{mallory.bare_jid}'/>"
    require_result(archive.session.iq("set", f"<block xmlns='{BLOCKING}'>{item}</block>"))
    for to in (archive.session.jid, archive.jid):
        send(mallory, to, "blocked")
    exchange(bob, archive.session, "behind")
    holds(archive, ["before", "behind"])


# --- what is kept for later, besides


def _kept(connect: Connect, count: int) -> tuple[Archive, list[str]]:
    """An archive of an account that was not there when so many messages came; its session now is not available."""
    account = connect.account()
    archive, bob = own_archive(connect, account=account), connect(label="bob")
    log_out(archive.session)
    texts = [f"{number} {new_id()}" for number in range(count)]
    _refused(bob, send(bob, archive.jid, *texts))
    return archive.seen_by(connect(account=account, label="later")), texts


@MAM.should("6.1.1", "3.1", says="Messages that come while nobody is there are archived, in order.")
def test_messages_for_nobody_are_archived(connect: Connect) -> None:
    archive, texts = _kept(connect, 3)
    holds(archive, texts)


@MAM.must("6.1.1", says="A message that was kept and is delivered later is not archived a second time.")
def test_delivery_of_a_kept_message_archives_nothing(connect: Connect) -> None:
    archive, texts = _kept(connect, 2)
    ids = awaited(archive, len(texts)).ids
    if len(ids) < len(texts):
        impossible("what comes while nobody is there is not archived; another check says whether that is a fault")
    appear(archive.session)
    require_equal(archive.page().ids, ids, "the ids in the archive")
