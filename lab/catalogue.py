"""The catalogue: every check there is, found by pytest's own collection of `scenarios`. Runs none."""

from __future__ import annotations

import fnmatch
import gc
import warnings
from collections import Counter
from collections.abc import Callable, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import scenarios
from lab.errors import LabError, UsageError
from lab.plugin.hooks import CHECK, SELECTED, WORKERS_SELECTED, overloads
from lab.verdict import Check, Role
from schemas import suites
from schemas.tables import nearest

SCENARIOS = Path(scenarios.__file__).parent
INI = SCENARIOS / "pytest.ini"


class Problems:
    """A pytest plugin that keeps what went wrong in pytest itself: a module that breaks, a hook that fails."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        self.problems.append(str(excrepr))


class _Collector(Problems):
    """Keeps what was collected."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: list[Check] = []
        self.nodeids: dict[str, str] = {}
        self.overloading: frozenset[str] = frozenset()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.checks = [item.stash[CHECK] for item in session.items]
        self.nodeids = {item.nodeid: item.stash[CHECK].name for item in session.items}
        self.overloading = frozenset(item.stash[CHECK].name for item in session.items if overloads(item))


@cache
def _collected() -> _Collector:
    collector = _Collector()
    arguments = ["-c", str(INI), "--rootdir", str(SCENARIOS), "--collect-only", str(SCENARIOS)]
    code = pytest.main(arguments, plugins=[collector])
    if collector.problems or code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise LabError("the checks cannot be collected", cause="\n".join(collector.problems) or str(code))
    twice = [name for name, count in Counter(c.name for c in collector.checks).items() if count > 1]
    if twice:
        raise LabError("two checks bear one name", cause=", ".join(twice))
    return collector


def checks() -> tuple[Check, ...]:
    """Every check, in the order of collection. Raises LabError where a module is broken."""
    return tuple(_collected().checks)


def alone(check: Check) -> bool:
    """Whether a check may keep a weak server so busy that others, beside it, would be blamed on it."""
    return check.name in _collected().overloading


def by_nodeid(nodeid: str) -> Check | None:
    """The check behind pytest's node id, if it is one."""
    name = _collected().nodeids.get(nodeid.partition("@")[0])
    return named(name) if name else None


def named(name: str) -> Check:
    """The check of that name. Raises UsageError with the nearest names."""
    for check in checks():
        if check.name == name:
            return check
    raise UsageError(f"there is no check {name!r}", hint=nearest(name, (c.name for c in checks())))


class _Selected:
    """A pytest plugin that says which checks are meant, here and in workers: argparse takes long for thousands."""

    def __init__(self, names: set[str]) -> None:
        self._names = sorted(names)
        self._interrupted = False

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SELECTED] = self._names

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """pytest-xdist begins a worker."""
        node.workerinput[WORKERS_SELECTED] = self._names

    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """A worker that Ctrl-C found half made is closed by nobody: that is no fault, and pytest must not see it."""
        if self._interrupted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()


def run(
    selected: Sequence[Check], cell_file: Path, *, workers: int, plugins: Sequence[object], extra: Sequence[str] = ()
) -> pytest.ExitCode:
    """Let pytest run `selected` on a cell, in `workers` processes (0: in this one); `extra` are arguments of its own.

    Only the modules that hold them are named: collection is a part of the time.
    """
    names = {check.name for check in selected}
    nodeids = _collected().nodeids
    files = sorted({str(SCENARIOS / n.partition("::")[0]) for n, check in nodeids.items() if check in names})
    spread = ["-n", str(workers), "--dist", "loadgroup"] if workers else ["-p", "no:xdist"]
    arguments = ["-c", str(INI), "--rootdir", str(SCENARIOS), "--cell", str(cell_file), *spread, *extra, *files]
    return pytest.ExitCode(pytest.main(arguments, plugins=[_Selected(names), *plugins]))


def run_apart(
    selected: Sequence[Check],
    cell_file: Path,
    *,
    workers: int,
    plugins: Sequence[object],
    extra: Sequence[str] = (),
    also: Set[Check] = frozenset(),
    stopped: Callable[[], bool] = lambda: False,
) -> pytest.ExitCode:
    """Like `run`, but what must run `alone`, and `also` these, behind all others, one at a time.

    Not where it is interrupted before that, or `stopped`.
    """
    apart = [check for check in selected if alone(check) or check in also]
    code = pytest.ExitCode.OK
    for part, processes in (([check for check in selected if check not in apart], workers), (apart, 0)):
        if part and not stopped() and code != pytest.ExitCode.INTERRUPTED:
            code = run(part, cell_file, workers=processes, plugins=plugins, extra=extra)
    return code


def known_checks(role: Role) -> dict[str, int]:
    """How many checks of a role each provider has."""
    return dict(Counter(c.requirement.provider for c in checks() if c.role == role))


def rows_of(provider: str, year: int) -> tuple[str, ...]:
    """The ids of the suite's rows that ask for a provider, or of the informational one."""
    return tuple(row.id for row in suites.load(year).rows_of(provider))


def select(
    *,
    role: Role = "server",
    year: int,
    rows: Sequence[str] = (),
    names: Sequence[str] = (),
    providers: Sequence[str] = (),
) -> tuple[Check, ...]:
    """The checks that are meant: all of a role, narrowed by rows (or categories), names and providers.

    Names may hold `*`. Raises UsageError with the nearest names where something does not exist, and where
    nothing is left: nothing selected is never green.
    """
    suites.load(year)  # a year that does not exist is refused, whatever else is asked for
    chosen = [c for c in checks() if c.role == role]
    if rows:
        wanted = {p for row in rows for p in _providers_of(row, year)}
        chosen = [c for c in chosen if c.requirement.provider in wanted]
    if providers:
        known = {c.requirement.provider for c in chosen}
        for provider in providers:
            if provider not in known:
                raise UsageError(f"no check of {provider!r}", hint=nearest(provider, known))
        chosen = [c for c in chosen if c.requirement.provider in providers]
    if names:
        chosen = _named(names, chosen)
    if not chosen:
        raise UsageError(
            f"no {role} check is selected",
            cause=f"rows: {', '.join(rows) or 'all'}; checks: {', '.join(names) or 'all'}",
            hint="`stanzalab checks` lists them all",
        )
    return tuple(chosen)


def _named(names: Sequence[str], chosen: list[Check]) -> list[Check]:
    kept: dict[str, Check] = {}
    for name in names:
        found = [c for c in chosen if fnmatch.fnmatchcase(c.name, name) or c.name.startswith(f"{name}/")]
        if not found:
            raise UsageError(f"there is no check {name!r}", hint=nearest(name, (c.name for c in chosen)))
        kept |= {c.name: c for c in found}
    return list(kept.values())


def _providers_of(row_or_category: str, year: int) -> set[str]:
    suite = suites.load(year)
    category = [row for row in (*suite.rows, *suite.informational) if row.category == row_or_category]
    return {name for row in category or [suite.row(row_or_category)] for name in row.measuring}
