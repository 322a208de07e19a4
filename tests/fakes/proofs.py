"""The proofs of the misbehaviours, by name: a few lines each that show the fault, and fail where there is none."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from lab.cell import Account
from lab.plugin import Connect
from lab.wire.namespaces import SASL

PATIENCE = 1.0  # seconds in which a fake answers
SHORT = 0.3  # seconds, where a proof is that nothing comes

Proof = Callable[[Connect], None]
PROOFS: dict[str, Proof] = {}


def proves(name: str) -> Callable[[Proof], Proof]:
    def keep(proof: Proof) -> Proof:
        PROOFS[name] = proof
        return proof

    return keep


def plain(account: Account) -> str:
    """The element that logs in by PLAIN."""
    message = b64encode(f"\0{account.localpart}\0{account.password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{message}</auth>"


def received(connect: Connect) -> str:
    """All text of the connection that came."""
    return "".join(e.text for e in connect.trace.entries if e.direction == "received")
