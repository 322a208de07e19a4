"""Which cells a matrix has: servers alone and with each other, with every client, with pairs of them. Facts only.

What a cell is called, and what its command line is, stands here and nowhere else.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Self

from docker.utils import parse_bytes

from lab import subjects
from lab.errors import UsageError
from lab.subjects import Client, Subject
from lab.verdict import Role, role_in

STANZALAB: tuple[str, ...] = (str(Path(sys.executable).with_name("stanzalab")),)  # the command of this very lab
PARTNER = "slixmpp"  # in pairs that nobody chose: a library, so it does whatever the other side has to be asked for
NONE = "none"  # on the command line: no clients, no pairs
LOCAL_MEMORY = 256 * 2**20  # bytes, of a subject that no container bounds: pyjabber takes a fifth of it


@dataclass(frozen=True)
class Party:
    """A subject in a cell. `spec` is what the lab's `--server` or `--client` takes; `memory` its bound in bytes."""

    spec: str
    name: str
    version: str
    memory: int = LOCAL_MEMORY

    @classmethod
    def of(cls, subject: Subject | Client, wanted: str) -> Self:
        """The party that a subject is, when it was asked for as `wanted`: its version pinned, its folder whole."""
        name = str(subject.folder) if "/" in wanted or wanted in {".", ".."} else subject.name
        memory = parse_bytes(subject.container.memory) if subject.container else LOCAL_MEMORY
        return cls(f"{name}:{subject.version}", subject.name, subject.version, int(memory))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Cell:
    """One server, alone, with another server, with a client, or with two.

    `name` is its folder's; no two cells of a matrix share it.
    """

    name: str
    server: Party
    clients: tuple[Party, ...] = ()
    peer: Party | None = None

    @property
    def role(self) -> Role:
        """Who is judged in it."""
        return role_in(len(self.clients), peer=self.peer is not None)

    @property
    def parties(self) -> tuple[Party, ...]:
        return (self.server, *([self.peer] if self.peer else []), *self.clients)

    @property
    def memory(self) -> int:
        """Bytes that its subjects may take."""
        return sum(party.memory for party in self.parties)

    def __str__(self) -> str:
        return " + ".join(str(party) for party in self.parties)


@dataclass(frozen=True)
class Selection:
    """What is run in each cell, as `stanzalab run` takes it. `fuzz` is a time; None is that command's own choice."""

    year: int | None = None
    rows: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    fuzz: str | None = None
    seed: int | None = None

    def words(self) -> tuple[str, ...]:
        """As options of the command line."""
        options = [
            *(("--row", row) for row in self.rows),
            *(("--check", check) for check in self.checks),
            *(("--provider", provider) for provider in self.providers),
        ]
        singles = {"--suite": self.year, "--fuzz": self.fuzz, "--seed": self.seed}
        options += [(name, str(value)) for name, value in singles.items() if value is not None]
        return tuple(word for option in options for word in option)


@dataclass(frozen=True)
class Asked:
    """What a matrix was asked for, as typed. An empty list of servers or clients means all that the lab has.

    `durations` (cell's name -> seconds) is what the shares of `shard` were balanced by.
    """

    servers: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    selection: Selection = Selection()
    shard: str = ""
    durations: Mapping[str, float] = field(default_factory=dict)
    federation: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError."""
        lists = ("servers", "clients", "pairs")
        chosen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data["selection"].items()}
        return cls(
            **{name: tuple(data[name]) for name in lists},
            federation=tuple(data.get("federation", (NONE,))),  # matrices of before had none
            selection=Selection(**chosen),
            shard=data["shard"],
            durations=dict(data["durations"]),
        )

    def with_what_is_given(self, given: Asked) -> Asked:
        """This, but for what `given` says otherwise: a resumed matrix."""
        chosen = {key: value for key, value in vars(given.selection).items() if value not in {None, ()}}
        lists = {key: value for key, value in vars(given).items() if key != "selection" and value}
        return replace(self, **lists, selection=replace(self.selection, **chosen))


def command(cell: Cell, selection: Selection, out: Path) -> tuple[str, ...]:
    """The command line of a cell, whose files go to `out`."""
    clients = ",".join(party.spec for party in cell.clients)
    who: dict[Role, tuple[str, ...]] = {
        "server": (),
        "client": ("--client", clients),
        "pair": ("--clients", clients),
        "federation": ("--peer", cell.peer.spec if cell.peer else ""),
    }
    return (*STANZALAB, "run", "--server", cell.server.spec, *who[cell.role], *selection.words(), "--out", str(out))


def servers_of(wanted: Sequence[str]) -> tuple[Party, ...]:
    """The servers that are meant, each once; all of the project's without any. Raises UsageError."""
    specs = words_of(wanted) or [subject.name for subject in subjects.all_subjects()]
    return _once(Party.of(subjects.find(spec), spec) for spec in specs)


