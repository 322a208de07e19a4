"""A trace for reading: fragments of streams joined, cut into stanzas, each laid out in lines.

Never fails and never alters: the texts of all items of a connection, joined, are what went over it, and so are
the lines of an item. What is no XML is one item, as it is. A parser proper (`lab.wire`) would refuse just the
traffic that a reader wants to see.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from lab.record import TraceEntry

# A tag up to its `>`; quotes may hold `<` and `>`. Possessive, so that hostile text costs no more than one pass.
_TAG = re.compile(r"""<[^<>"']*+(?:"[^"]*+"[^<>"']*+|'[^']*+'[^<>"']*+)*+""")
_NAME = re.compile(r"</?([^\s/>]*)")
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
DEEPEST = 20  # levels that are set in: a stanza nested without end must not make a page without end
_STREAM = re.compile(r"(?:[^:]+:)?stream")


@dataclass(frozen=True)
class Item:
    """One stanza, stream header, closing tag or note. `at` is when its last byte passed, in epoch seconds.

    `whole` is False where it is not, or not yet, well-formed.
    """

    at: float
    session: str
    direction: str
    text: str
    whole: bool = True


@dataclass(frozen=True)
class Line:
    """A part of an item and how deep it stands."""

    depth: int
    text: str


@dataclass(frozen=True)
class _Token:
    kind: str  # open, close, empty, text, cdata, comment, instruction, raw
    start: int
    end: int
    name: str = ""


def items(trace: Iterable[TraceEntry]) -> tuple[Item, ...]:
    """The trace's stanzas in the order in which they ended."""
    entries = list(trace)
    found: list[tuple[int, int, Item]] = []
    streams: dict[tuple[str, str], list[int]] = {}
    for number, entry in enumerate(entries):
        if entry.direction == "note":
            found.append((number, 0, Item(entry.at, entry.session, entry.direction, entry.text)))
        elif entry.text:
            streams.setdefault((entry.session, entry.direction), []).append(number)
    for (session, direction), numbers in streams.items():
        text = "".join(entries[n].text for n in numbers)
        starts = [0, *accumulate(len(entries[n].text) for n in numbers)]
        for start, end, whole in _split(text):
            number = numbers[bisect_right(starts, end - 1) - 1]
            found.append((number, start, Item(entries[number].at, session, direction, text[start:end], whole)))
    return tuple(item for _, _, item in sorted(found, key=lambda f: f[:2]))


def lines(item: Item) -> tuple[Line, ...]:
    """An item laid out: a child element a line, text beside its tags."""
    if not item.whole or item.direction == "note":
        return (Line(0, item.text),)
    text, tokens = item.text, list(_tokens(item.text))
    laid: list[Line] = []
    depth = position = 0
    while position < len(tokens):
        here = tokens[position]
        if here.kind == "close":
            depth = max(depth - 1, 0)
        elif here.kind == "text" and laid and not text[here.start : here.end].strip():
            laid[-1] = Line(laid[-1].depth, laid[-1].text + text[here.start : here.end])
            position += 1
            continue
        last = _leaf(tokens, position)
        laid.append(Line(min(depth, DEEPEST), text[here.start : tokens[last].end]))
        if here.kind == "open" and last == position:
            depth += 1
        position = last + 1
    return tuple(laid)


def _leaf(tokens: list[_Token], position: int) -> int:
    """Where an element without child elements ends; `position` itself where it has some, or is no element."""
    if tokens[position].kind != "open":
        return position
    last = position + 1
    while last < len(tokens) and tokens[last].kind in {"text", "cdata"}:
        last += 1
    return last if last < len(tokens) and tokens[last].kind == "close" else position


@dataclass
class _Splitter:
    """Where stanzas begin and end in one direction of a connection."""

    start: int = 0
    whole: bool = True
    stack: list[str] = field(default_factory=list)

    def end(self, at: int, *, whole: bool = True) -> Iterator[tuple[int, int, bool]]:
        """An item ends before `at`."""
        if at > self.start:
            yield self.start, at, self.whole and whole
        self.start, self.whole = at, True
        self.stack.clear()

    def close(self, name: str) -> None:
        """An end tag: closes what it names, with whatever was left open inside."""
        if name not in self.stack:
            self.whole = False
            return
        while self.stack and self.stack.pop() != name:
            self.whole = False


def _split(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end and wholeness of each item of a stream's text. White space and XML declarations go with what
    follows them."""
    now = _Splitter()
    for token in _tokens(text):
        inside = bool(now.stack)
        if token.kind == "raw" or (
            token.kind in {"text", "cdata"} and not inside and text[token.start : token.end].strip()
        ):
            now.whole = False
        elif token.kind in {"open", "close"} and _STREAM.fullmatch(token.name) and token.name not in now.stack:
            if inside:
                yield from now.end(token.start, whole=False)
            yield from now.end(token.end)
        elif token.kind == "instruction" and inside:
            yield from now.end(token.start, whole=False)
        elif token.kind == "open":
            now.stack.append(token.name)
        elif token.kind == "close":
            now.close(token.name)
        if token.kind in {"close", "empty"} and not now.stack:
            yield from now.end(token.end)
    yield from now.end(len(text), whole=not (now.stack or text[now.start :].strip()))


def _tokens(text: str) -> Iterator[_Token]:
    """Markup and text, from left to right, without a gap."""
    at = 0
    while at < len(text):
        token = _markup(text, at) if text[at] == "<" else _Token("text", at, _before(text, "<", at))
        yield token
        at = token.end


def _before(text: str, sign: str, at: int) -> int:
    found = text.find(sign, at)
    return len(text) if found < 0 else found


def _markup(text: str, at: int) -> _Token:
    for opening, closing in _ENDS.items() if text[at + 1 : at + 2] in {"!", "?"} else ():
        if text.startswith(opening, at):
            end = text.find(closing, at + len(opening))
            kind = {"<!--": "comment", "<?": "instruction"}.get(opening, "cdata")
            return _Token("raw", at, len(text)) if end < 0 else _Token(kind, at, end + len(closing))
    found = _TAG.match(text, at)
    end = found.end() if found else at + 1
    if text[end : end + 1] != ">":
        # A `<` where none may stand ends what came before it; an open quote or the end of the text leaves no more.
        return _Token("raw", at, end if text[end : end + 1] == "<" else len(text))
    name = _NAME.match(text, at)
    label = name[1] if name else ""
    if text.startswith("</", at):
        return _Token("close", at, end + 1, label)
    if not label or label.startswith("!"):
        return _Token("raw", at, end + 1)
    return _Token("empty" if text[end - 1] == "/" else "open", at, end + 1, label)
