"""What a user's own server keeps and copies of what crosses the border: archives, carbons, managed streams."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal
from lab.plugin.border import Federation
from lab.wire.namespaces import NS
from lab.wire.session import Session, new_id
from scenarios.federation._border import crosses, message
from scenarios.server._contacts import appear
from scenarios.server.xep0198._counting import acknowledged
from scenarios.server.xep0198._managed import resumable, resume, tell
from scenarios.server.xep0280._carbons import Way, example, is_copy, original, resource, say, switched_on
from scenarios.server.xep0313._archive import exchange, holds, own_archive

MAM = Specification("XEP-0313")
CARBON = Specification("XEP-0280")
SM = Specification("XEP-0198")

WAYS = pytest.mark.parametrize("way", ["received", "sent"])


@MAM.should("6.1.1", says="What is sent over the border, and what comes over it, is in the user's archive, in order.")
def test_conversation_over_the_border_is_archived(federation: Federation) -> None:
    bob = federation.bob()
    archive = own_archive(federation.here.connect)
    alice = archive.session
    appear(bob)
    appear(alice)
    texts = [f"{number} {new_id()}" for number in range(4)]
    for number, text in enumerate(texts):
        one, other = (alice, bob) if number % 2 else (bob, alice)
        exchange(one, other, text)
    with federation.here.blamed():
        page = holds(archive, texts)
        senders = [result.message.get("from") for result in page.results]
        require_equal(senders, [bob.jid, alice.jid] * 2, "the senders:")


@MAM.must("4.1.1", says="Messages with a contact over the border are found by its bare JID, and no others.")
def test_archive_is_filtered_by_who_is_abroad(federation: Federation) -> None:
    bob, carol = federation.bob(), federation.there.connect(label="carol")
    archive = own_archive(federation.here.connect)
    appear(archive.session)
    wanted = f"of bob {new_id()}"
    exchange(carol, archive.session, f"of carol {new_id()}")
    exchange(bob, archive.session, wanted)
    with federation.here.blamed():
        holds(archive, [wanted], {"with": bob.bare_jid})


@MAM.must(
    "3.5", says="What comes over the border bears the id that the recipient's archive gave it, and no forged one."
)
def test_id_of_the_archive_on_what_comes_from_abroad(federation: Federation) -> None:
    bob = federation.bob()
    archive = own_archive(federation.here.connect)
    alice = archive.session
    appear(alice)
    forged = f"<stanza-id xmlns='{NS['sid']}' id='forged' by='{alice.bare_jid}'/>"
    sent, identifier = message(alice.jid, f"<body>hello</body>{forged}")
    bob.send(sent)
    came = alice.expect(identifier, "the message")
    with federation.here.blamed():
        given = [one.get("id") for one in came.iterfind("sid:stanza-id", NS) if one.get("by") == alice.bare_jid]
        require("forged" not in given, "no forged id", came)
        require_equal(given, archive.page().ids, "ids by the own archive:")


@MAM.must_not("3.5", says="What is sent over the border does not bear the id that the sender's archive gave it.")
def test_id_of_the_archive_stays_at_home(federation: Federation) -> None:
    archive = own_archive(federation.here.connect)
    bob = federation.bob()
    appear(bob)
    came = crosses(federation, archive.session, bob, *message(bob.jid))
    with federation.here.blamed():
        ids = [one for one in came.iterfind("sid:stanza-id", NS) if one.get("by") == archive.session.bare_jid]
        require(not ids, "no id by the sender's archive", came)


@MAM.must("8.1", says="Nobody from abroad is shown an archive.")
def test_archive_is_closed_to_who_is_abroad(federation: Federation) -> None:
    archive = own_archive(federation.here.connect)
    appear(archive.session)
    bob = federation.bob()
    exchange(bob, archive.session, "a secret")
    with federation.here.writes():
        reply = archive.seen_by(bob).refused()
        require_equal(reply.get("type"), "error", "the type of the answer")


@CARBON.must("6", "7", says="A user's other resource has a copy of what comes over the border, and of what goes.")
@WAYS
def test_copy_of_what_crosses_the_border(federation: Federation, way: Way) -> None:
    one, copied = two_resources(federation)
    bob = federation.bob()
    appear(bob)
    sender, recipient = (bob, one) if way == "received" else (one, bob)
    identifier = say(sender, recipient)
    with federation.here.blamed():
        copy = copied.expect(is_copy(identifier, way), f"a copy of the message {way}")
        inner = original(copy, way)
        seen = None if inner is None else (inner.get("from"), inner.get("to"), inner.findtext("c:body", None, NS))
        require_equal(seen, (sender.jid, recipient.jid, "Hello"), "sender, recipient and body in the copy:")
        require_equal(copy.get("from"), one.bare_jid, "the sender of the copy")


@CARBON.must_not("6", "7", says="What is private is not copied, be it on its way over the border or from there.")
@WAYS
def test_private_message_over_the_border_is_not_copied(federation: Federation, way: Way) -> None:
    one, copied = two_resources(federation)
    bob = federation.bob()
    appear(bob)
    sender, recipient = (bob, one) if way == "received" else (one, bob)
    content = f"<body>Hello</body><private xmlns='{NS['carbons']}'/><no-copy xmlns='{NS['hints']}'/>"
    identifier = say(sender, recipient, content)
    with federation.here.blamed():
        copied.expect_nothing(
            example(copied, identifier, way), is_copy(identifier), "copy of a private message", after=one
        )


@SM.must(
    "4", "5", says="What comes over the border is kept for a broken stream, and comes in order when it is resumed."
)
def test_messages_from_abroad_are_kept_for_a_broken_stream(federation: Federation) -> None:
    stream = resumable(federation.here.connect, label="alice", online=True)
    bob = federation.bob()
    stream.cut()
    wanted = tell(bob, stream.session.jid, 5)
    bob.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=federation.here.domain)  # behind them, the same way
    with federation.here.blamed():
        again, _ = resume(federation.here.connect, stream)
        again.read(*wanted)
        require_equal(again.came(wanted), wanted, "the messages:")


@SM.must("4", says="A managed stream counts what is sent over the border like anything else.")
def test_what_goes_over_the_border_is_acknowledged(federation: Federation) -> None:
    stream = resumable(federation.here.connect, label="alice", online=True)
    bob = federation.bob()
    appear(bob)
    before = acknowledged(stream)
    for identifier in tell(stream.session, bob.jid, 5):
        bob.expect(identifier, "the message")
    with federation.here.blamed():
        require_equal(acknowledged(stream) - before, 5, "stanzas acknowledged:")


def two_resources(federation: Federation) -> tuple[Session, Session]:
    """Two available resources of alice's, of which the second has carbons."""
    account = federation.here.connect.account()
    with federation.here.blamed():
        one, copied = (resource(federation.here.connect, account, label) for label in ("alice", "copied"))
        switched_on(copied)
    return one, copied
