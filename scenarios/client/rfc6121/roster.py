"""RFC 6121 §2: the roster is asked for and shown, and nobody but the own account changes it."""

from __future__ import annotations

import contextlib

import pytest

from lab.agents.agent import CommandFailed
from lab.plugin.clients import Arrive, has
from lab.plugin.judge import require, require_equal, unsupported
from lab.plugin.requirement import Specification
from lab.tap.tap import STREAM_MANAGEMENT
from lab.wire.namespaces import NS
from lab.wire.session import localname, new_id, show
from lab.wire.stream import Element
from scenarios.client._played import FORGERS, Played, arrived, bare_of

CORE = Specification("RFC 6120")
RFC = Specification("RFC 6121")
VERSIONING = "{urn:xmpp:features:rosterver}ver"
PUSHERS = pytest.mark.parametrize("sender", ["without-from", "from-own-account"])
LIARS = pytest.mark.parametrize("forger", FORGERS)


def _is_get(element: Element) -> bool:
    return element.get("type") == "get" and has("roster:query")(element)


def _is_set(element: Element) -> bool:
    return element.get("type") == "set" and has("roster:query")(element)


def _gets(played: Played) -> list[Element]:
    """The client's requests for the roster: by itself, or since its user wants to see it."""
    if not played.sent(_is_get):
        played.client.does("roster")
    return played.sent(_is_get) or unsupported(f"{played.client.place.title} asks for no roster")


def _pushed_by(played: Played, sender: str) -> str | None:
    return None if sender == "without-from" else played.client.bare_jid


@RFC.should("2.2", "4.2.1", says="A client asks for the roster before it sends initial presence.")
def test_client_asks_for_roster_before_presence(arrive: Arrive) -> None:
    played = arrived(arrive)
    _gets(played)  # a client that has no roster is told from one that asks for it late
    seen = played.client.sent(lambda e: _is_get(e) or (localname(e) == "presence" and e.get("to") is None))
    require(seen and _is_get(seen[0]), "a roster get before initial presence", "; ".join(map(show, seen)))


@RFC.must_not("2.1.3", says="A request for the roster has no item in it.")
def test_client_roster_get_has_no_item(arrive: Arrive) -> None:
    for get in _gets(arrived(arrive)):
        require(get.find("roster:query/roster:item", NS) is None, "a roster get without an item", get)


@RFC.must_not("2.6.2", says="A client does not send the attribute 'ver' to a server that offers no roster versions.")
def test_client_sends_no_roster_version_unasked(arrive: Arrive) -> None:
    for get in _gets(arrived(arrive, without=(STREAM_MANAGEMENT, VERSIONING))):
        query = get.find("roster:query", NS)
        require(query is not None and query.get("ver") is None, "a roster get without 'ver'", get)


@RFC.must("12", "2.2", says="A client shows the contacts of the roster that the server answers.")
def test_client_shows_roster(arrive: Arrive) -> None:
    played = arrived(arrive)
    shown = played.roster(lambda contacts: played.contact in contacts)
    require(played.contact in shown, f"{played.contact} on the roster shown", str(list(shown)))
    require_equal(shown[played.contact].get("subscription", "both"), "both", "the subscription shown")


@PUSHERS
@CORE.must("8.2.3", says="A client answers a roster push by a result or an error with its id.")
def test_client_answers_roster_push(arrive: Arrive, sender: str) -> None:
    played = arrived(arrive)
    identifier = played.push(f"new@{played.client.domain}", "subscription='none'", sender=_pushed_by(played, sender))
    played.client.sends(
        lambda e: localname(e) == "iq" and e.get("id") == identifier and e.get("type") in {"result", "error"},
        f"a result for the roster push {identifier!r}",
    )


@PUSHERS
@RFC.must("12", "2.1.6", says="A contact of a roster push that the own account sent is on the roster shown.")
def test_client_applies_roster_push(arrive: Arrive, sender: str) -> None:
    played = arrived(arrive)
    jid = f"new-{new_id()}@{played.client.domain}"
    played.push(jid, "subscription='to'", sender=_pushed_by(played, sender))
    shown = played.roster(lambda contacts: jid in contacts)
    require(jid in shown, f"{jid} on the roster shown", str(list(shown)))
    require_equal(shown[jid].get("subscription", "to"), "to", "the subscription shown")


