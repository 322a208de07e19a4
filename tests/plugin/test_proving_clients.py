"""`make prove` for clients: only what a check looks at turns it red, and what is forbidden is injected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.catalogue import INI
from lab.plugin import damage_told, gullible
from lab.plugin.proving import proof_of
from lab.plugin.reading import BELIEVED
from lab.tap.greeting import Arrival
from lab.wire.session import parse
from tests.scenarios.misbehaving import fake_cell

EXAMPLES = Path(__file__).parent / "client" / "example_checks.py"


class Collector:
    def __init__(self) -> None:
        self.proofs: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        proof = proof_of(report)
        if proof:
            self.proofs[proof["check"].removeprefix("rfc-6120/client-")] = proof


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    collector = Collector()
    with fake_cell(tmp_path_factory.mktemp("cell")) as cell_file:
        arguments = ["-c", str(INI), "--rootdir", str(EXAMPLES.parent), "-p", "no:xdist", "-p", "lab.plugin.proving"]
        pytest.main([*arguments, "--cell", str(cell_file), str(EXAMPLES)], plugins=[collector])
    return collector.proofs


def noticed(proof: dict[str, Any], *, by_rule: bool = False) -> set[str]:
    return {a["damage"] for a in proof["attempts"] if a["noticed"] and a["by_rule"] is by_rule}


def test_all_pass_undamaged(proofs: dict[str, dict[str, Any]]) -> None:
    assert len(proofs) == 7
    assert {proof["outcome"] for proof in proofs.values()} == {"pass"}


def test_nothing_is_damaged_of_what_no_check_looks_at(proofs: dict[str, dict[str, Any]]) -> None:
    assert proofs["is-not-looked-at"]["attempts"] == []


def test_an_answer_is_damaged_and_what_a_rule_alone_notices_is_told_apart(proofs: dict[str, dict[str, Any]]) -> None:
    proof = proofs["type-is-looked-at"]
    assert noticed(proof) == {"dropped", "id changed", "type changed"}
    assert {"duplicated", "from changed", "payload gone"} <= noticed(proof, by_rule=True)
    assert "error type changed" in {a["damage"] for a in proof["attempts"] if not a["noticed"]}


def test_an_event_is_damaged(proofs: dict[str, dict[str, Any]]) -> None:
    assert {"dropped", "body changed", "from changed"} <= noticed(proofs["event-is-looked-at"])
    assert "duplicated" not in noticed(proofs["event-is-looked-at"])


@pytest.mark.parametrize("check", ["silence-is-looked-at", "restraint-is-looked-at"])
def test_what_is_forbidden_is_injected(proofs: dict[str, dict[str, Any]], check: str) -> None:
    assert noticed(proofs[check]) == {"injected"}


def test_what_a_login_came_to_is_damaged(proofs: dict[str, dict[str, Any]]) -> None:
    assert noticed(proofs["login-is-looked-at"]) == {"secured: False"}


def test_an_answer_to_a_command_is_damaged(proofs: dict[str, dict[str, Any]]) -> None:
    assert noticed(proofs["answer-is-looked-at"]) == {"contacts emptied", "jid of contacts changed", BELIEVED}


def test_each_field_of_an_event_is_damaged() -> None:
    event = {"event": "message", "from": "a@b/c", "body": "hello", "type": "chat", "carbon": "sent"}
    made = damage_told.of_told(event, answer=False)
    changed = {f"{name} changed" for name in ("from", "body", "type", "carbon")}
    assert set(made) == {"dropped", "duplicated"} | changed
    assert made["type changed"] == [{**event, "type": "normal"}]
    assert all(event not in told for name, told in made.items() if name in changed)


def test_an_answer_is_never_dropped() -> None:
    made = damage_told.of_told({"event": "done", "id": 7, "features": ["a"]}, answer=True)
    assert made == {"features emptied": [{"event": "done", "id": 7, "features": []}]}


@pytest.mark.parametrize("name", sorted(set(damage_told.LOGIN_FACTS)))
def test_each_fact_of_a_login_can_be_wrong(name: str) -> None:
    right = replace(
        Arrival(),
        tried=[("PLAIN", True)],
        acts_as=[""],
        headers=[{"to": "a", "version": "1.0"}],
        namespaces=[{None: "jabber:client"}],
    )
    made = damage_told.of_login(right, name)
    assert made
    assert all(getattr(wrong, name) != getattr(right, name) for wrong in made.values())
    assert all(replace(wrong, **{name: getattr(right, name)}) == right for wrong in made.values())


def test_the_gullible_believe_a_forged_copy() -> None:
    copy = parse(
        "<message from='eve@stranger.invalid' to='me@here/lab'><received xmlns='urn:xmpp:carbons:2'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='friend@here/phone'>"
        "<body>forged</body></message></forwarded></received></message>",
        default="jabber:client",
    )
    told = list(gullible.events([copy, b"\xff", "<broken>"], "message"))
    assert {"event": "message", "from": "friend@here/phone", "body": "forged"} in told
    assert gullible.answer([copy], "archive") == {"messages": [{"from": "friend@here/phone", "body": "forged"}]}
