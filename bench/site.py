"""How long does a site of many records take? Records of 850 checks, one in twenty failing, with traces and a log.

Prints JSON: records, cells, pages, megabytes read and written, seconds to write the records and to make the site
(aim: well under a minute for 200 records).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from lab import site
from lab.record import CheckResult, Footer, Header, LogLine, TraceEntry, Writer
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement

START = 1_795_000_000.0
PROVIDERS = ("RFC 6120", "XEP-0030", "XEP-0114", "XEP-0115", "XEP-0163")
STANZA = "<iq type='result' id='q1' from='lab.test'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"


def result(number: int, night: int) -> CheckResult:
    provider = PROVIDERS[number % len(PROVIDERS)]
    failing = (number + night) % 20 == 0
    started = START + number / 25
    return CheckResult(
        Check(
            f"{provider.lower().replace(' ', '-')}/check-{number}",
            Requirement(provider, "1.0", ("3.1",), Keyword.MUST, f"What is asked for by check {number} is answered."),
        ),
        Outcome.FAIL if failing else Outcome.PASS,
        Expectation.UNEXPECTED if failing else Expectation.EXPECTED,
        started,
        0.04,
        expected="a result" if failing else "",
        seen=STANZA if failing else "",
        trace=tuple(TraceEntry(started + n / 1_000, "alice", ("sent", "received")[n % 2], STANZA) for n in range(30)),
    )


def write(folder: Path, cell: int, night: int, checks: int) -> Path:
    results = [result(number, night) for number in range(checks)]
    path = folder / f"{cell}-{night}.ndjson"
    header = Header(
        lab="0",
        suite="CS2021",
        role="server",
        started=f"2026-{1 + night // 28:02}-{1 + night % 28:02}T02:00:00+00:00",
        seed=0,
        subject={"name": f"server-{cell}", "version": "1.0"},
        domain="lab.test",
        engine="docker",
        replay=f"make lab SERVER=server-{cell}",
        selected=tuple(one.check.name for one in results),
        known_checks={},
    )
    with Writer(path, header) as writer:
        for one in results:
            writer.check(one)
        for number in range(checks * 8):
            writer.log(LogLine(START + number / 200, f"c2s{number}: Received[c2s]: <iq type='get'/>"))
        writer.footer(Footer(header.started, checks / 25, {}, 1))
    return path


def megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--checks", type=int, default=850)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs, out = Path(folder, "runs"), Path(folder, "site")
        runs.mkdir()
        start = time.perf_counter()
        for cell in range(chosen.cells):
            for night in range(chosen.nights):
                write(runs, cell, night, chosen.checks)
        written, used = time.perf_counter(), time.process_time()
        built = site.build([runs], out)
        figures = {
            "records": built.records,
            "cells": built.cells,
            "checks": chosen.checks,
            "pages": built.pages,
            "read_mb": megabytes(runs),
            "written_mb": megabytes(out),
            "records_s": round(written - start, 1),
            "site_s": round(time.perf_counter() - written, 1),
            "site_cpu_s": round(time.process_time() - used, 1),
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
