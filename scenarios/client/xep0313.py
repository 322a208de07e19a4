"""XEP-0313: what a client asks of its archive, what it makes of the results, and whose results it believes."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugin.clients import Arrive, has
from lab.plugin.judge import Unsupported, require, require_equal, unsupported
from lab.plugin.requirement import Specification
from lab.wire.namespaces import ARCHIVE, NS, RSM
from lab.wire.session import new_id
from lab.wire.stream import Element
from scenarios.client._played import FORGERS, Archived, Played, arrived, bare_of

MAM = Specification("XEP-0313")
STAMPS = ("2020-02-02T20:20:20Z", "2021-03-03T03:03:03Z", "2022-04-04T04:04:04Z", "2023-05-05T05:05:05Z")
EXTENDED = {"before-id", "after-id", "ids"}


def _filled(arrive: Arrive) -> Played:
    """A client whose archive has four messages of a contact's."""
    played = arrived(arrive)
    mark = new_id()
    played.archive = tuple(
        Archived(played.device, f"{mark} number {place}", stamp) for place, stamp in enumerate(STAMPS)
    )
    return played


def _query(played: Played, **arguments: Any) -> Element:
    played.client.does("archive", **arguments)
    return played.client.sends(
        lambda e: e.get("type") == "set" and has("mam:query")(e), f"an iq of type set with <query xmlns='{ARCHIVE}'/>"
    )


def _fields(query: Element) -> dict[str, list[str]]:
    return {
        field.get("var", ""): [value.text or "" for value in field.iterfind("x:value", NS)]
        for field in query.iterfind("mam:query/x:x/x:field", NS)
    }


@MAM.must("4", says="A client asks its own archive by an iq of type set to nobody in particular, or to its bare JID.")
def test_client_queries_own_archive(arrive: Arrive) -> None:
    played = _filled(arrive)
    sent = _query(played)
    to = sent.get("to")
    require(to is None or bare_of(to) == played.client.bare_jid, "no 'to', or the own bare JID", sent)


@MAM.must("4", says="A client limits the results by Result Set Management.")
def test_client_limits_results(arrive: Arrive) -> None:
    sent = _query(_filled(arrive), max=3)
    most = sent.findtext(f"mam:query/{{{RSM}}}set/{{{RSM}}}max", namespaces=NS)
    require(most is not None and most.isdecimal(), "a <set/> with <max/>", sent)


@MAM.must(
    "4.1", "4.1.1", says="Messages with one contact are asked for by a form of the archive's type, field 'with'."
)
def test_client_filters_by_contact(arrive: Arrive) -> None:
    played = _filled(arrive)
    sent = _query(played, **{"with": played.contact})
    fields = _fields(sent)
    require(fields.get("FORM_TYPE") == [ARCHIVE], f"a form with the FORM_TYPE {ARCHIVE}", sent)
    require(fields.get("with") == [played.contact], f"the field 'with' with {played.contact}", sent)


@MAM.must_not("4.1.4", says="The field 'include-groupchat' is not sent where the archive does not advertise it.")
def test_client_asks_for_no_groupchat_unadvertised(arrive: Arrive) -> None:
    sent = _query(_filled(arrive), max=3)
    require("include-groupchat" not in _fields(sent), "no field 'include-groupchat'", sent)


@MAM.must(
    "4.1", "4.3.4", says="What only an extended archive knows is not used where the archive does not say it is one."
)
def test_client_uses_no_extension_unadvertised(arrive: Arrive) -> None:
    sent = _query(_filled(arrive), max=3)
    require(not EXTENDED & set(_fields(sent)), "none of the fields before-id, after-id, ids", sent)
    require(sent.find("mam:query/mam:flip-page", NS) is None, "no <flip-page/>", sent)


@MAM.must("4", "4.2", says="The results of a query are shown with their senders, in the order in which they come.")
def test_client_shows_archive_in_order(arrive: Arrive) -> None:
    played = _filled(arrive)
    seen = _shown(played)
    require_equal([m["body"] for m in seen], [m.body for m in played.archive], "the messages shown")
    require_equal({bare_of(m["from"]) for m in seen}, {played.contact}, "their senders")


def _shown(played: Played) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = played.client.does("archive", max=len(STAMPS) + 1)["messages"]
    return messages


# Who takes anybody's results lets everybody write the history of a chat: CVE-2019-16237 (Dino), CVE-2020-26547
# (Monal).


@pytest.mark.parametrize("forger", FORGERS)
@MAM.must("8.2", says="In the results of an open query, those that are not from the archive asked are left out.")
def test_client_ignores_forged_result(arrive: Arrive, forger: str) -> None:
    played = _filled(arrive)
    forged = _forged(played)
    played.intruders = lambda query: (played.result(forged, query, "forged", played.forger(forger)),)
    _shows_not(played, forged, f"a result from {forger}")


@MAM.may("4", "8.2", says="By its query's id, a client tells the results of an open query from another query's.")
def test_client_ignores_result_of_another_query(arrive: Arrive) -> None:
    # One query is open here: that its id is compared is a MUST where there are more (§8.2).
    played = _filled(arrive)
    forged = _forged(played)
    played.intruders = lambda query: (played.result(forged, f"not-{query}", "forged", played.client.bare_jid),)
    bodies = [message["body"] for message in _shown(played)]
    if not all(query[0].get("queryid") for query in played.client.sent(has("mam:query"))):
        unsupported(f"{played.client.place.title} gives its queries no id")
    _is_not_in(bodies, played, forged, "a result of another query")


@pytest.mark.parametrize("sender", ["own-account", "stranger", "contact"])
@MAM.must("8.2", says="A result that no query asked for is ignored.")
def test_client_ignores_unsolicited_result(arrive: Arrive, sender: str) -> None:
    played = _filled(arrive)
    asks_none: Unsupported | None = None
    try:
        query = _query(played)[0].get("queryid") or ""  # over by now
    except Unsupported as error:  # whoever can ask for none can show one all the same
        asks_none, query = error, new_id()
    forged = _forged(played)
    archive = played.client.bare_jid if sender == "own-account" else played.forger(sender)
    played.client.tap.inject(played.result(forged, query, "forged", archive))
    played.shows_nothing("message", lambda e: e["body"] == forged.body, f"an archived message from {sender}")
    if asks_none is not None:
        raise asks_none


def _forged(played: Played) -> Archived:
    return Archived(played.device, f"forged {new_id()}", "2022-02-22T22:22:22Z")


def _shows_not(played: Played, forged: Archived, what: str) -> None:
    _is_not_in([message["body"] for message in _shown(played)], played, forged, what)


def _is_not_in(bodies: list[str], played: Played, forged: Archived, what: str) -> None:
    require(forged.body not in bodies, f"the archive without {what}", str(bodies))
    require(played.archive[0].body in bodies, "the archive's own messages", str(bodies))
    played.shows_nothing("message", lambda e: e["body"] == forged.body, what)
