"""The cell file: all that a scenario may know of what is running.

Engines write it (`cell.json`); whoever has a server running already writes one by hand. Scenarios read only
this. Nothing here starts or stops anything.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from lab.errors import UsageError

FORMAT = 1
HURRIED_ROUND_TRIPS = 100  # that a server may take for a batch where we are in a hurry

Transport = Literal[
    "c2s",
    "c2s-direct-tls",
    "component",
    "s2s",
    "s2s-direct-tls",
    "http",
    "https",
    "websocket",
    "websocket-plain",
    "bosh",
    "bosh-plain",
]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
WithinHttp = Literal["websocket", "bosh"]
WITHIN_HTTP: tuple[WithinHttp, ...] = get_args(WithinHttp)
"""The transports that have a path on an HTTP port: under TLS by this name, in clear as `NAME-plain`."""

AccountMethod = Literal["in-band", "ad-hoc", "command", "given"]
ACCOUNT_METHODS: tuple[AccountMethod, ...] = get_args(AccountMethod)


@dataclass(frozen=True)
class Endpoint:
    """Where one transport listens, as the lab reaches it. `path` is the URL's, for transports within HTTP."""

    host: str
    port: int
    path: str = ""


@dataclass(frozen=True)
class Subject:
    """Who is under test. `version` is the one that was asked for, `package` the exact one installed."""

    name: str
    version: str
    package: str = ""
    image: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Component:
    """A place kept free for the lab's own XEP-0114 component."""

    domain: str
    secret: str


@dataclass(frozen=True)
class Turn:
    """A TURN server in the cell. `host` and `port` are what the server under test calls it; it is `reached`, over UDP
    and TCP, at an address of this machine."""

    host: str
    port: int
    reached: Endpoint


@dataclass(frozen=True)
class Account:
    """An account of the server. `jid` is bare."""

    localpart: str
    domain: str
    password: str

    @property
    def jid(self) -> str:
        return f"{self.localpart}@{self.domain}"


@dataclass(frozen=True)
class AccountMaking:
    """How fresh accounts are made.

    `in-band`: XEP-0077 before login. `ad-hoc`: by the cell's administrator, with XEP-0133's command Add User.
    `command`: `argv` is run, with `{user}`, `{domain}`, `{password}` filled in.
    `given`: only the accounts listed here exist.
    """

    method: AccountMethod = "in-band"
    argv: tuple[str, ...] = ()
    given: tuple[Account, ...] = ()


@dataclass(frozen=True)
class Process:
    """How the lab can tell whether the subject still lives.

    `docker`: `id` is the container. `local`: `id` is the engine's record of it, as a restarted subject has
    another process id. `attached`: nobody can tell.
    """

    kind: Literal["docker", "local", "attached"] = "attached"
    id: str = ""


@dataclass(frozen=True)
class ClientPlace:
    """A client in the cell, and how its agent is started (docs/clients.md).

    `argv` runs one agent; the variables of the contract are in its environment. `ca` and `server_ca` are the files
    with the authorities of the tap and of the server, as the agent sees them; `host` is the address at which the
    agent reaches what listens here.
    """

    subject: Subject
    argv: tuple[str, ...]
    host: str
    ca: str
    server_ca: str = ""
    title: str = ""


@dataclass(frozen=True)
class Federation:
    """How the lab is a remote server to the subject: every host of `zone` is resolved as its name says.

    See `lab.engines.names`. `host` is the address of this machine that the subject reaches; `authority` the folder of
    the certificate authority that it trusts, with its key.
    """

    zone: str
    host: str
    authority: Path


@dataclass(frozen=True)
class Cell:
    """One running server and how to reach it.

    `round_trip` is the time in seconds that an answered stanza took when the run began; `patience` the longest
    wait in seconds for anything that must come. `ca` is a PEM file with the certificates to trust; `provides`
    says which module or setting provides which XEP (the suites ask that it be named), `advertised` what the server
    claims of each provider on the wire, empty where it could and does not. `federation` is None where no name of a
    remote server resolves. `peer` is the cell file of another server in the same network, which is tried with this
    one. `clients` are who else is in the cell, and `tap` what the tap shows them: a PEM file with key and chain for
    each of `lab.tap.CERTIFICATES`.
    """

    domain: str
    subject: Subject
    endpoints: dict[Transport, Endpoint]
    ca: Path | None = None
    client_certificates: dict[str, Path] = field(default_factory=dict)  # local part -> PEM with key and chain
    services: dict[str, str] = field(default_factory=dict)
    component: Component | None = None
    turn: Turn | None = None
    accounts: AccountMaking = AccountMaking()
    admin: Account | None = None
    process: Process = Process()
    provides: dict[str, str] = field(default_factory=dict)
    advertised: dict[str, list[str]] = field(default_factory=dict)
    round_trip: float = 0.001
    patience: float = 5.0
    federation: Federation | None = None
    peer: Path | None = None
    clients: tuple[ClientPlace, ...] = ()
    tap: dict[str, Path] = field(default_factory=dict)

    def endpoint(self, transport: Transport) -> Endpoint | None:
        """The endpoint of a transport, or None where the server offers none."""
        return self.endpoints.get(transport)

    def hurried(self, least: float) -> float:
        """Seconds to wait where what they miss is tried again with all patience: `least`, longer on a slow server."""
        return min(self.patience, max(least, HURRIED_ROUND_TRIPS * self.round_trip))

    def measured(self, round_trip: float, patience: float, advertised: dict[str, list[str]]) -> Cell:
        """The same cell, with what the survey at the start of a run found."""
        return replace(self, round_trip=round_trip, patience=patience, advertised=advertised)


