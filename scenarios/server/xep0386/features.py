"""XEP-0386 §3.2: what is done along with the bind: offline messages, the archive's state, carbons, client states."""

from __future__ import annotations

from lab.cell import Account
from lab.plugin import Connect, Specification, require, require_equal
from lab.wire.namespaces import CARBONS, CLIENT, CSI, NS
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend
from scenarios.server.rfc6121._playing import is_presence
from scenarios.server.xep0280._carbons import example, is_copy
from scenarios.server.xep0313._archive import DATE_TIME, Archive, own_archive, paging, send
from scenarios.server.xep0386._bound import bound

BIND = Specification("XEP-0386")

CARBONS_ON = f"<enable xmlns='{CARBONS}'/>"


# --- the archive


def _archived(connect: Connect, account: Account, *texts: str) -> Archive:
    """The account's archive with messages in it; its session is gone. The check is `unsupported` without one."""
    archive = own_archive(connect, account=account)
    send(archive.session, connect(label="bob").jid, *texts)
    archive.session.close(farewell=archive.session.patience)
    return archive


@BIND.should("3.2", says="<bound/> says what the archive holds, by <metadata/> of XEP-0313: ids of both ends.")
def test_bound_tells_of_the_archive(connect: Connect) -> None:
    account = connect.account()
    _archived(connect, account, "one", "two", "three")
    alice = bound(connect, account)
    metadata = alice.has("bind2:bound/mam:metadata", "<metadata/> in <bound/>")
    ids = Archive(alice.session, account.jid, "account").page(within=paging()).ids
    require_equal([_end(metadata, name) for name in ("start", "end")], [ids[0], ids[-1]], "ids of both ends")


def _end(metadata: Element, name: str) -> str | None:
    found = metadata.find(f"mam:{name}", NS)
    timed = found is not None and DATE_TIME.fullmatch(found.get("timestamp", ""))
    require(timed, f"<{name}/> with its time", metadata)
    return None if found is None else found.get("id")


def _said_while_offline(connect: Connect, account: Account) -> str:
    """Let somebody write to an account that has an archive, and was there before. Answers the text."""
    bob, text = connect(label="bob"), new_id()
    archive = own_archive(connect, account=account)
    archive.session.close(farewell=archive.session.patience)
    send(bob, account.jid, text)
    bob.sentinel()
    return text


@BIND.must("3.2", says="Messages of while the user was offline are not sent: the archive has them.")
def test_offline_messages_are_not_sent(connect: Connect) -> None:
    account = connect.account()
    text = _said_while_offline(connect, account)
    alice = bound(connect, account, label="alice").session
    _not_sent(alice, text)
    found = Archive(alice, account.jid, "account").page(within=paging()).bodies
    require(text in found, "the message in the archive", str(found))


@BIND.must("3.2", says="Messages of while the user was offline are forgotten: no later session gets them, either.")
def test_offline_messages_are_cleared(connect: Connect) -> None:
    account = connect.account()
    text = _said_while_offline(connect, account)
    first = bound(connect, account, label="first").session
    first.sentinel()
    first.close(farewell=first.patience)
    _not_sent(connect(account=account, label="second"), text)


def _not_sent(session: Session, text: str) -> None:
    """A client that becomes available is not sent a message of while it was away."""
    appear(session)
    session.expect_nothing(
        f"<message to='{session.jid}' from='bob@{session.domain}/bob' type='chat'><body>{text}</body></message>",
        lambda e: localname(e) == "message" and e.findtext(f"{{{CLIENT}}}body") == text,
        "a message of while the user was offline",
    )


# --- carbons


@BIND.must("3.2", says="Carbons that are asked for along with the bind are on: messages are copied.")
def test_carbons_are_on(connect: Connect) -> None:
    account, bob = connect.account(), connect(label="bob")
    copied = bound(connect, account, CARBONS_ON, feature=CARBONS, label="copied").session
    one = connect(account=account, label="one")
    for session in (copied, one, bob):
        appear(session)
    received, sent = _message(bob, one), _message(one, bob)
    copied.expect(is_copy(received, "received"), "a copy of the message received")
    copied.expect(is_copy(sent, "sent"), "a copy of the message sent")


@BIND.must_not("3.2", says="Carbons that were not asked for are not on.")
def test_carbons_are_off_unasked(connect: Connect) -> None:
    account, bob = connect.account(), connect(label="bob")
    plain = bound(connect, account, feature=CARBONS, label="plain").session
    one = connect(account=account, label="one")
    for session in (plain, one, bob):
        appear(session)
    identifier = _message(bob, one)
    one.send(f"<message to='{plain.jid}' id='{identifier}-mark' type='chat'><body>mark</body></message>")
    plain.expect(f"{identifier}-mark")
    plain.expect_nothing(example(plain, identifier, "received"), is_copy(identifier), "a copy that nobody asked for")


def _message(sender: Session, recipient: Session) -> str:
    """A message that has come; its id."""
    identifier = new_id()
    sender.send(f"<message to='{recipient.jid}' id='{identifier}' type='chat'><body>Hello</body></message>")
    recipient.expect(identifier)
    return identifier


# --- client states


def _watched(connect: Connect, inner: str) -> tuple[Session, Session]:
    """A client that was bound with a client state, and a contact; both see each other."""
    account, carol = connect.account(), connect(label="carol")
    first = connect(account=account, label="first")
    befriend(first, carol)
    first.close(farewell=first.patience)
    appear(carol)
    alice = bound(connect, account, inner, feature=CSI, label="alice").session
    alice.send("<presence/>")
    carol.expect(is_presence(None, alice.jid), "the presence of the client")
    return alice, carol


@BIND.must("3.2", says="A client that says so begins as active: presence comes by itself.")
def test_client_begins_active(connect: Connect) -> None:
    alice, carol = _watched(connect, f"<active xmlns='{CSI}'/>")
    carol.send("<presence><show>away</show></presence>")
    alice.expect(lambda e: e.findtext(f"{{{CLIENT}}}show") == "away", "the contact's presence")


@BIND.must("3.2", says="A client that begins as inactive has, once it is active, what it was spared.")
def test_client_begins_inactive(connect: Connect) -> None:
    alice, carol = _watched(connect, f"<inactive xmlns='{CSI}'/>")
    carol.send("<presence><show>away</show></presence>")
    carol.sentinel()
    alice.send(f"<active xmlns='{CSI}'/>")
    alice.expect(lambda e: e.findtext(f"{{{CLIENT}}}show") == "away", "the contact's presence")
