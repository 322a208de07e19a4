"""What each provider's robustness is tried with: whose payloads, to whom, over which transport; or why nothing.

Read from `robustness.toml`. What is sent and how it is judged is the campaign's to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas import payloads, tables
from schemas.payloads import Addressee, Carrier, Party, Payload, Use

FILE = Path(__file__).parent / "robustness.toml"
SENT = {Carrier.IQ, Carrier.MESSAGE, Carrier.PRESENCE, Carrier.STREAM}


@dataclass(frozen=True)
class Trial:
    """How a provider is tried. `uses` are what is sent; empty with the reason in `none`."""

    provider: str
    uses: tuple[tuple[Payload, Use], ...]
    over: str = "c2s"
    none: str = ""


@dataclass(frozen=True)
class _Entry:
    payloads: tuple[str, ...]
    to: tuple[Addressee, ...]
    over: str
    none: str


def trial(provider: str) -> Trial:
    """How that provider is tried. Raises UsageError where the file is broken."""
    entry = _entries().get(provider, _Entry((provider,), (), "c2s", ""))
    if entry.none:
        return Trial(provider, (), entry.over, entry.none)
    party = Party.COMPONENT if entry.over == "component" else Party.CLIENT
    uses = tuple(
        (payload, narrowed)
        for name in entry.payloads or (provider,)
        for payload in payloads.of_provider(name)
        for use in payload.uses
        # What a client may send, a component may address to others in the same way.
        if (party in use.sender or Party.CLIENT in use.sender) and use.stanza in SENT
        if (narrowed := _narrowed(use, entry.to)) is not None
    )
    return Trial(provider, uses, entry.over, "" if uses else "No element of it is sent by a client.")


def trial_of_client(provider: str) -> Trial:
    """How that provider is tried on a client: by what others send to it, and its server by itself.

    Raises UsageError where the file is broken.
    """
    entry = _entries().get(provider, _Entry((provider,), (), "c2s", ""))
    if entry.none:
        return Trial(provider, (), "c2s", entry.none)
    uses = tuple(
        (payload, received)
        for name in entry.payloads or (provider,)
        for payload in payloads.of_provider(name)
        for use in payload.uses
        if (received := _received(use)) is not None
    )
    return Trial(provider, uses, "c2s", "" if uses else "No element of it is sent to a client by itself.")


def _received(use: Use) -> Use | None:
    """The use, as it reaches a client; None where it does not."""
    if use.stanza is Carrier.STREAM:
        return use if Party.SERVER in use.sender else None
    return _narrowed(use, (Addressee.CONTACT,)) if use.stanza in SENT else None


def providers() -> frozenset[str]:
    """Every provider of which something is known: payloads, or how it is tried."""
    return frozenset({payload.provider for payload in payloads.load()} | set(_entries()))


def _narrowed(use: Use, to: tuple[Addressee, ...]) -> Use | None:
    """The use, for these addressees only; None where it has none of them."""
    if not to:
        return use
    kept = tuple(addressee for addressee in use.to if addressee in to)
    return Use(use.stanza, use.types, use.sender, kept, use.children) if kept else None


@cache
def _entries() -> dict[str, _Entry]:
    top = tables.read(FILE)
    listed = top.table("provider")
    entries = {}
    for provider in listed:
        table = listed.table(provider)
        entries[provider] = _Entry(
            table.texts("payloads"),
            table.choices("to", Addressee),
            table.text("over", "c2s"),
            table.text("none", "") or "",
        )
        table.done()
    top.done()
    return entries
