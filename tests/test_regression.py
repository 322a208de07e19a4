"""The commands of a regression test, as a person or a CI types them."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

import lab
from lab import record
from lab.engines import started
from lab.engines.images import Recipe, subject_image
from lab.fakes import FakeServer
from lab.subjects import find
from lab.verdict import Outcome
from lab.wire import negotiation
from lab.wire.negotiation import Stage
from tests.engines.fakes import Remembered
from tests.report import building
from tests.test_runs import FEW, stanzalab

GOOD = (building.result("xep-0030/a"),)
BAD = (building.result("xep-0030/a", Outcome.FAIL, seen="nothing"),)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """The folders of a good run and of a bad one."""
    made = []
    for name, results in {"good": GOOD, "bad": BAD}.items():
        (tmp_path / name).mkdir()
        building.write(tmp_path / name / "run.ndjson", results)
        made.append(str(tmp_path / name))
    return made[0], made[1]


def test_diff_tells_by_its_exit_code_whether_something_is_newly_bad(folders: tuple[str, str]) -> None:
    good, bad = folders
    worse = stanzalab("diff", good, bad)
    assert worse.returncode == 1, worse.stderr
    assert "Newly bad (1)" in worse.stdout
    assert "\x1b[" not in worse.stdout
    better = stanzalab("diff", f"{bad}/run.ndjson", good)
    assert better.returncode == 0, better.stderr
    assert "1 newly good" in better.stdout


def test_diff_for_machines_and_for_pull_requests(folders: tuple[str, str]) -> None:
    data = json.loads(stanzalab("diff", *folders, "--json").stdout)
    assert [change["name"] for change in data["newly_bad"]] == ["xep-0030/a"]
    assert data["worse"] is True
    assert "### Newly bad: 1" in stanzalab("diff", *folders, "--markdown").stdout


def named_as(name: str, cell_file: Path) -> None:
    """Another build of the same subject: the fakes have names of their own."""
    cell = json.loads(cell_file.read_text())
    cell["subject"]["name"] = name
    cell_file.write_text(json.dumps(cell))


def test_a_bad_run_is_compared_with_the_last_good_one(tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
    with FakeServer(run_dir=good):
        first = stanzalab("run", "--cell", str(good / "cell.json"), *FEW, STANZALAB_RUNS=runs)
    assert first.returncode == 0, first.stdout
    assert "good run" not in first.stdout
    with FakeServer("swallows-iq", run_dir=bad):
        named_as(json.loads((good / "cell.json").read_text())["subject"]["name"], bad / "cell.json")
        words = ("run", "--cell", str(bad / "cell.json"), *FEW)
        second = stanzalab(*words, STANZALAB_RUNS=runs)
        alone = stanzalab(*words, STANZALAB_RUNS=str(tmp_path / "empty"))
        named = stanzalab(*words, "--against", str(bad / "none"), STANZALAB_RUNS=runs)
    assert second.returncode == 1, second.stderr
    assert "since the last good run" in second.stdout
    assert "Newly bad (" in second.stdout
    assert alone.returncode == 1
    assert "No good run of the same subject is kept" in " ".join(alone.stdout.split())
    assert named.returncode == 2
    assert "there is no run record" in named.stderr


def test_a_run_is_compared_with_the_record_that_is_named(tmp_path: Path) -> None:
    before = tmp_path / "before.ndjson"
    building.write(before, (building.result("xep-0030/a"),))
    record = building.write(tmp_path / "run.ndjson", BAD)
    done = stanzalab("report", str(record), "--against", str(before), STANZALAB_RUNS=str(tmp_path / "runs"))
    assert "Newly bad (1)" in done.stdout


PROSODY = Path(lab.__file__).parent / "subjects" / "servers" / "prosody"


@pytest.fixture
def mine(tmp_path: Path) -> tuple[Path, Path]:
    """A folder outside the tree that holds a subject, and the record of a run of it."""
    folder = tmp_path / "prosody"
    shutil.copytree(PROSODY, folder)
    (folder / "known.toml").write_text("# Mine.\n", encoding="utf-8")
    subject = {"name": "prosody", "version": "13.0", "folder": str(folder)}
    return folder, building.write(tmp_path / "run.ndjson", BAD, subject=subject)


def test_a_baseline_goes_into_the_folder_of_the_subject(mine: tuple[Path, Path]) -> None:
    folder, record = mine
    dry = stanzalab("baseline", str(record), "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "added   xep-0030/a" in dry.stdout
    assert "would be written" in dry.stdout
    assert (folder / "known.toml").read_text() == "# Mine.\n"
    done = stanzalab("baseline", str(record))
    assert done.returncode == 0, done.stderr
    assert "1 added, 0 removed, 0 changed, 0 kept" in done.stdout
    assert (folder / "known.toml").read_text().startswith("# Mine.\n\n[[known]]\ncheck = ")
    again = stanzalab("baseline", str(record.parent), "--server", str(folder), "--json")
    assert json.loads(again.stdout)["kept"] == ["xep-0030/a"]
    assert json.loads(again.stdout)["written"] is False


def test_a_baseline_of_the_labs_own_subjects_is_asked_for_by_name(tmp_path: Path) -> None:
    record = str(building.write(tmp_path / "run.ndjson", BAD))
    before = (PROSODY / "known.toml").read_bytes()
    refused = stanzalab("baseline", record)
    assert refused.returncode == 2
    assert "--out known.toml" in refused.stderr
    mine = tmp_path / "known.toml"
    assert stanzalab("baseline", record, "--out", str(mine)).returncode == 0
    assert 'versions = ["13.0"]' in mine.read_text()
    assert "added   xep-0030/a" in stanzalab("baseline", record, "--ours", "--dry-run").stdout
    assert (PROSODY / "known.toml").read_bytes() == before


def test_a_baseline_of_a_server_that_the_lab_does_not_know_needs_a_file(tmp_path: Path) -> None:
    record = str(building.write(tmp_path / "run.ndjson", BAD, subject={"name": "mine", "version": "2"}))
    refused = stanzalab("baseline", record)
    assert refused.returncode == 2
    assert "nobody knows where the list of mine is kept" in refused.stderr
    assert stanzalab("baseline", record, "--out", str(tmp_path / "known.toml")).returncode == 0
    assert "versions" not in (tmp_path / "known.toml").read_text()


def test_a_broken_list_is_said_before_it_is_changed(mine: tuple[Path, Path]) -> None:
    folder, record = mine
    (folder / "known.toml").write_text('[[known]]\ncheck = "xep-0030/a"\noutcome = "nonsense"\nreason = "r"\n')
    done = stanzalab("baseline", str(record))
    assert done.returncode == 2
    assert "nonsense" in done.stderr


CHECK = FEW[1]
KNOWN = '[[known]]\ncheck = "{name}"\noutcome = "{outcome}"\nreason = "mine"\nflaky = {flaky}\n'


@pytest.mark.parametrize(
    ("misbehaviour", "outcome", "flaky", "code", "said"),
    [
        ("swallows-iq", "fail", "false", 0, "(known)"),
        (None, "fail", "false", 1, "mend the list"),
        ("swallows-iq", "fail", "true", 0, "failed)"),
        (None, "fail", "true", 0, "passed, 0 failed)"),
        ("swallows-iq", "crash", "false", 1, "unexpected"),
    ],
)
def test_a_list_of_ones_own_excuses_what_it_names(
    tmp_path: Path, misbehaviour: str | None, outcome: str, flaky: str, code: int, said: str
) -> None:
    names = json.loads(stanzalab("checks", "--check", CHECK, "--json").stdout)
    entries = "\n".join(KNOWN.format(name=c["name"], outcome=outcome, flaky=flaky) for c in names)
    (tmp_path / "known.toml").write_text(entries, encoding="utf-8")
    fake = FakeServer(misbehaviour, run_dir=tmp_path) if misbehaviour else FakeServer(run_dir=tmp_path)
    with fake:
        words = ("run", "--cell", str(tmp_path / "cell.json"), *FEW, "--known", str(tmp_path / "known.toml"))
        done = stanzalab(*words, "--out", str(tmp_path / "out"), STANZALAB_RUNS=str(tmp_path / "runs"))
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stdout.split())


def test_a_list_that_is_not_there_costs_no_run(tmp_path: Path) -> None:
    with FakeServer(run_dir=tmp_path):
        words = ("run", "--cell", str(tmp_path / "cell.json"), *FEW, "--known", str(tmp_path / "none.toml"))
        done = stanzalab(*words, "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "none.toml" in done.stderr


def test_an_image_is_for_a_server_that_the_lab_starts() -> None:
    done = stanzalab("run", "--cell", "cell.json", "--image", "my/prosody:dev")
    assert done.returncode == 2
    assert "--image and --cell do not go together" in done.stderr


@pytest.fixture
def image() -> Iterator[str]:
    """Prosody's image under a name of somebody's own."""
    client = docker.from_env()
    prosody = find("prosody")
    recipe = Recipe(prosody.name, prosody.version, prosody.folder, str(prosody.options["base"]))
    name = f"stanzalab-test/{uuid.uuid4().hex[:8]}:dev"
    client.images.get(subject_image(client, recipe, Remembered())).tag(name)
    yield name
    client.images.remove(name, noprune=True)
    client.close()


@pytest.mark.engine
def test_an_image_of_ones_own_is_run_with_the_servers_settings(image: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = stanzalab("run", "--server", "prosody", "--image", image, "--out", str(out), *FEW)
    assert done.returncode in {0, 1}, done.stderr
    seen = record.read(out / "run.ndjson")
    assert seen.finished
    assert seen.header.subject["image"] == image
    assert seen.header.replay == f"make lab SERVER=prosody IMAGE={image}"
    assert all(result.outcome == "pass" for result in seen.results)


@pytest.mark.engine
def test_an_image_that_is_nowhere_ends_the_run_with_3(tmp_path: Path) -> None:
    words = ("run", "--server", "prosody", "--image", "stanzalab.invalid/none:0", "--out", str(tmp_path / "out"))
    done = stanzalab(*words, *FEW)
    assert done.returncode == 3
    assert "there is no image 'stanzalab.invalid/none:0'" in done.stderr


# --- a server that runs already


def changed(cell_file: Path, **fields: Any) -> str:
    """A cell file with other fields."""
    cell_file.write_text(json.dumps({**json.loads(cell_file.read_text()), **fields}))
    return str(cell_file)


def test_attach_says_what_it_can_reach_and_goes_on(tmp_path: Path) -> None:
    with FakeServer(run_dir=tmp_path) as cell:
        gone = {"host": "127.0.0.1", "port": 1}
        endpoints = {**json.loads((tmp_path / "cell.json").read_text())["endpoints"], "https": gone}
        file = changed(tmp_path / "cell.json", endpoints=endpoints, accounts={"method": "ad-hoc"})
        looked = stanzalab("attach", file, "--look")
        done = stanzalab("attach", file, *FEW, "--out", str(tmp_path / "out"))
    assert looked.returncode == 0, looked.stderr
    assert f"127.0.0.1:{cell.endpoints['c2s'].port}" in looked.stdout
    assert "answers" in looked.stdout
    assert "no: Connection refused" in looked.stdout
    assert re.search(r"s2s-direct-tls +- ", looked.stdout)
    assert "added by admin@fake.test with an administrator's command" in looked.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    seen = record.read(tmp_path / "out" / "run.ndjson")
    assert seen.finished
    assert not [result for result in seen.results if result.outcome.bad]


@pytest.mark.parametrize(
    ("making", "said"),
    [
        ({}, "registered in-band"),
        ({"method": "command", "argv": ["ssh", "x", "{user}"]}, "made by ssh on this machine"),
        ({"method": "given", "given": [{"localpart": "a", "domain": "b", "password": "c"}]}, "1 given"),
    ],
)
def test_attach_says_how_accounts_are_made(tmp_path: Path, making: dict[str, Any], said: str) -> None:
    with FakeServer(run_dir=tmp_path):
        done = stanzalab("attach", changed(tmp_path / "cell.json", accounts=making), "--look")
    assert said in done.stdout


@pytest.mark.engine
@pytest.mark.parametrize("server", ["prosody", "ejabberd"])
def test_a_servers_administrator_makes_the_accounts(server: str, tmp_path: Path) -> None:
    """Against the real command; the account that the configuration calls an administrator's is made first."""
    with started(find(server), None, run_dir=tmp_path, progress=Remembered()) as running:
        assert running.cell.admin is not None
        registrar = negotiation.connect(running.cell, Stage.SECURED)
        negotiation.register(registrar, running.cell.admin)
        registrar.close()
        file = changed(tmp_path / "cell.json", accounts={"method": "ad-hoc"})
        done = stanzalab("attach", file, *FEW, "--out", str(tmp_path / "out"))
    assert "added by admin@lab.test" in done.stdout
    assert done.returncode in {0, 1}, done.stderr
    seen = record.read(tmp_path / "out" / "run.ndjson")
    assert seen.results
    assert not [result for result in seen.results if result.outcome in {"error", "crash"}]
    assert not [result for result in seen.results if result.seen.startswith("before the requirement could be tried")]
