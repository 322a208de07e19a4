"""The proofs of the misbehaviours, by name: a few lines each that show the fault, and fail where there is none."""

from __future__ import annotations

from collections.abc import Callable

from lab.plugin import Connect

SHORT = 0.3  # seconds, where a proof is that nothing comes

Proof = Callable[[Connect], None]
PROOFS: dict[str, Proof] = {}


def proves(name: str) -> Callable[[Proof], Proof]:
    def keep(proof: Proof) -> Proof:
        PROOFS[name] = proof
        return proof

    return keep
