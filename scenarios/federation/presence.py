"""Presence over the border (RFC 6121 §4): broadcast, probes, directed presence, and the end of sessions."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal
from lab.plugin.border import Federation
from lab.wire.namespaces import LAB, NS
from lab.wire.session import Session
from scenarios.federation._border import friends, quiet, strangers
from scenarios.server._contacts import appear, befriend, disappear, subscribe
from scenarios.server.rfc6121._playing import is_presence

CORE = Specification("RFC 6120")
IM = Specification("RFC 6121")


@IM.must(
    "4.2.2", "4.2.3", says="Initial presence is broadcast over the border to who is subscribed, from the full JID."
)
def test_initial_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    befriend(alice, bob)
    appear(bob)
    quiet(alice, bob)
    alice.send("<presence><show>dnd</show><status>busy</status><priority>7</priority></presence>")
    came = bob.expect(is_presence(None, alice.jid), "the user's presence")
    for name, text in (("show", "dnd"), ("status", "busy"), ("priority", "7")):
        require_equal(came.findtext(f"c:{name}", None, NS), text, name)


@IM.must("4.3", "4.3.2", says="Who logs in is told of the contacts over the border that are there already.")
def test_presence_of_a_contact_is_probed(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    befriend(alice, bob)
    bob.send("<presence><show>xa</show></presence>")
    quiet(alice, bob)
    alice.send("<presence/>")
    came = alice.expect(is_presence(None, bob.jid), "the contact's presence, that was there before")
    require_equal(came.findtext("c:show", None, NS), "xa", "show")


@IM.must("4.3.2", says="A probe over the border brings the presence of every available resource.")
def test_every_resource_is_told_by_a_probe(federation: Federation) -> None:
    alice = federation.alice()
    account = federation.there.connect.account()
    first, second = (federation.there.connect(account=account, label=label) for label in ("bob", "bob's other"))
    befriend(alice, first)
    appear(first)
    appear(second)
    quiet(alice, first)
    quiet(alice, second)
    alice.send("<presence/>")
    for bob in (first, second):
        alice.expect(is_presence(None, bob.jid), f"the presence of {bob.jid}")


@IM.must("4.4.2", "4.4.3", says="What a user changes in the presence is told over the border.")
def test_change_of_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = friends(federation)
    for show in ("away", "chat"):
        alice.send(f"<presence><show>{show}</show></presence>")
        came = bob.expect(is_presence(None, alice.jid), "the changed presence")
        require_equal(came.findtext("c:show", None, NS), show, "show")


@IM.must("4.2.3", "4.4.3", says="Presence from over the border comes to all available resources of the contact.")
def test_presence_reaches_every_resource(federation: Federation) -> None:
    alice = federation.alice()
    account = federation.there.connect.account()
    resources = [federation.there.connect(account=account, label=label) for label in ("bob", "bob's other")]
    befriend(alice, resources[0])
    for bob in resources:
        appear(bob)
        quiet(alice, bob)
    alice.send("<presence><status>hello</status></presence>")
    for bob in resources:
        came = bob.expect(is_presence(None, alice.jid), f"the presence at {bob.jid}")
        require_equal(came.findtext("c:status", None, NS), "hello", "status")


@CORE.must("8.4", says="What else a presence holds is passed on over the border.")
def test_extension_of_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = friends(federation)
    alice.send(f"<presence><x xmlns='{LAB}' one='1'><y>text</y></x></presence>")
    came = bob.expect(is_presence(None, alice.jid), "the presence")
    inside = came.find("lab:x", NS)
    require(inside is not None and inside.get("one") == "1", "the extension", came)
    require_equal(came.findtext("lab:x/lab:y", None, NS), "text", "the text within")


@IM.must("4.5.2", "4.5.3", says="Who becomes unavailable is told to be so over the border, with the words for it.")
def test_unavailable_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = friends(federation)
    alice.send("<presence type='unavailable'><status>bye</status></presence>")
    came = bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")
    require_equal(came.findtext("c:status", None, NS), "bye", "status")


@IM.must("4.5.2", says="Whose session ends, with or without a word, is told to be unavailable over the border.")
@pytest.mark.parametrize("politely", [True, False], ids=["stream-closed", "connection-cut"])
def test_end_of_a_session_crosses_the_border(federation: Federation, politely: bool) -> None:
    alice, bob = friends(federation)
    if politely:
        alice.send("</stream:stream>")
    else:
        alice.abandon()
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")


@IM.must_not("4.2.2", "4.3.2", says="Who is not subscribed is told nothing of a user's presence over the border.")
def test_stranger_sees_no_presence(federation: Federation) -> None:
    alice, bob = strangers(federation)
    alice.send("<presence><show>away</show></presence>")
    _sees_nothing(federation, bob, alice)


@IM.must_not("4.2.2", says="A subscription one way tells nothing of presence the other way.")
def test_subscription_tells_one_way(federation: Federation) -> None:
    alice, bob = strangers(federation)
    subscribe(alice, bob)
    quiet(alice, bob)
    bob.send("<presence><show>away</show></presence>")
    alice.expect(is_presence(None, bob.jid), "the presence that alice may see")
    alice.send("<presence><show>away</show></presence>")
    _sees_nothing(federation, bob, alice)


@IM.must("4.6.3", says="Directed presence crosses the border to one who is not subscribed, and to that one alone.")
def test_directed_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    appear(bob)
    other = federation.there.connect(label="carol")
    appear(other)
    alice.send(f"<presence to='{bob.jid}'><status>for you</status></presence>")
    came = bob.expect(is_presence(None, alice.jid), "the directed presence")
    require_equal(came.findtext("c:status", None, NS), "for you", "status")
    _sees_nothing(federation, other, alice)


@IM.must("4.6.3", says="Whoever was sent directed presence over the border is told when the sender goes.")
def test_end_of_directed_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    alice.send(f"<presence to='{bob.jid}'/>")
    bob.expect(is_presence(None, alice.jid), "the directed presence")
    disappear(alice)
    bob.expect(is_presence("unavailable", alice.jid), "unavailable presence, as for a subscriber")


@IM.must("4.6.3", says="Directed unavailable presence crosses the border to that one, who is told nothing more.")
def test_directed_unavailable_presence_crosses_the_border(federation: Federation) -> None:
    alice, bob = strangers(federation)
    alice.send(f"<presence to='{bob.jid}'/>")
    bob.expect(is_presence(None, alice.jid), "the directed presence")
    alice.send(f"<presence to='{bob.jid}' type='unavailable'/>")
    bob.expect(is_presence("unavailable", alice.jid), "the directed unavailable presence")


@IM.must("4.5.2", says="Who comes back after having been unavailable is seen again over the border.")
def test_presence_comes_and_goes(federation: Federation) -> None:
    alice, bob = friends(federation)
    for _ in range(3):
        alice.send("<presence type='unavailable'/>")
        bob.expect(is_presence("unavailable", alice.jid), "unavailable presence")
        alice.send("<presence/>")
        bob.expect(is_presence(None, alice.jid), "available presence")


def _sees_nothing(federation: Federation, bob: Session, alice: Session) -> None:
    """Bob must not have been sent presence of alice's: of whichever server it is the fault."""
    forbidden = f"<presence from='{alice.jid}' to='{bob.jid}'><show>away</show></presence>"
    with federation.here.blamed():  # it is the server of whoever is seen that keeps it (§4.2.2)
        bob.expect_nothing(forbidden, is_presence(None, alice.jid), "presence of a stranger", after=alice)
