"""The pytest plugin: options, fixtures, and each check's outcome as an event of the run record.

Loaded by `scenarios/pytest.ini`. The worker that runs a check puts the event on the check's last report
(`report.stanzalab`); whoever runs pytest collects it from there, with or without pytest-xdist.
No assert here: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import engines
from lab.agents.agent import AgentGone
from lab.errors import LabError, MachineError, PeerError
from lab.plugin.border import federation, federation_cell, peer_accounts, sides_in
from lab.plugin.client_watch import ClientWatch
from lab.plugin.clients import WATCH, Arrivals, arrive, client
from lab.plugin.connections import (
    CONNECT,
    TRACE,
    Connect,
    accounts,
    alice,
    bob,
    cell,
    cell_file,
    comeback,
    component_session,
    connect,
)
from lab.plugin.federation import another, authority, remote, remotes
from lab.plugin.judge import Impossible, Missed, Unsupported
from lab.plugin.pairs import pair
from lab.plugin.requirement import OVER, TRANSPORTS, check_of
from lab.plugin.standing import Watch
from lab.record import CheckResult, TraceEntry
from lab.verdict import JOINT, Check, Expectation, Outcome, Role
from lab.wire.session import StreamEnded, StreamFailed
from lab.wire.stream import PeerViolation
from lab.wire.transport import ConnectionLost, ConnectionRefused

__all__ = [
    "accounts",
    "alice",
    "another",
    "arrive",
    "authority",
    "bob",
    "cell",
    "cell_file",
    "client",
    "comeback",
    "component_session",
    "connect",
    "federation",
    "federation_cell",
    "pair",
    "peer_accounts",
    "remote",
    "remotes",
]

CHECK = pytest.StashKey[Check]()
SELECTED = pytest.StashKey[list[str]]()
"""On the configuration: the names of the checks that are meant (`lab.catalogue.run`); without it, all are."""
WORKERS_SELECTED = "stanzalab_selected"
"""The same in pytest-xdist's `workerinput`."""
NOTICE_SECONDS = 1.0  # until the engine has seen that its subject is gone
DEADLY_SECONDS = 5.0  # … of a check that has this process to itself, as one has that is listed as deadly


@dataclass
class Progress:
    """What is known of a check while it runs."""

    started: float
    outcome: Outcome = Outcome.PASS
    expected: str = ""
    seen: str = ""
    reason: str = ""
    blamed: str = ""
    by_rule: bool = False
    """It fails by a standing rule alone: what the check itself looks at is right."""


OF_SERVERS: frozenset[Role] = frozenset({"server", "federation"})
UNBLAMED = {Outcome.PASS, Outcome.UNSUPPORTED, Outcome.IMPOSSIBLE, Outcome.ERROR}
PROGRESS = pytest.StashKey[Progress]()


