"""A room over the border: it and its owner are there, who enters is from here."""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugin.border import Federation, Side
from scenarios.server.xep0045._configuration import Value
from scenarios.server.xep0045._occupant import Occupant
from scenarios.server.xep0045._rooms import created, enter, fresh_room, quiet


@dataclass(frozen=True)
class Place:
    """A room on the one side: its owner is a user of that side, the guest one from abroad."""

    side: Side
    owner: Occupant
    guest: Occupant

    @property
    def room(self) -> str:
        return self.owner.room


def with_room(federation: Federation, **config: Value) -> Occupant:
    """The owner of a fresh room, in it."""
    federation.there.service("muc")
    with federation.there.blamed():
        owner = created(federation.bob(), fresh_room(federation.there.connect), **config)
        quiet(owner)
    return owner


def with_guest(federation: Federation, **config: Value) -> Place:
    """A fresh room with its owner and a guest from abroad in it, and nothing left in anybody's inbox."""
    owner = with_room(federation, **config)
    guest = enter(federation.alice(), owner.room, "guest")
    quiet(owner, guest)
    return Place(federation.there, owner, guest)
