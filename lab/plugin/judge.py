"""What a check says of what it saw. Four words: it held (say nothing), `require`, `unsupported`, `impossible`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from lab.wire.session import localname, show, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer

T = TypeVar("T")


class Missed(AssertionError):
    """The requirement was not met: what it asks, and what was seen."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen: {seen}")
        self.expected = expected
        self.seen = seen


class Unsupported(Exception):
    """The subject does not advertise what the check needs."""


class Impossible(Exception):
    """This set-up cannot test the requirement."""


def require(condition: object, expected: str, seen: str | Element | None) -> None:
    """The check fails unless `condition` holds; `seen` may be the stanza that shows it."""
    if not condition:
        raise Missed(expected, show(seen) if isinstance(seen, Element) else str(seen))


def require_equal(seen: object, expected: object, what: str) -> None:
    """The check fails unless both are equal; `what` names the thing compared."""
    if seen != expected:
        raise Missed(f"{what} {expected!r}", f"{what} {seen!r}")


def require_result(reply: Element) -> None:
    """The check fails unless `reply` is an iq of type result (RFC 6120 §8.2.3)."""
    require(localname(reply) == "iq" and reply.get("type") == "result", "an iq of type result", reply)


def require_error(reply: Element, *conditions: str, kind: str | None = None) -> None:
    """The check fails unless `reply` is a stanza error with one of `conditions` (any, when none is given).

    `kind` is the error type where the requirement fixes it (RFC 6120 §8.3.2).
    """
    condition = stanza_error_condition(reply)
    fits = reply.get("type") == "error" and condition and (not conditions or condition in conditions)
    require(fits, f"an error: {' or '.join(conditions) or 'any defined condition'}", reply)
    if kind is not None:
        error = reply.find("{*}error")
        require(error is not None and error.get("type") == kind, f"an error of type {kind}", reply)


def unsupported(what: str) -> NoReturn:
    """The subject does not advertise `what`, so the requirement does not apply to it."""
    raise Unsupported(what)


def impossible(why: str) -> NoReturn:
    """This set-up cannot test the requirement; `why` says what is missing."""
    raise Impossible(why)


def premise(awaited: Callable[[], T], otherwise: str) -> T:
    """What a check starts from. Where it does not come, which another check judges, this one is `impossible`."""
    try:
        return awaited()
    except NoAnswer:
        impossible(otherwise)
