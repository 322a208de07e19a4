"""XEP-0313 §4.1: which messages a form asks for, and the form itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from lab.plugin import Connect, impossible, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import ARCHIVE, NS
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server._caps import form_type
from scenarios.server._discovery import advertises
from scenarios.server.xep0313._archive import (
    EXTENDED,
    KINDS,
    MAM,
    Archive,
    Kind,
    awaited,
    exchange,
    filled,
    holds,
    own_archive,
    room_archive,
    send,
    told,
)

NOBODY = "nobody@nowhere.invalid"
IDS = {"before-id", "after-id", "ids"}


def _with_two_contacts(connect: Connect) -> tuple[Archive, Session, Session]:
    """An archive with messages to and from two contacts: those of the first are `texts`."""
    archive, bob, carol = own_archive(connect), connect(label="bob"), connect(label="carol")
    for number in range(2):
        for contact in (bob, carol):
            said, answered = f"to {contact.label} {number} {new_id()}", f"from {contact.label} {number} {new_id()}"
            exchange(archive.session, contact, said)
            exchange(contact, archive.session, answered)
            if contact is bob:
                archive.texts += [said, answered]
    return archive, bob, carol


# --- with


@MAM.must("4.1.1", "4.1.5", says="'with' a contact's bare JID brings no message but those to and from that contact.")
def test_with_a_contact_brings_no_other(connect: Connect) -> None:
    archive, bob, _ = _with_two_contacts(connect)
    awaited(archive, 2 * len(archive.texts))
    page = archive.page({"with": bob.bare_jid})
    others = [result for result in page.results if result.body not in archive.texts]
    require(not others, f"messages with {bob.bare_jid} alone", others[0].stanza if others else None)


@MAM.should("4.1.1", says="'with' a contact's bare JID brings the messages to and from each of its resources.")
def test_with_a_contact_brings_all_of_its_resources(connect: Connect) -> None:
    archive, account = own_archive(connect), connect.account()
    for number in range(2):
        contact = connect(account=account, label=f"bob {number}")
        for one, other in ((archive.session, contact), (contact, archive.session)):
            archive.texts.append(f"{number} {new_id()}")
            exchange(one, other, archive.texts[-1])
    exchange(connect(label="carol"), archive.session, "of somebody else")
    holds(archive, archive.texts, {"with": account.jid})


@MAM.must("4.1.1", says="'with' a full JID brings no message of the same account's other resources.")
def test_with_a_full_jid_brings_no_other_resource(connect: Connect) -> None:
    archive, account = own_archive(connect), connect.account()
    first, second = connect(account=account, label="bob"), connect(account=account, label="bob's other")
    exchange(first, archive.session, "of the first")
    exchange(second, archive.session, "of the second")
    awaited(archive, 2)
    require_equal(archive.page({"with": first.jid}).bodies, ["of the first"], "the bodies of the messages")


@MAM.must("4.1.1", says="'with' the own JID brings only what was sent to oneself, not every message.")
def test_with_oneself_brings_messages_to_oneself(connect: Connect) -> None:
    archive = own_archive(connect)
    other = connect(account=None, label="bob")
    exchange(archive.session, other, "to somebody")
    exchange(other, archive.session, "from somebody")
    send(archive.session, archive.jid, "to myself")
    awaited(archive, 2)
    bodies = set(archive.page({"with": archive.jid}).bodies)  # whether what is to oneself is kept: SHOULD (§6.1.1)
    require(bodies <= {"to myself"}, "no message but to oneself", str(sorted(bodies)))


@MAM.must("4.1", "4.1.1", says="A query that no message fits is no error: there are no results, and it is whole.")
def test_with_a_stranger_brings_nothing(connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    page = holds(archive, [], {"with": NOBODY})
    require_equal((page.value("first"), page.value("last")), (None, None), "<first/> and <last/> of an empty page")


@pytest.mark.parametrize("wrong", ["@", "a@b@c", "@nowhere.invalid"], ids=["at", "two-ats", "no-localpart"])
@MAM.must("4.1.1", says="No message matches what is no JID: 'with' it brings nothing, or an error.")
def test_with_what_is_no_jid_brings_nothing(wrong: str, connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    _brings_nothing(archive, {"with": wrong})


def _brings_nothing(archive: Archive, form: dict[str, str]) -> None:
    """An error, or an answer without messages; and an archive that can be asked all the same."""
    name = new_id()
    reply = archive.session.expect(archive.ask(form, name=name), "an answer to the query")
    if reply.get("type") == "error":
        require_error(reply)
    else:
        require_result(reply)
    came = archive.taken(name)
    require(not came, "no messages", came[0] if came else None)
    holds(archive, archive.texts)


@MAM.should("4.1.1", says="'with' matches JIDs, and so pays no heed to how a localpart is spelt (RFC 7622 §3.3).")
def test_with_heeds_no_case(connect: Connect) -> None:
    archive, bob, _ = _with_two_contacts(connect)
    localpart, _, domain = bob.bare_jid.partition("@")
    holds(archive, archive.texts, {"with": f"{localpart.upper()}@{domain}"})


# --- start and end


def _whens(archive: Archive) -> list[datetime]:
    """When the messages came, as the archive tells it."""
    results = holds(archive, archive.texts).results
    if not all(result.stamp for result in results):
        impossible("the archive does not tell when messages came; another check says whether that is a fault")
    return [result.when for result in results]


DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
# Field -> by how much it is beside the first message ('start') or the last one, and whether all are then left.
NEAR = {
    "all-are-later": ({"start": -SECOND}, True),
    "all-are-earlier": ({"end": SECOND}, True),
    "all-are-between": ({"start": -SECOND, "end": SECOND}, True),
    "none-is-so-late": ({"start": DAY}, False),
    "none-is-so-early": ({"end": -DAY}, False),
    "none-is-between": ({"start": -DAY - SECOND, "end": -DAY}, False),
    "the-end-is-before-the-start": ({"start": DAY, "end": -DAY}, False),
}


@KINDS
@pytest.mark.parametrize("case", NEAR)
@MAM.must("4.1.2", says="'start' and 'end' let through what came between them, and nothing else.")
def test_start_and_end_are_heeded(case: str, kind: Kind, connect: Connect) -> None:
    beside, whole = NEAR[case]
    archive = filled(connect, kind, 3)
    whens = _whens(archive)
    form = {name: told((whens[0] if name == "start" else whens[-1]) + by) for name, by in beside.items()}
    holds(archive, archive.texts if whole else [], form)


@KINDS
@MAM.must("4.1.2", says="What came before 'start', or behind 'end', by as little as the stamps tell, is left out.")
def test_start_and_end_divide_messages(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 8)
    whens = _whens(archive)
    places = [place for place, when in enumerate(whens) if place and when > whens[place - 1]]
    if not places:
        impossible("all messages bear the same time, as it is told in seconds")
    place = places[len(places) // 2]
    later, earlier = archive.page({"start": told(whens[place])}), archive.page({"end": told(whens[place - 1])})
    early = set(later.bodies) & set(archive.texts[:place])
    late = set(earlier.bodies) & set(archive.texts[place:])
    require(not early, f"nothing from before {told(whens[place])}", str(early))
    require(not late, f"nothing from behind {told(whens[place - 1])}", str(late))


# Read without their offsets, moments in the east are later than the lab's, those in the west earlier.
OFFSETS: dict[str, Callable[[datetime], str]] = {
    "utc": lambda moment: told(moment.replace(microsecond=0)),
    "fraction": lambda moment: told(moment.replace(microsecond=123000)),
    "long-fraction": lambda moment: told(moment.replace(microsecond=123456)).replace("Z", "789Z"),
    "west": lambda moment: moment.astimezone(timezone(-timedelta(hours=8))).isoformat(),
    "half-hours": lambda moment: moment.astimezone(timezone(-timedelta(hours=3, minutes=30))).isoformat(),
    "east": lambda moment: moment.astimezone(timezone(timedelta(hours=14))).isoformat(),
}


@pytest.mark.parametrize("spelling", OFFSETS)
@MAM.must(
    "4.1.2", says="Times are read in each form that XEP-0082 §3.2 has: with fractions, with an offset from UTC."
)
def test_times_are_read_in_each_form(spelling: str, connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    whens, spelt = _whens(archive), OFFSETS[spelling]
    hour = timedelta(hours=1)
    holds(archive, archive.texts, {"start": spelt(whens[0] - hour), "end": spelt(whens[-1] + hour)})
    holds(archive, [], {"end": spelt(whens[0] - hour)})


@pytest.mark.parametrize("field", ["start", "end"])
@pytest.mark.parametrize("wrong", ["yesterday", "12:34:56"], ids=["words", "no-date"])
@MAM.must("4.1.2", says="What is no time lets no message through: the query is refused, or brings nothing.")
def test_what_is_no_time_brings_nothing(wrong: str, field: str, connect: Connect) -> None:
    _brings_nothing(filled(connect, "account", 2), {field: wrong})


# --- the form


@KINDS
@MAM.must("4.1.5", "4.1", says="A field that the archive does not know is answered by feature-not-implemented.")
def test_unknown_field_is_refused(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 1)
    reply = archive.refused({"{urn:stanzalab:0}no-such-field": "anything"})
    require_error(reply, "feature-not-implemented")


def _form(archive: Archive) -> Element:
    """The form of the fields that an archive knows."""
    to = None if archive.mine else archive.jid
    reply = archive.session.iq("get", f"<query xmlns='{ARCHIVE}'/>", to=to)
    require_result(reply)
    forms = reply.findall("mam:query/x:x", NS)
    require(len(forms) == 1, "one form in <query/>", reply)
    require_equal(forms[0].get("type"), "form", "the form's type")
    require_equal(form_type(forms[0]), ARCHIVE, "the hidden FORM_TYPE")
    return forms[0]


def _empty(connect: Connect, kind: Kind) -> Archive:
    return own_archive(connect) if kind == "account" else room_archive(connect)[0]


@KINDS
@MAM.must("4.1.5", says="The form has the fields 'with', 'start' and 'end', of their types, and each field once.")
def test_form_has_its_fields(kind: Kind, connect: Connect) -> None:
    form = _form(_empty(connect, kind))
    fields = [(field.get("var"), field.get("type")) for field in form.iterfind("x:field", NS)]
    for wanted in (("with", "jid-single"), ("start", "text-single"), ("end", "text-single")):
        require(fields.count(wanted) == 1, f"one field {wanted[0]!r} of type {wanted[1]}", form)
    names = [var for var, _ in fields]
    require_equal(sorted(set(map(str, names))), sorted(map(str, names)), "the fields' names, each once")


@KINDS
@MAM.must_not("4.1", says="No field of the form is marked as required.")
def test_no_field_is_required(kind: Kind, connect: Connect) -> None:
    form = _form(_empty(connect, kind))
    require(form.find("x:field/x:required", NS) is None, "no <required/>", form)
    require(form.find("x:field[@var='with']", NS) is not None, "the field 'with'", form)


@KINDS
@MAM.must("4.1.5", "4.1", says="The form of an extended archive has the three fields for ids.")
def test_form_has_the_fields_for_ids(kind: Kind, connect: Connect) -> None:
    archive = _empty(connect, kind)
    if not advertises(archive.session, archive.jid, EXTENDED):
        unsupported(EXTENDED)
    form = _form(archive)
    missing = IDS - {field.get("var") for field in form.iterfind("x:field", NS)}
    require(not missing, f"the fields {', '.join(sorted(IDS))}", form)


@KINDS
@MAM.must("4.1", "7", says="An archive that knows the fields for ids says so by urn:xmpp:mam:2#extended.")
def test_fields_for_ids_are_advertised(kind: Kind, connect: Connect) -> None:
    archive = _empty(connect, kind)
    form = _form(archive)
    if not IDS & {field.get("var") for field in form.iterfind("x:field", NS)}:
        unsupported("a field for ids")
    require(advertises(archive.session, archive.jid, EXTENDED), f"the feature {EXTENDED}", form)


@KINDS
@MAM.must("4.1.5", says="The field 'ids' lists no ids to choose from, and is open to any (XEP-0122).")
def test_field_of_ids_is_open(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 2)
    form = _form(archive)
    ids = form.find("x:field[@var='ids']", NS)
    if ids is None:
        unsupported("the field 'ids'")
    require(ids.find("x:option", NS) is None, "no options", ids)
    open_ = ids.find("{http://jabber.org/protocol/xdata-validate}validate/{*}open")
    require(open_ is not None, "<validate/> with <open/>", ids)
    require_equal(ids.get("type"), "list-multi", "the type of 'ids'")


# --- groupchat messages in an account's archive

GROUPCHAT_FIELD = f"{ARCHIVE}#groupchat-field"


@pytest.mark.parametrize("value", ["true", "false"])
@MAM.must("7", "4.1.4", says="Who says that it knows the field 'include-groupchat' does, and its form has it.")
def test_groupchat_field_is_known(value: str, connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    if not advertises(archive.session, archive.jid, GROUPCHAT_FIELD):
        unsupported(GROUPCHAT_FIELD)
    form = _form(archive)
    require(form.find("x:field[@var='include-groupchat']", NS) is not None, "the field 'include-groupchat'", form)
    holds(archive, archive.texts, {"include-groupchat": value})


@MAM.must("7", "4.1.4", says="Who has the field 'include-groupchat' in its form says so by the feature for it.")
def test_groupchat_field_is_advertised(connect: Connect) -> None:
    archive = own_archive(connect)
    form = _form(archive)
    if form.find("x:field[@var='include-groupchat']", NS) is None:
        unsupported("the field 'include-groupchat'")
    require(advertises(archive.session, archive.jid, GROUPCHAT_FIELD), f"the feature {GROUPCHAT_FIELD}", form)
