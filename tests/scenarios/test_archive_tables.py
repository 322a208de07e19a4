"""The tables of XEP-0313 and XEP-0280 as data: each kind of message once, and a rule for each that is told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from scenarios.server.xep0280.eligibility import ELIGIBLE, HINTED
from scenarios.server.xep0313.filters import OFFSETS
from scenarios.server.xep0313.paging import UNKNOWN_IDS, UNKNOWN_NAMES
from scenarios.server.xep0313.storage import RULES


def test_kinds_are_named_once() -> None:
    for table in (RULES, ELIGIBLE):
        names = [rule.name for rule in table]
        assert len(set(names)) == len(names)


def test_unknown_ids_are_named() -> None:
    assert len(UNKNOWN_IDS) == len(UNKNOWN_NAMES) == len({*UNKNOWN_IDS})


def test_spelt_times_tell_the_same_moment() -> None:
    """To the second; some tell more of it. What is not in UTC reads otherwise without its offset."""
    moment = datetime(2026, 11, 30, 0, 12, 34, tzinfo=UTC)
    read = {name: datetime.fromisoformat(spelt(moment)) for name, spelt in OFFSETS.items()}
    assert all(timedelta(0) <= when - moment < timedelta(seconds=1) for when in read.values())
    naive = [when.replace(tzinfo=None) for name, when in read.items() if name in {"west", "half-hours", "east"}]
    assert all(one != other for one, other in pairwise([*naive, moment.replace(tzinfo=None)]))


def test_private_messages_are_not_among_the_eligible() -> None:
    assert not any(hint in rule.content for rule in ELIGIBLE for hint in HINTED.values())
