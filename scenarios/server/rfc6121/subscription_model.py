"""RFC 6121 §3: sequences of what two users do, held against a model; the report has the shortest that fails."""

from __future__ import annotations

import pytest

from lab.errors import PeerError
from lab.plugin import Connect, Specification
from lab.plugin.connections import TRACE
from lab.plugin.judge import Missed
from scenarios.server.rfc6121._sequences import Search, search_for_a_failure

RFC = Specification("RFC 6121")


@RFC.must(
    "12",
    "A.1",
    "3.1.2",
    "3.1.3",
    "3.1.5",
    "3.1.6",
    "3.2.2",
    "3.2.3",
    "3.3.2",
    "3.3.3",
    "2.5.2",
    says="Whatever two users do one after the other, the rosters of both are as the tables have it.",
)
def test_two_users_come_to_the_states_of_the_model(connect: Connect, request: pytest.FixtureRequest) -> None:
    search = Search(connect)
    try:
        search_for_a_failure(search)
    except (Missed, PeerError) as error:
        for failure, trace in search.failures.values():
            if failure is error:
                request.node.stash[TRACE] = trace
        raise
