"""What a subject claims of each specification, on the wire and in its DOAP file, beside what was measured of it.

Also the other way round: what a DOAP file may claim, as far as the measurements support it (`supported`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.doap import COMPLETE, PARTIAL, Implemented
from lab.report.judgement import Judgement
from lab.rows import RowOutcome, provider_outcome
from lab.verdict import Outcome

HOLDS = {RowOutcome.PASS, RowOutcome.NON_STRICT}


@dataclass(frozen=True)
class Claimed:
    """One specification. `wire` is what claims it there: empty where it could be claimed and is not, None where
    nothing can, or nobody looked. `file` is what the DOAP file says, None where it says nothing, or none was given.

    `version` is the one that the checks follow; `held` of `tried` checks hold, out of the `known` ones that exist.
    """

    provider: str
    wire: tuple[str, ...] | None
    file: Implemented | None
    measured: RowOutcome
    version: str = ""
    held: int = 0
    tried: int = 0
    known: int = 0
    unsupported: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all that can be checked of it was, and holds."""
        return self.measured in HOLDS and self.held == self.tried >= self.known and not self.unsupported


def claims(judgement: Judgement) -> tuple[Claimed, ...]:
    """Each specification that was tried, or is claimed in a way that the lab can check."""
    header = judgement.record.header
    named = {*judgement.providers, *(p for p in header.doap if p in header.known_checks)}
    return tuple(_claimed(judgement, provider) for provider in sorted(named))


def unknown(judgement: Judgement) -> tuple[str, ...]:
    """What the DOAP file claims and no check of this role is for."""
    header = judgement.record.header
    return tuple(p for p, said in header.doap.items() if said.claimed and p not in header.known_checks)


def _claimed(judgement: Judgement, provider: str) -> Claimed:
    header = judgement.record.header
    results = judgement.providers.get(provider, ())
    outcomes = [r.outcome for r in results if r.outcome.executed]
    wire = header.advertised.get(provider)
    one = Claimed(
        provider,
        wire=None if wire is None else tuple(wire),
        file=header.doap.get(provider),
        measured=provider_outcome(outcomes),
        version=results[0].check.requirement.version if results else "",
        held=sum(outcome in {Outcome.PASS, Outcome.NON_STRICT} for outcome in outcomes),
        tried=sum(outcome is not Outcome.UNSUPPORTED for outcome in outcomes),
        known=header.known_checks.get(provider, 0) - (len(results) - len(outcomes)),
        unsupported=outcomes.count(Outcome.UNSUPPORTED),
    )
    return Claimed(**{**vars(one), "remarks": tuple(_remarks(one, given=bool(header.doap)))})


def _remarks(one: Claimed, *, given: bool) -> Iterator[str]:
    """Where claim and measurement do not go together; `given` says whether there is a DOAP file."""
    claimed_here = one.file is not None and one.file.claimed
    claimed = claimed_here or bool(one.wire)
    if claimed and one.measured is RowOutcome.FAIL:
        yield f"claimed, and {one.tried - one.held} of {one.tried} checks fail"
    elif claimed_here and one.measured is RowOutcome.UNSUPPORTED:
        yield "claimed in the DOAP file, and not supported here"
    elif given and not claimed_here and one.measured in HOLDS:
        yield "holds, and the DOAP file does not say so"
    if claimed_here and one.wire == ():
        yield "claimed in the DOAP file, and not on the wire"
    if one.file and one.file.version and one.version and one.file.version != one.version:
        yield f"the DOAP file is about version {one.file.version}, the checks about {one.version}"


def supported(judgement: Judgement) -> dict[str, Implemented]:
    """Provider -> what a DOAP file may say of it by this run: `complete` where all that can be checked was and holds,
    `partial` where some of it does; nothing of what was not tried, or holds nowhere.
    """
    header = judgement.record.header
    found = {}
    for one in claims(judgement):
        if not one.held:
            continue
        counted = f"{one.held} of {one.tried} checks hold"
        missing = one.known - one.tried - one.unsupported
        left = f", {one.unsupported} not supported" if one.unsupported else ""
        left += f", {missing} not run" if missing > 0 else ""
        found[one.provider] = Implemented(
            status=COMPLETE if one.whole else PARTIAL,
            version=one.version,
            note=f"{counted}{left} (Stanzalab {header.lab}, {header.started[:10]})",
        )
    return found
