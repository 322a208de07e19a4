"""How fast is a server fuzzed? Stanzas answered and judged per second ÷ a bare socket's prepared requests.

In one run, in turns against the same container; both keep two batches under way. Prints JSON: the bare rate
(disco#info requests, prepared, answers only counted), the rates of what campaigns send in bulk for some providers,
their ratios (aim: at least 0.5), and where the fuzzing side's time goes: drawing, sending and reading, judging,
waiting.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import defaultdict

from serving import served

from lab.accounts import Accounts, Comeback
from lab.campaign import batch as batches
from lab.campaign.batch import Batch, Item
from lab.campaign.campaign import MALFORMED, PADDING, SETTLE
from lab.campaign.cast import Cast, Casting
from lab.campaign.judge import judge
from lab.campaign.maker import Maker
from lab.cell import Cell
from lab.wire import negotiation
from lab.wire.namespaces import DISCO_INFO
from lab.wire.negotiation import Stage
from schemas import robustness

SIZE = 64  # stanzas a batch, as campaigns have it
PROVIDERS = ("XEP-0030", "RFC 6121", "XEP-0115")


def bare(cell: Cell, accounts: Accounts, seconds: float) -> float:
    """Answers per second to prepared requests, two batches under way; nothing is read but where answers end."""
    session = negotiation.connect(cell, Stage.BOUND, account=accounts.fresh())
    sock = session.transport.secured()
    request = f"<iq type='get' id='b' to='{cell.domain}'><query xmlns='{DISCO_INFO}'/></iq>".encode()
    data = request * SIZE
    sock.sendall(data)
    answered, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        sock.sendall(data)
        seen = 0
        while seen < SIZE:
            seen += sock.recv(1 << 16).count(b"</iq>")
        answered += seen
    took = time.perf_counter() - start
    session.close()
    return answered / took


class Fuzzing:
    """What a campaign does in bulk, with a clock on each part."""

    def __init__(self, cast: Cast, provider: str, patience: float, *, malformed: float) -> None:
        self._cast, self._patience, self._malformed = cast, patience, malformed
        self._maker = Maker(robustness.trial(provider).uses, 1, "f")
        self._maker.prepare()
        self._chance = random.Random(1)  # noqa: S311 - for a benchmark
        self.clock: dict[str, float] = defaultdict(float)
        self.symptoms = 0

    def rate(self, seconds: float) -> float:
        """Stanzas answered and judged per second."""
        cast, judged, turn = self._cast, 0, 0
        start = time.perf_counter()
        pending: Batch | None = None
        while time.perf_counter() - start < seconds:
            turn += 1
            place = turn % len(cast.fuzzers)
            began = time.perf_counter()
            items = self._items(place)
            drawn = time.perf_counter()
            batch = batches.begin(cast, cast.fuzzers[place], items, padding=PADDING)
            sent = time.perf_counter()
            self.clock["drawing"] += drawn - began
            self.clock["sending and reading"] += sent - drawn
            if pending is not None:
                judged += self._judged(pending)
            pending = batch
        if pending is not None:
            judged += self._judged(pending)
        return judged / (time.perf_counter() - start)

    def _items(self, place: int) -> list[Item]:
        scene = self._cast.scenes[place]
        drawn = (self._maker.bulk(scene, malformed=self._chance.random() < self._malformed) for _ in range(SIZE))
        return [item for item in drawn if item is not None]

    def _judged(self, batch: Batch) -> int:
        began, idle = time.perf_counter(), time.process_time()
        batches.finish(self._cast, batch, self._patience, settle=SETTLE)
        finished, busy = time.perf_counter(), time.process_time() - idle
        self.symptoms += len(judge(self._cast, batch))
        self.clock["sending and reading"] += busy
        self.clock["waiting"] += finished - began - busy
        self.clock["judging"] += time.perf_counter() - finished
        return len(batch.items)


def measure(cell: Cell, turns: int, seconds: float) -> dict[str, object]:
    accounts = Accounts(cell)
    casting = Casting(cell, accounts, Comeback())
    rates: dict[str, list[float]] = {"bare": []}
    clock: dict[str, float] = defaultdict(float)
    symptoms = 0
    for _ in range(turns):
        rates["bare"].append(bare(cell, accounts, seconds))
        for provider in PROVIDERS:
            for share, name in ((0.0, "valid"), (MALFORMED, "mixed")):
                cast = casting.open(fuzzers=2)
                fuzzing = Fuzzing(cast, provider, cell.patience, malformed=share)
                rates.setdefault(f"{provider} {name}", []).append(fuzzing.rate(seconds))
                cast.close()
                for part, spent in fuzzing.clock.items():
                    clock[part] += spent
                symptoms += fuzzing.symptoms
    accounts.close()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    total = sum(clock.values())
    return {
        "per_s": {name: round(rate) for name, rate in medians.items()},
        "ratio": {name: round(rate / medians["bare"], 2) for name, rate in medians.items() if name != "bare"},
        "shares": {name: round(seconds_ / total, 2) for name, seconds_ in clock.items()},
        "symptoms": symptoms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="prosody")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with served(options.server) as cell:
        found = measure(cell, options.turns, options.seconds)
        print(json.dumps({"bench": "fuzzing", "server": options.server, **found}))


if __name__ == "__main__":
    main()
