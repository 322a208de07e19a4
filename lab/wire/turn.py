"""TURN (RFC 8656), as far as credentials go: ask a server for a relayed address, and give it back. By aioice."""

from __future__ import annotations

import asyncio

from aioice import stun, turn

from lab.errors import PeerError

LIFETIME = 60  # seconds that are asked for


class Refused(PeerError):
    """The server answered with an error; `code` is that of STUN (RFC 8489 §14.8): 401 means the credentials."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the TURN server refused: {code} {reason}".rstrip())
        self.code = code


def allocate(
    host: str, port: int, username: str | None, password: str | None, *, over: str, patience: float
) -> tuple[str, int]:
    """The relayed address that the server gives out for these credentials; it is given back at once.

    `over` is `udp` or `tcp`, `patience` seconds. Raises Refused, and PeerError where no answer comes.
    """
    return asyncio.run(_allocated(host, port, username, password, over, patience))


async def _allocated(
    host: str, port: int, username: str | None, password: str | None, over: str, patience: float
) -> tuple[str, int]:
    closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.timeout(patience):
            endpoint = turn.create_turn_endpoint(
                lambda: _Peer(closed), (host, port), username, password, lifetime=LIFETIME, transport=over
            )
            transport, _ = await endpoint
            relayed: tuple[str, int] = transport.get_extra_info("sockname")
            transport.close()
            await closed
    except stun.TransactionFailed as error:
        code, reason = error.response.attributes.get("ERROR-CODE", (0, ""))
        raise Refused(code, reason) from error
    except (stun.TransactionError, TimeoutError, OSError) as error:
        raise PeerError(f"the TURN server at {host}:{port} does not answer over {over}", seen=repr(error)) from error
    return relayed


class _Peer(asyncio.DatagramProtocol):
    """Whoever would speak through the relay; learns when it is given back."""

    def __init__(self, closed: asyncio.Future[None]) -> None:
        self._closed = closed

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
