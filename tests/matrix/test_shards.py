"""Order and shares: decided alike on every machine, whatever the order in which it lists its cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import UsageError
from lab.matrix.plan import Cell, Party
from lab.matrix.shards import Shard, longest_first, share

PARTY = Party("x:1", "x", "1")


def cells(names: list[str]) -> list[Cell]:
    return [Cell(name, PARTY) for name in names]


NAMES = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=25, unique=True)


@given(NAMES, st.integers(1, 7), st.data())
def test_shares_are_disjoint_together_whole_and_the_same_everywhere(
    names: list[str], count: int, data: st.DataObject
) -> None:
    some = st.dictionaries(st.sampled_from([*names, "unknown"]), st.floats(0, 10_000))
    durations = data.draw(some, label="durations")
    shares = [share(cells(names), Shard(k, count), durations) for k in range(1, count + 1)]
    assert sorted(cell.name for one in shares for cell in one) == sorted(names)
    shuffled = cells(data.draw(st.permutations(names), label="another order"))
    for k, one in enumerate(shares, 1):
        assert {cell.name for cell in share(shuffled, Shard(k, count), durations)} == {cell.name for cell in one}


@given(NAMES, st.integers(1, 7))
def test_without_durations_no_share_has_two_cells_more_than_another(names: list[str], count: int) -> None:
    sizes = [len(share(cells(names), Shard(k, count), {})) for k in range(1, count + 1)]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=25), st.integers(1, 7))
def test_no_share_is_longer_than_another_by_more_than_one_cell(seconds: list[int], count: int) -> None:
    durations = {f"cell-{n}": float(s) for n, s in enumerate(seconds)}
    shares = [share(cells(list(durations)), Shard(k, count), durations) for k in range(1, count + 1)]
    loads = [sum(durations[cell.name] for cell in one) for one in shares]
    assert max(loads) - min(loads) <= max(seconds)


def test_the_longest_begin_and_what_nobody_timed_before_them() -> None:
    order = longest_first(cells(["short", "new", "long", "newer"]), {"short": 1.0, "long": 9.0})
    assert [cell.name for cell in order] == ["new", "newer", "long", "short"]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "one/two", "1", "-1/2", "1/2/3", ""])
def test_what_is_no_share_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.of(text)


def test_a_share() -> None:
    assert Shard.of("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"
