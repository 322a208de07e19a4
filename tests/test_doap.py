"""DOAP files: what is read of them, what they claim beside what was measured, and the file that a run supports."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab import doap, report
from lab.doap import Implemented
from lab.errors import UsageError
from lab.record import Record
from lab.report.claims import Claimed, claims, unknown
from lab.report.judgement import judge
from lab.rows import RowOutcome
from lab.verdict import Outcome
from tests.report import building
from tests.report.building import result

HEAD = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://usefulinc.com/ns/doap#" '
    'xmlns:xmpp="https://linkmauve.fr/ns/xmpp-doap#">'
)


def xep(number: str, **said: str) -> str:
    inner = "".join(f"<xmpp:{name}>{text}</xmpp:{name}>" for name, text in said.items())
    address = f"https://xmpp.org/extensions/xep-{number}.html"
    return (
        f'<implements><xmpp:SupportedXep><xmpp:xep rdf:resource="{address}"/>{inner}</xmpp:SupportedXep></implements>'
    )


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def make(inner: str, name: str = "project.doap") -> Path:
        path = tmp_path / name
        path.write_text(f"{HEAD}<Project><name>x</name>{inner}</Project></rdf:RDF>", encoding="utf-8")
        return path

    return make


def test_specifications_are_read_with_what_is_said_of_them(file: Any) -> None:
    rfc = '<implements rdf:resource="https://www.rfc-editor.org/info/rfc6120"/>'
    other = '<implements rdf:resource="https://example.org/a-protocol"/>'
    known = xep("0030", status="complete", version="2.5rc3", since="0.1", note="all of it")
    assert doap.read(file(rfc + other + known + xep("0198", status="planned"))) == {
        "RFC 6120": Implemented(),
        "XEP-0030": Implemented("complete", "2.5rc3", "0.1", "all of it"),
        "XEP-0198": Implemented("planned"),
    }


def test_another_spelling_of_the_same_rdf_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "project.ttl"
    path.write_text(
        "@prefix d: <http://usefulinc.com/ns/doap#> . @prefix x: <https://linkmauve.fr/ns/xmpp-doap#> .\n"
        "<#p> a d:Project ; d:implements <https://www.rfc-editor.org/rfc/rfc6121.html> ,\n"
        "  [ a x:SupportedXep ; x:xep <https://xmpp.org/extensions/xep-0045.html> ; x:status 'partial' ] .\n"
    )
    assert doap.read(path) == {"RFC 6121": Implemented(), "XEP-0045": Implemented("partial")}


def test_planned_and_refused_is_not_claimed() -> None:
    claimed = {status: Implemented(status).claimed for status in ("", "complete", "partial", "planned", "wontfix")}
    assert claimed == {"": True, "complete": True, "partial": True, "planned": False, "wontfix": False}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<rdf", "is no DOAP file"),
        ("\x00\x01", "is no DOAP file"),
        (f"{HEAD}</rdf:RDF>", "names no specification"),
        (f"{HEAD}<Project>{xep('30')}</Project></rdf:RDF>", "names no specification"),
    ],
)
def test_what_is_no_doap_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "project.doap"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        doap.read(path)
    assert says in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the DOAP file"):
        doap.read(tmp_path / "none.doap")


def test_no_entity_reaches_out_of_the_file(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "project.doap"
    secret.write_text("secret")
    known = xep("0030", note="&out;.")
    path.write_text(
        f'<!DOCTYPE x [<!ENTITY out SYSTEM "{secret.as_uri()}">]>{HEAD}<Project>{known}</Project></rdf:RDF>'
    )
    assert "secret" not in doap.read(path)["XEP-0030"].note


# --- beside what was measured

A, B, C, D = "xep-0030/a", "xep-0115/b", "xep-0163/c", "xep-0368/d"


@pytest.fixture
def recorded(tmp_path: Path) -> Any:
    """A record in which XEP-0030 holds, 0115 fails once, 0163 is unsupported, of 0368 not all was run."""

    def make(claimed: dict[str, Implemented], advertised: dict[str, list[str]] | None = None) -> Record:
        results = (
            result(A),
            result(B),
            result("xep-0115/b2", Outcome.FAIL),
            result(C, Outcome.UNSUPPORTED),
            result(D, Outcome.NON_STRICT),
        )
        known = {"XEP-0030": 1, "XEP-0115": 2, "XEP-0163": 1, "XEP-0368": 2}
        path = tmp_path / "run.ndjson"
        return building.record(path, results, known_checks=known, doap=claimed, advertised=advertised or {})

    return make


def by_provider(record: Record) -> dict[str, Claimed]:
    return {one.provider: one for one in claims(judge(record))}


def test_claims_stand_beside_what_was_measured(recorded: Any) -> None:
    found = by_provider(recorded({"XEP-0030": Implemented("complete", "2.5.0")}, {"XEP-0030": ["server x"]}))
    one, other = found["XEP-0030"], found["XEP-0115"]
    assert (one.wire, one.file, one.measured) == (("server x",), Implemented("complete", "2.5.0"), RowOutcome.PASS)
    assert (one.held, one.tried, one.known, one.whole, one.remarks) == (1, 1, 1, True, ())
    assert (other.wire, other.file, other.measured) == (None, None, RowOutcome.FAIL)
    assert (other.held, other.tried, other.whole) == (1, 2, False)


@pytest.mark.parametrize(
    ("provider", "claimed", "wire", "remarks"),
    [
        ("XEP-0115", Implemented("complete"), None, ("claimed, and 1 of 2 checks fail",)),
        ("XEP-0115", None, ["stream caps"], ("claimed, and 1 of 2 checks fail",)),
        ("XEP-0115", Implemented("wontfix"), None, ()),
        ("XEP-0030", None, None, ("holds, and the DOAP file does not say so",)),
        ("XEP-0030", Implemented("planned"), None, ("holds, and the DOAP file does not say so",)),
        ("XEP-0030", Implemented("complete"), [], ("claimed in the DOAP file, and not on the wire",)),
        ("XEP-0163", Implemented("partial"), None, ("claimed in the DOAP file, and not supported here",)),
        (
            "XEP-0030",
            Implemented("complete", "1.0"),
            None,
            ("the DOAP file is about version 1.0, the checks about 2.5.0",),
        ),
    ],
)
def test_where_they_do_not_go_together_it_is_said(
    recorded: Any, provider: str, claimed: Implemented | None, wire: list[str] | None, remarks: tuple[str, ...]
) -> None:
    file = {"RFC 6120": Implemented(), **({provider: claimed} if claimed else {})}
    record = recorded(file, {provider: wire} if wire is not None else {})
    assert by_provider(record)[provider].remarks == remarks


def test_without_a_file_nobody_misses_a_claim_in_it(recorded: Any) -> None:
    assert by_provider(recorded({}))["XEP-0030"].remarks == ()


def test_what_no_check_is_for_is_named(recorded: Any) -> None:
    record = recorded({"XEP-0030": Implemented(), "XEP-0999": Implemented(), "XEP-0998": Implemented("planned")})
    assert unknown(judge(record)) == ("XEP-0999",)


def test_every_report_shows_it(recorded: Any, tmp_path: Path) -> None:
    record = recorded({"XEP-0115": Implemented("<b>complete</b>", "9")})
    written = report.write_all(record.path, tmp_path)
    page, summary = written.html.read_text("utf-8"), written.summary.read_text("utf-8")
    assert "Claimed and measured" in page
    assert "&lt;b&gt;complete&lt;/b&gt;" in page
    assert "<b>complete" not in page
    assert '"claimed, and 1 of 2 checks fail"' in summary
    said = io.StringIO()
    report.terminal(report.load(record.path), Console(file=said, width=120))
    assert "XEP-0115: claimed, and 1 of 2 checks fail" in said.getvalue()


# --- the file that a run supports


def test_the_list_that_a_run_supports_says_how_far(recorded: Any, tmp_path: Path) -> None:
    path = tmp_path / "made.doap"
    path.write_text(report.claimable(recorded({})), encoding="utf-8")
    found = doap.read(path)
    assert {provider: said.status for provider, said in found.items()} == {
        "XEP-0030": "complete",
        "XEP-0115": "partial",
        "XEP-0368": "partial",
    }
    assert found["XEP-0115"].note.startswith("1 of 2 checks hold (Stanzalab ")
    assert "1 not run" in found["XEP-0368"].note
    assert found["XEP-0030"].version == "2.5.0"


def test_an_rfc_that_holds_in_part_is_only_remarked(tmp_path: Path) -> None:
    text = doap.written(
        "x", {"RFC 6120": Implemented("partial", note="1 of 2 -- checks"), "RFC 7590": Implemented("complete")}
    )
    path = tmp_path / "made.doap"
    path.write_text(text)
    assert doap.read(path) == {"RFC 7590": Implemented()}
    assert "<!-- RFC 6120: 1 of 2 - - checks -->" in text


def test_a_run_of_which_nothing_holds_supports_no_claim(tmp_path: Path) -> None:
    record = building.record(tmp_path / "run.ndjson", (result(B, Outcome.FAIL),))
    with pytest.raises(UsageError, match="supports no claim"):
        report.claimable(record)


STANZALAB = Path(sys.executable).parent / "stanzalab"


def stanzalab(runs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STANZALAB_RUNS": str(runs)}
    return subprocess.run(
        [STANZALAB, *words], capture_output=True, text=True, check=False, env=environment, timeout=60
    )


def test_the_newest_run_of_the_server_that_is_meant_is_used(tmp_path: Path) -> None:
    for day, version in ((1, "13.0"), (2, "0.12"), (3, "13.0")):
        folder = tmp_path / f"{day}"
        folder.mkdir()
        subject = {"name": "prosody", "version": version, "title": f"Prosody of day {day}"}
        building.record(
            folder / "run.ndjson", (result(A),), started=f"2026-11-0{day}T00:00:00+00:00", subject=subject
        )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.ndjson").write_text("{}\n[]\n")
    assert "<name>Prosody of day 3</name>" in stanzalab(tmp_path, "doap", "--server", "prosody").stdout
    assert "<name>Prosody of day 2</name>" in stanzalab(tmp_path, "doap", "--server", "prosody:0.12").stdout
    for words, said in (
        (("--server", "ejabberd"), "there is no run of the server ejabberd"),
        (("--client", "prosody"), "there is no run of the client prosody"),
        (("--server", "a", "--client", "b"), "server and client do not go together"),
    ):
        done = stanzalab(tmp_path, "doap", *words)
        assert done.returncode == 2
        assert said in done.stderr


def test_it_is_written_where_it_is_wanted(recorded: Any, tmp_path: Path) -> None:
    made = tmp_path / "made.doap"
    done = stanzalab(tmp_path, "doap", str(recorded({}).path), "--out", str(made))
    assert done.returncode == 0, done.stderr
    assert "XEP-0030" in doap.read(made)
    assert stanzalab(tmp_path, "doap", str(tmp_path / "run.ndjson"), "--out", "/no/such/folder/x").returncode == 3
