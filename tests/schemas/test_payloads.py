"""The payload registry and how robustness is tried: whole, and clear about what is wrong in a broken file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cell import TRANSPORTS
from lab.errors import UsageError
from schemas import payloads, robustness, suites
from schemas.catalogue import catalogue
from schemas.payloads import Party

PING = """provider = "XEP-0199"

[[payload]]
element = "{urn:xmpp:ping}ping"

[[payload.use]]
stanza = "iq"
types = ["get"]
from = ["client"]
to = ["server"]
"""


def test_every_payload_is_declared_under_its_provider() -> None:
    for payload in payloads.load():
        assert catalogue().declares(payload.element), payload.element
        assert payload in payloads.of_provider(payload.provider)


def test_every_provider_that_a_suite_asks_of_servers_is_tried_or_says_why_not() -> None:
    for year in suites.years():
        for row in suites.load(year).rows:
            for provider in row.listed:
                trial = robustness.trial(provider.id)
                assert bool(trial.uses) is not bool(trial.none), provider.id
                assert trial.over in TRANSPORTS


def test_who_is_tried_by_another_way_sends_what_clients_send() -> None:
    trial = robustness.trial("XEP-0163")
    assert {payload.provider for payload, _ in trial.uses} == {"XEP-0060"}
    assert all(set(use.to) <= {"account", "contact"} for _, use in trial.uses)
    assert robustness.trial("XEP-0114").over == "component"
    assert all(Party.CLIENT in use.sender for _, use in robustness.trial("XEP-0030").uses)


@pytest.mark.parametrize(
    ("was", "became", "named"),
    [
        ('element = "{urn:xmpp:ping}ping"', 'element = "ping"', "element must be a name such as {urn:xmpp:ping}ping"),
        ('stanza = "iq"', 'stanza = "iqq"', "stanza is 'iqq'; known: iq, message"),
        ('types = ["get"]', "", "types of an iq are get, set, result"),
        ('from = ["client"]', 'from = ["someone"]', "from holds something else than client, server, component"),
        ('from = ["client"]', "", "from is missing"),
        ('to = ["server"]', 'too = ["server"]', "too is not a field here"),
        ('provider = "XEP-0199"', "", "provider is missing"),
        ("[[payload.use]]", "[[payload.use", "line"),
    ],
)
def test_a_broken_file(tmp_path: Path, was: str, became: str, named: str) -> None:
    assert was in PING
    path = tmp_path / "xep-0199.toml"
    path.write_text(PING.replace(was, became, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        payloads.load_file(path)
    assert named in str(caught.value)
    assert "xep-0199.toml" in str(caught.value)
