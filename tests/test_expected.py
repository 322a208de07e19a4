"""Whose list of known failures excuses what: alone, in a pair, and of two servers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.starting import sides_of
from lab.subjects import find
from lab.subjects.expected import Side, entry, is_deadly
from lab.subjects.known import Known, KnownFault, Listed
from lab.verdict import Outcome, mirrored, told_apart

RECEIPT = "xep-0184/receipt-comes-back"


def side(name: str, *checks: str, second: bool = False) -> Side:
    return Side.of(
        name, Listed(tuple(Known(check, "fail", f"the list of {name}") for check in checks)), second=second
    )


def reason(sides: Sequence[Side], check: str, blamed: str = "", outcome: Outcome = Outcome.FAIL) -> str | None:
    found = entry(sides, check, outcome, blamed)
    return found.reason if found else None


def test_one_alone_answers_for_itself() -> None:
    alone = [side("prosody", "rfc-6120/one")]
    assert reason(alone, "rfc-6120/one") == "the list of prosody"
    assert reason(alone, "rfc-6120/two") is None


def test_in_a_pair_only_the_list_of_whoever_is_to_blame_excuses() -> None:
    pair = [side("slixmpp", f"{RECEIPT}/forth"), side("mcabber", second=True), side("prosody")]
    assert reason(pair, f"{RECEIPT}/forth", "slixmpp") == "the list of slixmpp"
    assert reason(pair, f"{RECEIPT}/forth", "mcabber") is None
    assert reason(pair, f"{RECEIPT}/forth", "prosody") is None
    assert reason(pair, f"{RECEIPT}/forth", "somebody") is None


def test_where_nobody_is_to_blame_any_list_speaks_so_that_what_passes_is_taken_out() -> None:
    pair = [side("slixmpp"), side("mcabber", f"{RECEIPT}/forth", second=True), side("prosody", "xep-0313/a/forth")]
    assert reason(pair, f"{RECEIPT}/back") == "the list of mcabber"
    assert reason(pair, "xep-0313/a/forth") == "the list of prosody"


def test_a_list_holds_wherever_its_subject_stands() -> None:
    """mcabber's list says that it fails in the first part: as second of a pair it has that part in `back`."""
    checks = [f"{RECEIPT}/forth"]
    first, second = side("mcabber", *checks), side("mcabber", *checks, second=True)
    assert reason([first], f"{RECEIPT}/forth", "mcabber") == "the list of mcabber"
    assert reason([first], f"{RECEIPT}/back", "mcabber") is None
    assert reason([side("slixmpp"), second], f"{RECEIPT}/back", "mcabber") == "the list of mcabber"
    assert reason([side("slixmpp"), second], f"{RECEIPT}/forth", "mcabber") is None


def test_a_client_with_itself_answers_in_both_parts() -> None:
    checks = [f"{RECEIPT}/forth"]
    pair = [side("slixmpp", *checks), side("slixmpp", *checks, second=True)]
    assert reason(pair, f"{RECEIPT}/forth", "slixmpp") == "the list of slixmpp"
    assert reason(pair, f"{RECEIPT}/back", "slixmpp") == "the list of slixmpp"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (f"{RECEIPT}/forth", f"{RECEIPT}/back"),
        (f"{RECEIPT}/back", f"{RECEIPT}/forth"),
        ("rfc-6120/iq-is-answered/get", "rfc-6120/iq-is-answered/get"),
        ("rfc-6120/forth-and-back", "rfc-6120/forth-and-back"),
    ],
)
def test_only_a_pairs_checks_have_a_mirrored_name(name: str, other: str) -> None:
    assert mirrored(name) == other


def test_what_a_list_says_ends_the_subject_is_deadly() -> None:
    """A listed failure is not, nor is what another's list says of another check."""
    sides = [
        side("jabberd2", "rfc-6120/fails"),
        Side.of("mcabber", Listed((Known("rfc-6120/ends-it", "crash", "it dies"),))),
    ]
    assert is_deadly(sides, "rfc-6120/ends-it")
    assert not is_deadly(sides, "rfc-6120/fails")
    assert not is_deadly(sides, "rfc-6120/passes")


def test_two_versions_of_one_server_are_told_apart() -> None:
    one, other = find("prosody:13.0"), find("prosody:0.12")
    assert told_apart(one, find("ejabberd")) == ("prosody", "ejabberd")
    assert told_apart(one, other) == ("prosody:13.0", "prosody:0.12")
    sides = sides_of(Listed((Known("rfc-6120/a/forth", "fail", "the list of 13.0"),)), (), one, other)
    assert [side.name for side in sides] == ["prosody:13.0", "prosody:0.12"]
    assert reason(sides, "rfc-6120/a/forth", "prosody:13.0") == "the list of 13.0"
    assert reason(sides, "rfc-6120/a/forth", "prosody:0.12") is None


def test_a_fault_is_excused_by_the_list_of_whoever_is_to_blame() -> None:
    fault = KnownFault("xep-0184/*/forth", "*<gone/>*", "the server forgets")
    pair = [side("slixmpp"), Side.of("mcabber", Listed(faults=(fault,)), second=True)]
    found = entry(pair, f"{RECEIPT}/back", Outcome.FAIL, "mcabber", "<error><gone/></error>")
    assert found == Known(f"{RECEIPT}/forth", "fail", "the server forgets", flaky=True)
    assert entry(pair, f"{RECEIPT}/back", Outcome.FAIL, "slixmpp", "<error><gone/></error>") is None
    assert entry(pair, f"{RECEIPT}/back", Outcome.FAIL, "mcabber", "nothing came") is None
