"""Writes the generated tables of the pages that people wrote, and the JSON Schemas of the agents' contract.

With --check, it only says whether one drifted (exit 1).

A table stands between `<!-- NAME: made by scripts/tables.py -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from lxml import etree

from generators.malformations import OPERATORS
from generators.stanza import Family
from lab import catalogue as catalogue_of_checks
from lab import fuzz, subjects
from lab.agents import contract
from lab.campaign.judge import RULES
from lab.coverage import coverages
from lab.options import DEFAULT_YEAR
from lab.subjects import Client, Subject
from lab.verdict import ROLES
from schemas import catalogue, payloads
from schemas.audit.exceptions import Why
from schemas.payloads import Addressee, Carrier, Party
from schemas.robustness import Trial

ROOT = Path(__file__).parent.parent
TYPES = "urn:stanzalab:types"
NO_PROTOCOL = {TYPES, "http://www.w3.org/XML/1998/namespace"}
"""Namespaces that schemas of protocols only borrow from."""


def coverage_table() -> str:
    rows = [(c.provider, c.checks, len(c.lines), c.covered, c.reasoned) for c in coverages()]
    head = ["provider", "checks", "sections with MUST or SHOULD", "with checks", "with a reason for none"]
    return _table(head, rows, "lrrrr")


def client_coverage_table() -> str:
    counts = [catalogue_of_checks.known_checks(role) for role in ROLES if role != "server"]
    providers = sorted({provider for count in counts for provider in count})
    rows = [(provider, *(count.get(provider, 0) for count in counts)) for provider in providers]
    head = ["provider", "checks of a client", "checks of a pair", "checks of two servers"]
    return _table(head, rows, "lrrr")


def subjects_table() -> str:
    rows = []
    known: list[Subject | Client] = [*subjects.all_subjects(), *subjects.all_clients()]
    for s in known:
        versions = [s.default, *(v for v in s.versions if v != s.default)]
        rows.append((f"[{s.title}]({s.homepage}) `{s.name}`", s.role, ", ".join(versions), ", ".join(s.engines)))
    return _table(["subject", "role", "versions (default first)", "runs in"], rows)


def stanzas_table() -> str:
    """What the stanzas of a campaign are made of, in numbers."""
    files = [file for file in catalogue.catalogue().files.values() if file.namespace not in NO_PROTOCOL]
    registry = payloads.load()
    clients = sum(len(payload.uses_of(Party.CLIENT)) for payload in registry)
    families = Counter(o.family for o in OPERATORS.values() if not o.valid)
    wrong = ", ".join(f"{families[family]} of the {family}" for family in Family)
    trials = _trials()
    sent = sum(not trial.none for trial in trials)
    specifications = len({file.provider for file in files})
    rows = [
        ("schemas, one a namespace", len(files), f"of {specifications} specifications"),
        (
            "payloads",
            len(registry),
            f"used in {sum(len(p.uses) for p in registry)} ways, in {clients} of them by clients",
        ),
        ("ways to be malformed", sum(families.values()), wrong),
        ("ways to look odd and be valid", len(OPERATORS) - sum(families.values()), "the control group"),
        ("standing rules", len(RULES), "that every answer is held against"),
        ("specifications fuzzed", sent, f"of the {len(trials)} that CS{DEFAULT_YEAR} asks of servers"),
    ]
    return _table(["what", "how many", ""], rows, "lrl")


def rules_table() -> str:
    return _table(["rule", "what it asks", "where"], [(f"`{r.name}`", r.says, r.where) for r in RULES.values()])


def untried_table() -> str:
    return _table(["specification", "why not"], [(t.provider, t.none) for t in _trials() if t.none])


def elsewhere_table() -> str:
    """The specifications that are not tried with just their own payloads, as clients send them."""
    rows = []
    for trial in _trials():
        others = list(dict.fromkeys(payload.provider for payload, _ in trial.uses))
        if trial.none or (others == [trial.provider] and trial.over == "c2s"):
            continue
        rows.append((trial.provider, ", ".join(others), trial.over))
    return _table(["specification", "is tried with the payloads of", "over"], rows)


def meanings_table() -> str:
    schema = catalogue.catalogue().files[TYPES]
    root = etree.parse(schema.path).getroot()
    names = [f"`t:{type_.get('name')}`" for type_ in root.iterchildren("{*}simpleType", "{*}complexType")]
    return ", ".join(names)


def words_table() -> str:
    fields: list[tuple[str, str, Iterable[StrEnum]]] = [
        ("`stanza`", "what it travels in", Carrier),
        ("`from`", "who sends it", Party),
        ("`to`", "to whom it may be addressed", Addressee),
    ]
    return _table(["field", "what it says", "its words"], [(f, says, _words(words)) for f, says, words in fields])


def reasons_table() -> str:
    return _words(Why)


def environment_table() -> str:
    return _table(["variable", "what it says"], [(f"`{name}`", says) for name, says in contract.ENVIRONMENT.items()])


def commands_table() -> str:
    rows = [
        (f"`{name}`", _names(c.needs, c.may_have), _names(c.answers, c.may_answer), c.says)
        for name, c in contract.COMMANDS.items()
    ]
    return _table(["command", "arguments", "`done` brings", "what is asked"], rows)


def events_table() -> str:
    rows = [(f"`{name}`", _names(k.needs, k.may_have), k.says) for name, k in contract.EVENTS.items()]
    return _table(["event", "with", "what it tells"], rows)


def _names(needed: Iterable[str], optional: Iterable[str]) -> str:
    """The names of fields; those that may be absent in brackets."""
    return ", ".join([*(f"`{name}`" for name in needed), *(f"[`{name}`]" for name in optional)])


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {
        "stanzas": stanzas_table,
        "coverage": coverage_table,
        "client-coverage": client_coverage_table,
        "subjects": subjects_table,
    },
    "docs/clients.md": {
        "environment": environment_table,
        "commands": commands_table,
        "events": events_table,
    },
    "docs/fuzzing.md": {"rules": rules_table, "elsewhere": elsewhere_table, "untried": untried_table},
    "docs/schemas.md": {"meanings": meanings_table, "words": words_table, "reasons": reasons_table},
}
"""Page -> name of a table in it -> what makes it."""

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "lab/agents/command.schema.json": contract.command_schema,
    "lab/agents/event.schema.json": contract.event_schema,
}
"""JSON Schema -> what makes it."""


def rewritten(page: str, text: str) -> str:
    """The page with its tables as they should be. Raises ValueError: the place of one is not there."""
    for name, make in TABLES[page].items():
        begin, end = f"<!-- {name}: made by scripts/tables.py -->\n", f"<!-- /{name} -->"
        before, began, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not began or not ended:
            raise ValueError(f"{page} has no place for the table {name!r}: {begin.strip()} … {end}")
        text = f"{before}{begin}{make()}\n{end}{after}"
    return text


def _trials() -> tuple[Trial, ...]:
    return fuzz.trials_of(fuzz.rows_of(DEFAULT_YEAR))


def _words(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]], align: str = "") -> str:
    columns = list(head)
    rule = {"r": "--:", "l": "---"}
    lines = [columns, [rule[side] for side in align or "l" * len(columns)], *rows]
    return "\n".join(_line(line) for line in lines)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    drifted = False
    for file, after in _made():
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if before != after:
            drifted = True
            if "--check" not in sys.argv:
                file.write_text(after, encoding="utf-8")
    return int("--check" in sys.argv and drifted)


def _made() -> Iterator[tuple[Path, str]]:
    """Each file that is made here, wholly or in part, as it should be."""
    for page in TABLES:
        yield ROOT / page, rewritten(page, (ROOT / page).read_text(encoding="utf-8"))
    for file, schema in SCHEMAS.items():
        yield ROOT / file, json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
