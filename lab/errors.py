"""The lab's three errors and its exit codes.

Every error that a user sees is one of three: the peer was wrong, we were wrong, the machine was wrong.
Each carries what happened (`message`), why (`cause`) and what to do next (`hint`).
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    MACHINE = 3


class LabError(Exception):
    """Something that a user is told about: what happened, why, and what to do next."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, *, cause: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments survive the trip between pytest-xdist's processes.
        return _rebuild, (type(self), self.message, self.__dict__)

    def __str__(self) -> str:
        parts = [self.message]
        if self.cause:
            parts.append(f"why: {self.cause}")
        if self.hint:
            parts.append(f"next: {self.hint}")
        return "\n".join(parts)


class UsageError(LabError):
    """We, or whoever typed the command, were wrong: unknown name, broken TOML, nothing selected."""

    exit_code = Exit.USAGE


class MachineError(LabError):
    """The machine was wrong: no engine, no room, a subject that does not start."""

    exit_code = Exit.MACHINE


class PeerError(LabError):
    """The peer was wrong: it closed, hung, or sent what the protocol does not allow.

    `expected` and `seen` are what a check reports (DESIGN, rule 7).
    """

    exit_code = Exit.UNEXPECTED

    def __init__(self, message: str, *, expected: str = "", seen: str = "", hint: str = "") -> None:
        super().__init__(message, cause=seen, hint=hint)
        self.expected = expected
        self.seen = seen or message


def _rebuild(kind: type[LabError], message: str, state: dict[str, object]) -> LabError:
    error = kind(message)
    error.__dict__.update(state)
    return error
