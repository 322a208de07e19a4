"""What the lab writes is what the published schema says, and the schema refuses what is not."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lab import record as records
from lab.record import Exit, LogLine
from tests.report import building

SCHEMA = json.loads(records.SCHEMA.read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


@pytest.fixture
def events(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """One event of each kind, as the writer wrote it."""
    path = building.write(
        tmp_path / "run.ndjson",
        building.every_kind(),
        log=(LogLine(building.START, building.HOSTILE),),
        exits=(Exit(building.START, "signal 11", restarted=True),),
        **building.FUZZED,
    )
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    return {line["event"]: line for line in lines}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_event_of_the_writer_is_valid(events: dict[str, dict[str, Any]]) -> None:
    assert set(events) == set(SCHEMA["properties"]["event"]["enum"])


@pytest.mark.parametrize(
    ("event", "field", "wrong"),
    [
        ("header", "format", 2),
        ("header", "role", "proxy"),
        ("header", "suite", "latest"),
        ("header", "started", "yesterday"),
        ("header", "selected", "all"),
        ("header", "advertised", {"XEP-0030": True}),
        ("header", "surprise", 1),
        ("check", "outcome", "green"),
        ("check", "expectation", "hoped"),
        ("check", "keyword", "SHALL"),
        ("check", "sections", []),
        ("check", "name", "a number 7"),
        ("check", "duration", -1),
        ("check", "trace", [[1.0, "alice", "sideways", "<iq/>"]]),
        ("check", "trace", [[1.0, "alice", "sent"]]),
        ("check", "strictness", [{"element": "a", "message": "b"}]),
        ("check", "strictness", [{"element": "a", "message": "b", "seen": "c", "count": 0}]),
        ("robustness", "outcome", "unsupported"),
        ("robustness", "provider", "ping"),
        ("robustness", "valid", -1),
        ("robustness", "findings", "one"),
        ("robustness", "surprise", 1),
        ("finding", "fingerprint", ""),
        ("finding", "expectation", "fixed"),
        ("finding", "confirmed", 1.5),
        ("finding", "trace", [[1.0, "alice", "sideways", "<iq/>"]]),
        ("finding", "shrunk", "a little"),
        ("campaign", "rate", "fast"),
        ("campaign", "sent", -1),
        ("campaign", "stopped", None),
        ("campaign", "not_seen", "lives"),
        ("log", "at", "noon"),
        ("exit", "restarted", "perhaps"),
        ("footer", "counts", {"green": 1}),
        ("footer", "exit", 7),
        ("footer", "event", "foot"),
    ],
)
def test_wrong_events_are_refused(events: dict[str, dict[str, Any]], event: str, field: str, wrong: object) -> None:
    broken = copy.deepcopy(events[event]) | {field: wrong}
    assert not VALIDATOR.is_valid(broken)


@pytest.mark.parametrize("event", SCHEMA["properties"]["event"]["enum"])
def test_events_without_their_fields_are_refused(events: dict[str, dict[str, Any]], event: str) -> None:
    required = SCHEMA["$defs"][event]["required"]
    for field in required:
        assert not VALIDATOR.is_valid({k: v for k, v in events[event].items() if k != field}), field


def test_the_example_of_the_docs_is_valid_and_readable(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "record.md").read_text("utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert example
    for line in example[1].splitlines():
        VALIDATOR.validate(json.loads(line))
    path = tmp_path / "run.ndjson"
    path.write_text(example[1], encoding="utf-8")
    read = records.read(path)
    assert read.finished
    assert not read.damage
    assert not read.missing
    assert read.campaign
    assert [one.findings for one in read.robustness] == [tuple(one.fingerprint for one in read.findings)]
