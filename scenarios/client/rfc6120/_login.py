"""Logins that are to succeed or to fail, as the tap saw them. Nothing here judges but `require_refused`."""

from __future__ import annotations

import contextlib

from lab.agents.agent import CommandFailed
from lab.plugin import impossible, require, unsupported
from lab.plugin.clients import ClientUnderTest
from lab.tap.greeting import Arrival
from lab.wire.transport import NoAnswer

NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""OpenSSL's words for a client that speaks no TLS on a port that speaks nothing else."""


def logs_in(client: ClientUnderTest) -> bool:
    """Have it log in: whether it says that it did. The check is `unsupported` where it cannot connect so."""
    try:
        client.does("connect")
    except (CommandFailed, NoAnswer):
        return False
    return True


def fails_to_log_in(client: ClientUnderTest) -> Arrival:
    """Have it log in where it cannot or must not: what its first connection came to, once that is over."""
    online = logs_in(client)
    if not client.tap.arrivals:
        impossible("the client did not even connect")
    require(not online, "a client that says that it could not log in", "it said that it did")
    with contextlib.suppress(NoAnswer):  # it hangs on to a connection that comes to nothing
        client.tap.over()
    return client.tap.arrivals[0]


def require_refused(client: ClientUnderTest) -> None:
    """The check fails where the client logs in, or tries to, to a server that it must not trust."""
    arrival = fails_to_log_in(client)
    if any(words in arrival.tls_failure for words in NO_TLS):
        unsupported("TLS from the first byte")
    if not arrival.secured and not arrival.tls_failure:
        impossible("the client did not come as far as the certificate")
    tried = [login for one in client.tap.arrivals for login in one.tried]
    require(not tried, "no login to a server that is not trusted", f"logins (mechanism, over TLS): {tried}")


def arrived(client: ClientUnderTest) -> Arrival:
    """What its login came to, where it is online."""
    return client.tap.arrivals[0]
