"""XEP-0313 §3, §4, §4.2: a query and its answer. What a result is made of, its order, and what stands at its end."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from lab.plugin import Connect, impossible, require, require_equal
from lab.wire.namespaces import CLIENT, NS
from lab.wire.session import localname, new_id, parse
from lab.wire.stream import Element
from scenarios.server.rfc6120._stanzas import UNKNOWN, same
from scenarios.server.xep0313._archive import (
    DATE_TIME,
    KINDS,
    MAM,
    Archive,
    Kind,
    awaited,
    example,
    exchange,
    filled,
    holds,
    is_result_of,
    own_archive,
    paging,
    room_archive,
)

DIRECTIONS = pytest.mark.parametrize("direction", ["sent", "received"])


@pytest.mark.parametrize("addressed", ["to-nobody", "to-own-bare-jid"])
@MAM.must("3.3.1", "4", says="The own archive is asked by an iq of type set, without 'to' or to the own bare JID.")
def test_own_archive_answers(addressed: str, connect: Connect) -> None:
    archive = filled(connect, "account", 3)
    page = archive.page(to=archive.jid if addressed == "to-own-bare-jid" else None)
    require_equal(page.bodies, archive.texts, "the bodies of the messages")
    require(page.complete, "complete='true', as these are all", page.fin)


@MAM.must("3.3.2", "4", says="The archive of a room is asked by an iq of type set to the room's bare JID.")
def test_room_archive_answers(connect: Connect) -> None:
    archive = filled(connect, "room", 3)
    holds(archive, archive.texts)


@KINDS
@MAM.must(
    "4.3.2", "4.1", says="Asking an archive with nothing in it is no error: there are no results, and it is whole."
)
def test_empty_archive_answers(kind: Kind, connect: Connect) -> None:
    archive = own_archive(connect) if kind == "account" else room_archive(connect)[0]
    page = holds(archive, [])
    require_equal((page.value("first"), page.value("last")), (None, None), "<first/> and <last/> of an empty page")


@KINDS
@pytest.mark.parametrize("count", [1, 3])
@MAM.must("4", "4.3.2", says="The answer names the ids of the first and the last message that were sent with it.")
def test_answer_names_first_and_last(count: int, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, count)
    page = holds(archive, archive.texts)
    require_equal((page.value("first"), page.value("last")), (page.ids[0], page.ids[-1]), "<first/> and <last/>")


@KINDS
@MAM.must("4", says="The answer comes behind the last message.")
def test_answer_comes_last(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 5)
    name = new_id()
    page = archive.page(name=name)
    require_equal(page.bodies, archive.texts, "the bodies of the messages before the answer")
    archive.session.expect_nothing(
        example(archive, name, archive.texts[-1]), is_result_of(name), "message behind the answer to its query"
    )


@pytest.mark.parametrize(
    "name", ["f27", "Ünïcode ☃", "<a> & 'b' \"c\"", "n" * 200], ids=["plain", "not-ascii", "markup", "long"]
)
@MAM.must("4.2", says="Each result bears the 'queryid' of its query, character for character.")
def test_query_id_is_echoed(name: str, connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    require_equal(archive.page(name=name).bodies, archive.texts, "the bodies of the messages of that query")


@MAM.must("4", "4.2", says="A query without 'queryid' is answered, too.")
def test_query_needs_no_id(connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    page = archive.answered(archive.ask(), None)
    require_equal(page.bodies, archive.texts, "the bodies of the messages")


@KINDS
@MAM.must("4.2", "4.3.2", says="Of queries sent at once each has its own messages, and its own answer.")
def test_queries_at_once_are_not_mixed(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 6)
    to = None if archive.mine else archive.jid
    asked = {
        new_id(): (paging(2), archive.texts[:2]),
        new_id(): (paging(3, before=""), archive.texts[3:]),
        new_id(): ("", archive.texts),
    }
    archive.session.send_together(
        archive.query(f"iq-{name}", None, set_, name=name, to=to) for name, (set_, _) in asked.items()
    )
    for name, (_, wanted) in asked.items():
        require_equal(archive.answered(f"iq-{name}", name).bodies, wanted, "the bodies of the messages of one query")


@MAM.must("4.3.2", says="There is no open query: a session asks for a page whose predecessor another one had.")
def test_page_is_asked_for_by_another_session(connect: Connect) -> None:
    account = connect.account()
    archive = filled(connect, "account", 5, account=account)
    first = archive.page(within=paging(2))
    other = archive.seen_by(connect(account=account, label="other"))
    page = other.page(within=paging(2, after=first.value("last")))
    require_equal(page.bodies, archive.texts[2:4], "the bodies of the next page")


# --- what a result holds


@KINDS
@MAM.should("4.2", says="A result tells when the message came (XEP-0203).")
def test_result_tells_time(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 2)
    for result in holds(archive, archive.texts).results:
        require(result.stamp, "<delay/> with a stamp in <forwarded/>", result.stanza)


@KINDS
@MAM.must("4.2", says="The stamp is the time when the message came: it is the same whenever it is asked for.")
def test_stamps_stay(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    first = _stamps(archive)
    require_equal(_stamps(archive), first, "the stamps, asked for again")


def _stamps(archive: Archive) -> list[str]:
    """The stamps, which are in UTC (XEP-0203 §2), in one form."""
    stamps = []
    for result in holds(archive, archive.texts).results:
        if not result.stamp:
            impossible("the archive does not tell when messages came; another check says whether that is a fault")
        fits = DATE_TIME.fullmatch(result.stamp) and result.stamp.endswith(("Z", "+00:00"))
        require(fits, "a stamp in UTC, in the DateTime profile of XEP-0082", result.stanza)
        stamps.append(result.when.isoformat(timespec="microseconds"))
    return stamps


BODY = "  <Hello> & goodbye,\n'you' \"all\" ☃  "
PARTS = {
    "unknown-payload": UNKNOWN,
    "subject": "<subject>About</subject>",
    "thread": "<thread parent='p'>t</thread>",
    "second-body": "<body xml:lang='de'>Hallo</body>",
    "receipt-request": "<request xmlns='urn:xmpp:receipts'/>",
    "origin-id": "<origin-id xmlns='urn:xmpp:sid:0' id='of-the-client'/>",
}


def _archived(direction: str, connect: Connect, type_: str, content: str = "") -> tuple[Element, Element]:
    """A message as it was sent, and as it stands in its sender's or its recipient's archive."""
    sender, recipient = own_archive(connect, label="sender"), own_archive(connect, label="recipient")
    attributes = f"from='{sender.session.jid}' to='{recipient.session.jid}' id='{new_id()}'"
    if type_ != "none":
        attributes += f" type='{type_}'"
    xml = f"<message {attributes}><body>{escape(BODY)}</body>{content}</message>"
    sent = parse(xml, default=CLIENT)
    sender.session.send(xml)
    recipient.session.expect(sent.get("id", ""), "the message")
    page = awaited(sender if direction == "sent" else recipient, 1)
    require_equal(len(page.results), 1, "the number of messages in the archive")
    return sent, page.results[0].message


@DIRECTIONS
@pytest.mark.parametrize("type_", ["chat", "normal", "none"], ids=["chat", "normal", "no-type"])
@MAM.must("3", "6.1.1", says="At least body, to, from, type and id of a message are kept as they were.")
def test_message_keeps_attributes_and_body(type_: str, direction: str, connect: Connect) -> None:
    sent, kept = _archived(direction, connect, type_)
    for name in ("from", "to", "id"):
        require_equal(kept.get(name), sent.get(name), f"{name!r} of the archived message")
    require_equal(kept.get("type", "normal"), sent.get("type", "normal"), "'type' of the archived message")
    require_equal([body.text for body in kept.iterfind("c:body", NS)], [BODY], "the body")


@DIRECTIONS
@pytest.mark.parametrize("part", PARTS)
@MAM.should("4.2", "3", says="A message is kept whole, with all that stood beside its body.")
def test_message_is_kept_whole(part: str, direction: str, connect: Connect) -> None:
    sent, kept = _archived(direction, connect, "chat", PARTS[part])
    for child in sent:
        require(any(same(child, other) for other in kept), f"the child {localname(child)} as it was sent", kept)


# --- order


@KINDS
@MAM.must("3.1", "4.2", says="Messages stand in the order in which they came, though they share a time.")
def test_order_is_kept(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 20)
    require_equal(archive.page(within=paging(20)).bodies, archive.texts, "the bodies of the messages")


@MAM.must("3.1", "4.2", says="What was sent and what was received stand in one order, on both sides.")
def test_two_sides_of_a_conversation_are_in_order(connect: Connect) -> None:
    alice, bob = own_archive(connect), own_archive(connect, label="bob")
    texts = [f"{number} {new_id()}" for number in range(6)]
    for number, text in enumerate(texts):
        one, other = (alice, bob) if number % 3 else (bob, alice)
        exchange(one.session, other.session, text)
    for archive in (alice, bob):
        holds(archive, texts)
