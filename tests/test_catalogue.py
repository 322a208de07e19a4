"""The catalogue of checks and their traceability: names stable and unique, every section accounted for."""

from __future__ import annotations

import fnmatch
import os
import re
from itertools import chain
from pathlib import Path

import pytest

from lab import catalogue
from lab.coverage import Coverage, Line, coverage
from lab.errors import UsageError
from lab.fakes import MISBEHAVIOURS, FakeServer
from lab.subjects import all_clients, all_subjects, find, find_client
from lab.subjects.known import Listed, listed
from lab.verdict import OVER_S2S, carrier, over_tcp
from schemas import sections, suites

CORE = ["RFC 6120", "RFC 7590", "XEP-0030", "XEP-0114", "XEP-0115", "XEP-0163", "XEP-0368"]
WEB = ["RFC 7395", "XEP-0124", "XEP-0156", "XEP-0206"]
IM = ["RFC 6121", "XEP-0045", "XEP-0048", "XEP-0049", "XEP-0054", "XEP-0153", "XEP-0191", "XEP-0198", "XEP-0223"]
IM += ["XEP-0249", "XEP-0280", "XEP-0313", "XEP-0363", "XEP-0398", "XEP-0402", "XEP-0410", "XEP-0411"]
MOBILE = ["XEP-0352", "XEP-0357"]
AV = ["XEP-0215"]
BEYOND = ["XEP-0220", "XEP-0288"]
TOLD = ["XEP-0077", "XEP-0157", "XEP-0369", "XEP-0386", "XEP-0388", "XEP-0390", "XEP-0397", "XEP-0424"]
TOLD += ["XEP-0425", "XEP-0433", "XEP-0484"]
BEGUN = sorted([*CORE, *WEB, *IM, *MOBILE, *AV, *BEYOND, *TOLD])
NAME = re.compile(r"(rfc|xep)-\d{4}/[a-z0-9]+(-[a-z0-9]+)*(/[A-Za-z0-9._:-]+)*\Z")


def test_names_are_whole_words_and_unique() -> None:
    names = [check.name for check in catalogue.checks()]
    assert len(names) == len(set(names))
    assert [name for name in names if not NAME.match(name)] == []


def test_every_requirement_is_told_in_a_sentence() -> None:
    short = [c.name for c in catalogue.checks() if len(c.requirement.says) < 20]
    assert short == []


def test_every_check_counts_for_a_row() -> None:
    """Of some year: what one suite asks for may be gone in the next, or come with it."""
    providers = {c.requirement.provider for c in catalogue.checks()}
    counting = {p for p in providers if any(catalogue.rows_of(p, year) for year in suites.years())}
    assert providers - counting == set()


def test_every_fake_that_a_check_names_exists() -> None:
    assert {c.proved_by for c in catalogue.checks() if c.proved_by} <= set(MISBEHAVIOURS)


def _lists() -> dict[str, Listed]:
    """What is listed of every subject, by its name and version."""
    servers = [f"{one.name}:{version}" for one in all_subjects() for version in one.versions]
    clients = [f"{one.name}:{version}" for one in all_clients() for version in one.versions]
    found = {who: find(who) for who in servers} | {who: find_client(who) for who in clients}
    return {who: listed(one, one.version) for who, one in found.items()}


def test_every_known_failure_is_of_a_check_that_exists() -> None:
    names = {c.name for c in catalogue.checks()}
    entries = {(who, entry.check) for who, those in _lists().items() for entry in those.failures}
    assert {(who, check) for who, check in entries if check not in names} == set()


def test_every_known_fault_is_of_checks_that_exist() -> None:
    names = [c.name for c in catalogue.checks()]
    patterns = {(who, fault.checks) for who, those in _lists().items() for fault in those.faults}
    assert {(who, pattern) for who, pattern in patterns if not fnmatch.filter(names, pattern)} == set()


def test_providers_begun_have_data() -> None:
    assert sorted(name for name in sections.providers() if "server" in sections.load(name).begun) == BEGUN


def test_the_core_category_has_data_and_checks() -> None:
    rows = suites.load(2021).select(category="core")
    assert sorted({p.id for row in rows for p in row.listed}) == CORE
    assert all(catalogue.known_checks("server").get(provider, 0) for provider in CORE)


