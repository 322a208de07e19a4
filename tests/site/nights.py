"""Records to make a site of: three servers, two of them with each other, two clients, a pair, and ten nights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.record import CheckResult, LogLine
from lab.verdict import Outcome, Role
from tests.report import building

PROSODY = {"name": "prosody", "title": "Prosody", "version": "13.0", "package": "prosody 13.0.1-1"}
OLD = {"name": "prosody", "title": "Prosody", "version": "0.12", "package": "prosody 0.12.3-1"}
EJABBERD = {"name": "ejabberd", "title": "ejabberd", "version": "24.12", "package": "ejabberd 24.12-3"}
SLIXMPP = {"name": "slixmpp", "title": "slixmpp", "version": "1.10.0"}
PROFANITY = {"name": "profanity", "title": "Profanity", "version": "0.15.0"}

STEADY = "rfc-6120/header-is-answered"
REGRESSION = "xep-0030/info-is-answered"  # fails from the seventh night on
FIX = "rfc-6120/unknown-iq-is-answered"  # fails until the third night
FLAKE = "xep-0163/notify"  # fails in the third and the sixth night
OFFERED = "xep-0115/caps-in-features"  # unsupported until the fourth night
FAILS_IN = {REGRESSION: {7, 8, 9, 10}, FIX: {1, 2, 3}, FLAKE: {3, 6}}
EXPECTED = "a result with the identities of the server"
SEEN = "<iq type='error'><error type='cancel'/></iq>"


def at(night: int) -> str:
    """When a night began."""
    return f"2026-11-{night:02}T02:00:00+00:00"


def checks(night: int) -> tuple[CheckResult, ...]:
    """What prosody came to in a night."""
    failing = {name for name, nights in FAILS_IN.items() if night in nights}
    results = [
        building.result(name, Outcome.FAIL, section="3.1", expected=EXPECTED, seen=SEEN)
        if name in failing
        else building.result(name)
        for name in (STEADY, *FAILS_IN)
    ]
    offered = building.result(OFFERED, reason="" if night > 4 else "not advertised: no caps in stream features")
    refused = building.result(OFFERED, Outcome.UNSUPPORTED, reason="not advertised: no caps in stream features")
    return (*results, offered if night > 4 else refused)


def write(folder: Path, name: str, results: tuple[CheckResult, ...], **changes: Any) -> Path:
    """A record in a folder of its own, as a run leaves it."""
    (folder / name).mkdir(parents=True)
    return building.write(folder / name / "run.ndjson", results, **changes)


def ten_nights(folder: Path) -> None:
    """Prosody's: the eighth did not finish, a line of the ninth is broken."""
    for night in range(1, 11):
        path = write(
            folder,
            f"night-{night:02}",
            checks(night),
            subject=PROSODY | {"digest": "sha256:aa" if night < 7 else "sha256:bb"},
            started=at(night),
            finished=night != 8,
            log=(LogLine(building.START + 0.003, "c2s55: Client connected"),),
            **(building.FUZZED if night == 10 else {}),
        )
        if night == 9:
            path.write_bytes(path.read_bytes().replace(b'{"event": "log"', b'{"event": "l', 1) + b'{"event": "che')


def of_role(role: Role, *named: tuple[str, Outcome, str]) -> tuple[CheckResult, ...]:
    """Results of checks of a client or of a pair: name, outcome, who is blamed."""
    return tuple(
        building.result(name, outcome, role=role, blamed=blamed, seen="<message/>" if outcome.bad else "")
        for name, outcome, blamed in named
    )


def client(folder: Path, subject: dict[str, str], server: dict[str, str], outcome: Outcome, night: int = 10) -> None:
    """A client on a server."""
    write(
        folder,
        f"{subject['name']}-on-{server['name']}-{night}",
        of_role(
            "client",
            ("rfc-6120/wrong-name-is-refused", Outcome.PASS, ""),
            ("xep-0115/poisoned-hash-is-not-believed", outcome, ""),
        ),
        role="client",
        subject=subject,
        peers=({**server, "role": "server"},),
        started=at(night),
        known_checks={"RFC 6120": 1, "XEP-0115": 1},
        replay=f"make lab SERVER={server['name']} CLIENT={subject['name']}",
    )


def pair(folder: Path) -> None:
    """Two clients on prosody."""
    write(
        folder,
        "pair",
        of_role(
            "pair",
            ("xep-0184/receipt-is-sent", Outcome.FAIL, "profanity"),
            ("xep-0085/state-is-shown", Outcome.PASS, ""),
        ),
        role="pair",
        subject=SLIXMPP,
        peers=({**PROFANITY, "role": "client"}, {**PROSODY, "role": "server"}),
        started=at(10),
        replay="make lab SERVER=prosody CLIENTS=slixmpp,profanity",
    )


def federation(folder: Path) -> None:
    """Prosody with ejabberd."""
    write(
        folder,
        "federation",
        of_role(
            "federation",
            ("rfc-6121/text-crosses/forth", Outcome.FAIL, "ejabberd"),
            ("rfc-6121/text-crosses/back", Outcome.PASS, ""),
        ),
        role="federation",
        subject=PROSODY,
        peers=({**EJABBERD, "role": "server"},),
        started=at(10),
        replay="make lab SERVER=prosody PEER=ejabberd",
    )


def everything(folder: Path) -> Path:
    """All of them."""
    ten_nights(folder)
    write(folder, "ejabberd", building.every_kind(), subject=EJABBERD, started=at(10))
    write(folder, "old", checks(10)[:3], subject=OLD, started=at(10))
    client(folder, SLIXMPP, PROSODY, Outcome.PASS)
    client(folder, SLIXMPP, EJABBERD, Outcome.FAIL)
    client(folder, PROFANITY, PROSODY, Outcome.UNSUPPORTED)
    pair(folder)
    federation(folder)
    return folder
