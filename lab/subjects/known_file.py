"""A `known.toml` as a text that is edited: entries go, come and change, everything else stays as somebody wrote it.

The file is cut at its `[[known]]`, `[[fault]]` and `[[finding]]` lines; an entry takes the comment that stands right
above it along. What stands between entries is nobody's, and stays. One entry is changed by tomlkit, which keeps its
comments.
The format stands in `lab.subjects.known`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT

from lab.errors import MachineError, UsageError

_HEAD = re.compile(r"[ \t]*\[\[[ \t]*(known|fault|finding)[ \t]*\]\][ \t]*(#.*)?")
_BLANK_END = re.compile(r"(\r?\n)(?:[ \t]*\r?\n)+\Z")
_KINDS = ("known", "fault", "finding")


@dataclass
class _Piece:
    """An entry, or (without a kind) the lines between two."""

    text: str
    kind: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class KnownFile:
    """The text of a `known.toml`; `kind` is `known`, `fault` or `finding` in all that follows."""

    def __init__(self, text: str, name: str = "known.toml") -> None:
        """Raises UsageError where the text cannot be edited: no TOML, or entries that are written in another way."""
        self._pieces = _cut(text)
        try:
            whole = tomllib.loads(text)
            for piece in self._pieces:
                if piece.kind:
                    (piece.data,) = tomllib.loads(piece.text)[piece.kind]
        except (tomllib.TOMLDecodeError, KeyError, ValueError) as error:
            raise UsageError(f"{name} cannot be edited", cause=str(error)) from error
        if any(whole.get(kind, []) != self.entries(kind) for kind in _KINDS):
            cause = "its entries are not written as [[known]], [[fault]] and [[finding]]"
            raise UsageError(f"{name} cannot be edited", cause=cause)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self._pieces)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The entries of a kind, as the file has them."""
        return [piece.data for piece in self._pieces if piece.kind == kind]

    def add(self, kind: str, values: dict[str, Any]) -> None:
        """A new entry behind the last of its kind, or at the end."""
        places = [number for number, piece in enumerate(self._pieces) if piece.kind == kind]
        place = places[-1] + 1 if places else len(self._pieces)
        before = "".join(piece.text for piece in self._pieces[:place])
        gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
        behind = "".join(piece.text for piece in self._pieces[place:])
        text = _written(kind, values) + ("\n" if behind and not behind.startswith("\n") else "")
        self._pieces[place:place] = [_Piece(gap), _Piece(text, kind, dict(values))]

    def change(self, kind: str, entry: dict[str, Any], values: dict[str, Any]) -> None:
        """Give an entry (one of `entries`) other values; None takes a key away."""
        piece = self._pieces[self._place(kind, entry)]
        document = tomlkit.parse(piece.text)
        tables = document[kind]
        assert isinstance(tables, AoT)  # noqa: S101 - it was cut so
        for key, value in values.items():
            if value is None:
                tables[0].pop(key, None)
            else:
                tables[0][key] = value
        piece.text = document.as_string()
        piece.data = {k: v for k, v in {**piece.data, **values}.items() if v is not None}

    def remove(self, kind: str, entry: dict[str, Any]) -> None:
        """Take an entry out, with the comment right above it and the blank lines that part it from what is above."""
        place = self._place(kind, entry)
        del self._pieces[place]
        if place == 0 and self._pieces and not self._pieces[0].kind:
            self._pieces[0].text = self._pieces[0].text.lstrip("\r\n")
        elif place and not self._pieces[place - 1].kind:
            above = self._pieces[place - 1]
            above.text = _BLANK_END.sub(r"\1", above.text) if above.text.strip() else ""
        self._pieces = [piece for piece in self._pieces if piece.text]

    def _place(self, kind: str, entry: dict[str, Any]) -> int:
        return next(n for n, piece in enumerate(self._pieces) if piece.kind == kind and piece.data is entry)


def _written(kind: str, values: dict[str, Any]) -> str:
    """An entry as text."""
    table = tomlkit.table()
    for key, value in values.items():
        table.append(key, value)
    entries = tomlkit.aot()
    entries.append(table)
    document = tomlkit.document()
    document.append(kind, entries)
    return document.as_string().strip("\n") + "\n"


def _cut(text: str) -> list[_Piece]:
    """A text in pieces, which make it up again when they are put together."""
    lines = [line for line in re.split(r"(?<=\n)", text) if line]  # no other separator ends a line in TOML
    heads = [number for number, line in enumerate(lines) if _HEAD.fullmatch(line.rstrip("\r\n"))]
    pieces: list[_Piece] = []
    at = 0
    for head, behind in zip(heads, [*heads, len(lines)][1:], strict=True):
        start = _above(lines, head, at)
        end = _end(lines, head, behind)
        found = _HEAD.fullmatch(lines[head].rstrip("\r\n"))
        pieces.append(_Piece("".join(lines[at:start])))
        pieces.append(_Piece("".join(lines[start:end]), found[1] if found else ""))
        at = end
    pieces.append(_Piece("".join(lines[at:])))
    return [piece for piece in pieces if piece.text]


def _above(lines: list[str], head: int, floor: int) -> int:
    """Where an entry begins: at its header, or at the comment right above it."""
    start = head
    while start > floor and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start


def _end(lines: list[str], head: int, behind: int) -> int:
    """Where an entry ends: behind its last key, and behind a comment right below that no other entry follows."""
    end = behind
    while end > head + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    below = end
    while below < behind and lines[below].lstrip().startswith("#"):
        below += 1
    return end if below == behind < len(lines) else below


def load(path: Path) -> KnownFile:
    """The file of that path; an empty one where there is none. Raises UsageError."""
    if not path.exists():
        return KnownFile("", str(path))
    try:
        return KnownFile(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}", cause=str(error)) from error


def save(file: KnownFile, path: Path) -> None:
    """Write it whole or not at all. Raises MachineError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(file.text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise MachineError(f"cannot write {path}", cause=str(error)) from error
