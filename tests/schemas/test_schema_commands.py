"""`stanzalab schemas`, as a person types it: tables, JSON, exit codes; and the audit of the real sources."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas import catalogue
from schemas.audit.audit import AIM
from tests.schemas.made_up import cdata, xep
from tests.schemas.reference import shared
from tests.test_cli import stanzalab

PING = "<iq type='get' id='a'><ping xmlns='urn:xmpp:ping'/></iq>"


@pytest.mark.parametrize("command", ["list", "audit"])
def test_help_teaches(command: str) -> None:
    done = stanzalab("schemas", command, "--help")
    assert done.returncode == 0
    assert f"Usage: stanzalab schemas {command}" in done.stdout
    assert "--json" in done.stdout


def test_list_has_every_schema() -> None:
    done = stanzalab("schemas", "list", "--json")
    found = {schema["namespace"]: schema for schema in json.loads(done.stdout)}
    assert set(found) == set(catalogue.catalogue().files)
    assert found["http://jabber.org/protocol/disco#info"]["provider"] == "XEP-0030"
    assert found["http://jabber.org/protocol/disco#info"]["elements"] == ["feature", "identity", "query"]
    table = stanzalab("schemas", "list").stdout
    assert all(f"{namespace}\n" in table for namespace in found)


def test_audit_of_a_clean_checkout(tmp_path: Path) -> None:
    xep(tmp_path, cdata(PING), "plain text")
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^XEP-9999 2 +1 +1 ", done.stdout, re.MULTILINE)
    assert "0 mismatches, 0 listed, 0 drifts, 0 stale entries, 0 broken sources" in done.stdout


def test_audit_shows_each_mismatch_and_where(tmp_path: Path) -> None:
    path = xep(tmp_path, cdata(PING.replace("get", "got")))
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path))
    line = next(n for n, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "got" in text)
    assert done.returncode == 1
    assert (
        f"XEP-9999 example 1 (Number 1), line {line}: Element '{{jabber:client}}iq', attribute 'type'" in done.stdout
    )


def test_audit_as_json(tmp_path: Path) -> None:
    xep(tmp_path, cdata(PING.replace("get", "got")), cdata("<iq"))
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path), "--json")
    found = json.loads(done.stdout)
    (report,) = found["specifications"]
    assert (done.returncode, found["clean"]) == (1, False)
    assert (report["well-formed"], report["malformed"]) == (1, 1)
    assert report["other"] == {"valid": 1, "listed": 0, "mismatched": 0}
    assert report["stanza"] == {"valid": 0, "listed": 0, "mismatched": 1}
    assert [(f["example"], f["element"], f["listed"]) for f in report["findings"]] == [(1, "{jabber:client}iq", None)]


def test_verbose_says_what_could_not_be_read(tmp_path: Path) -> None:
    xep(tmp_path, cdata("<iq"), cdata(f"C: {PING}</stream:stream>"))
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path), "-v")
    assert "XEP-9999 example 1, line" in done.stdout
    assert "malformed: " in done.stdout
    assert "salvaged: marks of who speaks left out, stream opened or closed" in done.stdout


def test_only_some_specifications(tmp_path: Path) -> None:
    xep(tmp_path, cdata("<iq/>"))
    xep(tmp_path, cdata(PING), number=9998)
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path), "--provider", "xep-9998")
    assert done.returncode == 0
    assert "XEP-9999" not in done.stdout
    unknown = stanzalab("schemas", "audit", "--xeps", str(tmp_path), "--provider", "XEP-9990")
    assert unknown.returncode == 2
    assert "nearest: XEP-999" in unknown.stderr


def test_a_broken_source_is_said_and_the_rest_audited(tmp_path: Path) -> None:
    xep(tmp_path, cdata(PING))
    (tmp_path / "xep-0001.xml").write_text("<xep>\n<header></xep>", encoding="utf-8")
    done = stanzalab("schemas", "audit", "--xeps", str(tmp_path))
    assert done.returncode == 1
    assert "broken xep-0001.xml:2: is not well-formed" in done.stdout
    assert "XEP-9999" in done.stdout


@pytest.mark.parametrize("option", ["--xeps", "--rfcs"])
def test_a_folder_that_is_no_checkout(tmp_path: Path, option: str) -> None:
    xep(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    words = {"--xeps": str(tmp_path)} | {option: str(empty)}
    done = stanzalab("schemas", "audit", *(word for pair in words.items() for word in pair))
    assert done.returncode == 2
    assert "is no checkout of the sources" in done.stderr
    assert "next: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_real_sources() -> None:
    """Every example of the specifications validates or is listed with its reason; the aims are met."""
    xeps, rfcs = shared("reference/xeps"), shared("reference/rfcs")
    done = stanzalab("schemas", "audit", "--xeps", str(xeps), "--rfcs", str(rfcs), "--json")
    found = json.loads(done.stdout)
    unlisted = [
        (report["provider"], finding["example"], finding["message"])
        for report in found["specifications"]
        for finding in report["findings"]
        if finding["listed"] is None
    ]
    assert unlisted == []
    assert found["stale"] == []
    assert [drift for report in found["specifications"] for drift in report["drifts"]] == []
    assert done.returncode == 0
    assert {aim["title"]: aim["percent"] for aim in found["totals"] if aim["aim"] and aim["percent"] < AIM} == {}
