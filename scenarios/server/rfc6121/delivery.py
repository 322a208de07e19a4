"""RFC 6121 §8.5: who gets a message, and what becomes of one that nobody gets.

A check is called by type, address and who is there: `…/chat:bare:several`. The table is in `_delivery`.
"""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, impossible, premise, require, require_equal, require_error
from lab.wire.namespaces import CLIENT, NS
from lab.wire.session import Session, new_id, parse, show
from lab.wire.stream import Element
from scenarios.server._contacts import appear, subscribe
from scenarios.server.rfc6120._stanzas import UNKNOWN, require_delivered
from scenarios.server.rfc6121._delivery import PRESENT, RULES, SPOKEN, Rule, spoken
from scenarios.server.rfc6121._playing import bare, user
from scenarios.server.rfc6121._roster import added, item_xml

RFC = Specification("RFC 6121")

BODY = f"<body>Hello</body>{UNKNOWN}"
ERROR = f"<error type='cancel'><service-unavailable xmlns='{NS['stanzas']}'/></error>"


class Addressee:
    """An account with some resources, to which a message is sent."""

    def __init__(self, connect: Connect, present: str) -> None:
        priorities = PRESENT[present]
        self.connect = connect
        self.account: Account | None = None if priorities is None else connect.account()
        self.bare = f"nobody-{new_id()}@{connect.cell.domain}" if self.account is None else self.account.jid
        self.sessions: list[Session] = []
        for number, priority in enumerate(priorities or ()):
            session = connect(account=self.account, label=f"resource {number + 1}")
            self.sessions.append(session)
            if priority is not None:
                session.send(f"<presence><priority>{priority}</priority></presence>")
                session.sentinel()
        self.takers = [s for s, p in zip(self.sessions, priorities or (), strict=True) if p is not None and p >= 0]

    def address(self, to: str) -> str:
        if to == "bare":
            return self.bare
        return self.sessions[0].jid if to == "match" else f"{self.bare}/{new_id()}"

    def come(self) -> Session:
        """A further resource, now available, that takes what was kept."""
        session = self.connect(account=self.account, label="later")
        appear(session)
        return session


def _message(kind: str, to: str) -> tuple[str, str]:
    """A message and its id; `none` is one without a type."""
    identifier = new_id()
    type_ = "" if kind == "none" else f" type='{kind}'"
    return (
        f"<message{type_} id='{identifier}' to='{to}'>{BODY}{ERROR if kind == 'error' else ''}</message>",
        identifier,
    )


def _param(rule: Rule) -> object:
    requires = RFC.must if rule.absolute else RFC.should
    return pytest.param(rule, id=rule.name, marks=requires(*rule.sections, says=spoken(rule)))


@pytest.mark.parametrize("rule", [_param(rule) for rule in RULES])
def test_message(rule: Rule, connect: Connect, stranger: Session) -> None:
    there = Addressee(connect, rule.present)
    xml, identifier = _message(rule.kind, there.address(rule.to))
    stranger.send(xml)
    got = [s for s in there.sessions if _has(rule, stranger, s, xml, identifier, may=_may_have(rule, there, s))]
    wanted = ", or ".join(SPOKEN[letter] for letter in rule.allowed)
    if got:
        require(set(rule.allowed) & set("DMA"), wanted, f"it came to {', '.join(s.label for s in got)}")
        if "M" not in rule.allowed:
            alone = [there.sessions[0]] if rule.to == "match" else there.takers
            require(got in (alone, there.takers if "A" in rule.allowed else alone), wanted, "it came to one only")
        _no_answer(stranger, identifier)
        return
    if rule.allowed == "E":  # from the account: nothing orders it with an answer of the domain (RFC 6120 §10.1)
        stranger.inbox.append(stranger.expect(identifier, wanted))
    if _answered(rule, there, stranger, identifier):
        return
    require(set(rule.allowed) & set("OS"), wanted, "neither an answer nor a delivery")
    if rule.allowed == "S":
        _no_answer(stranger, identifier)
    if there.account is None:
        return
    later = there.come()
    if _answered(rule, there, stranger, identifier):
        return
    if "O" in rule.allowed:
        _require_same(later.expect(identifier, "the message that was kept"), xml, stranger, rule.to)
    else:
        later.expect_nothing(
            xml.replace("<message", f"<message from='{stranger.jid}'"),
            lambda e: e.get("id") == identifier,
            "message that was to be ignored",
        )


