"""Malformed traffic goes to this machine only; and how `stanzalab fuzz` answers wrong words."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from lab.campaign.safety import refuse_strangers, strangers
from lab.cell import Cell, Endpoint, Subject
from lab.errors import UsageError
from lab.fakes import FakeServer
from lab.wire.transport import Transport
from tests.campaign.conftest import Typed


def cell(*hosts: str, domain: str = "lab.test") -> Cell:
    names = ("c2s", "c2s-direct-tls", "component")
    endpoints = {name: Endpoint(host, 5222) for name, host in zip(names, hosts, strict=False)}
    return Cell(domain, Subject("server", "1"), endpoints)  # type: ignore[arg-type] # the names are those of transports


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    assert strangers(cell(host)) == ()
    refuse_strangers(cell(host), None)


STRANGE = ["192.0.2.1", "10.0.0.1", "0.0.0.0", "::", "2001:db8::1", "::ffff:192.0.2.1", ""]  # noqa: S104


@pytest.mark.parametrize("host", [*STRANGE, "no-such-host.invalid", "a..b", f"{'x' * 70}.test", "nul\0"])
def test_anybody_else_and_nobody_at_all_is_refused(host: str) -> None:
    assert strangers(cell(host)) == (host,)
    with pytest.raises(UsageError) as caught:
        refuse_strangers(cell(host), None)
    assert "--allow-fuzz lab.test" in caught.value.hint


def test_one_stranger_among_endpoints_is_enough() -> None:
    assert strangers(cell("127.0.0.1", "192.0.2.2", "192.0.2.1")) == ("192.0.2.1", "192.0.2.2")
    with pytest.raises(UsageError, match=r"192\.0\.2\.1, 192\.0\.2\.2"):
        refuse_strangers(cell("127.0.0.1", "192.0.2.2", "192.0.2.1"), None)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """What every name stands for."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_is_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    assert strangers(cell("xmpp.example")) == ()
    resolving(monkeypatch, "192.0.2.1")
    assert strangers(cell("localhost")) == ("localhost",)
    resolving(monkeypatch, "127.0.0.1", "192.0.2.1")
    assert strangers(cell("localhost")) == ("localhost",), "one address elsewhere is enough"


def test_the_domain_must_be_named_in_full() -> None:
    refuse_strangers(cell("192.0.2.1", domain="far.example"), "far.example")
    for wrong in ("", "far", "far.example.", "FAR.example", "*", "example", "192.0.2.1", "a.far.example"):
        with pytest.raises(UsageError) as caught:
            refuse_strangers(cell("192.0.2.1", domain="far.example"), wrong)
        assert wrong in caught.value.cause
        assert caught.value.hint.endswith("--allow-fuzz far.example")


# --- the command


def cell_file(folder: Path, host: str) -> str:
    data = {"format": 1, "domain": "far.example", "subject": {"name": "far", "version": ""}}
    data |= {"endpoints": {"c2s": {"host": host, "port": 5222}}}
    file = folder / "cell.json"
    file.write_text(json.dumps(data))
    return str(file)


@pytest.mark.parametrize("allowed", [(), ("--allow-fuzz", "far"), ("--allow-fuzz", "192.0.2.1")])
def test_fuzzing_a_stranger_is_refused_before_anybody_connects(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: tuple[str, ...]
) -> None:
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *words, **_: connected.append(words))
    monkeypatch.setattr(Transport, "connect", lambda *words, **_: connected.append(words))
    words = ("fuzz", "--cell", cell_file(tmp_path, "192.0.2.1"), "--for", "1", *allowed)
    code, _, said = typed(*words)
    assert code == 2
    assert "far.example is not on this machine" in said
    assert "next: if that server is yours to break: --allow-fuzz far.example" in said
    assert connected == []


def test_whoever_names_the_domain_may(typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is a fake on this machine, whose host is taken for another."""
    with FakeServer(run_dir=tmp_path, patience=1.0):
        monkeypatch.setattr("lab.campaign.safety._is_loopback", lambda _: False)
        words = ("fuzz", "--cell", str(tmp_path / "cell.json"), "--provider", "XEP-0199", "--stanzas", "1")
        refused, _, _ = typed(*words)
        code, said, _ = typed(*words, "--allow-fuzz", "fake.test")
    assert (refused, code) == (2, 0), said
    assert "no findings" in said or "0 findings" in said, said


WRONG = [
    (("--for", "soon"), "--for 'soon' is no time"),
    (("--for", "-5s"), "--for"),
    (("--for", "5d"), "--for 60s"),
    (("--shrink", "a while"), "--shrink 'a while' is no time"),
    (("--stanzas", "0"), "--stanzas"),
    (("--stanzas", "many"), "--stanzas"),
    (("--seed", "x"), "--seed"),
    (("--row", "core/tsl"), "core/tls"),
    (("--row", "cor"), "core"),
    (("--provider", "XEP-003"), "XEP-0030"),
    (("--suite", "1999"), "2021"),
    (("--server", "prosdy"), "prosody"),
    (("--cell", "no-such-cell.json"), "no-such-cell.json"),
    (("--provider", "XEP-0368", "--cell", "no-such-cell.json"), "no-such-cell.json"),
    (("--nonsense",), "No such option"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_words_are_answered_with_exit_2_and_a_hint(typed: Typed, words: tuple[str, ...], said: str) -> None:
    code, _, complaint = typed("fuzz", *words)
    assert code == 2, complaint
    assert said in complaint.replace("\n", " ")
    assert "Traceback" not in complaint


def test_operators_are_listed_for_people_and_machines(typed: Typed, tmp_path: Path) -> None:
    code, said, _ = typed("fuzz", "--list-operators", "--json")
    listed = json.loads(said)
    assert code == 0
    assert len(listed) >= 50
    assert {operator["family"] for operator in listed} == {"bytes", "schema", "protocol"}
    assert all(set(operator) == {"name", "family", "summary", "valid"} for operator in listed)
    assert len({operator["name"] for operator in listed}) == len(listed)
    code, said, _ = typed("fuzz", "--list-operators")
    assert code == 0
    assert f"{len(listed)} operators" in said
    assert list(tmp_path.iterdir()) == [], "nothing was started"
