"""Texts that match a pattern of XML Schema: the part of its language that the schemas here use, sampled.

Not a matcher: what is sampled is put to the schema's own one before it is used.
"""

from __future__ import annotations

from collections.abc import Callable

from generators.source import RandomSource, ReplaySource, Source

Sample = Callable[[Source], str]

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_DIGITS, _SPACE = "0123456789", " \t\n"
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789é"
_ANY = "a" + _PRINTABLE.replace("a", "") + " é☃𝄞"
_CLASSES = {"d": _DIGITS, "s": _SPACE, "w": _WORD, "i": _WORD[:52] + "_:", "c": _WORD + "_:.-"}
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_MANY = 6  # how much more than the least a repetition without a bound is given


def samples(pattern: str, count: int) -> tuple[str, ...]:
    """The simplest match, and `count` others, the same in each run. Raises ValueError: the pattern cannot be read."""
    reader = _Reader(pattern)
    sample = reader.alternatives()
    if reader.rest:
        raise ValueError(f"{reader.rest!r} is left of {pattern!r}")
    source = RandomSource(len(pattern))
    return tuple(dict.fromkeys([sample(ReplaySource(())), *(sample(source) for _ in range(count))]))


class _Reader:
    """Reads a pattern from left to right. `rest` is what it has not read yet."""

    def __init__(self, pattern: str) -> None:
        self.rest = pattern

    def alternatives(self) -> Sample:
        branches = [self._branch()]
        while self._take("|"):
            branches.append(self._branch())
        return lambda source: branches[source.integer(len(branches) - 1)](source)

    def _branch(self) -> Sample:
        pieces: list[Sample] = []
        while self.rest and self.rest[0] not in "|)":
            pieces.append(self._repeated(self._atom()))
        return lambda source: "".join(piece(source) for piece in pieces)

    def _repeated(self, atom: Sample) -> Sample:
        least, most = self._quantity()
        if (least, most) == (1, 1):
            return atom
        return lambda source: "".join(atom(source) for _ in range(least + source.integer(most - least)))

    def _quantity(self) -> tuple[int, int]:
        for mark, quantity in (("?", (0, 1)), ("*", (0, _MANY)), ("+", (1, 1 + _MANY))):
            if self._take(mark):
                return quantity
        if not self._take("{"):
            return 1, 1
        words, brace, self.rest = self.rest.partition("}")
        least, comma, most = words.partition(",")
        if not brace or not least.isdigit() or not (most.isdigit() or not most):
            raise ValueError(f"a quantity is broken: {words!r}")
        return int(least), int(most) if most else int(least) + (_MANY if comma else 0)

    def _atom(self) -> Sample:
        if self._take("("):
            inner = self.alternatives()
            if not self._take(")"):
                raise ValueError("a bracket is not closed")
            return inner
        if self._take("["):
            return _one_of(self._class())
        if self._take("."):
            return _one_of(_ANY)
        if self._take("\\"):
            return _one_of(self._escape())
        character, self.rest = self.rest[0], self.rest[1:]
        if character in "*+?{}]":
            raise ValueError(f"{character!r} stands where nothing can be repeated or closed")
        return lambda _: character

    def _class(self) -> str:
        negative = self._take("^")
        members = ""
        while not self._take("]"):
            if not self.rest:
                raise ValueError("a class is not closed")
            if self.rest.startswith("-["):
                raise ValueError("classes cannot be subtracted here")
            first = self._member()
            if len(first) == 1 and self.rest[0:1] == "-" and self.rest[1:2] not in ("]", ""):
                self.rest = self.rest[1:]
                first = "".join(map(chr, range(ord(first), ord(self._member()) + 1)))
            members += first
        return "".join(c for c in _ANY if c not in members) if negative else members

    def _member(self) -> str:
        if self._take("\\"):
            return self._escape()
        character, self.rest = self.rest[0], self.rest[1:]
        return character

    def _escape(self) -> str:
        letter, self.rest = self.rest[:1], self.rest[1:]
        if letter.lower() in _CLASSES:
            inside = _CLASSES[letter.lower()]
            return inside if letter.islower() else "".join(c for c in _ANY if c not in inside)
        if letter.isalpha() and letter not in _LETTERS:
            raise ValueError(f"\\{letter} is not known here")
        return _LETTERS.get(letter, letter)

    def _take(self, mark: str) -> bool:
        if not self.rest.startswith(mark):
            return False
        self.rest = self.rest[len(mark) :]
        return True


def _one_of(characters: str) -> Sample:
    if not characters:
        raise ValueError("a class has no characters")
    return lambda source: characters[source.integer(len(characters) - 1)]
