"""How each provider is claimed on the wire, read from `advertised.toml`. What a server does is not known here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("advertised.toml")


@cache
def ways() -> dict[str, tuple[str, ...]]:
    """Provider -> the claims that make it advertised, each `place what`. All of them must be there."""
    return {provider: tuple(claims) for provider, claims in tomllib.loads(FILE.read_text("utf-8")).items()}


def advertised(claims: Iterable[str]) -> dict[str, list[str]]:
    """Provider -> what claims it among `claims`; an empty list where it could be claimed and is not."""
    seen = set(claims)
    return {provider: list(need) if seen.issuperset(need) else [] for provider, need in ways().items()}
