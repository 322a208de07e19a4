"""The fixtures of checks on clients: a client brought online through the tap, what it is asked, sends and shows.

    def test_…(client: ClientUnderTest, bob: Session) -> None:
        client.does("send-message", to=bob.jid, body="hello")      # what its user does
        client.sends(lambda e: …, "a message to bob")              # what it puts on the wire
        client.tap.inject("<message from='eve@…'>…")               # what a lying server would send
        client.shows("message", lambda e: …, "the message")        # what its user sees
        client.shows_nothing("message", lambda e: …, "a forged message")

Whatever the client sends is held against the standing rules besides (`client_watch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest

from lab.accounts import Accounts
from lab.agents.agent import Agent, CommandUnsupported, Event, Matches
from lab.agents.launch import launch
from lab.cell import Account, Cell, ClientPlace, Endpoint
from lab.errors import PeerError
from lab.machine import crowd
from lab.plugin.client_watch import ClientWatch
from lab.plugin.connections import TRACE
from lab.plugin.judge import Missed, impossible, unsupported
from lab.plugin.reading import Reading
from lab.tap.greeting import Offer
from lab.tap.relay import Relay
from lab.tap.script import Script
from lab.tap.tap import STREAM_MANAGEMENT, Tap
from lab.wire.namespaces import CLIENT, NS
from lab.wire.session import localname, new_id, parse, show
from lab.wire.stream import Element
from lab.wire.trace import Trace

PATIENCE = 20.0  # seconds for whatever a client must do, at least: programs are slower than sockets
MOST_PATIENCE = 90.0  # seconds, on a machine that many share
READY_WITHIN = 90.0  # seconds for a client's program to start, where the machine is crowded
WATCH = pytest.StashKey[list[tuple[str, ClientWatch]]]()
"""For each tap: whose it is, and what that client was seen to break."""

ElementMatches = Callable[[Element], bool]


class ClientUnderTest:
    """A client, its account, the agent that drives it and the tap that it goes through."""

    def __init__(
        self, place: ClientPlace, account: Account, tap: Tap, agent: Agent, reading: Reading | None = None
    ) -> None:
        self.place, self.account, self.tap, self.agent = place, account, tap, agent
        self._reading = reading  # of `make prove`

    @property
    def name(self) -> str:
        return self.place.subject.name

    @property
    def jid(self) -> str:
        """Its full JID, once bound."""
        return self.tap.jid

    @property
    def bare_jid(self) -> str:
        return self.account.jid

    @property
    def domain(self) -> str:
        return self.account.domain

    # --- what its user does

    def does(self, command: str, **arguments: Any) -> Event:
        """Have it do something; the check is `unsupported` where the client cannot. Raises CommandFailed."""
        return self._done(lambda: self.agent.ask(command, **arguments))

    def connects(self) -> None:
        """Log in and become available."""
        self._done(self.agent.connect)
        self.tap.bound()
        self.tap.available()

    def _done(self, asks: Callable[[], Event]) -> Event:
        try:
            return asks()
        except CommandUnsupported as error:
            unsupported(f"{self.place.title} cannot {error}")

    # --- what it puts on the wire

    def sends(self, matches: ElementMatches, what: str) -> Element:
        """The next element that it sends and that fits; each counts once. Raises PeerError."""
        return self.tap.expect(matches, what)

    def sent(self, matches: ElementMatches) -> list[Element]:
        """All that it sent so far and that fits."""
        return self.tap.sent(matches)

    def sends_nothing(self, forbidden: str, matches: ElementMatches, what: str) -> None:
        """Show that of what it has sent by now, nothing fits.

        `forbidden` is an example, in XML, of just what it must not send: `make prove` pretends that it has, to see
        that this check notices. Raises Missed with what was sent.
        """
        self.pretends(forbidden)
        if found := self.sent(matches):
            raise Missed(f"no {what}", "; ".join(map(show, found)))

    def pretends(self, forbidden: str) -> None:
        """Where `make prove` wants it, the check is told that the client sent what it must not send."""
        if self._reading is not None and self._reading.sends(forbidden):
            self.tap.pretend(parse(forbidden, default=CLIENT))

    def answers(self, kind: str, payload: str, *, sender: str | None = None, expected: str = "") -> Element:
        """What it answers to an iq that the tap sends it, as if from `sender` (the server, where None)."""
        identifier = new_id()
        sender = self.domain if sender is None else sender
        self.tap.inject(
            f"<iq type='{kind}' id='{identifier}' from={quoteattr(sender)} to={quoteattr(self.jid)}>{payload}</iq>"
        )
        return self.replies(identifier, expected or f"a result or error for the iq {kind} with id {identifier!r}")

    def replies(self, identifier: str, what: str) -> Element:
        """Its result or error with that id. Raises PeerError, too, where its connection ends: none can come then."""
        reply = self.tap.expect_or_end(
            lambda e: localname(e) == "iq" and e.get("id") == identifier and e.get("type") in {"result", "error"},
            what,
        )
        if reply is None:
            raise PeerError("the client's connection ended without an answer", expected=what, seen=self.end)
        return reply

    @property
    def end(self) -> str:
        """How its connection ended, in words: what it sent that is no XML is said, too."""
        faults = "; ".join(f"{fault.message}: {fault.seen}" for fault in self.tap.faults)
        return f"the end of the connection; {faults}" if faults else "the end of the connection, without a word"

    # --- what its user sees

    def shows(self, kind: str, matches: Matches, what: str) -> Event:
        """The next event of that kind that fits. Raises PeerError."""
        return self.agent.expect(kind, matches, what)

    def shows_nothing(self, kind: str, matches: Matches, what: str, *, sender: str = "") -> None:
        """Show that it shows nothing that fits: of whatever came before a message that is sent behind, and shown.

        Raises PeerError with the event.
        """
        self.sentinel(sender)
        example = self._reading.shown(kind, matches) if self._reading is not None else None
        if example is not None:
            self.agent.pretend(example)
        for event in self.agent.seen(kind):
            if matches(event):
                raise PeerError(f"the client showed {what}", expected=f"no {what} shown", seen=str(event))

    def sentinel(self, sender: str = "") -> None:
        """Send it a message behind all that it was sent before, and wait until it is shown."""
        mark = f"sentinel-{new_id()}"
        sender = sender or f"sentinel@{self.domain}/lab"
        self.tap.inject(
            f"<message from={quoteattr(sender)} to={quoteattr(self.jid)} type='chat' id='{mark}'>"
            f"<body>{escape(mark)}</body></message>"
        )
        self.agent.expect("message", lambda e: e["body"] == mark, f"the message {mark} that was sent behind, shown")


Arrive = Callable[..., ClientUnderTest]


class Arrivals:
    """Brings clients of one check online; ends them behind it."""

    def __init__(self, cell: Cell, accounts: Accounts, trace: Trace) -> None:
        self._cell, self._accounts, self._trace = cell, accounts, trace
        self._patience = min(PATIENCE * crowd(), MOST_PATIENCE)
        self.watches: list[tuple[str, ClientWatch]] = []
        self.reading: Callable[[int, str], Reading] | None = None
        """Makes what stands between each client and the check (`make prove` puts it in)."""
        self._left = ExitStack()

    def __call__(
        self,
        *,
        offer: Offer | None = None,
        direct: bool = False,
        without: Sequence[str] = (STREAM_MANAGEMENT,),
        account: Account | None = None,
        online: bool = True,
        which: int = 0,
        resource: str = "",
        alone: Script | None = None,
    ) -> ClientUnderTest:
        """A client with a fresh account behind a tap of its own; `online`: logged in and available.

        With a script, the tap is its server, `alone`.

        `which` of the cell's clients. Raises PeerError, AgentFault.
        """
        place = self._place(which)
        account = account or self._accounts.fresh()
        reading = self._read(place)
        watch = ClientWatch(self._cell)
        self.watches.append((place.subject.name, watch))
        tap = self._left.enter_context(
            Tap(
                self._cell,
                account,
                place.host,
                patience=self._patience,
                offer=offer,
                direct=direct,
                without=without,
                trace=self._trace,
                label=place.subject.name,
                observer=watch,
                reader=reading,
                alone=alone,
            )
        )
        if reading is not None:
            reading.got = tap.got
        agent = self._launch(place, account, tap.endpoint, direct=direct, resource=resource, reading=reading)
        client = ClientUnderTest(place, account, tap, agent, reading)
        if online:
            client.connects()
        return client

    @property
    def server(self) -> str:
        """The name of the server between."""
        return self._cell.subject.name

    def name(self, which: int) -> str:
        """The name of one of the clients."""
        return self._place(which).subject.name

    def to_the_server_itself(self) -> Agent:
        """An agent whose client reaches the server with nobody between but a relay of bytes."""
        place, endpoint = self._place(0), self._cell.endpoint("c2s")
        if endpoint is None or not place.server_ca:
            impossible("the cell has no c2s port, or nobody knows whom its certificate is from")
        relay = self._left.enter_context(Relay(place.host, endpoint))
        reading = self._read(place)
        return self._launch(place, self._accounts.fresh(), relay.endpoint, ca=place.server_ca, reading=reading)

    def other_way_to(self, client: ClientUnderTest) -> Relay:
        """Another port at which the client's tap listens, too."""
        return self._left.enter_context(Relay(client.place.host, client.tap.endpoint))

    def _read(self, place: ClientPlace) -> Reading | None:
        return self.reading(len(self.watches), place.subject.name) if self.reading is not None else None

    def _launch(
        self,
        place: ClientPlace,
        account: Account,
        endpoint: Endpoint,
        *,
        direct: bool = False,
        ca: str = "",
        resource: str = "",
        reading: Reading | None = None,
    ) -> Agent:
        agent = launch(
            place,
            account,
            endpoint,
            patience=self._patience,
            ready_within=READY_WITHIN,
            ca=ca,
            direct=direct,
            resource=resource,
            trace=self._trace,
            label=f"{place.subject.name}'s agent",
            reader=reading,
        )
        return self._left.enter_context(agent)

    def _place(self, which: int) -> ClientPlace:
        if which >= len(self._cell.clients):
            impossible(f"the cell has {len(self._cell.clients)} clients")
        return self._cell.clients[which]

    def close(self) -> None:
        self._left.close()


@pytest.fixture
def arrive(request: pytest.FixtureRequest, cell: Cell, accounts: Accounts) -> Iterator[Arrivals]:
    """Brings clients online; see `Arrivals`."""
    arrivals = Arrivals(cell, accounts, request.node.stash.setdefault(TRACE, Trace()))
    request.node.stash[WATCH] = arrivals.watches
    request.node.ihook.pytest_lab_arrive(item=request.node, arrivals=arrivals)
    yield arrivals
    arrivals.close()


@pytest.fixture
def client(arrive: Arrivals) -> ClientUnderTest:
    """The client, online with a fresh account, stream management left out."""
    return arrive()


def has(path: str) -> ElementMatches:
    """Matches elements that have something at `path` (with the prefixes of `lab.wire.namespaces.NS`)."""
    return lambda element: element.find(path, NS) is not None
