"""A fake `stanzalab`: it takes a cell's command line, and behaves as its server's name says.

Each call leaves a file in the folder that FAKE_LAB names, `CELL-1` the first time, when its record has begun.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from lab import __version__
from lab.record import CheckResult, Footer, Header, Writer
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement, role_in

BOUND = 300.0  # seconds: a fake that nobody ends, ends


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--server", "--client", "--clients", "--out"):
        parser.add_argument(name)
    words, _ = parser.parse_known_args()
    out = Path(words.out)
    clients = [party(spec) for spec in (words.client or words.clients or "").split(",") if spec]
    behaviour = party(words.server)["name"].rpartition("--")[0] or party(words.server)["name"]
    if behaviour == "hangs":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = called(out.name)
    if behaviour == "fails-to-start" or (behaviour == "starts-the-second-time" and begun.name.endswith("-1")):
        begun.touch()
        print("reading\nerror: it would not start\n  why: it is a fake")
        return 3
    if behaviour == "writes-nothing":
        return 0
    if behaviour == "writes-rubbish":
        (out / "run.ndjson").write_bytes(bytes(range(256)) * 40)
        sys.stdout.buffer.write(bytes(range(256)) * 40)
        return 0
    if behaviour == "floods":
        sys.stdout.write("all work and no play\n" * 300_000)
    code = int(behaviour == "fails")
    subject, *peers = [*clients, party(words.server)]
    (out / "server.log").write_text("a line of the server\n")
    with Writer(out / "run.ndjson", header(subject, tuple(peers), len(clients))) as writer:
        writer.check(result("first"))
        begun.touch()
        if behaviour == "is-killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "hangs":
            time.sleep(BOUND)
        if behaviour == "waits":
            wait_for(Path(os.environ["FAKE_LAB"]) / "go")
        if behaviour == "writes-half-a-record":
            (out / "run.ndjson").open("ab").write(b'{"event": "check", "name": "x')
            return 0
        writer.check(result("second", Outcome.FAIL if code else Outcome.PASS))
        writer.footer(Footer("2026-11-24T19:00:00+00:00", 1.5, {"pass": 2}, code))
    return code


def party(spec: str) -> dict[str, str]:
    place, _, version = spec.rpartition(":")
    return {"name": Path(place).name, "version": version}


def called(cell: str) -> Path:
    folder = Path(os.environ["FAKE_LAB"])
    return folder / f"{cell}-{sum(1 for _ in folder.glob(f'{cell}-*')) + 1}"


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + BOUND
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def header(subject: dict[str, str], peers: tuple[dict[str, str], ...], clients: int) -> Header:
    return Header(
        lab=__version__,
        suite="CS2021",
        role=role_in(clients),
        started="2026-11-24T18:59:00+00:00",
        seed=1,
        subject=subject,
        domain="lab.test",
        engine="fake",
        replay="",
        selected=("rfc-6120/first", "rfc-6120/second"),
        known_checks={},
        peers=peers,
    )


def result(name: str, outcome: Outcome = Outcome.PASS) -> CheckResult:
    check = Check(f"rfc-6120/{name}", Requirement("RFC 6120", "", ("1",), Keyword.MUST, "It holds."), "server")
    expectation = Expectation.UNEXPECTED if outcome.bad else Expectation.EXPECTED
    return CheckResult(check, outcome, expectation, 0.0, 0.1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
