"""Shrinking: Hypothesis makes a finding's stanza as small as may be, from the choices that were written down.

The choices go into an example database of their own, are replayed in Hypothesis's reuse phase, and shrunk; each
try is sent to the server. Bounded in time: when it is up, nothing more is sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
from hypothesis.errors import HypothesisException, HypothesisWarning

from generators.source import HypothesisSource
from generators.stanza import Scene
from generators.stanzas import Generator
from lab.campaign.batch import Item
from lab.campaign.finding import Finding, fingerprint, trace
from lab.campaign.incoming import BY_NAME
from lab.campaign.maker import drawn
from lab.campaign.narrow import Prober, Trial
from lab.campaign.template import Template
from lab.errors import LabError

KEY = b"stanzalab"


class _Shown(Exception):
    """The server showed the symptom: what Hypothesis takes for a failing example."""


def shrink(prober: Prober, finding: Finding, item: Item, scene: Scene, *, seconds: float) -> Finding | None:
    """The finding with the smallest stanza that was found to show it; None where not even its own choices did.

    `scene` is the one that `item` was drawn in: in another, its choices may make another stanza.
    Raises PeerError, MachineError, UsageError: it could not be sent even once.
    """
    generator = Generator([(item.stanza.payload, item.stanza.use)], scene)
    operator = BY_NAME[item.operator] if item.operator else None
    deadline = time.monotonic() + seconds
    shown: list[tuple[Template, Trial]] = []
    tried: dict[Template, bool] = {}
    stopped: list[LabError] = []

    def shows(candidate: Item) -> bool:
        template = replace(Template.of(candidate, scene), choices=())
        if template not in tried:
            if stopped or time.monotonic() > deadline:
                return False
            try:
                trial = prober.probe([template])
            except LabError as error:  # to Hypothesis it would be another failing example
                stopped.append(error)
                return False
            symptom = trial.shows(*_rule_and_kind(finding))
            tried[template] = symptom is not None and fingerprint(symptom, trial.items) == finding.fingerprint
            if tried[template]:
                shown.append((template, trial))
        return tried[template]

    @st.composite
    def items(draw: st.DrawFn) -> Item | None:
        return drawn(generator, operator, HypothesisSource(draw), scene, "shrinking")

    database = InMemoryExampleDatabase()

    @settings(
        database=database,
        phases=[Phase.reuse, Phase.shrink],
        deadline=None,
        max_examples=10,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(items())
    def attempt(candidate: Item | None) -> None:
        if candidate is not None and shows(candidate):
            raise _Shown

    # As `hypothesis.find` does: the key under which the reuse phase looks for examples.
    attempt._hypothesis_internal_database_key = KEY  # type: ignore[attr-defined]
    # The secondary corpus: what is in the primary one is taken to be as small as it gets.
    database.save(KEY + b".secondary", choices_to_bytes(item.choices))
    try:
        with hypothesis.reporting.with_reporter(_say_nothing), _seeded(finding.seed):
            attempt()
    except (_Shown, HypothesisException, HypothesisWarning):
        pass  # the smallest one is in `shown`; a flaky server (an exception of Hypothesis's) has shown what it has
    if stopped and not shown:
        raise stopped[0]
    return _smallest(finding, shown, item.choices)


def _smallest(finding: Finding, shown: Sequence[tuple[Template, Trial]], choices: tuple[int, ...]) -> Finding | None:
    if not shown:
        return None
    template, trial = min(shown, key=lambda pair: (len(pair[0].text), pair[0].text))
    symptom = trial.shows(*_rule_and_kind(finding))
    if len(template.text) > len(finding.templates[-1].text) or symptom is None:
        return replace(finding, shrunk=True)
    return replace(
        finding,
        templates=(replace(template, choices=choices),),
        expected=symptom.expected,
        seen=symptom.seen,
        trace=trace(trial.log) or finding.trace,
        shrunk=True,
    )


def _rule_and_kind(finding: Finding) -> tuple[str, str]:
    """As the fingerprint begins: `rule=kind by …`."""
    rule, _, kind = finding.fingerprint.partition(" by ")[0].partition("=")
    return rule, kind


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """What Hypothesis draws while it shrinks comes from `seed`: the same finding becomes the same stanza.

    Its own decorator for it, `hypothesis.seed`, switches the reuse phase off.
    """
    local = hypothesis.core.threadlocal
    before, local._hypothesis_global_random = local._hypothesis_global_random, Random(seed)  # noqa: S311 - no secret
    try:
        yield
    finally:
        local._hypothesis_global_random = before


def _say_nothing(_: object) -> None:
    """What Hypothesis reports is said in the finding."""
