"""How fast are stanzas drawn and validated? Over every use that a client has in the registry, on one core.

Prints JSON: valid stanzas per second with the random source, with Hypothesis on the same generator, and their ratio
(aims: 20,000/s and 30); what the catalogue takes to compile (aim: below 50 ms), what the shapes take; and how many
stanzas are parsed, and validated, per second. Rates are medians of turns taken in one run, one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from lxml import etree

from generators.source import RandomSource
from generators.stanza import Scene, Stanza
from generators.stanzas import Generator, client_uses
from generators.strategies import stanzas
from schemas import catalogue, payloads
from schemas.payloads import Addressee

DOMAIN = "lab.test"
SCENE = Scene(
    own=f"romeo@{DOMAIN}/orchard",
    domain=DOMAIN,
    addresses={
        Addressee.SERVER: (DOMAIN,),
        Addressee.ACCOUNT: ("", f"romeo@{DOMAIN}"),
        Addressee.CONTACT: (f"juliet@{DOMAIN}", f"juliet@{DOMAIN}/balcony"),
        Addressee.ROOM: (f"room@muc.{DOMAIN}",),
        Addressee.OCCUPANT: (f"room@muc.{DOMAIN}/romeo",),
        **{
            service: (f"{service}.{DOMAIN}",)
            for service in (Addressee.MUC, Addressee.PUBSUB, Addressee.UPLOAD, Addressee.PROXY, Addressee.COMPONENT)
        },
    },
)


def seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def randomly(generator: Generator, source: RandomSource, count: int) -> list[Stanza]:
    drawn = []
    for _ in range(count):
        source.begin()
        drawn.append(generator.draw(source, "b"))
    return drawn


def hypothetically(generator: Generator, count: int) -> int:
    """Examples that Hypothesis drew: only generated, nothing kept, nothing shrunk."""
    drawn = 0

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(stanzas(generator, "b"))
    def example(_: Stanza) -> None:
        nonlocal drawn
        drawn += 1

    example()
    return drawn


def measure(turns: int, count: int) -> dict[str, object]:
    compiled = [seconds(lambda: catalogue.load(catalogue.FOLDER)) for _ in range(turns)]
    shapes = seconds(lambda: randomly(Generator(client_uses(), SCENE), RandomSource(0), count))
    generator, source = Generator(client_uses(), SCENE), RandomSource(1)
    fast, slow, parsed, valid = [], [], [], []
    drawn: list[Stanza] = []
    for _ in range(turns):
        fast.append(count / seconds(lambda: drawn.extend(randomly(generator, source, count))))
        start = time.perf_counter()
        slow.append(hypothetically(generator, count // 50) / (time.perf_counter() - start))
    texts = [f"<s xmlns='jabber:client'>{stanza.xml}</s>".encode() for stanza in drawn[-count:]]
    known = catalogue.catalogue()
    wrong = 0
    for _ in range(turns):
        start = time.perf_counter()
        roots = [etree.fromstring(text)[0] for text in texts]
        parsed.append(count / (time.perf_counter() - start))
        start = time.perf_counter()
        wrong = sum(not known.valid(root) for root in roots)
        valid.append(count / (time.perf_counter() - start))
    sizes = [len(stanza.xml.encode()) for stanza in drawn]
    return {
        "bench": "generation",
        "payloads": len(payloads.load()),
        "uses": len(generator.uses),
        "random_per_s": round(statistics.median(fast)),
        "hypothesis_per_s": round(statistics.median(slow)),
        "ratio": round(statistics.median(fast) / statistics.median(slow), 1),
        "mean_bytes": round(statistics.mean(sizes)),
        "largest_bytes": max(sizes),
        "invalid": wrong,
        "catalogue_ms": round(1000 * statistics.median(compiled), 1),
        "shapes_s": round(shapes, 2),
        "parsed_per_s": round(statistics.median(parsed)),
        "validated_per_s": round(statistics.median(valid)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    print(json.dumps(measure(options.turns, options.count), indent=2))


if __name__ == "__main__":
    main()