class Hooks:
    """Hooks that the lab adds to pytest's."""

    @pytest.hookspec
    def pytest_lab_connect(self, item: pytest.Item, connect: Connect) -> None:
        """A check is about to open its first session."""

    @pytest.hookspec
    def pytest_lab_arrive(self, item: pytest.Item, arrivals: Arrivals) -> None:
        """A check is about to bring its first client online."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stanzalab")
    group.addoption("--cell", metavar="FILE", help="the cell file of the server to check (stanzalab writes it)")
    group.addoption("--check", action="append", default=[], metavar="NAME", help="only this check (repeatable)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(requirement): what the check tests (lab.plugin.requirement)")
    config.addinivalue_line("markers", "overloads: may keep a weak server busy for long: run alone, behind others")
    config.addinivalue_line("markers", "transports(over, ...): the check is run over each of them")
    config.addinivalue_line("markers", "proved_by(fake): the fake of lab.fakes that turns the check red")


def pytest_itemcollected(item: pytest.Item) -> None:
    """There is one component: checks that have it take turns, in one worker."""
    if "component_session" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.xdist_group("component"))


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A check that makes sense on several transports is run on each; over TCP its name is what it would be alone.

    Last of all, so that this parameter's id stands behind all others: `check_of` takes it off again.
    """
    marker = metafunc.definition.get_closest_marker(TRANSPORTS)
    if marker is not None:
        ids = [pytest.HIDDEN_PARAM if over == "c2s" else over for over in marker.args]
        metafunc.parametrize(OVER, marker.args, ids=ids, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each item its check, leave only those that are meant, and put those that overload at the end."""
    for item in items:
        item.stash[CHECK] = check_of(item)
    items.sort(key=overloads)
    told = getattr(config, "workerinput", {}).get(WORKERS_SELECTED) or config.stash.get(SELECTED, [])
    wanted = {*config.getoption("--check"), *told}
    if wanted:
        items[:] = [item for item in items if item.stash[CHECK].name in wanted]


def overloads(item: pytest.Item) -> bool:
    """Whether a check is marked as one that may keep a server busy for long."""
    return item.get_closest_marker("overloads") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "setup":
        item.stash[PROGRESS] = Progress(started=call.start)
    progress = item.stash[PROGRESS]
    if call.excinfo is not None and progress.outcome is Outcome.PASS:
        _judge(progress, call.excinfo.value, item.stash[CHECK], str(call.when))
        if item.stash[CHECK].role not in OF_SERVERS:
            _excuse_for_the_server(progress, call.excinfo.value)
        _look_for_a_crash(progress, item, _was_cut_off(call.excinfo.value))
    if call.when == "call" or (call.when == "setup" and call.excinfo is not None):
        _hold_against_standing_rules(progress, item)
    if call.when == "teardown":
        report.stanzalab = _result(item, progress).to_event()  # type: ignore[attr-defined] # xdist carries it
    return report


def _judge(progress: Progress, error: BaseException, check: Check, phase: str) -> None:
    """From an exception to an outcome: peer wrong, we wrong, machine wrong."""
    missed = Outcome.FAIL if check.requirement.keyword.binding else Outcome.NON_STRICT
    progress.blamed = getattr(error, "blamed", "")
    match error:
        case AgentGone():
            progress.outcome, progress.expected, progress.seen = Outcome.CRASH, error.expected, error.seen
            progress.reason = error.message
        case Missed():
            progress.outcome, progress.expected, progress.seen = missed, error.expected, error.seen
        case PeerError():
            progress.outcome = missed if phase == "call" else Outcome.FAIL
            progress.expected, progress.seen = error.expected, error.seen
            if error.message not in error.seen:
                progress.seen = f"{error.message}: {error.seen}"
            if phase != "call":
                progress.expected = progress.expected or "a session to try the requirement on"
                progress.seen = f"before the requirement could be tried: {progress.seen}"
        case Unsupported():
            progress.outcome, progress.reason = Outcome.UNSUPPORTED, f"not advertised: {error}"
        case Impossible():
            progress.outcome, progress.reason = Outcome.IMPOSSIBLE, str(error)
        case LabError():
            progress.outcome, progress.reason = Outcome.ERROR, str(error)
        case _:
            text = "".join(traceback.format_exception(error)[-4:]).strip()
            progress.outcome, progress.reason = Outcome.ERROR, f"in {phase}: {text}"


def _excuse_for_the_server(progress: Progress, error: BaseException) -> None:
    """In a check on clients, what the cell's server does wrong to the lab's own sessions is no client's fault."""
    if isinstance(error, ConnectionLost | ConnectionRefused | StreamFailed | StreamEnded | PeerViolation):
        progress.outcome = Outcome.IMPOSSIBLE
        progress.reason = f"the server of this cell failed a session of the lab's own: {error}"


def _hold_against_standing_rules(progress: Progress, item: pytest.Item) -> None:
    """A check that holds, but saw a standing rule broken, fails; one that fails anyway says so besides."""
    if item.stash[CHECK].role in OF_SERVERS:
        for connect in item.stash.get(CONNECT, []):
            connect.watch.look_at_what_is_left(connect.open)
    found = [(name, fault) for name, watch in _watches(item) for fault in watch.faults]
    if not found:
        return
    faults = [fault for _, fault in found]
    first, also = faults[0], faults
    progress.by_rule = progress.outcome is Outcome.PASS
    if progress.outcome in {Outcome.PASS, Outcome.NON_STRICT}:
        if progress.outcome is Outcome.NON_STRICT:
            progress.reason = f"not strict, besides: expected {progress.expected}, seen: {progress.seen}\n"
        progress.outcome, progress.expected, progress.seen = Outcome.FAIL, f"{first.where}: {first.says}", first.seen
        progress.reason += f"the standing rule {first.rule} was broken, which holds for whatever a check receives"
        progress.blamed = found[0][0]
        also = faults[1:]
    if also and progress.outcome is not Outcome.IMPOSSIBLE:  # its reason is what reports group such checks by
        said = "; ".join(f"{f.rule} ({f.where}): {f.seen}" for f in also)
        progress.reason = f"{progress.reason}\nbroken standing rules, besides: {said}".strip()


def _watches(item: pytest.Item) -> Sequence[tuple[str, Watch | ClientWatch]]:
    """Who watched whoever is under test, with the subject's name: of two servers nobody can tell which it was."""
    if item.stash[CHECK].role in OF_SERVERS:
        return [("", connect.watch) for connect in item.stash.get(CONNECT, [])]
    return item.stash.get(WATCH, [])


def _was_cut_off(error: BaseException | None) -> bool:
    """Whether this error, or one that it came of, is a stream or connection that ended, or that nobody takes.

    A server that dies of what one of its parts lost may close its streams in good order first.
    """
    while error is not None:
        if isinstance(error, ConnectionLost | ConnectionRefused | StreamEnded):
            return True
        error = error.__cause__ or error.__context__
    return False


def _look_for_a_crash(progress: Progress, item: pytest.Item, cut_off: bool) -> None:
    """A failure while the subject died is a crash, whatever it looked like from the wire.

    A connection breaks before the engine knows that its process is gone: one that was `cut_off` is worth a wait.
    """
    path = item.config.getoption("--cell")
    if path is None or progress.outcome not in {Outcome.FAIL, Outcome.NON_STRICT}:
        return
    role = item.stash[CHECK].role
    patience = NOTICE_SECONDS if hasattr(item.config, "workerinput") else DEADLY_SECONDS
    for name, folder in sides_in(Path(path)) if role == "federation" else [("", Path(path).parent)]:
        try:
            exit_ = engines.exit_since(progress.started, folder, within=patience if cut_off else 0.0)
        except MachineError as error:
            progress.outcome, progress.reason = Outcome.ERROR, str(error)
            return
        if exit_ is not None and role not in OF_SERVERS:
            progress.outcome = Outcome.IMPOSSIBLE
            progress.reason = f"the server of this cell exited while this check ran: {exit_.why}"
        elif exit_ is not None:
            progress.outcome, progress.blamed = Outcome.CRASH, name
            progress.reason = f"{name or 'the subject'} exited while this check ran: {exit_.why}"
            return


def _result(item: pytest.Item, progress: Progress) -> CheckResult:
    trace = item.stash.get(TRACE, None)
    to_blame = item.stash[CHECK].role in JOINT and progress.outcome not in UNBLAMED
    return CheckResult(
        check=item.stash[CHECK],
        outcome=progress.outcome,
        expectation=Expectation.EXPECTED,  # the list of known failures is with whoever runs pytest
        started=progress.started,
        duration=time.time() - progress.started,
        expected=progress.expected,
        seen=progress.seen,
        reason=progress.reason,
        trace=tuple(TraceEntry(e.at, e.session, e.direction, e.text) for e in trace.entries) if trace else (),
        strictness=tuple(one for _, watch in _watches(item) for one in watch.strictness),
        blamed=progress.blamed if to_blame else "",
    )


def event_of(report: Any) -> dict[str, Any] | None:
    """The record event that a report carries, if it is a check's last one."""
    event: dict[str, Any] | None = getattr(report, "stanzalab", None)
    return event
