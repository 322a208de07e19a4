"""What is run in the cells of each role, by the lab's own checks."""

from __future__ import annotations

import pytest

from lab import catalogue
from lab.errors import UsageError
from lab.matrix.chosen import chosen
from lab.matrix.plan import Selection
from lab.verdict import Role

ROLES: tuple[Role, ...] = ("server", "client", "pair")
YEAR = 2021


def test_each_role_is_asked_what_it_has_checks_of() -> None:
    found, notes = chosen(Selection(providers=("RFC 6120", "XEP-0114")), ("server", "client"), default_year=YEAR)
    assert found["server"].providers == ("RFC 6120", "XEP-0114")
    assert found["client"].providers == ("RFC 6120",)
    assert notes == ("client cells have no check of XEP-0114",)


def test_a_role_without_a_check_is_not_asked() -> None:
    found, notes = chosen(Selection(providers=("XEP-0114",), fuzz="0"), ROLES, default_year=YEAR)
    assert found == {"server": Selection(providers=("XEP-0114",), fuzz="0")}
    assert notes == ()


def test_a_check_of_one_role_is_asked_of_that_role() -> None:
    server = next(check.name for check in catalogue.checks() if check.role == "server")
    pair = next(check.name for check in catalogue.checks() if check.role == "pair")
    found, notes = chosen(Selection(checks=(server, pair)), ("server", "pair"), default_year=YEAR)
    assert {role: one.checks for role, one in found.items()} == {"server": (server,), "pair": (pair,)}
    assert len(notes) == 2


def test_without_a_choice_every_role_is_asked_all() -> None:
    found, notes = chosen(Selection(), ROLES, default_year=YEAR)
    assert found == dict.fromkeys(ROLES, Selection())
    assert notes == ()


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(rows=("core/tsl", "core/tls")), "core/tls"),
        (Selection(providers=("RFC 6120", "RFC 6129")), "RFC 6120"),
        (Selection(checks=("rfc-6120/*", "rfc-6120/no-such-check")), "rfc-6120/"),
        (Selection(rows=("core/tls",), providers=("XEP-0114",)), "no check of 'XEP-0114'"),
        (Selection(year=1999), "2021"),
    ],
)
def test_a_word_that_no_role_knows_is_said(selection: Selection, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(selection, ROLES, default_year=YEAR)
    assert said in str(caught.value)
