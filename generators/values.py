"""Leaf values by meaning: from a `Value` to a function that draws one, escaped for where it stands.

Every pool is made once, filtered by what the schema accepts, with the simplest value first. A type that nothing here
satisfies is an error when its shape is compiled, never while drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from generators import addresses, texts, words
from generators.addresses import Addresses
from generators.patterns import samples
from generators.shapes import Value
from lab.errors import UsageError

Ask = Callable[[int], int]
"""A source's `integer`."""

Escape = Callable[[str], str]
Draw = Callable[[Ask, Addresses], str]

_PLAIN_SHARE = 6  # how many times each plain text stands in the table, against once for each nasty one
_KINDS = 199  # of so many outcomes and one more, …
_JOINED = 8  # … these join several texts
_REPEATED = 2  # … and these, and the last, repeat one
_SAMPLES = 40  # matches taken of each pattern


def drawing(value: Value, escape: Escape) -> Draw:
    """A function that draws such a value. Raises UsageError: no value is known that the schema would accept."""
    if value.enumeration:
        return _one_of(_accepted(value, value.enumeration), escape)
    if value.members:
        return _any_of([drawing(member, escape) for member in value.members])
    if value.items is not None:
        return _list(value, drawing(value.items, escape))
    if value.meaning in addresses.MEANINGS:
        return _address(value)
    if value.plain and value.meaning in words.OPEN:
        return _open(value.meaning, escape)
    return _one_of(_accepted(value, _candidates(value)), escape)


def any_text(escape: Escape) -> Draw:
    """A function that draws whatever text XML allows."""
    return _open("text", escape)


def pool(value: Value) -> tuple[str, ...]:
    """The texts that stand ready for a value which is no address, list or union: the simplest first, not escaped."""
    return _accepted(value, value.enumeration or _candidates(value))


def _accepted(value: Value, candidates: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text for text in candidates if value.accepts(text)))
    if not found:
        kind = f"{value.meaning} with {value.patterns}" if value.patterns else value.meaning
        raise UsageError(
            f"no value can be drawn for {value.place}",
            cause=f"nothing that is known of {kind} is accepted",
            hint="add words of it to generators/words.py",
        )
    return found


def _candidates(value: Value) -> list[str]:
    if value.low is not None or value.high is not None or value.meaning == "integer":
        return list(words.integers(value.low, value.high))
    found = list(words.WORDS.get(value.meaning, ()))
    found += _matches(value)
    if value.meaning in words.OPEN or not found:
        found = [*texts.PLAIN[:1], *found, *texts.all_texts()]
    for length in {value.min_length, value.max_length or 0} - {0}:
        found += [character * length for character in ("a", "é", "😀", "0") if length <= texts.LONGEST]
    if value.patterns and not value.plain:
        return found  # words of the meaning come first even so: what is simple is what people write
    return found


def _matches(value: Value) -> list[str]:
    try:
        return [text for step in value.patterns for pattern in step for text in samples(pattern, _SAMPLES)]
    except ValueError as error:
        raise UsageError(
            f"the pattern of {value.place} cannot be drawn",
            cause=str(error),
            hint="write it with fewer means",
        ) from error


def _one_of(candidates: Sequence[str], escape: Escape) -> Draw:
    escaped = tuple(map(escape, candidates))
    most = len(escaped) - 1
    if not most:
        only = escaped[0]
        return lambda _ask, _addresses: only
    return lambda ask, _addresses: escaped[ask(most)]


def _any_of(draws: Sequence[Draw]) -> Draw:
    most = len(draws) - 1
    return lambda ask, addresses: draws[ask(most)](ask, addresses)


def _list(value: Value, draw: Draw) -> Draw:
    least, most = value.min_length, 3 if value.max_length is None else value.max_length

    def list_(ask: Ask, addresses: Addresses) -> str:
        return " ".join([draw(ask, addresses) for _ in range(least + ask(max(0, most - least)))])

    return list_


def _address(value: Value) -> Draw:
    key: object = value.meaning if value.plain else object()  # two local elements may have the same place

    def address(ask: Ask, addresses: Addresses) -> str:
        known = addresses.lists.get(key) or addresses.make(key, value)
        return known[ask(len(known) - 1)]

    return address


@cache
def _open(meaning: str, escape: Escape) -> Draw:
    """Any text: mostly words of its meaning, often a nasty one, now and then several joined, rarely one repeated.

    Which text is asked for right after the kind, whatever the kind: so all kinds shrink to that text alone.
    """
    known = words.WORDS.get(meaning, ()) or texts.PLAIN
    plain = [word for word in known if len(word) < 64]
    table = tuple(map(escape, [*plain * (_PLAIN_SHARE * len(texts.PLAIN) // len(plain)), *texts.all_texts(), *known]))
    last = len(table) - 1

    def text(ask: Ask, _: Addresses) -> str:
        kind = ask(_KINDS)
        written = table[ask(last)]
        if kind < _KINDS - _JOINED - _REPEATED:
            return written
        if kind < _KINDS - _REPEATED:
            return written + "".join([table[ask(last)] for _ in range(1 + ask(2))])
        size = texts.LENGTHS[ask(len(texts.LENGTHS) - 1)]
        return written * max(1, size // max(1, len(written.encode())))

    return text
