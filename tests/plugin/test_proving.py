"""`make prove`: damages are noticed by a check that looks, and a check that looks at nothing is found out."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.catalogue import INI
from lab.fakes import FakeServer
from lab.plugin import damage
from lab.plugin.proving import proof_of
from lab.prove import Proof
from lab.wire.session import parse, show
from lab.wire.stream import Received, StreamClosed, StreamOpened

EXAMPLES = Path(__file__).with_name("example_checks.py")


class Collector:
    def __init__(self) -> None:
        self.proofs: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        proof = proof_of(report)
        if proof:
            self.proofs[proof["check"].removeprefix("rfc-6120/")] = proof


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("cell")
    collector = Collector()
    names = ("passes", "misses-a-must", "looks-at-nothing", "nothing-comes")
    chosen = [word for name in names for word in ("--check", f"rfc-6120/{name}")]
    with FakeServer(run_dir=folder, patience=0.3):
        arguments = ["-c", str(INI), "--rootdir", str(EXAMPLES.parent), "-p", "no:xdist", "-p", "lab.plugin.proving"]
        pytest.main([*arguments, *chosen, "--cell", str(folder / "cell.json"), str(EXAMPLES)], plugins=[collector])
    return collector.proofs


def noticed(proof: dict[str, Any]) -> set[str]:
    return {a["damage"] for a in proof["attempts"] if a["noticed"]}


def test_a_check_that_looks_notices(proofs: dict[str, dict[str, Any]]) -> None:
    assert proofs["passes"]["outcome"] == "pass"
    looked_at = {"dropped", "id changed", "from changed", "type changed"}
    standing_rules = {"duplicated", "to changed"}
    assert noticed(proofs["passes"]) == looked_at | standing_rules


def test_a_check_that_looks_at_nothing_is_found_out(proofs: dict[str, dict[str, Any]]) -> None:
    assert proofs["looks-at-nothing"]["outcome"] == "pass"
    assert not noticed(proofs["looks-at-nothing"])


def test_a_forbidden_stanza_is_injected_and_noticed(proofs: dict[str, dict[str, Any]]) -> None:
    assert noticed(proofs["nothing-comes"]) == {"injected"}


def test_a_failing_check_is_not_damaged(proofs: dict[str, dict[str, Any]]) -> None:
    assert proofs["misses-a-must"]["outcome"] == "fail"
    assert proofs["misses-a-must"]["attempts"] == []


ERROR = parse(
    "<iq type='error' id='1' from='a@b' to='c@d/e'><query xmlns='jabber:iq:x' a='1'>text</query>"
    "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    default="jabber:client",
)


BODY = parse(
    "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' sid='s' wait='60' requests='2' "
    "hold='1' ver='1.6' polling='2' inactivity='30' maxpause='120' type='terminate' condition='host-gone' "
    "xmpp:version='1.0' xmpp:restartlogic='true'/>"
)


@pytest.mark.parametrize("name", sorted(set(damage.DAMAGES) - {"version changed", "language gone", "dropped"}))
def test_each_damage_changes_what_it_says(name: str) -> None:
    target = BODY if name.startswith("body ") else ERROR
    before = show(target)
    damaged = damage.DAMAGES[name](Received(target))
    assert damaged is not None
    after = [show(e.element) for e in damaged if isinstance(e, Received)]
    assert after != [before]
    assert show(target) == before, "the damage must not touch the original"


def test_attributes_of_a_body_are_damaged_where_there_is_one() -> None:
    assert not {name for name in damage.applicable(Received(ERROR)) if name.startswith("body ")}
    assert {name for name in damage.DAMAGES if name.startswith("body ")} <= set(damage.applicable(Received(BODY)))


def test_the_reason_of_an_end_is_swapped() -> None:
    assert damage.condition_swapped(StreamClosed("host-gone")) == [StreamClosed("undefined-condition")]
    assert damage.condition_swapped(StreamClosed()) is None


def test_condition_is_swapped_for_another_defined_one() -> None:
    damaged = damage.condition_swapped(Received(ERROR))
    assert damaged is not None
    assert isinstance(damaged[0], Received)
    assert "<gone xmlns=" in show(damaged[0].element)


def test_what_has_nothing_to_damage_is_left_alone() -> None:
    bare = Received(parse("<presence/>", default="jabber:client"))
    assert set(damage.applicable(bare)) == {"dropped", "duplicated", "from changed", "type changed"}


def test_a_header_and_a_close_can_be_damaged() -> None:
    header = parse(
        "<stream:stream id='1' from='a' version='1.0' xml:lang='en' xmlns='jabber:client'/>", default="jabber:client"
    )
    found = set(damage.applicable(StreamOpened(header)))
    assert found == {"dropped", "id changed", "from changed", "version changed", "language gone"}
    assert list(damage.applicable(StreamClosed())) == ["dropped"]


def test_sentinels_are_not_damaged() -> None:
    sentinel = parse("<iq id='sentinel-1' type='result'/>", default="jabber:client")
    assert not list(damage.applicable(Received(sentinel)))


def test_an_interrupted_proof_says_how_much_is_left_and_has_the_code_of_the_interruption() -> None:
    proof = Proof("fake:0", (), ("rfc-6120/a", "rfc-6120/b"), interrupted=True)
    console = Console(width=100, record=True, file=StringIO())
    console.print(proof)
    assert "interrupted: 2 of 2 checks not proved" in console.export_text()
    assert proof.exit_code == 130
    assert replace(proof, interrupted=False).exit_code == 1
