"""The site's files: made in a folder beside, and put in place when they are whole.

Jinja2 escapes what is in pages, JSON is ASCII with `<` escaped where it stands in a script, and no page has a script
or a style inside, so that its Content-Security-Policy can forbid both.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from lab.errors import MachineError, UsageError
from lab.report import page as report
from lab.report import words
from lab.report.stanzas import Item
from lab.site import badges
from lab.site.cells import Collection
from lab.site.facts.nights import of_record
from lab.site.pages import TOP, pages
from lab.verdict import Outcome

FOLDER = Path(__file__).with_name("html")
KEPT = 400  # characters of a text whose markup is kept for the next page
SCRIPTS = ("site.js", "diff.js")
FOLDERS = {"servers", "clients", "rows", "checks", "history", "records", "badges"}
OURS = FOLDERS | {*SCRIPTS, "site.css"} | {n for top in TOP for n in (top, f"{top.removesuffix('.html')}.json")}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)


def write(collection: Collection, out: Path) -> Counter[str]:
    """Put the site into the folder `out`, in place of the one that is there. Answers how many files of each kind.

    Raises UsageError where `out` holds something else than a site, MachineError where it cannot be written.
    """
    try:
        _require_replaceable(out)
        with _beside(out) as folder:
            written = _write_all(collection, folder)
            _put_in_place(folder, out)
    except OSError as error:
        raise MachineError(
            f"cannot write the site {out}",
            cause=str(error),
            hint="make room, or name another folder by --out; what was there before is untouched",
        ) from error
    return written


def _require_replaceable(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder", hint="name a folder by --out")
    foreign = sorted(p.name for p in out.iterdir() if p.name not in OURS) if out.exists() else []
    if foreign:
        raise UsageError(
            f"{out} holds files that are not of a site",
            cause=", ".join(foreign[:5]),
            hint="name a new folder by --out: the whole folder is replaced each time",
        )


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder on the same disk, that is gone afterwards whatever happens."""
    target = out.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(folder: Path, out: Path) -> None:
    target = out.resolve()
    if not target.exists():
        folder.rename(target)
        return
    before = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    target.rename(before)
    try:
        folder.rename(target)
    except OSError:
        before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _write_all(collection: Collection, folder: Path) -> Counter[str]:
    environment = _environment()
    written: Counter[str] = Counter()
    for page in pages(collection):
        html = environment.get_template(page.template).render(page.facts, page=page, root=page.root)
        _put(folder / page.address, html)
        _put(folder / page.data, json.dumps(page.facts))
        written["pages"] += 1
    svg = environment.get_template("badge.svg.j2")
    for cell in collection.cells:
        for badge in badges.of_cell(cell):
            _put(folder / badge.address, svg.render(badge=badge))
            written["badges"] += 1
        for night, rows in zip(cell.nights, cell.rows_by_night, strict=True):
            data = json.dumps(of_record(cell, night, rows))
            _put(folder / f"records/{night.id}.json", data)
            _put(folder / f"records/{night.id}.js", _as_script(night.id, data))
            written["records"] += 1
    style = (report.FOLDER / "page.css").read_text("utf-8") + (FOLDER / "site.css").read_text("utf-8")
    _put(folder / "site.css", style)
    shared = (report.FOLDER / "parts.js").read_text("utf-8")
    for name in SCRIPTS:
        _put(folder / name, shared * (name == SCRIPTS[0]) + (FOLDER / name).read_text("utf-8"))
    return written


def _as_script(record: str, data: str) -> str:
    """The same for a page that was opened from a disk, where a browser fetches no JSON."""
    return f"stanzalab.record({json.dumps(record)}, {data});\n".replace("<", "\\u003c")


def _put(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode("utf-8", "replace"))
    except FileNotFoundError:  # the first file of its folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "replace"))


def _environment() -> Environment:
    environment = report.environment_of(FOLDER, report.FOLDER)
    # Names and requirements stand on hundreds of pages; what is long stands on one.
    shown = lru_cache(20_000)(report.shown)
    environment.filters["shown"] = lambda text, most=report.ANSWER: (
        shown(text, most) if len(text) <= KEPT else report.shown(text, most)
    )
    environment.filters["laid"] = lambda item: report.laid(Item(**item))
    environment.globals |= {
        "words": words,
        "top": TOP,
        "policy": POLICY,
        "all_outcomes": [outcome.value for outcome in Outcome],
        "meanings": {outcome.value: meaning for outcome, meaning in words.MEANINGS.items()},
        "width": badges.width,
        "one": _one,
    }
    return environment


def _one(outcome: Mapping[str, Any]) -> str:
    """The outcome that a row came to at both levels; empty where they differ."""
    found = set(outcome.values())
    return found.pop() if len(found) == 1 else ""