@pytest.mark.parametrize("provider", BEGUN)
def test_every_normative_section_has_a_check_or_a_reason(provider: str) -> None:
    found = coverage(provider)
    assert [f"§{line.section.number} {line.section.title}" for line in found.gaps] == []
    both = [f"§{line.section.number} has checks and a reason for none" for line in found.lines if line.contradiction]
    assert both == []


def test_checks_over_other_transports_are_their_carriers() -> None:
    names = {c.name: c for c in catalogue.checks()}
    check = names["xep-0206/rfc-6120/get-is-answered-once-by-a-result"]
    assert check.requirement.provider == "XEP-0206"
    assert check.requirement.says.startswith("Over BOSH as over TCP (RFC 6120 §8.2.3): ")
    carried = {over_tcp(name) for name in names if carrier(name) != "s2s"} - {""}
    assert carried <= set(names)
    assert all(f"rfc-7395/{name}" in names for name in carried)
    of_streams = {name for name in carried if name.startswith(("xep-0198/", "xep-0352/"))}  # BOSH has acks of its own
    assert of_streams
    assert all((f"xep-0206/{name}" in names) == (name not in of_streams) for name in carried)


def test_checks_between_servers_are_those_with_another_contact() -> None:
    names = {c.name: c for c in catalogue.checks()}
    between = [name for name in names if carrier(name) == "s2s"]
    assert "rfc-6121/outbound/subscribe:none-over-s2s" in between
    assert all(name.endswith(OVER_S2S) and over_tcp(name) in names for name in between)
    assert all(names[name].requirement == names[over_tcp(name)].requirement for name in between)


def test_a_gap_would_be_seen() -> None:
    whole = coverage("XEP-0030")
    section = next(line.section for line in whole.lines if line.checks)
    bare = Coverage(whole.provider, whole.version, whole.role, (Line(section, ()),), 0)
    assert [line.section for line in bare.gaps] == [section]


def test_selection_by_row_category_name_and_pattern() -> None:
    every = catalogue.select(year=2021)
    core, web, *others = (
        catalogue.select(year=2021, rows=[category])
        for category in ("core", "web", "im", "mobile", "av", "informational")
    )
    later = catalogue.select(year=2023, rows=["im"])
    assert {*core, *web, *chain(*others), *later} == {*every}
    assert not {*core} & {*web}
    assert {c.requirement.provider for c in core} == {*CORE}
    assert {c.requirement.provider for c in web} == {*WEB}
    discovery = catalogue.select(year=2021, rows=["core/feature-discovery"])
    assert {c.requirement.provider for c in discovery} == {"XEP-0030"}
    one = discovery[0].name
    assert [c.name for c in catalogue.select(year=2021, names=[one])] == [one]
    assert set(catalogue.select(year=2021, names=["xep-0030/*"])) == set(discovery)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"rows": ["core/feature-discovry"]}, "core/feature-discovery"),
        ({"names": ["xep-0030/info-lists-disco-inf"]}, "xep-0030"),
        ({"providers": ["XEP-0031"]}, "XEP-0030"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(wrong: dict[str, list[str]], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.select(year=2021, **wrong)  # type: ignore[arg-type]
    assert hint in caught.value.hint


def test_nothing_selected_is_never_green() -> None:
    with pytest.raises(UsageError, match="no server check is selected"):
        catalogue.select(year=2021, rows=["im/the-me-command"])


def test_what_may_keep_a_server_busy_is_run_apart() -> None:
    apart = {c.name for c in catalogue.checks() if catalogue.alone(c)}
    assert {"rfc-6120/endless-data-is-given-up/text-bound", "rfc-6120/endless-peer-is-given-up/header"} < apart
    assert "rfc-6120/get-is-answered-once-by-a-result" not in apart
    assert len(apart) < 50, "one at a time takes long"


class HalfMade:
    """A plugin of pytest's that is interrupted while it makes something, and leaves it open: a worker, say."""

    def pytest_collection(self) -> None:
        left: list[object] = [Path(os.devnull).open()]  # noqa: SIM115 - that is the fault
        left.append(left)  # only the garbage collector finds it
        raise KeyboardInterrupt


def test_ctrl_c_while_a_worker_is_made_is_an_interruption_and_no_fault(tmp_path: Path) -> None:
    check = catalogue.named("rfc-6120/get-is-answered-once-by-a-result")
    with FakeServer(run_dir=tmp_path):
        code = catalogue.run([check], tmp_path / "cell.json", workers=0, plugins=[HalfMade()])
    assert code is pytest.ExitCode.INTERRUPTED
