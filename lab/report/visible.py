"""Text that a subject sent, made fit to look at: what cannot be seen, or misleads, is spelled out.

Nothing is dropped: a control character, a bidi override, a lone surrogate becomes a mark that names it. What
marks look like on a terminal or a page is those reports' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Unicode's Cc and Cf, line and paragraph separators, surrogates, noncharacters.
_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    f"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff{_NONCHARACTERS}]"
)
SPACES = re.compile(f"{HIDDEN.pattern}| {{2,}}|^ | $")  # and white space that would be overlooked
_NAMED = {"\n": "⏎", "\t": "⇥", "\r": "␍"}


@dataclass(frozen=True)
class Piece:
    """A run of text. `mark` says that it stands for something that could not be seen."""

    text: str
    mark: bool = False


def pieces(text: str, *, lines: bool = False, spaces: bool = False) -> Iterator[Piece]:
    """The text in pieces. With `lines`, line feeds and tabs stay what they are; with `spaces`, white space that
    would be overlooked is marked too."""
    at = 0
    for found in (SPACES if spaces else HIDDEN).finditer(text):
        if lines and found[0] in "\n\t":
            continue
        if found.start() > at:
            yield Piece(text[at : found.start()])
        yield Piece(_name(found[0]), mark=True)
        at = found.end()
    if at < len(text):
        yield Piece(text[at:])


def _name(hidden: str) -> str:
    if hidden.startswith(" "):
        return "·" * len(hidden)
    return _NAMED.get(hidden) or f"U+{ord(hidden):04X}"


def plain(text: str, *, lines: bool = False) -> str:
    """As plain text: `⟨U+202E⟩`. Safe for a terminal, for XML 1.0 and for UTF-8."""
    return "".join(
        f"⟨{p.text}⟩" if p.mark and p.text not in _NAMED.values() else p.text for p in pieces(text, lines=lines)
    )


def cut(text: str, most: int) -> str:
    """The first `most` characters; what is left out is said."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"


def tail(text: str, most: int) -> str:
    """The last `most` characters: where a traceback says what happened."""
    return text if len(text) <= most else f"({len(text) - most:,} characters before) … {text[-most:]}"
