"""XEP-0045 §7.4, §17.2: what is said to all: to whom it goes, how it looks there, and who may not say it."""

from __future__ import annotations

import pytest
from lxml import etree

from lab.plugin import Connect, Specification, require, require_equal, require_error, require_result
from lab.wire.namespaces import CHAT_STATES, DELAY, LAB, MUC, NS, XML_LANG
from lab.wire.session import Session, localname
from scenarios.server.xep0045._admin import change_affiliation, change_role
from scenarios.server.xep0045._discovery import ask_info
from scenarios.server.xep0045._occupant import Occupant, bare, message_example, of_the_room, said, settle, spared
from scenarios.server.xep0045._rooms import entrance, gather, quiet

XEP = Specification("XEP-0045")

SPEAKERS = {
    "owner": "owner",
    "admin": "admin",
    "member": "member",
    "participant": "none/participant",
    "moderator": "none/moderator",
}


@XEP.must("7.4", says="What an occupant with a voice says goes to every occupant, from the speaker's occupant JID.")
@pytest.mark.parametrize("moderated", [False, True], ids=["unmoderated", "moderated"])
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_message_reaches_all(connect: Connect, speaker: str, moderated: bool) -> None:
    owner, guest, other = gather(connect, SPEAKERS[speaker], "none", moderatedroom=moderated)
    guest.says("hello, all of you")
    for occupant in (owner, guest, other):
        occupant.hears("hello, all of you", guest.jid)


