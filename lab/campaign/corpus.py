"""The corpus: findings kept to be replayed, one JSON file each, in a folder a subject. No verdicts here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from lab.campaign.finding import Finding
from lab.errors import MachineError, UsageError
from schemas.tables import nearest

FOLDER = Path("corpus")
DAMAGED = "damaged"


def folder_of(subject: str, base: Path = FOLDER) -> Path:
    """Where the findings of a subject are kept."""
    return base / (re.sub(r"[^\w.-]+", "-", subject).strip(".") or "subject")


def keep(finding: Finding, folder: Path) -> Path:
    """Write a finding, in place of one with the same fingerprint. Raises MachineError."""
    path = folder / f"{finding.name}.json"
    temporary = path.with_suffix(".tmp")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(finding.as_json(), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise MachineError(f"cannot keep a finding in {folder}", cause=str(error), hint="make room") from error
    return path


def load(folder: Path, names: Iterable[str] = ()) -> tuple[list[Finding], list[str]]:
    """The findings of a folder (those that `names` name, if any), and what is said of files that are damaged.

    A damaged file is set aside, into `damaged/` beside it. Raises UsageError: no such folder, no such finding.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no corpus {folder}", hint="`stanzalab fuzz` makes one, or name one with --corpus")
    wanted = [name.removesuffix(".json").rpartition("/")[2] for name in names]
    found: dict[str, Finding] = {}
    said: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = Finding.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
            said.append(f"{_set_aside(path)} is damaged and was set aside ({type(error).__name__}: {error})")
    if not wanted:
        return list(found.values()), said
    chosen: dict[str, Finding] = {}
    for name in wanted:
        fitting = {stem: finding for stem, finding in found.items() if name in (stem, finding.fingerprint)}
        fitting = fitting or {stem: finding for stem, finding in found.items() if stem.startswith(name)}
        if not fitting:
            raise UsageError(f"{folder} has no finding {name!r}", hint=nearest(name, found))
        chosen |= fitting
    return list(chosen.values()), said


def _set_aside(path: Path) -> Path:
    aside = path.parent / DAMAGED / path.name
    try:
        aside.parent.mkdir(exist_ok=True)
        path.replace(aside)
    except OSError:
        return path
    return aside
