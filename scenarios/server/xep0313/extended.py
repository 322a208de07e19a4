"""XEP-0313 §4.1.3, §4.3.4, §5: what an archive offers that advertises urn:xmpp:mam:2#extended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lab.plugin import Connect, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import ARCHIVE, NS
from lab.wire.stream import Element
from scenarios.server._discovery import advertises
from scenarios.server.xep0313._archive import (
    DATE_TIME,
    EXTENDED,
    KINDS,
    MAM,
    Archive,
    Form,
    Kind,
    filled,
    holds,
    own_archive,
    paging,
    room_archive,
    without,
)

FLIP = "<flip-page/>"


def _extended(connect: Connect, kind: Kind, count: int) -> tuple[Archive, list[str]]:
    """An extended archive with so many messages, and their ids; else the check is `unsupported`."""
    archive = filled(connect, kind, count)
    _needs_extension(archive)
    ids = archive.page().ids
    require_equal(len(ids), count, "the number of messages in the archive")
    return archive, ids


def _needs_extension(archive: Archive) -> None:
    if not advertises(archive.session, archive.jid, EXTENDED):
        unsupported(EXTENDED)


@KINDS
# §7 has a MUST, but §4.1 and §5 speak of archives without it.
@MAM.should("7", says="An account, or a room, that has an archive advertises urn:xmpp:mam:2 and …#extended.")
def test_extension_is_advertised(kind: Kind, connect: Connect) -> None:
    archive = own_archive(connect) if kind == "account" else room_archive(connect)[0]
    require(
        advertises(archive.session, archive.jid, EXTENDED), f"the feature {EXTENDED}", f"not there at {archive.jid}"
    )


@KINDS
@MAM.must_not("7", says="Nothing advertises urn:xmpp:mam:2#extended without urn:xmpp:mam:2.")
def test_extension_does_not_stand_alone(kind: Kind, connect: Connect) -> None:
    archive = own_archive(connect) if kind == "account" else room_archive(connect)[0]
    _needs_extension(archive)
    require(
        advertises(archive.session, archive.jid, ARCHIVE), f"the feature {ARCHIVE}", f"not there at {archive.jid}"
    )


# --- ids


def _between(low: int | None, high: int | None, ids: list[str]) -> Form:
    form = {}
    if low is not None:
        form["after-id"] = ids[low]
    if high is not None:
        form["before-id"] = ids[high]
    return form


@KINDS
@pytest.mark.parametrize(
    ("low", "high"),
    [(1, None), (None, 3), (0, 4), (1, 3), (1, 2), (4, None), (None, 0)],
    ids=["after", "before", "between-ends", "between", "between-neighbours", "after-the-last", "before-the-first"],
)
@MAM.must("7", "4.1", "4.1.3", says="'after-id' and 'before-id' let through what stands between those messages.")
def test_messages_between_ids(low: int | None, high: int | None, kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 5)
    wanted = archive.texts[(0 if low is None else low + 1) : high]
    holds(archive, wanted, _between(low, high, ids))


@KINDS
@MAM.must("7", "4.1", says="No message stands between one and an earlier one.")
def test_no_message_between_crossed_ids(kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 4)
    holds(archive, [], _between(2, 1, ids))


@KINDS
@MAM.must(
    "4.1.3", "4.3.2", says="'before-id' does not page backwards: the first page is that of the oldest messages."
)
def test_before_id_does_not_page_backwards(kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 5)
    form = {"before-id": ids[4]}
    first = archive.page(form, paging(3))
    require_equal(first.bodies, archive.texts[:3], "the first page's messages")
    require(not first.complete, "no complete='true'", first.fin)
    second = archive.page(form, paging(3, after=first.value("last")))
    require_equal(second.bodies, archive.texts[3:4], "the second page's messages")
    require(second.complete, "complete='true'", second.fin)


@KINDS
@MAM.must("7", "4.3.3", "9", says="The last page of what stands between two ids is asked for by an empty <before/>.")
def test_last_page_between_ids(kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 6)
    page = archive.page(_between(0, 5, ids), paging(2, before=""))
    require_equal(page.bodies, archive.texts[3:5], "the bodies of the messages")


@KINDS
@pytest.mark.parametrize("places", [(1,), (0, 2), (3, 0, 2), (0, 1, 2, 3)], ids=["one", "two", "out-of-order", "all"])
@MAM.must("7", "4.2", "4.1.3", says="'ids' brings the messages of these ids, and no other, in the archive's order.")
def test_messages_of_ids(places: tuple[int, ...], kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 4)
    holds(archive, [archive.texts[place] for place in sorted(places)], {"ids": [ids[place] for place in places]})


@KINDS
@pytest.mark.parametrize("field", ["after-id", "before-id", "ids"])
@pytest.mark.parametrize("wrong", ["not-an-id", "00000000-0000-4000-8000-000000000000"], ids=["words", "uuid"])
@MAM.must("4.1.3", says="An id in the form that the archive does not have is answered by item-not-found.")
def test_unknown_id_in_the_form_is_refused(wrong: str, field: str, kind: Kind, connect: Connect) -> None:
    archive, _ = _extended(connect, kind, 2)
    require_error(archive.refused({field: wrong}), "item-not-found")


@KINDS
@MAM.must("4.1.3", says="One unknown id among known ones is enough for item-not-found.")
def test_one_unknown_id_is_enough(kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 2)
    require_error(archive.refused({"ids": [ids[0], "not-an-id", ids[1]]}), "item-not-found")


# --- flipped pages


@KINDS
@pytest.mark.parametrize(
    ("within", "first", "last"),
    [("", 0, 5), (paging(2), 0, 2), (paging(2, before=""), 3, 5)],
    ids=["all", "first-page", "last-page"],
)
@MAM.must("7", "4.3.4", says="A flipped page has the messages of the page as it is, the newest first.")
def test_page_is_flipped(within: str, first: int, last: int, kind: Kind, connect: Connect) -> None:
    archive, _ = _extended(connect, kind, 5)
    plain, flipped = archive.page(within=within), archive.page(within=within + FLIP)
    require_equal(plain.bodies, archive.texts[first:last], "the messages of the page as it is")
    require_equal(flipped.bodies, plain.bodies[::-1], "the messages of the flipped page")
    require_equal(flipped.complete, plain.complete, "'complete' of the flipped page")


@KINDS
@pytest.mark.parametrize("side", ["after", "before"])
@MAM.must("7", "4.3.4", says="Flipping does not change which messages are on a page.")
def test_flipped_page_beside_an_id(side: str, kind: Kind, connect: Connect) -> None:
    archive, ids = _extended(connect, kind, 6)
    set_ = paging(2, after=ids[1]) if side == "after" else paging(2, before=ids[4])
    require_equal(
        archive.page(within=set_ + FLIP).bodies, archive.texts[2:4][::-1], "the messages of the flipped page"
    )


# --- metadata


def _metadata(archive: Archive) -> Element:
    reply = archive.session.iq("get", f"<metadata xmlns='{ARCHIVE}'/>", to=None if archive.mine else archive.jid)
    require_result(reply)
    require(reply.get("from") in ({archive.jid, None} if archive.mine else {archive.jid}), "from the archive", reply)
    metadata = reply.find("mam:metadata", NS)
    require(metadata is not None, "<metadata/>", reply)
    return reply if metadata is None else metadata


@KINDS
@MAM.must("5", says="The metadata of an empty archive are an empty element.")
def test_metadata_of_an_empty_archive(kind: Kind, connect: Connect) -> None:
    archive = own_archive(connect) if kind == "account" else room_archive(connect)[0]
    _needs_extension(archive)
    metadata = _metadata(archive)
    require(not len(metadata) and not (metadata.text or "").strip(), "nothing in <metadata/>", metadata)


@KINDS
@pytest.mark.parametrize("count", [1, 3])
@MAM.must("5", says="The metadata name the archive's first and last message: their ids, and when they came.")
def test_metadata_name_the_ends(count: int, kind: Kind, connect: Connect) -> None:
    archive, _ = _extended(connect, kind, count)
    results = holds(archive, archive.texts).results
    metadata = _metadata(archive)
    for name, result in (("start", results[0]), ("end", results[-1])):
        end = metadata.find(f"mam:{name}", NS)
        require(end is not None and end.get("id") == result.id, f"<{name}/> with the id {result.id}", metadata)
        stamp = "" if end is None else end.get("timestamp", "")
        require(DATE_TIME.fullmatch(stamp), "a timestamp in the DateTime profile of XEP-0082", metadata)
        # One of them may be rounded to seconds, and either in any zone (XEP-0082).
        apart = abs(datetime.fromisoformat(stamp) - result.when)
        require(apart <= timedelta(seconds=1), f"the time of <{name}/> as {result.stamp}", metadata)


@MAM.must("8.1", "5", says="Nobody else is told of an archive's metadata.")
def test_metadata_are_not_told_to_others(connect: Connect) -> None:
    archive, ids = _extended(connect, "account", 2)
    stranger = connect(label="stranger")
    reply = stranger.iq("get", f"<metadata xmlns='{ARCHIVE}'/>", to=archive.jid)
    require_error(reply)
    for identifier in ids:
        without(archive.seen_by(stranger), identifier, reply)
