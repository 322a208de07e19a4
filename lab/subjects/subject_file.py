"""Reads `subject.toml` into a `Subject`: strict, each complaint with the file and the key.

The format stands in the docstring of `lab.subjects`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

from lab.cell import TRANSPORTS, WITHIN_HTTP, Transport, WithinHttp
from lab.errors import UsageError
from lab.subjects.model import (
    AccountCommand,
    Admin,
    Component,
    Container,
    EngineName,
    LocalProcess,
    Ready,
    Subject,
    Turn,
)

FILE_NAME = "subject.toml"
_SERVICES = ("muc", "pubsub", "upload", "proxy", "mix")
_PROVIDER = re.compile(r"XEP-\d{4}|RFC \d+")
_T = TypeVar("_T")


def load_toml(file: Path) -> dict[str, Any]:
    """The TOML of a file. Raises UsageError naming file and line."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", cause=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{file}:{line[1]}" if line else f"the end of {file}"
        raise UsageError(f"{where} is not TOML", cause=str(error)) from error


class Table:
    """One TOML table, read key by key: `done` refuses what nobody asked for."""

    def __init__(self, data: object, file: Path, where: str = "") -> None:
        self.file, self.where = file, where
        if not isinstance(data, dict):
            raise self.error("is not a table", "")
        self._data: dict[str, Any] = data
        self._asked: set[str] = set()

    @overload
    def take(self, key: str, kind: type[_T]) -> _T: ...
    @overload
    def take(self, key: str, kind: type[_T], default: _T) -> _T: ...
    def take(self, key: str, kind: type[_T], default: _T | None = None) -> _T:
        """The value of `key`, which is of `kind`; without a default the key is needed."""
        self._asked.add(key)
        value = self._data.get(key, default)
        if value is None:
            raise self.error("is missing", key)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"is no {kind.__name__}: {value!r}", key)
        return value

    def choice(self, key: str, among: Sequence[str], default: str | None = None) -> Any:
        value = self.take(key, str) if default is None else self.take(key, str, default)
        if value not in among:
            raise self.error(f"is {value!r}; it may be {', '.join(among)}", key)
        return value

    def strings(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        items = self.take(key, list) if needed else self.take(key, list, [])
        if not all(isinstance(item, str) for item in items):
            raise self.error("has something else than strings in it", key)
        return tuple(items)

    def mapping(self, key: str, kind: type[_T], *, among: Sequence[str] = ()) -> dict[str, _T]:
        """A table of values of one kind, its keys free or `among` some."""
        table = self.table(key)
        if table is None:
            return {}
        values = {name: table.take(name, kind) for name in table._data}
        for name in values:
            if among and name not in among:
                raise table.error("is unknown", name, among)
        return values

    def table(self, key: str) -> Table | None:
        """The table `key`, or None where there is none."""
        self._asked.add(key)
        if key not in self._data:
            return None
        return Table(self._data[key], self.file, f"{self.where}.{key}".lstrip("."))

    def needed_table(self, key: str) -> Table:
        table = self.table(key)
        if table is None:
            raise self.error("is missing", key)
        return table

    def rest(self) -> dict[str, Any]:
        """The keys that nobody asked for, where keys are free."""
        return {key: value for key, value in self._data.items() if key not in self._asked}

    def done(self) -> None:
        for key in self.rest():
            raise self.error("is unknown", key, sorted(self._asked))

    def error(self, what: str, key: str, known: Sequence[str] = ()) -> UsageError:
        name = f"{self.where}.{key}".strip(".")
        near = difflib.get_close_matches(key, known, n=1)
        return UsageError(
            f"{self.file}: {name} {what}",
            cause=f"known here: {', '.join(known)}" if known else "",
            hint=f"did you mean {near[0]}?" if near else f"the format of {self.file.name} stands in lab/subjects",
        )


@dataclass(frozen=True)
class Opened:
    """What every `subject.toml` says, whoever the subject is; `top` and `own` have the rest."""

    name: str
    folder: Path
    version: str
    default: str
    versions: tuple[str, ...]
    engines: tuple[EngineName, ...]
    top: Table
    own: Table
    """The table of the version."""


def open_subject(folder: Path, version: str | None, role: str) -> Opened:
    """Begin to read the subject of a folder, in the version asked for or in its default one. Raises UsageError."""
    folder = folder.resolve()
    file = folder / FILE_NAME
    top = Table(load_toml(file), file)
    name = top.take("name", str)
    if name != folder.name:
        raise top.error(f"is {name!r}, its folder is called {folder.name!r}", "name")
    top.choice("role", (role,))
    versions = top.take("versions", dict)
    default = top.choice("default", tuple(versions))
    version = default if version is None else version
    if version not in versions:
        near = difflib.get_close_matches(version, versions, n=2, cutoff=0.3)
        raise UsageError(
            f"{name} has no version {version!r} here",
            cause=f"there are: {', '.join(versions)}",
            hint=f"did you mean {' or '.join(f'{name}:{v}' for v in near)}?" if near else "",
        )
    engines = top.strings("engines", needed=True)
    if not engines or set(engines) - {"docker", "local"}:
        raise top.error("may only have docker and local in it", "engines")
    own = top.needed_table("versions").needed_table(version)
    return Opened(name, folder, version, default, tuple(versions), engines, top, own)  # type: ignore[arg-type]  # checked


def read(folder: Path, version: str | None = None) -> Subject:
    """The server of a folder, in the version asked for or in its default one. Raises UsageError."""
    opened = open_subject(folder, version, "server")
    top, engines = opened.top, opened.engines
    container, local = container_of(top.table("container")), _local(top.table("local"))
    for engine, table in (("docker", container), ("local", local)):
        if engine in engines and table is None:
            raise top.error(f"names {engine}, but nothing says how", "engines")
    ports: dict[Any, int] = top.mapping("ports", int, among=TRANSPORTS)
    if not ports:
        raise top.error("is missing", "ports")
    subject = Subject(
        name=opened.name,
        title=top.take("title", str),
        role="server",
        homepage=top.take("homepage", str),
        folder=opened.folder,
        engines=engines,
        version=opened.version,
        default=opened.default,
        versions=opened.versions,
        provides=provides_of(top, opened.own),
        options=opened.own.rest(),
        ports=ports,
        paths=_paths(top),
        ready=_ready(top.needed_table("ready"), tuple(ports)),
        services=top.mapping("services", str, among=_SERVICES),
        component=_component(top.table("component")),
        accounts=_accounts(top.table("accounts")),
        admin=_admin(top.table("admin")),
        container=container,
        local=local,
        files=top.mapping("files", str),
        crashes=_crashes(top.table("log")),
        turn=_turn(top.table("turn")),
    )
    for template in subject.files:
        if not (subject.folder / template).is_file():
            raise top.error("names a template that is not there", f"files.{template}")
    top.done()
    return subject


def _paths(top: Table) -> dict[WithinHttp, str]:
    paths: dict[Any, str] = top.mapping("paths", str, among=WITHIN_HTTP)
    for name, path in paths.items():
        if not path.startswith("/"):
            raise top.error("is no path: it begins with /", f"paths.{name}")
    return paths


def _crashes(table: Table | None) -> tuple[str, ...]:
    if table is None:
        return ()
    patterns = table.strings("crash", needed=True)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise table.error(f"has {pattern!r}, which is no regular expression ({error})", "crash") from error
    table.done()
    return patterns


def provides_of(top: Table, own: Table) -> dict[str, str]:
    """Provider -> what gives it; the version's own are laid over the others, an empty one takes it away."""
    provides = _provides(top) | _provides(own)
    return {provider: module for provider, module in provides.items() if module}


def _provides(table: Table) -> dict[str, str]:
    provides = table.mapping("provides", str)
    for provider in provides:
        if not _PROVIDER.fullmatch(provider):
            raise table.error("is no provider; they are called like XEP-0030 or RFC 6120", f"provides.{provider}")
    return provides


def _ready(table: Table, ports: tuple[Transport, ...]) -> Ready:
    ready = Ready(
        port=table.choice("port", ports),
        send=table.take("send", str),
        expect=table.take("expect", str),
        within=table.take("within", float, 20.0),
    )
    table.done()
    return ready


def _component(table: Table | None) -> Component | None:
    if table is None:
        return None
    component = Component(domain=table.take("domain", str), secret=table.take("secret", str))
    table.done()
    return component


def _turn(table: Table | None) -> Turn | None:
    if table is None:
        return None
    turn = Turn(host=table.take("host", str), port=table.take("port", int, 3478), secret=table.take("secret", str))
    table.done()
    return turn


def _accounts(table: Table | None) -> AccountCommand:
    if table is None:
        return AccountCommand()
    method = table.choice("method", ("in-band", "command"), "in-band")
    accounts = AccountCommand(method, table.strings("command", needed=method == "command"))
    table.done()
    return accounts


def _admin(table: Table | None) -> Admin | None:
    if table is None:
        return None
    admin = Admin(table.take("localpart", str), table.take("password", str), table.strings("command"))
    table.done()
    return admin


def container_of(table: Table | None) -> Container | None:
    """What `[container]` says; None where it is not there."""
    if table is None:
        return None
    container = Container(
        command=table.strings("command"),
        user=table.take("user", str, ""),
        memory=table.take("memory", str, "512m"),
        pids=table.take("pids", int, 256),
        capabilities=table.strings("capabilities"),
        tmpfs=table.mapping("tmpfs", str),
        certificates=table.take("certificates", str, "/certs"),
        package=table.strings("package"),
    )
    table.done()
    return container


def _local(table: Table | None) -> LocalProcess | None:
    if table is None:
        return None
    local = LocalProcess(
        requirements=table.strings("requirements"),
        command=table.strings("command", needed=True),
        package=table.take("package", str, ""),
        environment=table.mapping("environment", str),
        domain=table.take("domain", str, ""),
    )
    table.done()
    return local