@RFC.must("12", "2.1.6", "2.1.2.5", says="A contact that a roster push removes is on the roster no longer.")
def test_client_removes_contact_by_push(arrive: Arrive) -> None:
    played = arrived(arrive)
    _has_contact(played)
    played.push(played.contact, "subscription='remove'")
    shown = played.roster(lambda contacts: played.contact not in contacts)
    require(played.contact not in shown, f"{played.contact} not on the roster shown", str(list(shown)))


# A client that takes anybody's roster push lets everybody put contacts on the roster, read presence, and pass for
# somebody else: CVE-2015-8688 (Gajim), CVE-2016-9928 (mcabber), CVE-2019-16236 (Dino).


@LIARS
@RFC.must_not("2.1.6", says="A roster push that is not from the own account adds nobody to the roster.")
def test_client_ignores_forged_roster_push(arrive: Arrive, forger: str) -> None:
    played = arrived(arrive)
    _has_contact(played)
    jid = f"forged-{new_id()}@{played.client.domain}"
    played.push(jid, "subscription='both' name='A friend'", sender=played.forger(forger))
    shown = played.roster(lambda contacts: jid in contacts)
    require(jid not in shown, f"no {jid} on the roster shown", str(list(shown)))
    told = [event for event in played.client.agent.seen("contact") if event["jid"] == jid]
    require(not told, f"no contact {jid} shown", str(told))


@pytest.mark.parametrize("forger", ["stranger", "contact"])
@RFC.must_not("2.1.6", says="A roster push that is not from the own account takes nobody off the roster.")
def test_client_ignores_forged_removal(arrive: Arrive, forger: str) -> None:
    played = arrived(arrive)
    _has_contact(played)
    played.push(played.contact, "subscription='remove'", sender=played.forger(forger))
    shown = played.roster(lambda contacts: played.contact not in contacts)
    require(played.contact in shown, f"{played.contact} still on the roster shown", str(list(shown)))


def _has_contact(played: Played) -> None:
    """A client that shows no roster at all shows no forged one either: nothing is to be seen then."""
    if played.contact not in played.roster(lambda contacts: played.contact in contacts):
        unsupported(f"{played.client.place.title} does not show the roster that the server answers")


@RFC.must("2.1.5", says="A roster set has one item, and no more.")
def test_client_roster_set_has_one_item(arrive: Arrive) -> None:
    for roster_set in _sets(arrived(arrive)):
        items = roster_set.findall("roster:query/roster:item", NS)
        require(len(items) == 1, "a roster set with one item", roster_set)


@RFC.must_not(
    "2.1.2.1",
    "2.1.2.2",
    says="The items of a roster set have no attribute 'approved' and no 'ask': the server's both.",
)
def test_client_roster_set_leaves_server_its_attributes(arrive: Arrive) -> None:
    for roster_set in _sets(arrived(arrive)):
        for item in roster_set.iterfind("roster:query/roster:item", NS):
            require(not {"ask", "approved"} & set(item.keys()), "an item without 'ask' and 'approved'", roster_set)


def _sets(played: Played) -> list[Element]:
    """The roster sets of a client that asks somebody for a subscription, and then removes a contact."""
    client = played.client
    played.push(played.contact, "subscription='none' ask='subscribe' approved='true'")
    played.settled()
    _removes(played)
    client.sends(_is_set, "a roster set")
    return client.sent(_is_set)


def _removes(played: Played) -> None:
    """Have it remove the contact. What it makes of the server's answer is not asked here."""
    with contextlib.suppress(CommandFailed):
        played.client.does("remove-contact", jid=played.contact)


@RFC.must("12", "2.5.2", says="A client removes a contact by a roster set with the subscription 'remove'.")
def test_client_removes_contact(arrive: Arrive) -> None:
    played = arrived(arrive)
    played.settled()
    _removes(played)
    made = played.client.sends(_is_set, "a roster set")
    item = made.find("roster:query/roster:item", NS)
    right = item is not None and item.get("subscription") == "remove"
    require(right and item is not None and bare_of(item.get("jid", "")) == played.contact, "its removal", made)
