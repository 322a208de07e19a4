"""Messages from one client to the other: text, receipts, corrections, chat states."""

from __future__ import annotations

from contextlib import suppress

from lab.agents.agent import CommandFailed, CommandUnsupported
from lab.plugin.clients import has
from lab.plugin.judge import require, require_equal, unsupported
from lab.plugin.pairs import Pair, blamed, nobody_is_to_blame
from lab.plugin.requirement import Specification
from lab.wire.namespaces import CHAT_STATES, NS, RECEIPTS
from lab.wire.session import new_id
from scenarios.pair._friends import advertises, befriend
from scenarios.pair._texts import body_is, shown

IM = Specification("RFC 6121")
XEP_0184 = Specification("XEP-0184")
XEP_0308 = Specification("XEP-0308")
XEP_0085 = Specification("XEP-0085")

TEXT = "Grüße, <b>&amp;</b> 漢字 ☃"


@IM.must("8.5.3.1", "5.2.3", says="A message to a full JID reaches that resource, and its body the user, unchanged.")
def test_text_arrives_unchanged(pair: Pair) -> None:
    text = f"{TEXT} {new_id()}"
    pair.one.does("send-message", to=pair.other.jid, body=text)
    pair.one.sends(body_is(text), "a message with that body")
    pair.other.gets(body_is(text), "the message, unchanged")
    seen = pair.other.shows("message", shown(text), "the message's text")
    with blamed(pair.other.client.name):
        require_equal(seen["from"].partition("/")[0], pair.one.bare_jid, "the sender shown")


@IM.must("8.5.2.1.1", "5.2.3", says="A message to a bare JID reaches the one available resource, and its user.")
def test_text_to_a_bare_jid_arrives(pair: Pair) -> None:
    text = f"{TEXT} {new_id()}"
    pair.one.does("send-message", to=pair.other.bare_jid, body=text)
    pair.one.sends(body_is(text), "a message with that body")
    pair.other.gets(body_is(text), "the message, unchanged")
    pair.other.shows("message", shown(text), "the message's text")


@XEP_0184.must("7", says="A receipt that was asked for comes back with the id of the message that it is for.")
def test_receipt_comes_back(pair: Pair) -> None:
    befriend(pair)
    if not advertises(pair.other, RECEIPTS):
        unsupported(f"{pair.other.client.place.title} does not say that it sends receipts")
    text = f"{TEXT} {new_id()}"
    pair.one.does("send-message", to=pair.other.jid, body=text, receipt=True)
    asked = pair.one.sends(body_is(text), "the message")
    with nobody_is_to_blame():
        require(has("receipts:request")(asked), "a request for a receipt: a client MAY ask (§5.2)", asked)
    with blamed(pair.one.client.name):
        require(asked.get("id"), "an id on a message that asks for a receipt", asked)
    pair.other.gets(body_is(text), "the message that asks for a receipt")
    with nobody_is_to_blame():  # a client may be told to return none
        receipt = pair.other.client.sends(has("receipts:received"), "a receipt")
    with blamed(pair.other.client.name):
        received = receipt.find("receipts:received", NS)
        require(received is not None and received.get("id") == asked.get("id"), "the id of the message", receipt)
    pair.one.gets(has("receipts:received"), "the receipt")
    with nobody_is_to_blame():  # what is made of a receipt is the client's choice
        pair.one.client.shows(
            "receipt",
            lambda e: e["from"].partition("/")[0] == pair.other.bare_jid,
            "the message shown as delivered",
        )


@XEP_0308.must("4", says="A correction names the message that it replaces, and its text reaches the user.")
def test_correction_is_shown(pair: Pair) -> None:
    befriend(pair)
    first, second = f"firts {new_id()}", f"first {new_id()}"
    pair.one.does("send-message", to=pair.other.jid, body=first)
    original = pair.one.sends(body_is(first), "the message")
    pair.other.shows("message", shown(first), "the message with the mistake")
    pair.one.does("correct-message", to=pair.other.jid, body=second, sent=original.get("id", ""))
    correction = pair.one.sends(body_is(second), "the correction")
    with blamed(pair.one.client.name):
        replaced = correction.find("correct:replace", NS)
        require(
            replaced is not None and replaced.get("id") == original.get("id"), "the id of the original", correction
        )
    pair.other.gets(has("correct:replace"), "the correction")
    pair.other.shows("message", lambda e: second in e["body"], "the corrected text")


@XEP_0085.must("5.6", says="A chat state that is told by itself reaches the other user, and is in a message alone.")
def test_chat_state_is_shown(pair: Pair) -> None:
    befriend(pair)
    if not advertises(pair.other, CHAT_STATES):
        unsupported(f"{pair.other.client.place.title} does not say that it knows chat states")
    # Some clients tell nothing to those who have told nothing themselves (§5.1), be it by itself or in a message.
    with suppress(CommandFailed, CommandUnsupported):
        pair.other.client.agent.ask("send-chat-state", to=pair.one.jid, state="active")
    for teller, reader in ((pair.other, pair.one), (pair.one, pair.other)):
        text = f"hello {new_id()}"
        teller.does("send-message", to=reader.jid, body=text)
        reader.shows("message", shown(text), "a first message")
    pair.one.does("send-chat-state", to=pair.other.jid, state="composing")
    with nobody_is_to_blame():  # whether it is told is the user's and the client's choice
        told = pair.one.client.sends(has("chatstates:composing"), "a message with <composing/>")
    with blamed(pair.one.client.name):
        states = told.findall("chatstates:*", {"chatstates": CHAT_STATES})
        require(len(states) == 1, "one chat state in a message", told)
    pair.other.gets(has("chatstates:composing"), "the chat state")
    with nobody_is_to_blame():  # and so is whether it is shown
        pair.other.client.shows("chat-state", lambda e: e["state"] == "composing", "that the contact is typing")