@XEP.must("7.4", says="Each occupant is sent a message once.")
def test_message_comes_once(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.says("only once")
    for occupant in (owner, guest):
        occupant.hears("only once", guest.jid)
        occupant.is_spared(
            message_example(guest.jid, occupant.session, "only once"),
            said("only once"),
            "second copy of a message",
            after=guest.session,
        )


@XEP.should("7.4", says="A message keeps the id that its author gave it, wherever it goes.")
@pytest.mark.parametrize("at", ["author", "another"])
def test_id_is_kept(connect: Connect, at: str) -> None:
    owner, guest = gather(connect, "none")
    identifier = guest.says("hello")
    occupant = guest if at == "author" else owner
    require_equal(occupant.hears("hello", guest.jid).get("id"), identifier, "id")


@XEP.must("7.4", says="A message without an id is passed on as well, with one id for all where it is given one.")
def test_message_without_id(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.session.send(f"<message to='{guest.room}' type='groupchat'><body>nameless</body></message>")
    ids = {occupant.hears("nameless", guest.jid).get("id") for occupant in (owner, guest)}
    require_equal(len(ids), 1, "different ids of one message:")


@XEP.must("7.4", says="What one occupant says reaches all in the order in which it was said.")
def test_messages_keep_their_order(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    texts = [f"line {number}" for number in range(30)]
    guest.session.send_together(
        f"<message to='{guest.room}' type='groupchat' id='{text[5:]}'><body>{text}</body></message>" for text in texts
    )
    for occupant in (owner, guest):
        came = [occupant.session.expect(lambda e: bare(e) == owner.room, "a message") for _ in texts]
        require_equal([e.findtext("c:body", None, NS) for e in came], texts, "what was said")


# --- what stands in a message


EXTENSIONS = {
    "foreign": f"<note xmlns='{LAB}'>eye of newt</note>",
    "nested": f"<a xmlns='{LAB}'><b c='d'><e xmlns='urn:stanzalab:other'>f</e></b></a>",
    "chat-state": f"<active xmlns='{CHAT_STATES}'/>",
    "xhtml": "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
    "<p>Thrice the <em>brinded</em> cat</p></body></html>",
}


@XEP.should("17.2", "18.1", "18.1.1", says="Extensions of a message pass unchanged, or the room tells which ones do.")
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_extension_passes(connect: Connect, extension: str) -> None:
    owner, guest = gather(connect, "none")
    guest.says("with more", inside=EXTENSIONS[extension])
    message = owner.hears("with more", guest.jid)
    tag = {
        "foreign": f"{{{LAB}}}note",
        "nested": f"{{{LAB}}}a",
        "chat-state": f"{{{CHAT_STATES}}}active",
        "xhtml": "{http://jabber.org/protocol/xhtml-im}html",
    }[extension]
    found = message.find(tag)
    if found is None:
        require_result(ask_info(owner.session, owner.room, node=f"{MUC}#traffic"))
        return
    text = etree.tostring(found, method="text", encoding="unicode", with_tail=False)
    shown = [text, *(f"{one.tag} {dict(one.items())}" for one in found.iterdescendants())]
    expected = {
        "foreign": ["eye of newt"],
        "nested": ["f", f"{{{LAB}}}b {{'c': 'd'}}", "{urn:stanzalab:other}e {}"],
        "chat-state": [""],
        "xhtml": [
            "Thrice the brinded cat",
            *(f"{{http://www.w3.org/1999/xhtml}}{name} {{}}" for name in ("body", "p", "em")),
        ],
    }[extension]
    require_equal(shown, expected, "the extension:")


@XEP.should("13", says="Bodies of several languages keep them.")
def test_languages_of_a_message_are_kept(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.says("witch", inside="<body xml:lang='de'>Hexe</body>")
    message = owner.session.expect(said("witch"), "the message")
    texts = {body.get(XML_LANG): body.text for body in message.iterfind("c:body", NS)}
    require_equal(texts.get("de"), "Hexe", "the German text:")


@XEP.should("17.2", says="A message with a thread keeps it.")
def test_thread_is_kept(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    guest.says("on that matter", inside="<thread>e0ffe42b28561960</thread>")
    message = owner.hears("on that matter", guest.jid)
    require_equal(message.findtext("c:thread", None, NS), "e0ffe42b28561960", "thread")


@XEP.should_not("7.9", says="What an owner brings of an earlier chat, stamped already, gets no further stamp.")
def test_earlier_chat_is_not_stamped_again(connect: Connect) -> None:
    owner, guest = gather(connect, "none")
    stamp = "2004-09-29T01:54:37Z"
    owner.says("an earlier chat", inside=f"<delay xmlns='{DELAY}' from='{owner.session.bare_jid}' stamp='{stamp}'/>")
    message = guest.session.expect(said("an earlier chat"), "the message")
    delays = [(delay.get("stamp"), delay.get("from")) for delay in message.iterfind("delay:delay", NS)]
    require_equal(delays, [(stamp, owner.session.bare_jid)], "stamps")


# --- who may not speak


def _unheard(listener: Occupant, text: str, by: str, *, after: Session) -> None:
    listener.is_spared(message_example(by, listener.session, text), said(text), f"message of {by}", after=after)


@XEP.must("7.4", says="What a visitor says in a moderated room is refused with forbidden.")
@pytest.mark.parametrize("visitor", ["none/visitor", "member/visitor"], ids=["visitor", "member"])
def test_visitor_is_refused(connect: Connect, visitor: str) -> None:
    _owner, guest = gather(connect, visitor, moderatedroom=True)
    error = guest.refused(guest.says("let me speak"))
    require_error(error, "forbidden")
    of_the_room(error, guest.room)


@XEP.must_not("7.4", says="What a visitor says in a moderated room reaches nobody.")
@pytest.mark.parametrize("visitor", ["none/visitor", "member/visitor"], ids=["visitor", "member"])
def test_visitor_is_not_heard(connect: Connect, visitor: str) -> None:
    owner, guest, other = gather(connect, visitor, "member", moderatedroom=True)
    guest.says("let me speak")
    for occupant in (owner, other, guest):
        _unheard(occupant, "let me speak", guest.jid, after=guest.session)


@XEP.must_not("7.4", says="What a visitor tried to say is no part of the history.")
def test_visitor_is_not_in_the_history(connect: Connect) -> None:
    owner, guest = gather(connect, "none/visitor", moderatedroom=True)
    guest.says("let me speak")
    owner.says("silence")
    owner.hears("silence", owner.jid)
    settle(owner.room, guest.session)
    came = entrance(connect(label="newcomer"), owner.room, "newcomer")
    bodies = [e.findtext("c:body", None, NS) for e in came]
    require("let me speak" not in bodies, "nothing of what the visitor said", str(bodies))


ABSENT = ("stranger", "left", "kicked", "banned")


def _absent(connect: Connect, kind: str) -> tuple[Occupant, Occupant]:
    """A room's owner, and one who is not in the room."""
    owner, guest = gather(connect, "none")
    if kind == "stranger":
        return owner, Occupant(connect(label="stranger"), owner.room, "stranger")
    if kind == "left":
        guest.leaves()
    elif kind == "kicked":
        require_result(change_role(owner.session, owner.room, guest.nick, "none"))
    else:
        require_result(change_affiliation(owner.session, owner.room, guest.session.bare_jid, "outcast"))
    guest.sees(guest.jid, "unavailable")
    quiet(owner)
    return owner, guest


@XEP.should("7.4", "17.2", says="What one who is not in the room says is refused with not-acceptable, or forbidden.")
@pytest.mark.parametrize("kind", ABSENT)
def test_absent_is_refused(connect: Connect, kind: str) -> None:
    _, guest = _absent(connect, kind)
    require_error(guest.refused(guest.says("hello?")), "not-acceptable", "forbidden")


@XEP.must_not("17.2", "7.4", says="What one who is not in the room says is not delivered.")
@pytest.mark.parametrize("kind", ABSENT)
def test_absent_is_not_heard(connect: Connect, kind: str) -> None:
    owner, guest = _absent(connect, kind)
    guest.says("hello?")
    settle(owner.room, guest.session, owner.session)
    owner.session.expect_nothing(
        message_example(guest.jid, owner.session, "hello?"), said("hello?"), "message of one who is not in the room"
    )


@XEP.must_not("17.2", "7.14", says="Who is not in the room any more hears nothing of it.")
@pytest.mark.parametrize("kind", ABSENT)
def test_absent_hears_nothing(connect: Connect, kind: str) -> None:
    owner, guest = _absent(connect, kind)
    owner.says("among us")
    owner.hears("among us", owner.jid)
    spared(
        owner.room,
        guest.session,
        message_example(owner.jid, guest.session, "among us"),
        lambda e: localname(e) == "message" and bare(e) == owner.room,
        "message to the room",
        after=owner.session,
    )
