"""What a `subject.toml` says, as facts, and what can be filled in. The format stands in `lab.subjects`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jinja2

from lab.cell import Endpoint, Transport, WithinHttp
from lab.errors import UsageError

EngineName = Literal["docker", "local"]
_IN_CLEAR: Mapping[WithinHttp, Transport] = {"websocket": "websocket-plain", "bosh": "bosh-plain"}
_PLACE = re.compile(r"\{([a-z][a-z0-9:-]*)\}")


def fill(text: str, **values: str | int) -> str:
    """`text` with `{name}` replaced; `{port:c2s}` is given as `**{"port:c2s": 5222}`. Raises UsageError."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(
                f"nothing to put in place of {match[0]}",
                cause=f"it stands in {text!r}",
                hint=f"known here: {', '.join(sorted(values))}",
            )
        return str(values[match[1]])

    return _PLACE.sub(value, text)


@dataclass(frozen=True)
class Ready:
    """Ready when `port` answers `send` with `expect` within so many seconds."""

    port: Transport
    send: str
    expect: str
    within: float


@dataclass(frozen=True)
class Component:
    domain: str
    secret: str


@dataclass(frozen=True)
class Turn:
    """The TURN server that the subject hands out credentials for: its name and port, and the secret of both."""

    host: str
    port: int
    secret: str


@dataclass(frozen=True)
class AccountCommand:
    """How accounts are made. `command` is empty where `method` is `in-band`."""

    method: Literal["in-band", "command"] = "in-band"
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Admin:
    """`command` makes the account; empty: the lab registers it in-band."""

    localpart: str
    password: str
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Container:
    command: tuple[str, ...]
    user: str
    memory: str
    pids: int
    capabilities: tuple[str, ...]
    tmpfs: Mapping[str, str]
    certificates: str
    package: tuple[str, ...]


@dataclass(frozen=True)
class LocalProcess:
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    package: str
    environment: Mapping[str, str]
    domain: str


@dataclass(frozen=True)
class Subject:
    """One implementation in one version. Strings still have their `{domain}` in them: see `fill`."""

    name: str
    title: str
    role: str
    homepage: str
    folder: Path
    engines: tuple[EngineName, ...]
    version: str
    default: str
    versions: tuple[str, ...]
    options: Mapping[str, Any]  # the version's own free keys
    ports: Mapping[Transport, int]
    paths: Mapping[WithinHttp, str]
    ready: Ready
    services: Mapping[str, str]
    component: Component | None
    accounts: AccountCommand
    admin: Admin | None
    container: Container | None
    local: LocalProcess | None
    files: Mapping[str, str]
    provides: Mapping[str, str]
    crashes: tuple[str, ...] = ()
    """Regular expressions: a line of the subject's output that matches one tells of a crash inside it."""
    turn: Turn | None = None
    image: str = ""
    """A container image that somebody else made, to be run in place of the folder's own."""

    def within_http(self, endpoints: Mapping[Transport, Endpoint]) -> dict[Transport, Endpoint]:
        """The endpoints of this server's WebSocket and BOSH, which lie on its HTTP ports: `endpoints` has those."""
        found: dict[Transport, Endpoint] = {}
        for name, path in self.paths.items():
            secure, plain = endpoints.get("https"), endpoints.get("http")
            if secure:
                found[name] = replace(secure, path=path)
            if plain:
                found[_IN_CLEAR[name]] = replace(plain, path=path)
        return found

    def services_of(self, domain: str) -> dict[str, str]:
        """Service -> JID, with the domain filled in."""
        return {name: fill(jid, domain=domain) for name, jid in self.services.items()}

    def component_of(self, domain: str) -> Component | None:
        """The lab's place for a component, with the domain filled in."""
        if self.component is None:
            return None
        return Component(fill(self.component.domain, domain=domain), self.component.secret)

    def turn_of(self, domain: str) -> Turn | None:
        """The TURN server, with the domain filled in."""
        return replace(self.turn, host=fill(self.turn.host, domain=domain)) if self.turn else None

    def render(self, template: str, *, domain: str, **values: object) -> str:
        """The text of a template of this folder. Raises UsageError naming what is undefined."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.folder),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - configuration files of many languages, none of them HTML
        )
        facts = {
            **self.options,
            "domain": domain,
            "version": self.version,
            "services": self.services_of(domain),
            "component": self.component_of(domain),
            "admin": self.admin,
            "named": False,
            "turn": self.turn_of(domain),
            **values,
        }
        try:
            return environment.get_template(template).render(facts)
        except jinja2.TemplateError as error:
            raise UsageError(f"the template {self.folder / template} does not render", cause=str(error)) from error
