"""The agent of slixmpp: reads commands (docs/clients.md), has the client carry them out, and answers each once."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "lib")]

import slixmpp  # noqa: E402 - it is in the folder just named
from client import Client  # noqa: E402
from told import Failed, Unsupported, tell  # noqa: E402

LINE_BYTES = 1024 * 1024
PATIENCE = 20.0  # seconds that a command may take: the lab waits longer

ARGUMENTS: dict[str, tuple[set[str], set[str]]] = {
    "connect": (set(), set()),
    "disconnect": (set(), set()),
    "send-message": ({"to", "body"}, {"type", "receipt"}),
    "correct-message": ({"to", "body"}, {"sent", "type"}),
    "send-chat-state": ({"to", "state"}, set()),
    "send-presence": (set(), {"show", "status", "priority", "to"}),
    "subscribe": ({"jid"}, set()),
    "accept": ({"jid"}, set()),
    "refuse": ({"jid"}, set()),
    "unsubscribe": ({"jid"}, set()),
    "remove-contact": ({"jid"}, set()),
    "roster": (set(), set()),
    "discover": ({"jid"}, {"node"}),
    "features-of": ({"jid"}, set()),
    "ping": ({"jid"}, set()),
    "join": ({"room", "nick"}, set()),
    "leave": ({"room"}, set()),
    "enable-carbons": (set(), set()),
    "archive": (set(), {"with", "max"}),
    "publish-nick": ({"nick"}, set()),
}
"""Command -> the arguments that it needs, and those that it may have. Each is a method of `Client`."""

TAKEN = {"with", "type", "max"}  # arguments that bear names of Python's own


def read(line: bytes) -> tuple[int, str, dict[str, Any]] | None:
    """A command's number, name and arguments; None where the line is no command."""
    try:
        command = json.loads(line)
        number, name = command.pop("id"), command.pop("command")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return (number, name, command) if isinstance(number, int) and isinstance(name, str) else None


async def carry_out(client: Client, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the command brings. Raises Unsupported, Failed, and whatever slixmpp does."""
    if name not in ARGUMENTS:
        raise Unsupported("no such command")
    needed, optional = ARGUMENTS[name]
    if not needed <= set(arguments) <= needed | optional:
        raise Unsupported("not with these arguments")
    if name != "connect" and not client.online:
        raise Failed("not connected")
    method = getattr(client, name.replace("-", "_"))
    async with asyncio.timeout(PATIENCE):
        return await method(**{f"{key}_" if key in TAKEN else key: value for key, value in arguments.items()}) or {}


async def answer(client: Client, number: int, name: str, arguments: dict[str, Any]) -> None:
    try:
        brought = await carry_out(client, name, arguments)
    except Unsupported as error:
        tell("unsupported", id=number, reason=str(error))
    except Failed as error:
        tell("failed", id=number, reason=str(error))
    except TimeoutError:
        tell("failed", id=number, reason=f"not within {PATIENCE:.0f} s")
    except slixmpp.exceptions.XMPPError as error:
        tell("failed", id=number, reason=error.format())
    except Exception as error:  # whatever else the library raises is its word on the command
        logging.getLogger("agent").exception("%s", name)
        tell("failed", id=number, reason=f"{type(error).__name__}: {error}")
    else:
        tell("done", id=number, **brought)


async def serve(client: Client, commands: asyncio.Queue[tuple[int, str, dict[str, Any]]]) -> None:
    while True:
        await answer(client, *await commands.get())


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    client = Client(os.environ)
    commands: asyncio.Queue[tuple[int, str, dict[str, Any]]] = asyncio.Queue()
    serving = asyncio.create_task(serve(client, commands))
    tell("ready", client="slixmpp", version=slixmpp.__version__)
    while line := await lines.readline():
        if command := read(line):
            commands.put_nowait(command)
        else:
            tell("log", text=f"no command: {line[:200]!r}")
    # A queue that is still full is worked off only as far as it goes at once: nobody reads the answers.
    serving.cancel()
    await client.end()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("AGENT_LOG", "WARNING"))
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        os.chdir(home)
        asyncio.run(main())
