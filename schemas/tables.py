"""TOML files as typed tables.

A `Table` hands out its fields one by one, with their types, and complains in one way: the file, the place in
it, and the field. What the fields mean is said by the modules that read them.
"""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lab.errors import UsageError

E = TypeVar("E", bound=StrEnum)

FEW = 40  # names that are all told to whoever asks for one that there is not


class Table:
    """One table of a TOML file. `place` says where in the file it stands, for messages."""

    def __init__(self, path: Path, fields: dict[str, Any], place: str = "") -> None:
        self.path = path
        self.place = place
        self._fields = fields
        self._read: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, default)
        if not isinstance(value, str) or (default is None and not value):
            self.fail(key, f"must be a text, not {value!r}")
        return value

    def number(self, key: str) -> int:
        """A whole number, zero or more."""
        value = self._value(key)
        if type(value) is not int or value < 0:
            self.fail(key, f"must be a whole number from 0, not {value!r}")
        return value

    def date(self, key: str) -> datetime.date:
        value = self._value(key)
        if type(value) is not datetime.date:
            self.fail(key, f"must be a date such as 2021-12-31, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where the field is absent."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(key, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def numbers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers, zero or more each; empty where the field is absent."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
            self.fail(key, f"must be a list of whole numbers from 0, not {value!r}")
        return tuple(value)

    def choice(self, key: str, kind: type[E], default: E | None = None) -> E:
        value = self._value(key, default)
        try:
            return kind(value)
        except ValueError:
            self.fail(key, f"is {value!r}; known: {', '.join(kind)}")

    def choices(self, key: str, kind: type[E]) -> tuple[E, ...]:
        """A list of words of one kind; empty where the field is absent."""
        try:
            return tuple(kind(text) for text in self.texts(key))
        except ValueError as error:
            self.fail(key, f"holds something else than {', '.join(kind)} ({error})")

    def table(self, key: str) -> Table:
        """The table below `key`; an empty one where it is absent."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            self.fail(key, f"must be a table, not {value!r}")
        return Table(self.path, value, f"{self.place}: {key}" if self.place else key)

    def tables(self, key: str, name: str) -> list[Table]:
        """The tables of a list; each is placed in messages by its field `name`, or else by its number."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(key, f"must be a list of tables, not {value!r}")
        above = f"{self.place}: " if self.place else ""
        return [
            Table(self.path, item, f"{above}{key} {item.get(name, f'number {count}')}")
            for count, item in enumerate(value, 1)
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def done(self) -> None:
        """Every field has been read: whatever is left is misspelt. Raises UsageError."""
        for key in self._fields.keys() - self._read:
            self.fail(key, f"is not a field here; known: {', '.join(sorted(self._read))}")

    def fail(self, key: str, cause: str) -> NoReturn:
        place = f"{self.place}: " if self.place else ""
        raise UsageError(f"{self.path.name}: {place}{key} {cause}", hint=f"mend {self.path}")

    def _value(self, key: str, default: object = None) -> Any:
        self._read.add(key)
        value = self._fields.get(key, default)
        if value is None:
            self.fail(key, "is missing")
        return value


def read(path: Path) -> Table:
    """The top table of a TOML file. Raises UsageError naming the file, and the line where it is not TOML."""
    try:
        return Table(path, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name} cannot be read", cause=str(error), hint=f"mend {path}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say after a name that nobody knows: the nearest names, or all of them, if those are few."""
    names = list(known)
    folded = {known_name.lower(): known_name for known_name in names}
    close = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)]
    if close:
        return f"nearest: {', '.join(close)}"
    return f"known: {', '.join(names)}" if len(names) <= FEW else f"{len(names)} are known, such as {names[0]}"
