"""The HTML page of a run: one file, nothing loaded from outside, no markup and no script but our own.

Three walls stand between a subject's text and the reader: jinja2's autoescape, marks in place of characters that
mislead (`lab.report.visible`), and a Content-Security-Policy that knows the two hashes of our style and script.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab.record import CheckResult, LogLine, TraceEntry
from lab.report import claims, stanzas, words
from lab.report.judgement import FINDING, Judgement, counts_of
from lab.report.stanzas import Item
from lab.report.visible import cut, pieces, plain
from lab.robustness import Found
from lab.rows import RowResult
from lab.verdict import Expectation, Outcome, slug
from schemas.suites import Level

FOLDER = Path(__file__).with_name("html")
ANSWER = 4_000  # characters of expected, seen and reasons
PASSED, REST = 1_500_000, 3_000_000  # characters of traces and logs, of all passing checks and of all others
FOUND = 1_500_000  # and of all findings
LEAST, MOST = 1_500, 48_000  # and of a single check or finding
_NAME = re.compile(r"(&lt;/?)([\w:.-]+)")  # of an element, in escaped XML


@dataclass(frozen=True)
class Evidence:
    """What a check's fold shows of its trace and of the log; `left_out` counts the characters of the rest."""

    items: tuple[Item, ...]
    log: tuple[LogLine, ...]
    left_out: int


def rendered(judgement: Judgement) -> str:
    """The page. Raises nothing that a record's content could cause."""
    environment = environment_of(FOLDER)
    style, shared, own = ((FOLDER / name).read_text("utf-8") for name in ("page.css", "parts.js", "page.js"))
    script = shared + own
    page = environment.get_template("index.html.j2").render(
        judgement=judgement,
        record=judgement.record,
        header=judgement.record.header,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=_policy(style, script),
        levels=list(Level),
        outcomes=list(Outcome),
        claimed=claims.claims(judgement),
        claims_unknown=claims.unknown(judgement),
        unusual={Expectation.KNOWN, Expectation.FIXED, Expectation.FLAKY},
        words=words,
        slug=slug,
        bar=_bar(judgement),
        counts_of=counts_of,
        tried=_tried,
        strip=_strip(judgement),
        evidence=_evidence(judgement),
        found_evidence=_found_evidence(judgement),
        FINDING=FINDING,
        one_outcome=lambda row: len(set(row.outcome.values())) == 1,
    )
    # What is left of lone surrogates after all marks (none, today) must not keep the page from being written.
    return page.encode("utf-8", "replace").decode("utf-8")


def environment_of(*folders: Path) -> Environment:
    """Templates in these folders, with autoescape and the filters for what a subject said."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "shown": shown,
        "laid": laid,
        "exact": exact,
        "plain": plain,
        "lasted": words.lasted,
        "instant": words.instant,
        "href": lambda name: f"#{quote(name, safe='/-._~', errors='replace')}",
    }
    return environment


def shown(text: str, most: int = ANSWER) -> Markup:
    """Text of a subject, in markup: escaped, marked, shortened."""
    return Markup(_marked(cut(text, most), lines=True))  # noqa: S704 - escaped piece by piece


def exact(text: str) -> Markup:
    """What is sent, or a part of it: as `shown`, and white space that would be overlooked is marked too.

    For an element's content, not for an attribute.
    """
    return Markup(_marked(cut(text, ANSWER), lines=True, spaces=True, quotes=False))  # noqa: S704 - same


def laid(item: Item) -> Markup:
    """An item of a trace, a line a child element; what was sent stands there unaltered but for marks.

    For an element's content, not for an attribute.
    """
    if item.direction == "note":
        return shown(item.text)
    rows = ("  " * line.depth + _marked(line.text, spaces=True, quotes=False) for line in stanzas.lines(item))
    markup = "\n".join(rows)
    return Markup(_NAME.sub(r"\1<b>\2</b>", markup) if item.whole else markup)  # noqa: S704 - same


def _marked(text: str, *, lines: bool = False, spaces: bool = False, quotes: bool = True) -> str:
    """Escaped once for all; `html.escape` on strings, as Markup's own arithmetic takes seconds for a run.

    Without `quotes` it is fit for an element's content alone: in stanzas they are every tenth character.
    """
    found = pieces(text, lines=lines, spaces=spaces)
    return "".join(
        f"<i>{html.escape(p.text, quote=quotes)}</i>" if p.mark else html.escape(p.text, quote=quotes) for p in found
    )


def _policy(style: str, script: str) -> str:
    style_hash, script_hash = (b64encode(sha256(t.encode()).digest()).decode() for t in (style, script))
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _tried(row: RowResult) -> int:
    return sum(n for outcome, n in counts_of(row).items() if outcome.executed)


def _strip(judgement: Judgement) -> Callable[[RowResult], list[CheckResult]]:
    """A row's checks, for its strip of ticks."""
    return lambda row: [r for p in row.providers for r in judgement.providers.get(p.provider, ())]


def _bar(judgement: Judgement) -> list[tuple[Outcome, float, float]]:
    """The outcomes as parts of a bar of 1000: outcome, where it starts, how wide it is."""
    total = sum(judgement.counts.values())
    parts: list[tuple[Outcome, float, float]] = []
    at = 0.0
    for outcome, count in judgement.counts.items():
        width = 1000 * count / total
        parts.append((outcome, round(at, 2), round(width, 2)))
        at += width
    return parts


def _evidence(judgement: Judgement) -> Callable[[CheckResult], Evidence]:
    """Gives each check its share of the page's room. A trace that has none loses its beginning: the login."""
    passed = sum(r.outcome is Outcome.PASS for r in judgement.results)
    others = len(judgement.results) - passed
    rooms = {True: _share(PASSED, passed), False: _share(REST, others)}
    log_rooms = {True: LEAST, False: rooms[False] // 4}

    def of(result: CheckResult) -> Evidence:
        good = result.outcome is Outcome.PASS
        items, left_out = latest(result.trace, rooms[good])
        log = judgement.record.log_of(result)
        sizes = [len(line.line) for line in log]
        lines = tuple(
            replace(line, line=cut(line.line, most))
            for line, most in zip(log, _allotted(sizes, log_rooms[good]), strict=False)
        )
        return Evidence(items, lines, left_out + max(sum(sizes) - log_rooms[good], 0))

    return of


def _found_evidence(judgement: Judgement) -> Callable[[Found], Evidence]:
    """The same for findings, whose traces share room of their own; the log of that moment may be of any stanza."""
    room = _share(FOUND, len(judgement.findings))

    def of(found: Found) -> Evidence:
        items, left_out = latest([TraceEntry(*entry) for entry in found.trace], room)
        return Evidence(items, (), left_out)

    return of


def latest(trace: Iterable[TraceEntry], room: int) -> tuple[tuple[Item, ...], int]:
    """The end of a trace, as much as there is room for; how many characters are left out."""
    found = stanzas.items(trace)
    sizes = [len(item.text) for item in found]
    rests = zip(reversed(found), _allotted(reversed(sizes), room), strict=False)
    return tuple(_shortened(item, most) for item, most in rests)[::-1], max(sum(sizes) - room, 0)


def _share(room: int, checks: int) -> int:
    return min(max(room // max(checks, 1), LEAST), MOST)


def _shortened(item: Item, most: int) -> Item:
    return item if len(item.text) <= most else replace(item, text=cut(item.text, most), whole=False)


def _allotted(sizes: Iterable[int], room: int) -> Iterator[int]:
    """How many characters of each thing may be shown, until there is no room left."""
    for size in sizes:
        if room <= 0:
            return
        yield min(size, room)
        room -= size