def clients_of(wanted: Sequence[str]) -> tuple[Party, ...]:
    """The clients that are meant, each once; all of the project's without any. Raises UsageError."""
    words = words_of(wanted)
    if words == [NONE]:
        return ()
    specs = words or [client.name for client in subjects.all_clients()]
    return _once(Party.of(subjects.find_client(spec), spec) for spec in specs)


def pairs_of(wanted: Sequence[str], clients: Sequence[Party]) -> tuple[tuple[Party, Party], ...]:
    """The pairs that are meant (`slixmpp+profanity`); without any, each of `clients` with slixmpp, if that is one.

    Raises UsageError where a word is no pair, or names a client that nobody knows.
    """
    words = words_of(wanted)
    if words == [NONE]:
        return ()
    if not words:
        partner = next((client for client in clients if client.name == PARTNER), None)
        return tuple((partner, client) for client in clients if partner and client != partner)
    return _two_each(words, subjects.find_client, "is no pair of clients", f"--pairs {PARTNER}+profanity")


def federation_of(wanted: Sequence[str], servers: Sequence[Party]) -> tuple[tuple[Party, Party], ...]:
    """The servers that are tried with each other (`prosody+ejabberd`); without any, each two of `servers`.

    Those that run in no container join no network, and are left out where nobody chose them. Raises UsageError as
    `pairs_of` does.
    """
    words = words_of(wanted)
    if words == [NONE]:
        return ()
    if not words:
        return tuple(combinations((one for one in servers if "docker" in subjects.find(one.spec).engines), 2))
    return _two_each(words, subjects.find, "are no two servers", "--federation prosody+ejabberd")


def _two_each(
    words: Iterable[str], find: Callable[[str], Subject | Client], what: str, example: str
) -> tuple[tuple[Party, Party], ...]:
    """Each word's two subjects, each two once."""
    found = []
    for word in words:
        names = word.split("+")
        if len(names) != 2 or not all(names):
            raise UsageError(f"{word!r} {what}", hint=f"two of them, and a plus: {example}")
        first, second = (Party.of(find(name), name) for name in names)
        found.append((first, second))
    return tuple(dict.fromkeys(found))


def planned(
    servers: Sequence[Party],
    clients: Sequence[Party],
    pairs: Sequence[tuple[Party, Party]],
    federation: Sequence[tuple[Party, Party]] = (),
) -> tuple[Cell, ...]:
    """Every cell, each under a name of its own. Raises UsageError where there is none."""
    if not servers:
        raise UsageError("a matrix takes a server at least", hint="`stanzalab subjects` lists them")
    casts = [
        *(() for _ in servers[:1]),
        *((client,) for client in clients),
        *pairs,
    ]
    cells = [_cell(server, cast) for server in servers for cast in casts]
    cells += [_cell(server, peer=peer) for server, peer in federation]
    taken: Counter[str] = Counter()
    unique = []
    for cell in cells:
        taken[cell.name] += 1
        often = taken[cell.name]
        # Two folders may hold subjects of one name and version.
        unique.append(cell if often == 1 else replace(cell, name=f"{cell.name}--{often}"))
    return tuple(unique)


def _cell(server: Party, clients: tuple[Party, ...] = (), peer: Party | None = None) -> Cell:
    cell = Cell("", server, clients, peer)
    name = "+".join(f"{party.name}-{party.version}" for party in cell.parties)
    return replace(cell, name=re.sub(r"[^\w.+-]", "-", name))


def words_of(wanted: Iterable[str]) -> list[str]:
    """What an option that may be given often, and holds commas, names."""
    return [word.strip() for one in wanted for word in one.split(",") if word.strip()]


def _once(parties: Iterable[Party]) -> tuple[Party, ...]:
    return tuple(dict.fromkeys(parties))