def write(cell: Cell, path: Path) -> None:
    """Write `cell` as JSON; paths are kept relative to the file's folder where they lie below it."""
    data = {"format": FORMAT, **asdict(cell)}
    for one in ("ca", "peer"):
        file: Path | None = getattr(cell, one)
        data[one] = _relative(file, path.parent) if file else None
    if cell.federation:
        data["federation"]["authority"] = _relative(cell.federation.authority, path.parent)
    for files in ("client_certificates", "tap"):
        data[files] = {k: _relative(v, path.parent) for k, v in getattr(cell, files).items()}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> Cell:
    """Read a cell file. Raises UsageError naming the file and the field that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the cell file {path}", cause=str(error)) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON", cause=str(error), hint="see docs/cell.md") from error
    try:
        return _cell(data, path.parent)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path} is not a cell file", cause=f"{type(error).__name__}: {error}", hint="see docs/cell.md"
        ) from error


def _cell(data: dict[str, Any], base: Path) -> Cell:
    if data.get("format") != FORMAT:
        raise ValueError(f"format is {data.get('format')!r}, this lab reads {FORMAT}")
    unknown = set(data["endpoints"]) - set(TRANSPORTS)
    if unknown:
        raise ValueError(f"unknown transports {sorted(unknown)}; known: {', '.join(TRANSPORTS)}")
    accounts = data.get("accounts") or {}
    method = accounts.get("method", "in-band")
    if method not in ACCOUNT_METHODS:
        raise ValueError(f"unknown way to make accounts {method!r}; known: {', '.join(ACCOUNT_METHODS)}")
    needed = {"ad-hoc": data.get("admin"), "command": accounts.get("argv"), "given": accounts.get("given")}
    if not needed.get(method, True):
        lacks = {"ad-hoc": "an admin", "command": "an argv", "given": "a list of the accounts given"}[method]
        raise ValueError(f"accounts are made by {method!r}, which needs {lacks}")
    return Cell(
        domain=data["domain"],
        subject=Subject(**data["subject"]),
        endpoints={k: Endpoint(**v) for k, v in data["endpoints"].items()},
        ca=base / data["ca"] if data.get("ca") else None,
        client_certificates={k: base / v for k, v in (data.get("client_certificates") or {}).items()},
        services=dict(data.get("services") or {}),
        component=Component(**data["component"]) if data.get("component") else None,
        turn=_turn(data["turn"]) if data.get("turn") else None,
        accounts=AccountMaking(
            method=method,
            argv=tuple(accounts.get("argv", ())),
            given=tuple(Account(**a) for a in accounts.get("given", ())),
        ),
        admin=Account(**data["admin"]) if data.get("admin") else None,
        process=Process(**(data.get("process") or {})),
        provides=dict(data.get("provides") or {}),
        advertised=dict(data.get("advertised") or {}),
        round_trip=float(data.get("round_trip", 0.001)),
        patience=float(data.get("patience", 5.0)),
        federation=_federation(data["federation"], base) if data.get("federation") else None,
        peer=base / data["peer"] if data.get("peer") else None,
        clients=tuple(_client(one) for one in data.get("clients") or ()),
        tap={k: base / v for k, v in (data.get("tap") or {}).items()},
    )


def _turn(data: dict[str, Any]) -> Turn:
    return Turn(**data | {"reached": Endpoint(**data["reached"])})


def _client(data: dict[str, Any]) -> ClientPlace:
    return ClientPlace(**data | {"subject": Subject(**data["subject"]), "argv": tuple(data["argv"])})


def _federation(data: dict[str, Any], base: Path) -> Federation:
    return Federation(data["zone"], data["host"], base / data["authority"])


def _relative(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
