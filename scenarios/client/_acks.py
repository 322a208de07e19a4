"""Stream management (XEP-0198) of the server's side, as the tap plays it: offered before any server."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from lab.plugin.clients import Arrive, ClientUnderTest
from lab.plugin.judge import unsupported
from lab.tap.line import Piece
from lab.tap.tap import Matches
from lab.wire.namespaces import BIND, CLIENT, STANZA_ERROR, STREAM, STREAM_MANAGEMENT
from lab.wire.session import localname, new_id, parse
from lab.wire.stream import Element
from scenarios.client._played import Played

SM = f"{{{STREAM_MANAGEMENT}}}"
STANZAS = {f"{{{CLIENT}}}{kind}" for kind in ("iq", "message", "presence")}
_BINDS = "lab-binds"  # the id of the iq by which the tap binds a resource in a resumed client's place


class Acks:
    """Plays stream management to the client of `played`; made before it connects.

    `early` is sent before `<enabled/>`. Where it `refuses`, the client gets `<failed/>`. The first stanza that is
    `lost` and all behind it are never acknowledged. `name` is what its stream is resumed by.
    """

    def __init__(self, played: Played, *, early: Iterable[str] = (), refuses: bool = False) -> None:
        self.client, self._played = played.client, played
        self.early, self.refuses = early, refuses
        self.lost: Matches = lambda _: False
        self.name = f"stream-{new_id()}"
        self._sent: list[Element] = []  # by the client, whatever a check is told of it
        self._account = played.from_client
        self.client.tap.from_client = self._from_client
        self.client.tap.from_server = self._from_server

    def enabled(self) -> None:
        """Wait until the client has had the time to enable it; `unsupported` where it has not."""
        if not self._played.sent(lambda e: e.tag == f"{SM}enable"):
            unsupported(f"{self.client.place.title} does not enable stream management")

    def reached(self) -> int:
        """How many stanzas have reached the client since it was enabled."""
        count = 0
        for piece in self.client.tap.got():
            if not isinstance(piece, bytes):
                element = parse(piece, default=CLIENT) if isinstance(piece, str) else piece
                count = 0 if element.tag == f"{SM}enabled" else count + (element.tag in STANZAS)
        return count

    def handled(self) -> int:
        """How many stanzas the client has sent since it asked for it, up to what is lost."""
        count = 0
        for element in tuple(self._sent):
            if self.lost(element):
                break
            count = 0 if element.tag == f"{SM}enable" else count + (element.tag in STANZAS)
        return count

    def _from_server(self, element: Element) -> Iterable[Piece]:
        if element.tag == f"{{{STREAM}}}features" and element.find(f"{{{BIND}}}bind") is not None:
            element.append(parse(f"<sm xmlns='{STREAM_MANAGEMENT}'/>"))
        return () if element.get("id") == _BINDS else (element,)

    def _from_client(self, element: Element) -> Iterable[Piece]:
        tap = self.client.tap
        self._sent.append(copy.deepcopy(element))
        if not str(element.tag).startswith(SM):
            return self._account(element)
        match localname(element):
            case "enable" if self.refuses:
                error = f"<unexpected-request xmlns='{STANZA_ERROR}'/>"
                tap.inject(f"<failed xmlns='{STREAM_MANAGEMENT}'>{error}</failed>")
            case "enable":
                for piece in self.early:
                    tap.inject(piece)
                tap.inject(f"<enabled xmlns='{STREAM_MANAGEMENT}' id='{self.name}' resume='true'/>")
            case "r":
                tap.inject(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self.handled()}'/>")
            case "resume":
                tap.inject(parse(f"<resumed xmlns='{STREAM_MANAGEMENT}' previd='{self.name}' h='{self.handled()}'/>"))
                resource = self.client.jid.partition("/")[2]
                bind = f"<bind xmlns='{BIND}'><resource>{resource}</resource></bind>"
                return (f"<iq type='set' id='{_BINDS}'>{bind}</iq>", "<presence/>")
        return ()


def arrived_with_acks(arrive: Arrive, **how: object) -> tuple[Played, Acks]:
    """A client online that has enabled stream management. `how` is what `Acks` takes."""
    client: ClientUnderTest = arrive(online=False)
    played = Played(client)
    acks = Acks(played, **how)  # type: ignore[arg-type]
    client.connects()
    acks.enabled()
    return played, acks
