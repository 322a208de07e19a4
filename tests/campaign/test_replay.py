"""Findings, sent again: to a fake that has the fault, to one that has not, to one that has another."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.accounts import FRUITLESS, Accounts, Comeback
from lab.campaign import corpus
from lab.campaign.finding import Finding
from lab.campaign.narrow import Prober
from lab.campaign.outside import Outside
from lab.campaign.replay import Outcome, Replay, Replayed, casting_of, obstacle, replay
from lab.campaign.template import Template
from lab.cell import Cell, Component, Endpoint, Subject
from lab.errors import UsageError
from lab.fakes import FakeServer
from lab.replay import findings_of
from lab.wire.namespaces import DISCO_INFO, PING, VERSION

STANZALAB = str(Path(sys.executable).parent / "stanzalab")


def template(namespace: str, local: str, addressee: str, to: str = "", extra: str = "") -> Template:
    """A request without anything wrong, as a finding keeps it."""
    whom = f" to='{to}'" if to else ""
    text = f"<iq type='get' id='{{{{id}}}}'{whom}><{local} xmlns='{namespace}'{extra}/></iq>"
    return Template(
        element=f"{{{namespace}}}{local}",
        provider="RFC 6120",
        carrier="iq",
        type="get",
        addressee=addressee,
        to=to,
        chunks=(b64encode(text.encode()).decode(),),
        id="{{id}}",
        reactions=("error", "result"),
        errors=(),
        stream_errors=(),
        where="RFC 6120 §8.2.3",
    )


PINGED = template(PING, "ping", "account")
ASKED = template(VERSION, "query", "server", "{{domain}}")


def finding(rule: str, name: str, *templates: Template) -> Finding:
    return Finding(
        fingerprint=f"{rule} by {name}",
        rule=rule,
        expected="",
        seen="",
        provider="RFC 6120",
        templates=templates,
        confirmed=3,
        subject="fake-server",
        version="0",
        seed=1,
    )


TWICE = finding("answers-once", f"valid {{{VERSION}}}query in iq get to server", ASKED)
WRONG_ID = finding("answers-what-was-sent", f"valid {{{PING}}}ping in iq get to account", PINGED)
IN_A_SEQUENCE = finding("answers-once", "a sequence of stanzas", PINGED, PINGED, PINGED, ASKED)


class Told:
    """Writes down what it is told; and interrupts, like Ctrl-C, before finding number `until`."""

    def __init__(self, until: int = 0) -> None:
        self.until = until
        self.results: list[Replayed] = []

    def replaying(self, number: int, count: int, finding: Finding) -> None:
        assert number <= count
        assert finding.templates
        if number == self.until:
            raise KeyboardInterrupt

    def replayed(self, result: Replayed) -> None:
        self.results.append(result)


Replaying = Callable[..., Replay]


@contextmanager
def replaying(misbehaviour: str = "", patience: float = 5.0) -> Iterator[Replaying]:
    """What replays findings on a fake."""
    with FakeServer(misbehaviour, patience=patience) as cell:
        comeback = Comeback(fruitless=FRUITLESS)
        accounts = Accounts(cell, comeback)
        with Outside(cell.process, None, None, ()) as outside:

            def prepare(found: Finding) -> Prober | str:
                why = obstacle(found, cell, exits=False, crashes=False)
                return why or Prober(casting_of(found, cell, accounts, comeback), cell.patience, outside)

            def run(*findings: Finding, told: Told | None = None, gone: str = "") -> Replay:
                return replay(findings, prepare, told or Told(), lambda: gone)

            try:
                yield run
            finally:
                accounts.close()


def test_a_fault_that_is_still_there_is_seen_each_time_with_its_trace() -> None:
    with replaying("answers-version-twice") as run:
        made = run(TWICE)
    (result,) = made.results
    assert (result.outcome, result.times, result.tries) == (Outcome.THERE, 3, 3)
    assert result.expected == "one reply"
    assert any(entry.direction == "sent" and VERSION in entry.text for entry in result.trace)
    assert not made.all_fixed


def test_a_fault_that_is_gone_is_fixed() -> None:
    with replaying() as run:
        made = run(TWICE, WRONG_ID)
    assert [result.outcome for result in made.results] == [Outcome.FIXED] * 2
    assert made.all_fixed


def test_another_fault_in_the_place_of_the_old_one_is_a_change_and_is_named() -> None:
    with replaying("swallows-iq", patience=0.5) as run:
        made = run(TWICE)
    (result,) = made.results
    assert result.outcome is Outcome.CHANGED
    assert result.instead == f"answers-the-sentinel by valid {{{VERSION}}}query in iq get to server"
    assert result.times == 3
    assert not made.all_fixed


def test_a_sequence_is_sent_as_one_and_known_by_the_rule() -> None:
    with replaying("answers-version-twice") as run:
        assert run(IN_A_SEQUENCE).results[0].outcome is Outcome.THERE
    with replaying() as run:
        assert run(IN_A_SEQUENCE).results[0].outcome is Outcome.FIXED


def test_what_the_cell_lacks_is_said_and_is_not_taken_for_fixed() -> None:
    to_room = finding("answers-each-iq", "something", template(DISCO_INFO, "query", "room", "{{room}}"))
    names_proxy = finding(
        "answers-each-iq", "something", template(DISCO_INFO, "query", "server", "{{domain}}", " node='{{proxy}}'")
    )
    with replaying() as run:
        made = run(to_room, names_proxy, replace(TWICE, rule="lives"), replace(TWICE, rule="logs-no-crash"))
    assert [result.outcome for result in made.results] == [Outcome.IMPOSSIBLE] * 4
    assert [result.reason.split()[-1] for result in made.results] == ["room", "proxy", "exits", "it"]
    assert not made.all_fixed


def test_obstacles_of_transports_and_components() -> None:
    cell = Cell("lab.test", Subject("fake-server", "0"), {"c2s": Endpoint("127.0.0.1", 1)})
    over_component = replace(TWICE, provider="XEP-0114")
    assert obstacle(over_component, cell, exits=True, crashes=True) == "this cell has no component port"
    to_component = finding("answers-once", "x", template(PING, "ping", "component", "{{component}}"))
    assert obstacle(to_component, cell, exits=True, crashes=True) == "this cell has no component"
    with_component = replace(cell, component=Component("c.lab.test", "x"))
    assert not obstacle(to_component, with_component, exits=True, crashes=True)


def test_ctrl_c_tells_what_was_replayed_so_far() -> None:
    told = Told(until=2)
    with replaying() as run:
        made = run(TWICE, WRONG_ID, told=told)
    assert made.interrupted
    assert list(made.results) == told.results
    assert (len(made.results), made.wanted) == (1, 2)
    assert not made.all_fixed


def test_a_subject_that_is_gone_for_good_ends_the_replay() -> None:
    with replaying() as run:
        made = run(TWICE, gone="exit code 139")
    assert made.results == ()
    assert "exit code 139" in made.stopped


# --- the corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "corpus" / "fake-server"
    corpus.keep(TWICE, base)
    corpus.keep(WRONG_ID, base)
    return base


def test_all_findings_or_those_that_are_named(folder: Path) -> None:
    assert set(findings_of((), folder, "x")[0]) == {TWICE, WRONG_ID}
    for name in (TWICE.fingerprint, TWICE.name, TWICE.name[:16], str(folder / f"{TWICE.name}.json")):
        assert findings_of((name,), folder, "x") == ((TWICE,), ())
    # Each once, and a file needs no corpus.
    file = str(folder / f"{TWICE.name}.json")
    assert findings_of((file, file), folder / "none", "x")[0] == (TWICE,)
    assert findings_of((TWICE.name, file), folder, "x")[0] == (TWICE,)


def test_the_corpus_of_all_subjects_has_a_folder_for_each(folder: Path) -> None:
    assert set(findings_of((), folder.parent, "fake-server")[0]) == {TWICE, WRONG_ID}
    with pytest.raises(UsageError, match="no finding"):
        findings_of((), folder.parent, "another")


def test_a_damaged_file_is_set_aside_and_said_and_the_rest_replays(folder: Path) -> None:
    (folder / "half.json").write_text('{"format": 1, "finger')
    (folder / "other.json").write_text('{"format": 99}')
    found, said = findings_of((), folder, "x")
    assert set(found) == {TWICE, WRONG_ID}
    assert len(said) == 2
    assert "half.json" in said[0]
    assert not (folder / "half.json").exists()
    assert (folder / "damaged" / "half.json").read_text() == '{"format": 1, "finger'


def test_wrong_names_are_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        findings_of(("answers-one-by",), folder, "x")
    assert "answers-once-by" in caught.value.hint
    with pytest.raises(UsageError, match="no corpus"):
        findings_of((), folder / "none", "x")
    broken = folder / "broken.json"
    broken.write_text("[]")
    with pytest.raises(UsageError, match=r"broken\.json is no finding"):
        findings_of((str(broken),), folder, "x")
    assert broken.exists()


# --- the command


def stanzalab(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STANZALAB, *words], capture_output=True, text=True, check=False, cwd=cwd, timeout=60)


def test_the_command_says_in_its_exit_code_whether_all_is_fixed(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "fake"
    place.mkdir()
    with FakeServer("answers-version-twice", run_dir=place):
        words = ("replay", "--cell", str(place / "cell.json"), "--corpus", str(folder))
        done = stanzalab(*words, "--out", "out", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert "1 still there, 1 fixed, of 2" in done.stdout
        assert "2 of 2 fixed" in done.stdout
        assert (
            "sent: <iq type='get' id='{{id}}' to='{{domain}}'><query xmlns='jabber:iq:version'/></iq>" in done.stdout
        )
        fixed = stanzalab(*words, "answers-what", "--out", "out", "--json", cwd=tmp_path)
        assert fixed.returncode == 0, fixed.stderr
        said = json.loads(fixed.stdout)
        assert [found["outcome"] for found in said["findings"]] == ["fixed"]
        assert said["outcomes"]["fixed"] == 1
        assert json.loads((tmp_path / "out" / "replay.json").read_text()) == {
            key: value for key, value in said.items() if key != "damaged"
        }
        wrong = stanzalab(*words, "nonsense", cwd=tmp_path)
        assert wrong.returncode == 2
        assert "nonsense" in wrong.stderr


def test_malformed_stanzas_go_to_no_stranger(folder: Path, tmp_path: Path) -> None:
    cell = {"format": 1, "domain": "far.example", "subject": {"name": "far", "version": ""}}
    cell |= {"endpoints": {"c2s": {"host": "192.0.2.1", "port": 5222}}}
    file = tmp_path / "cell.json"
    file.write_text(json.dumps(cell))
    done = stanzalab("replay", "--cell", str(file), "--corpus", str(folder), "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "--allow-fuzz far.example" in done.stderr
