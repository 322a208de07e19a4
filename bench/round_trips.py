"""How much does a `Session` cost? Round trips per second of a bare socket loop ÷ of a Session, in one run.

The Session is as a check has it: each stanza is held against the standing rules and the schemas.

Both talk to the same server over TLS connections of their own, in turns, so that the machine's mood hits both.
Prints JSON: rates per second (median of the turns) and their ratio (aim: at most 2).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from serving import served

from lab.accounts import Accounts
from lab.cell import Cell
from lab.plugin.standing import Watch
from lab.wire import negotiation
from lab.wire.namespaces import DISCO_INFO
from lab.wire.negotiation import Stage
from lab.wire.session import Session

QUERY = f"<query xmlns='{DISCO_INFO}'/>"


def bare(session: Session, count: int) -> float:
    """Seconds for `count` round trips with nothing but send and recv on the session's own TLS socket."""
    sock = session.transport.secured()
    request = f"<iq type='get' id='b' to='{session.domain}'>{QUERY}</iq>".encode()
    start = time.perf_counter()
    for _ in range(count):
        sock.sendall(request)
        answer = b""
        while not answer.endswith(b"</iq>"):
            answer += sock.recv(65536)
    return time.perf_counter() - start


def through_session(session: Session, count: int) -> float:
    """Seconds for `count` round trips as a check makes them."""
    start = time.perf_counter()
    for _ in range(count):
        session.iq("get", QUERY, to=session.domain)
    return time.perf_counter() - start


def measure(cell: Cell, turns: int, count: int) -> dict[str, float]:
    accounts = Accounts(cell)
    one = negotiation.connect(cell, Stage.BOUND, account=accounts.fresh())
    two = negotiation.connect(cell, Stage.BOUND, account=accounts.fresh(), observer=Watch(cell))
    bare(one, 50), through_session(two, 50)
    bares, sessions = [], []
    for _ in range(turns):
        bares.append(count / bare(one, count))
        sessions.append(count / through_session(two, count))
        two.trace.entries.clear()
    for closing in (one, two):
        closing.close()
    accounts.close()
    rates = statistics.median(bares), statistics.median(sessions)
    return {"bare_per_s": round(rates[0]), "session_per_s": round(rates[1]), "ratio": round(rates[0] / rates[1], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="prosody")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    with served(options.server) as cell:
        found = measure(cell, options.turns, options.count)
        print(json.dumps({"bench": "round trips", "server": options.server, **found}))


if __name__ == "__main__":
    main()
