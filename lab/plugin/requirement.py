"""How a scenario module says which requirement a check tests.

    RFC = Specification("RFC 6120")

    @RFC.must("8.2.3", says="An iq of type get or set is answered once, by a result or an error of the same id.")
    def test_iq_is_answered_with_its_id(alice): ...

The check's name comes from the function's: `rfc-6120/iq-is-answered-with-its-id`; a parameter's id stands
behind it, `…/comment`. A parameter can carry a requirement of its own (`pytest.param(…, marks=RFC.must(…))`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lab.cell import Transport
from lab.errors import UsageError
from lab.verdict import DIRECTIONS, ROLES, Check, Keyword, Requirement, Role, slug
from schemas import sections

MARK = "requirement"
FAKE = "proved_by"
TRANSPORTS = "transports"
OVER = "connect"
"""The fixture whose parameter is the transport."""
CARRIERS: dict[Transport, tuple[str, str]] = {
    "websocket": ("RFC 7395", "WebSocket"),
    "bosh": ("XEP-0206", "BOSH"),
}
"""Transport -> the provider that carries XMPP on it, and its name for people."""
CARRIED = "1"
"""The section of each carrier by which whatever XMPP asks for is asked for over it."""

on_every_transport = pytest.mark.transports("c2s", *CARRIERS)
"""For checks that make sense on any: each is run over TCP by its own name, and over the others as the carrier's."""


class Specification:
    """A provider whose requirements a module tests, at the version that `schemas/sections` follows.

    Each of its methods takes the sections where the requirement stands, the best first; at least one of them says
    MUST or SHOULD. It answers a mark: a decorator, or what `pytest.param(…, marks=…)` takes.
    """

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.version = sections.load(provider).version

    def must(self, *where: str, says: str) -> pytest.MarkDecorator:
        return self._requires(Keyword.MUST, where, says)

    def must_not(self, *where: str, says: str) -> pytest.MarkDecorator:
        return self._requires(Keyword.MUST_NOT, where, says)

    def should(self, *where: str, says: str) -> pytest.MarkDecorator:
        return self._requires(Keyword.SHOULD, where, says)

    def should_not(self, *where: str, says: str) -> pytest.MarkDecorator:
        return self._requires(Keyword.SHOULD_NOT, where, says)

    def may(self, *where: str, says: str) -> pytest.MarkDecorator:
        """For what is allowed: the check fails where using the liberty breaks something."""
        return self._requires(Keyword.MAY, where, says)

    def _requires(self, keyword: Keyword, where: tuple[str, ...], says: str) -> pytest.MarkDecorator:
        specification = sections.load(self.provider)
        known = {*specification.adopts, *(s.number for s in specification.sections)}
        if not known.intersection(where):
            raise UsageError(
                f"none of {', '.join(where) or 'no section'} is a normative section of {self.provider}",
                hint=f"see schemas/sections/{slug(self.provider)}.toml",
            )
        return pytest.mark.requirement(Requirement(self.provider, self.version, where, keyword, says))


def proved_by(fake: str) -> pytest.MarkDecorator:
    """Names the misbehaving fake of `lab.fakes` that turns this check red, where no damage to stanzas can."""
    return pytest.mark.proved_by(fake)


def check_of(item: pytest.Item) -> Check:
    """The check that a pytest item is. Raises UsageError for an item without a requirement."""
    requirements = [m.args[0] for m in item.iter_markers(MARK)]
    if not requirements:
        raise UsageError(f"{item.nodeid} names no requirement", hint="see lab/plugin/requirement.py")
    callspec = getattr(item, "callspec", None)
    own = [m.args[0] for m in callspec.marks if m.name == MARK] if callspec else []
    requirement: Requirement = (own or requirements)[0]
    function = getattr(item, "originalname", item.name)
    name = f"{slug(requirement.provider)}/{function.removeprefix('test_').replace('_', '-')}"
    parameters = own_parameters(callspec.id, callspec.params) if callspec else ""
    if parameters:
        name += f"/{parameters}"
    over: Transport = callspec.params.get(OVER, "c2s") if callspec else "c2s"
    fake = item.get_closest_marker(FAKE)
    check = Check(name, requirement, role_of(item), fake.args[0] if fake else "")
    return check if over == "c2s" else carried(check, over)


def carried(check: Check, over: Transport) -> Check:
    """A check of TCP's, as one of the provider that carries XMPP over another transport.

    So it counts for the row that asks for that transport; its name holds the other one's: `rfc-7395/rfc-6120/…`.
    """
    asked = check.requirement
    provider, title = CARRIERS[over]
    says = f"Over {title} as over TCP ({asked.provider} §{asked.sections[0]}): {asked.says}"
    requirement = Requirement(provider, sections.load(provider).version, (CARRIED,), asked.keyword, says)
    return replace(check, name=f"{slug(provider)}/{check.name}", requirement=requirement)


def own_parameters(identifier: str, parameters: Mapping[str, object]) -> str:
    """The ids of a check's parameters, without that of its transport, which stands last (lab.plugin.hooks).

    The direction of a joint check is the name's last part, whatever else there is: `headline/forth`.
    """
    direction = next((str(value) for value in parameters.values() if value in DIRECTIONS), "")
    if direction:
        others = identifier.removeprefix(f"{direction}-").removesuffix(f"-{direction}")
        return direction if others == direction else f"{others}/{direction}"
    if OVER not in parameters:
        return identifier
    over = str(parameters[OVER])
    return identifier.removesuffix(over).removesuffix("-") if over != "c2s" else identifier


def role_of(item: pytest.Item) -> Role:
    """The role under test: the folder below `scenarios` says it."""
    folders = item.path.parts
    return next((role for role in ROLES if role != "server" and role in folders), "server")
