"""Checks on two servers that fail on purpose, by either's fault and by nobody's; run by the test beside this file."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require
from lab.plugin.border import Federation

RFC = Specification("RFC 6120")


@RFC.must("8.2.3", says="What came is wrong, and bob's server wrote it.")
def test_wrong_answer(federation: Federation) -> None:
    alice, _ = federation.alice(), federation.bob()
    with federation.there.writes():
        require(not alice.jid, "something else", alice.jid)


@RFC.must("8.2.3", says="Nothing comes: either may have lost it.")
def test_no_answer(federation: Federation) -> None:
    with federation.there.writes():
        federation.bob().expect("never", timeout=0.2)


@RFC.must("8.2.3", says="Nothing comes of what alice's server owes her, whatever the other one does.")
def test_nothing_at_home(federation: Federation) -> None:
    with federation.here.blamed():
        federation.alice().expect("never", timeout=0.2)


@RFC.must("8.2.3", says="It holds.")
@pytest.mark.parametrize("kind", ["one", "two"])
def test_holds(federation: Federation, kind: str) -> None:
    assert kind
    assert federation.here.name != federation.there.name
    assert federation.alice().jid != federation.bob().jid
