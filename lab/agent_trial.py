"""Tries a client's agent against the contract (docs/clients.md), step by step, on a fake server behind the tap.

What the client does on the wire is no matter here: that is what the checks are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from lab.accounts import Accounts
from lab.agents.agent import Agent, CommandFailed, CommandUnsupported
from lab.agents.contract import COMMANDS
from lab.agents.launch import launch
from lab.cell import Account, Cell
from lab.engines import Progress, Running
from lab.engines.clients import with_clients
from lab.errors import LabError, PeerError
from lab.fakes import FakeServer
from lab.subjects import Client
from lab.tap.tap import Tap
from lab.wire import negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session

PATIENCE = 30.0  # seconds that an agent may take to answer
APART = {"connect", "disconnect"}
"""Commands that have steps of their own."""


@dataclass(frozen=True)
class Step:
    """One thing that the contract asks. `fault` is empty where the agent does it."""

    asks: str
    fault: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Stage:
    """What a step works with: an agent that runs, its account and tap, and somebody else on the same server."""

    agent: Agent
    account: Account
    tap: Tap
    bob: Session


def trial(
    client: Client, run_dir: Path, progress: Progress, *, patience: float = PATIENCE, only: str = ""
) -> Iterator[Step]:
    """Each step, as it ends (or `only` one); an agent that is never ready is asked no more.

    Raises MachineError, UsageError: the client cannot be put into a cell.
    """
    with FakeServer(run_dir=run_dir) as cell:
        begun = Running(cell, run_dir / "cell.json", None)
        with with_clients(begun, [client], run_dir, progress) as placed:
            accounts = Accounts(placed.cell)
            try:
                for asks, step in _STEPS.items():
                    if not only or asks == only:
                        made = _tried(asks, step, placed.cell, accounts, patience)
                        yield made
                        if made.fault and step is _ready:
                            return
            finally:
                accounts.close()


def _tried(asks: str, step: Callable[[_Stage], str | None], cell: Cell, accounts: Accounts, patience: float) -> Step:
    try:
        with _staged(cell, accounts, patience, wrong_password=step is _wrong_password) as stage:
            return Step(asks, note=step(stage) or "")
    except (LabError, AssertionError) as error:
        seen = error.seen if isinstance(error, PeerError) else getattr(error, "cause", "")
        said = error.message if isinstance(error, LabError) else str(error)
        return Step(asks, fault=": ".join(filter(None, (said, seen if seen != said else ""))))


@contextmanager
def _staged(cell: Cell, accounts: Accounts, patience: float, *, wrong_password: bool) -> Iterator[_Stage]:
    (place,) = cell.clients
    account, other = accounts.fresh(), accounts.fresh()
    bob = negotiation.connect(cell, Stage.BOUND, account=other, label="bob")
    bob.patience = patience
    bob.send("<presence/>")
    told = replace(account, password=token_hex(8)) if wrong_password else account
    try:
        with (
            Tap(cell, account, place.host, patience=patience) as tap,
            launch(place, told, tap.endpoint, patience=patience) as agent,
        ):
            yield _Stage(agent, account, tap, bob)
    finally:
        bob.close()


def _ready(stage: _Stage) -> str:
    return f"{stage.agent.client} {stage.agent.version}"


def _made_up(stage: _Stage) -> None:
    """Before a client is tried, it is sent commands that do not exist, and must answer `unsupported`, each once."""
    for name in (f"made-up-{token_hex(3)}", f"make-up-{token_hex(3)}"):
        try:
            answer = stage.agent.ask(name, of="nothing")
        except CommandUnsupported:
            continue
        raise AssertionError(f"the command {name!r}, which does not exist, was answered {answer['event']!r}")


def _no_json(stage: _Stage) -> None:
    stage.agent.write(b"this is no JSON\n[]\n{}\n")
    _made_up(stage)


def _connects(stage: _Stage) -> str:
    jid: str = stage.agent.ask("connect")["jid"]
    bound = stage.tap.bound()
    if jid != bound:
        raise AssertionError(f"`connect` answered the JID {jid!r}, but {bound!r} was bound")
    _made_up(stage)
    return jid


def _wrong_password(stage: _Stage) -> str:
    try:
        stage.agent.ask("connect")
    except CommandFailed as error:
        return error.seen
    raise AssertionError("`connect` with a wrong password was answered `done`")


def _sends(stage: _Stage) -> None:
    stage.agent.ask("connect")
    stage.agent.ask("send-message", to=stage.bob.jid, body="ünicode & <markup>")
    stage.bob.expect(lambda e: e.findtext("{*}body") == "ünicode & <markup>", "the message that was sent")


def _shows(stage: _Stage) -> None:
    stage.agent.ask("connect")
    stage.bob.send(f"<message to='{stage.tap.jid}' type='chat' id='shown'><body>1 &lt; 2 €</body></message>")
    shown = stage.agent.expect("message", lambda e: e["body"] == "1 < 2 €", "the message, shown")
    if shown["from"].partition("/")[0] != stage.bob.bare_jid:
        raise AssertionError(f"the message was shown as coming from {shown['from']!r}")


def _answers_all(stage: _Stage) -> str:
    stage.agent.ask("connect")
    done, unsupported, failed = [], [], []
    for name in (name for name in COMMANDS if name not in APART):
        try:
            stage.agent.ask(name, **_arguments(name, stage))
        except CommandUnsupported:
            unsupported.append(name)
        except CommandFailed:  # the fake server has no rooms, no archive, no contacts
            failed.append(name)
        else:
            done.append(name)
    return "; ".join(
        f"{word}: {', '.join(names)}"
        for word, names in (("done", done), ("failed", failed), ("unsupported", unsupported))
        if names
    )


def _arguments(command: str, stage: _Stage) -> dict[str, Any]:
    """What a command needs, of somebody who answers at once: the server, or the contact that it delivers to."""
    values = {
        "to": stage.bob.jid,
        "jid": stage.bob.domain if command in {"discover", "ping"} else stage.bob.bare_jid,
        "body": "a body",
        "state": "composing",
        "room": "room@rooms.invalid",
        "nick": "nick",
    }
    return {name: values[name] for name in COMMANDS[command].needs}


def _disconnects(stage: _Stage) -> None:
    stage.agent.ask("connect")
    stage.agent.ask("disconnect")
    stage.tap.over()
    _made_up(stage)


def _says_that_it_was_lost(stage: _Stage) -> str:
    stage.agent.ask("connect")
    stage.tap.cut()
    return str(stage.agent.expect("offline", what="the event `offline`, as the connection is lost").get("reason", ""))


def _ends(stage: _Stage) -> None:
    stage.agent.ask("connect")
    if not stage.agent.close():
        raise AssertionError("the end of its input does not end it")
    if stage.agent.code != 0:
        raise AssertionError(f"it ended with exit code {stage.agent.code}")
    stage.tap.over()


_STEPS: dict[str, Callable[[_Stage], str | None]] = {
    "tells `ready` first": _ready,
    "answers `unsupported` to a command that does not exist": _made_up,
    "survives lines that are no commands": _no_json,
    "connects, and knows its JID": _connects,
    "says that it failed where the password is wrong": _wrong_password,
    "sends a message": _sends,
    "shows a message": _shows,
    "answers every command of the contract": _answers_all,
    "disconnects in order": _disconnects,
    "tells `offline` when the connection is lost": _says_that_it_was_lost,
    "ends with its input, by itself": _ends,
}
"""What is asked -> the step; each has an agent, an account and a tap of its own."""
