"""Is the subject ready? It is when its port answers the bytes that `subject.toml` says; engines know no XMPP.

An accepted connection alone means nothing: docker-proxy accepts, and closes, before the server listens.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from lab.cell import Endpoint
from lab.engines.server_log import ServerLog
from lab.errors import MachineError
from lab.subjects import Subject, fill

_BETWEEN = 0.05  # seconds between two attempts
_ATTEMPT = 3.0  # seconds for one attempt, so that one lost answer does not cost the whole wait
_ENOUGH = 256 * 1024  # bytes of an answer that will not become the right one


def wait_until_ready(
    subject: Subject, endpoint: Endpoint, *, domain: str, log: ServerLog, gone: Callable[[], str | None]
) -> None:
    """Return when `endpoint` answers as the subject says it must.

    `gone` says why the subject no longer runs, or None: then waiting is over early. Raises MachineError with the
    subject's last log lines when it is gone, or not ready in time.
    """
    ready = subject.ready
    send, expect = (fill(text, domain=domain).encode() for text in (ready.send, ready.expect))
    deadline = time.monotonic() + ready.within
    why = "nothing was tried"
    while (remaining := deadline - time.monotonic()) > 0:
        if reason := gone():
            raise did_not_start(subject, reason, log)
        unready = probe(endpoint, send, expect, min(_ATTEMPT, remaining))
        if unready is None:
            return
        why = unready
        time.sleep(_BETWEEN)
    where = f"{endpoint.host}:{endpoint.port} ({ready.port})"
    raise did_not_start(subject, f"not ready after {ready.within:g} s: {where} {why}", log)


def probe(endpoint: Endpoint, send: bytes, expect: bytes, within: float) -> str | None:
    """None when the endpoint answers `send` with something that holds `expect`, else what it did instead."""
    deadline = time.monotonic() + within
    try:
        connection = socket.create_connection((endpoint.host, endpoint.port), timeout=within)
    except OSError as error:
        return f"cannot be reached ({error.strerror or error})"
    answer = b""
    with connection:
        try:
            connection.sendall(send)
            while expect not in answer:
                if len(answer) > _ENOUGH:
                    return f"answered {len(answer)} bytes without {expect!r} in them"
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                data = connection.recv(65536)
                if not data:
                    break
                answer += data
        except TimeoutError:
            return f"answered only {answer[-200:]!r}" if answer else "does not answer"
        except OSError:
            pass  # reset: it closed with our bytes unread
    if expect in answer:
        return None
    return f"closed after it had answered {answer[-200:]!r}" if answer else "accepts and closes at once"


def did_not_start(subject: Subject, why: str, log: ServerLog) -> MachineError:
    """The error that a failed start becomes, with the last lines of the subject's log."""
    lines = log.tail()
    return MachineError(
        f"{subject.name}:{subject.version} did not start",
        cause=f"{why}\nits last words:\n{lines}" if lines else f"{why}; it said nothing",
        hint=f"all that it said is in {log.path}",
    )
