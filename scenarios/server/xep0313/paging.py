"""XEP-0313 §4.3 with XEP-0059: pages, forwards and backwards, their edges, and when an archive is at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.plugin import Connect, impossible, require, require_equal, require_error, unsupported
from lab.wire.session import new_id
from scenarios.server.xep0313._archive import (
    KINDS,
    MAM,
    Archive,
    Kind,
    Page,
    awaited,
    exchange,
    filled,
    holds,
    own_archive,
    paging,
    send,
)

NUMBERS = 100  # pages of one archive, at most: more means that it never says it is at its end
UNKNOWN_IDS = ["not-an-id", "1", "00000000-0000-4000-8000-000000000000"]
UNKNOWN_NAMES = ["words", "number", "uuid"]


def _forwards(archive: Archive, most: int) -> Iterator[Page]:
    """Page by page from the oldest message, until the archive says that it is at its end."""
    page = archive.page(within=paging(most))
    yield page
    for _ in range(NUMBERS):
        if page.complete:
            return
        page = archive.page(within=paging(most, after=page.value("last")))
        yield page
    require(False, f"the end of the archive after {NUMBERS} pages", page.fin)


def _backwards(archive: Archive, most: int) -> Iterator[Page]:
    """Page by page from the newest message back, until the archive says that it is at its beginning."""
    page = archive.page(within=paging(most, before=""))
    yield page
    for _ in range(NUMBERS):
        if page.complete:
            return
        page = archive.page(within=paging(most, before=page.value("first")))
        yield page
    require(False, f"the beginning of the archive after {NUMBERS} pages", page.fin)


# The last page is a whole one, one that is not full, or the only one.
SIZES = pytest.mark.parametrize(
    ("count", "most"), [(4, 2), (5, 2), (3, 1), (3, 3)], ids=["4-by-2", "5-by-2", "3-by-1", "3-by-3"]
)


@KINDS
@SIZES
@MAM.must("4.3.2", "4.3.1", says="By <max/> and <after/> all messages come, in order, each once (XEP-0059 §2.2).")
def test_archive_is_paged_forwards(count: int, most: int, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, count)
    bodies = [page.bodies for page in _forwards(archive, most)]
    require_equal(bodies, [archive.texts[at : at + most] for at in range(0, count, most)], "the pages' messages")


@KINDS
@SIZES
@MAM.must(
    "4.2",
    "4.3.3",
    "4.3.1",
    says="By <before/> all messages come back to the first; within a page in order (XEP-0059 §2.3).",
)
def test_archive_is_paged_backwards(count: int, most: int, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, count)
    bodies = [page.bodies for page in _backwards(archive, most)]
    wanted = [archive.texts[max(end - most, 0) : end] for end in range(count, 0, -most)]
    require_equal(bodies, wanted, "the pages' messages")


@KINDS
@pytest.mark.parametrize("most", [1, 2, 4])
@MAM.must("4.3.3", "4.3.1", says="An empty <before/> brings the last page, its messages in order (XEP-0059 §2.5).")
def test_last_page_is_asked_for(most: int, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    page = archive.page(within=paging(most, before=""))
    require_equal(page.bodies, archive.texts[-most:], "the bodies of the messages")
    require_equal((page.value("first"), page.value("last")), (page.ids[0], page.ids[-1]), "<first/> and <last/>")


@KINDS
@pytest.mark.parametrize("end", ["first", "last"])
@MAM.must("4.3.2", says="Unless it is the last page, <fin/> does not say that it is complete.")
def test_page_in_between_is_not_complete(end: str, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 4)
    page = archive.page(within=paging(3, before="" if end == "last" else None))
    require_equal(
        page.bodies, archive.texts[1:] if end == "last" else archive.texts[:3], "the bodies of the messages"
    )
    require(page.fin.get("complete") in {None, "false", "0"}, "no 'complete', or complete='false'", page.fin)


@KINDS
@pytest.mark.parametrize("most", [3, 4, 10, None], ids=["as-many", "one-more", "many-more", "no-limit"])
@MAM.must("4.3.2", says="Where <max/> leaves nothing out, <fin/> says that it is complete.")
def test_whole_archive_is_complete(most: int | None, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    page = archive.page(within=paging(most))
    require_equal(page.bodies, archive.texts, "the bodies of the messages")
    require(page.complete, "complete='true'", page.fin)


@KINDS
@pytest.mark.parametrize("side", ["after", "before"])
@MAM.must(
    "4.3.2", "4.3.1", says="Behind the last message, and before the first, there is an empty page (XEP-0059 §2.2)."
)
def test_page_beyond_the_end_is_empty(side: str, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    ids = holds(archive, archive.texts).ids
    page = archive.page(within=paging(2, after=ids[-1]) if side == "after" else paging(2, before=ids[0]))
    require_equal(page.bodies, [], "the bodies of the messages")
    require_equal((page.value("first"), page.value("last")), (None, None), "<first/> and <last/> of an empty page")
    require(page.complete, "complete='true', as nothing was left out", page.fin)


@KINDS
@MAM.must(
    "4.3.1", "4.3.2", says="A <max/> of zero brings no messages, and no <first/> and <last/> (XEP-0059 §2.7, §2.2)."
)
def test_max_of_zero_brings_no_messages(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    page = archive.page(within=paging(0))
    require_equal(page.bodies, [], "the bodies of the messages")
    require_equal((page.value("first"), page.value("last")), (None, None), "<first/> and <last/> of an empty page")


@KINDS
@MAM.must("4.3.2", says="A <max/> of zero leaves out what there is: <fin/> does not say that it is complete.")
def test_max_of_zero_is_not_complete(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 3)
    page = archive.page(within=paging(0))
    require(page.fin.get("complete") in {None, "false", "0"}, "no 'complete', or complete='false'", page.fin)


@KINDS
@pytest.mark.parametrize("most", [0, 2, 5])
@MAM.should(
    "4.3.2",
    "4.3.1",
    says="A <count/>, where it is given, is a number, which may be approximate (XEP-0059 §2.2, §2.7).",
)
def test_count_is_of_all_messages(most: int, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 5)
    count = archive.page(within=paging(most)).value("count")
    if count is None:
        impossible("the archive does not count, as it may")
    require(count.isdigit(), "a number in <count/>, which may be approximate", count)


@KINDS
@MAM.should(
    "4.3.2",
    "4.3.1",
    says="An 'index' of <first/>, where it is given, is a number, which may be approximate (XEP-0059).",
)
def test_index_is_the_place_of_the_first(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 5)
    indices = [page.index for page in _forwards(archive, 2)]
    if None in indices:
        impossible("the archive does not tell places, as it may")
    require(all(index and index.isdigit() for index in indices), "numbers as 'index' of the pages", str(indices))


@KINDS
@MAM.should("4.3.1", says="A page is asked for by its place, or that is refused as not implemented (XEP-0059 §2.6).")
def test_page_is_asked_for_by_its_place(kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 5)
    third = paging(2, more="<index>2</index>")
    reply = archive.session.expect(archive.ask(within=third), "an answer to the query")
    came = archive.taken(None)
    if reply.get("type") == "error":
        require_error(reply, "feature-not-implemented")
        require(not came, "no messages", came[0] if came else None)
        return
    page = archive.page(within=third)
    if not page.value("count"):
        unsupported("pages by their place: where <count/> is left out, there are none (XEP-0059 §2.6)")
    require(page.results, "messages", page.fin)  # which ones may be approximate
    require_equal(page.index, "2", "'index' of <first/>")


# --- ids


@KINDS
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("wrong", UNKNOWN_IDS, ids=UNKNOWN_NAMES)
@MAM.must("4.3.2", says="A page before or after an id that the archive does not have is refused by item-not-found.")
def test_page_at_an_unknown_id_is_refused(wrong: str, side: str, kind: Kind, connect: Connect) -> None:
    archive = filled(connect, kind, 2)
    reply = archive.refused(within=paging(2, after=wrong) if side == "after" else paging(2, before=wrong))
    require_error(reply, "item-not-found")


@pytest.mark.parametrize("side", ["after", "before"])
@MAM.must("4.3.2", says="An id that only somebody else's archive has is refused by item-not-found.")
def test_page_at_an_id_of_another_archive_is_refused(side: str, connect: Connect) -> None:
    archive, other = filled(connect, "account", 2), filled(connect, "account", 1)
    (foreign,) = holds(other, other.texts).ids
    if foreign in holds(archive, archive.texts).ids:
        impossible("both archives have the same id, as they may")
    reply = archive.refused(within=paging(2, after=foreign) if side == "after" else paging(2, before=foreign))
    require_error(reply, "item-not-found")


# --- pages of what changes, or of a part


@MAM.must("4.3.2", "3.1", says="What comes while one pages stands behind what was there, and on the page after it.")
def test_new_message_comes_on_a_later_page(connect: Connect) -> None:
    archive = filled(connect, "account", 3)
    first = archive.page(within=paging(2))
    require_equal(first.bodies, archive.texts[:2], "the first page")
    archive.texts.append(f"new {new_id()}")
    exchange(connect(label="carol"), archive.session, archive.texts[-1])
    awaited(archive, len(archive.texts))
    second = archive.page(within=paging(2, after=first.value("last")))
    require_equal(second.bodies, archive.texts[2:], "the second page")


def _with_others_between(connect: Connect) -> tuple[Archive, dict[str, str]]:
    """An archive of messages with two contacts, by turns: `texts` are the first one's; and the form for them."""
    archive, bob, carol = own_archive(connect), connect(label="bob"), connect(label="carol")
    for number in range(5):
        archive.texts.append(f"to bob {number}")
        send(archive.session, bob.jid, archive.texts[-1])
        send(archive.session, carol.jid, f"to carol {number}")
    awaited(archive, 2 * len(archive.texts))
    return archive, {"with": bob.jid}  # that a bare JID brings what was to a full one is SHOULD (§4.1.1)


