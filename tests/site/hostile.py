"""Records in which everything that a subject says is an attack, in every role, over two nights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.record import LogLine
from lab.verdict import Outcome, Role
from tests.report import building
from tests.report.building import HOSTILE
from tests.site import nights

LONG = "x" * 20_000
NAME = f"../../{HOSTILE}{LONG}"
SUBJECT = dict.fromkeys(("name", "title", "version", "package", "image", "digest"), NAME)


def records(folder: Path) -> Path:
    """A server, a client and a pair; the second night turns every outcome."""
    _of_role(folder, "server", ())
    _of_role(folder, "client", ({**SUBJECT, "role": "server"},))
    _of_role(folder, "pair", ({**SUBJECT, "name": "other"}, {**SUBJECT, "role": "server"}))
    return folder


def _of_role(folder: Path, role: Role, peers: tuple[dict[str, str], ...]) -> None:
    for night, outcomes in enumerate((list(Outcome), list(reversed(Outcome)))):
        results = tuple(
            building.result(
                f"rfc-6120/{place}/{HOSTILE}",
                outcome,
                role=role,
                section=HOSTILE,
                says=HOSTILE,
                expected=HOSTILE,
                seen=HOSTILE + LONG,
                reason=HOSTILE,
                known_reason=HOSTILE,
                blamed=HOSTILE,
                trace=building.traffic(answer=f"<a>{HOSTILE}</a>" + HOSTILE * 20),
            )
            for place, outcome in enumerate(outcomes)
        )
        changes: dict[str, Any] = building.hostile_campaign() if role == "server" else {}
        nights.write(
            folder,
            f"{role}-{night}",
            results,
            log=(LogLine(building.START, HOSTILE),),
            finished=False,
            role=role,
            subject=SUBJECT,
            peers=peers,
            started=HOSTILE if night else nights.at(1),
            domain=HOSTILE,
            engine=HOSTILE,
            lab=HOSTILE,
            selected=(HOSTILE, *(r.check.name for r in results)),
            provides={"RFC 6120": HOSTILE},
            replay=HOSTILE,
            **changes,
        )