def _answered(rule: Rule, there: Addressee, stranger: Session, identifier: str) -> bool:
    """Whether an answer has come by now: one error, of the account's, where there may be one."""
    stranger.sentinel()
    stranger.forbid(
        f"<message id='{identifier}' from='{there.bare}' to='{stranger.jid}'/>",
        lambda e: e.get("id") == identifier and e.get("type") != "error",
        "an answer that is no error",
    )
    answers = [e for e in stranger.inbox if e.get("id") == identifier]
    if answers:
        require("E" in rule.allowed, ", or ".join(SPOKEN[letter] for letter in rule.allowed), answers[0])
        require_equal(len(answers), 1, "the number of answers")
        require_error(answers[0], *(["service-unavailable"] if there.account is None else []))
        require_equal(bare(answers[0].get("from")), there.bare, "the account in 'from'")
    return bool(answers)


def _may_have(rule: Rule, there: Addressee, session: Session) -> bool:
    if rule.to == "match":
        return session is there.sessions[0] or "A" in rule.allowed
    return bool(set(rule.allowed) & set("DMA")) and session in there.takers


def _has(rule: Rule, alice: Session, session: Session, xml: str, identifier: str, *, may: bool) -> bool:
    """Whether the message came to a session, whole and once. Where it must not, the check fails if it did."""
    if not may:
        session.expect_nothing(
            xml.replace("<message", f"<message from='{alice.jid}'"),
            lambda e: e.get("id") == identifier,
            f"message at {session.label}, which is to have none,",
            after=alice,
        )
        return False
    alice.sentinel(session)
    copies = [e for e in session.inbox if e.get("id") == identifier]
    require(len(copies) <= 1, "one copy for a resource", str(len(copies)))
    if copies:
        _require_same(copies[0], xml, alice, rule.to)
    return bool(copies)


def _require_same(got: Element, xml: str, alice: Session, to: str) -> None:
    """The check fails unless the message is as it was sent. To an account, 'to' is not rewritten (§8.5.2.1.1).

    That may happen to what was for a resource that is not there; and `normal` may be said by saying no type (§5.2.2).
    """
    sent = parse(xml, default=CLIENT)
    if to == "full":
        require_equal(bare(got.get("to")), bare(sent.get("to")), "the account in 'to'")
        sent.set("to", got.get("to", ""))
    if sent.get("type") == "normal" and got.get("type") is None:
        del sent.attrib["type"]
    require_delivered(got, show(sent), alice.jid)


def _no_answer(alice: Session, identifier: str) -> None:
    alice.expect_nothing(
        f"<message type='error' id='{identifier}'>{ERROR}</message>",
        lambda e: e.get("id") == identifier,
        "answer to the message",
    )


# --- what the table leaves out


@pytest.mark.parametrize("kind", ["none", "stanzalab-unheard-of"])
@RFC.must(
    "5.2.2", "8.5.2.1.1", says="A message without a type, or of one that is not known, is handled as a normal one."
)
def test_message_of_no_known_type_is_normal(kind: str, connect: Connect, stranger: Session) -> None:
    there = Addressee(connect, "one")
    xml, identifier = _message(kind, there.bare)
    stranger.send(xml)
    got = there.sessions[0].expect(identifier, "the message")
    require_equal((got.get("from"), got.get("to")), (stranger.jid, there.bare), "'from' and 'to'")
    require_equal(got.findtext(f"{{{CLIENT}}}body"), "Hello", "the body")


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.name) for rule in RULES if rule.allowed == "E"])
@RFC.should("8.5.2.1.1", "8.5.2.2.1", says="The error for a groupchat message to an account is service-unavailable.")
def test_refusal_is_service_unavailable(rule: Rule, connect: Connect, stranger: Session) -> None:
    there = Addressee(connect, rule.present)
    xml, identifier = _message(rule.kind, there.address(rule.to))
    stranger.send(xml)
    require_error(stranger.expect(identifier, "an error"), "service-unavailable")


