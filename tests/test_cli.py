"""The command line as a person types it: help, JSON, wrong words, exit codes. Whole runs are in test_runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STANZALAB = Path(sys.executable).parent / "stanzalab"


def stanzalab(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STANZALAB, *words], capture_output=True, text=True, check=False, cwd=cwd, timeout=60)


CAMPAIGNS = ["fuzz", "replay", "compare"]
REGRESSION = ["attach", "diff", "baseline"]
COMMANDS = [
    "run",
    *CAMPAIGNS,
    *REGRESSION,
    "matrix",
    "merge",
    "checks",
    "suite",
    "coverage",
    "subjects",
    "show",
    "report",
    "prove",
    "doctor",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str) -> None:
    done = stanzalab(command, "--help")
    assert done.returncode == 0
    assert "Usage: stanzalab" in done.stdout
    assert "--json" in done.stdout


def test_help_lists_every_command_and_the_exit_codes() -> None:
    done = stanzalab("--help")
    assert all(command in done.stdout for command in COMMANDS)
    assert "Exit codes: 0 all as expected" in done.stdout


def test_checks_as_json_say_all_that_is_asked() -> None:
    found = json.loads(stanzalab("checks", "--json").stdout)
    assert len(found) > 140
    assert {"name", "provider", "section", "keyword", "role", "rows", "says"} <= set(found[0])
    assert all(check["rows"] for check in found)
    assert {row for check in found for row in check["rows"] if check["provider"] == "XEP-0402"} == {
        "informational/xep-0402"
    }, "it is of later suites"


def test_coverage_as_json() -> None:
    (found,) = json.loads(stanzalab("coverage", "--provider", "RFC 6120", "--json").stdout)
    assert found["sections"] == 164
    assert sum(line["must"] for line in found["lines"]) == 496


def test_suite_as_json() -> None:
    found = json.loads(stanzalab("suite", "--year", "2022", "--role", "server", "--json").stdout)
    assert found["suite"] == "CS2022"


@pytest.mark.parametrize("role", ["client", "pair", "federation"])
def test_checks_of_another_role(role: str) -> None:
    found = json.loads(stanzalab("checks", "--role", role, "--json").stdout)
    assert found
    assert {check["role"] for check in found} == {role}


def test_subjects() -> None:
    found = {s["name"]: s for s in json.loads(stanzalab("subjects", "--json").stdout)}
    assert set(found) >= {"prosody", "ejabberd", "pyjabber"}
    assert all(s["provides"] for s in found.values() if s["role"] == "server")


def test_output_that_nobody_reads_to_the_end() -> None:
    # The shell's own pipe: a process whose reader has gone before it is done.
    done = subprocess.run(
        ["sh", "-c", f"{STANZALAB} checks | head -n 1"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--server", "prosdy"], "prosody"),
        (["run", "--server", "prosody:9"], "0.12"),
        (["run", "--server", "no/such/folder"], "no/such/folder"),
        (["run", "--row", "core/tsl"], "core/tls"),
        (["run", "--check", "rfc-6120/nonsense"], "rfc-6120/"),
        (["run", "--provider", "RFC 6122"], "RFC 6120"),
        (["run", "--row", "im/message-correction"], "no server check is selected"),
        (["run", "--suite", "1999"], "2021"),
        (["run", "--cell", "no-such-cell.json"], "no-such-cell.json"),
        (["run", "--engine", "podman"], "docker"),
        (["run", "--server", "prosody", "--engine", "local"], "docker"),
        (["run", "--server", "prosody", "--peer", "ejabberd", "--client", "slixmpp"], "--peer and clients"),
        (["run", "--server", "prosody", "--peer", "pyjabber"], "pyjabber runs in a local process"),
        (["run", "--peer", "prosody"], "pyjabber runs in a local process"),
        (["run", "--peer", "prosody", "--cell", "cell.json"], "--peer and --cell"),
        (["run", "--server", "prosody", "--peer", "ejabbed"], "ejabberd"),
        (["prove", "--server", "prosody", "--peer", "prosody:9"], "0.12"),
        (["suite", "--category", "cor"], "core"),
        (["coverage", "--provider", "XEP-9999"], "XEP-"),
        (["show", "rfc-6120/x", "--record", "no-such-record"], "no-such-record"),
        (["show", "rfc-6120/x"], "there is no run yet"),
        (["report", "no-such-record"], "no-such-record"),
        (["diff", "no-such-record", "no-such-record"], "no-such-record"),
        (["nonsense"], "No such command"),
        (["run", "--nonsense"], "No such option"),
    ],
)
def test_wrong_words_are_answered_with_exit_2_and_a_hint(tmp_path: Path, words: list[str], said: str) -> None:
    done = stanzalab(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_subject_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "x"\n[versions\n')
    done = stanzalab("run", "--server", f"{tmp_path}/")
    assert done.returncode == 2
    assert "subject.toml" in done.stderr
    assert "line 2" in done.stderr


def test_no_colour_and_no_progress_bar_where_nobody_watches() -> None:
    assert "\x1b[" not in stanzalab("checks").stdout