@pytest.mark.parametrize("way", ["forwards", "backwards"])
@MAM.must(
    "4.3.1", "4.1.1", "4.3.2", says="Pages of a filtered query hold what fits the filter, as many as a page may."
)
def test_filtered_messages_are_paged(way: str, connect: Connect) -> None:
    archive, form = _with_others_between(connect)
    if way == "forwards":
        pages = [archive.page(form, paging(2))]
        for _ in range(2):
            pages.append(archive.page(form, paging(2, after=pages[-1].value("last"))))
    else:
        pages = [archive.page(form, paging(2, before=""))]
        for _ in range(2):
            pages.insert(0, archive.page(form, paging(2, before=pages[0].value("first"))))
    texts = archive.texts
    wanted = [texts[:2], texts[2:4], texts[4:]] if way == "forwards" else [texts[:1], texts[1:3], texts[3:]]
    require_equal([page.bodies for page in pages], wanted, "the pages' messages")
    whole = [page.complete for page in pages]
    require_equal(
        whole, [False, False, True] if way == "forwards" else [True, False, False], "'complete' of the pages"
    )


MANY = 120
"""More than a server sends at once, if it limits pages: 50 are usual."""


@MAM.must("4.3.2", "4.3.1", says="Where the server itself limits a page, it does not say that it is complete.")
def test_limit_of_the_server_is_told(connect: Connect) -> None:
    archive = filled(connect, "account", MANY)
    page = archive.page()
    bodies = page.bodies
    require_equal(page.complete, len(bodies) == MANY, f"'complete' of {len(bodies)} messages of {MANY}")
    while not page.complete and page.bodies:
        page = archive.page(within=paging(after=page.value("last")))
        bodies += page.bodies
    require_equal(bodies, archive.texts, "the bodies of the messages of all pages")