@pytest.mark.parametrize("known", ["roster", "subscribed", "directed"])
@pytest.mark.parametrize("kind", ["normal", "groupchat", "headline"])
@RFC.should("8.1", "8.5.3.2.1", says="Whoever may know of the user is not left without a word, but gets an error.")
def test_contact_gets_an_error_where_a_stranger_may_not(kind: str, known: str, connect: Connect) -> None:
    alice, bob = user(connect, label="alice"), user(connect, label="bob")
    if known == "subscribed":
        subscribe(bob, alice)
    elif known == "roster":
        added(alice, item_xml(bob.bare_jid))
    else:
        alice.send(f"<presence to='{bob.jid}'/>")
        alice.sentinel(bob)
    xml, identifier = _message(kind, f"{alice.bare_jid}/{new_id()}")
    bob.send(xml)
    bob.sentinel(alice)
    if any(e.get("id") == identifier for e in alice.inbox):
        impossible("the message is delivered; another check says whether that is a fault")
    require_error(bob.expect(identifier, "an error"))


def _kept(alice: Session, there: Addressee, count: int) -> list[str]:
    """The ids of messages that the server keeps; to keep them is SHOULD (§8.5.2.2.1), and there may be a quota."""
    sent = [_message("chat", there.bare) for _ in range(count)]
    for xml, _ in sent:
        alice.send(xml)
    alice.sentinel()
    refused = {e.get("id") for e in alice.inbox}
    kept = [identifier for _, identifier in sent if identifier not in refused]
    if not kept:
        impossible("the server keeps no messages")
    return kept


def _comes(later: Session, identifier: str) -> Element:
    return premise(
        lambda: later.expect(identifier),
        "what should have been kept does not come; another check says whether that is a fault",
    )


@RFC.must("8.5.2.2.1", "8.5.2.1.1", says="Messages that were kept come in the order in which they were sent.")
def test_kept_messages_come_in_order(connect: Connect) -> None:
    there, alice = Addressee(connect, "nobody"), connect(label="alice")
    kept = _kept(alice, there, 5)
    later = there.come()
    _comes(later, kept[-1])
    before = [e.get("id") for e in later.inbox if e.get("id") in kept]
    alice.sentinel(later)
    came = {e.get("id") for e in later.inbox}
    wanted = [identifier for identifier in kept[:-1] if identifier in came]
    require_equal(list(dict.fromkeys(before)), wanted, "the messages before the last")


@RFC.may("8.5.2.2.1", "8.5.2.1.1", says="A message that was kept and is delivered comes to no later resource.")
def test_kept_message_comes_once(connect: Connect) -> None:
    there, alice = Addressee(connect, "nobody"), connect(label="alice")
    (kept,) = _kept(alice, there, 1)
    _comes(there.come(), kept)
    there.come().expect_nothing(
        f"<message from='{alice.jid}' id='{kept}' to='{there.bare}'>{BODY}</message>",
        lambda e: e.get("id") == kept,
        "message that was delivered before",
    )


@RFC.must(
    "8.5.2.2.1", "8.5.2.1.1", says="What was kept waits for a resource that takes messages: one below zero does not."
)
def test_kept_message_waits_for_a_resource_that_takes_it(connect: Connect) -> None:
    there, alice = Addressee(connect, "nobody"), connect(label="alice")
    (identifier,) = _kept(alice, there, 1)
    below = connect(account=there.account, label="below")
    below.send("<presence><priority>-1</priority></presence>")
    below.expect_nothing(
        f"<message from='{alice.jid}' id='{identifier}' to='{there.bare}'>{BODY}</message>",
        lambda e: e.get("id") == identifier,
        "message at a resource of negative priority",
    )
    got = _comes(there.come(), identifier)
    require_equal(got.findtext(f"{{{CLIENT}}}body"), "Hello", "the body")
