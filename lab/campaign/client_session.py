"""A client while it is fuzzed: an agent that is logged in behind the tap, and a contact who sends to it.

Whatever is sent goes through here: by the contact through the real server, or by the tap as if the server had. Each
session has accounts and a process of its own; when the client ends it, another takes its place. Nothing is judged.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from secrets import token_hex
from xml.sax.saxutils import quoteattr

from generators.stanza import Scene
from lab.accounts import Accounts, Comeback
from lab.agents.agent import Agent, AgentGone, CommandUnsupported, Event
from lab.agents.launch import launch
from lab.campaign import incoming
from lab.campaign.batch import Item, must_answer
from lab.campaign.cast import Seen, answer
from lab.campaign.pipe import Pipe, pump
from lab.campaign.recorded import Recorded
from lab.cell import Cell, ClientPlace
from lab.errors import PeerError
from lab.machine import crowd
from lab.standing import IQ, kind_of
from lab.tap.line import Piece
from lab.tap.tap import Tap
from lab.wire import negotiation
from lab.wire.namespaces import PING
from lab.wire.negotiation import Stage
from lab.wire.session import localname
from lab.wire.stream import Element
from lab.wire.trace import Trace
from lab.wire.transport import NoAnswer
from schemas.payloads import Addressee

PATIENCE = 5.0  # seconds for whatever must come, on a machine that is not crowded
START_SECONDS = 30.0  # for a program to start and log in, on a machine that is not crowded
SHOW_SECONDS = 1.0  # until what came before is shown, too
EXIT_SECONDS = 0.5  # until a process whose connection broke off is seen to be gone
CROWDED = 4.0  # times that, at most, where many programs wait for each processor
SETTLE = 2.0  # seconds that a missing answer is waited for behind a sentinel that was answered, at most
STARTS = 3  # that may be in vain
ENDING = 3  # sessions that end side by side, at most
STEP = 0.02
MARK = "sentinel-"
UNHEARD_OF = "stanzalab-unheard-of"
WRONG = 160  # characters
_NUMBER = re.compile(r"\d+")  # lines and columns, which differ each time


@dataclass
class Received:
    """Stanzas that were sent to a client at once, and what came of them. `seen` has an entry an item.

    `sentinel`: the iq behind them was answered; `commands`: so was a command to the agent. `ended`: the connection
    did not outlive them; `left`: the client went, with that stream error as `condition`. `gone` is how its process
    ended. `violation` is what it sent that is no XMPP, `wrong` the same in a word. `refused` are the places of what
    the server kept for itself (the tap sent it then), `unsent` of what did not reach the client at all. `withheld`:
    the server passed on nothing of what was sent behind them, so that the client's silence says nothing of it.
    """

    items: Sequence[Item]
    seen: list[Seen]
    sentinel: bool = False
    commands: bool = True
    ended: bool = False
    left: bool = False
    condition: str = ""
    violation: str = ""
    wrong: str = ""
    gone: str = ""
    last_words: str = ""
    sent: list[Element] = field(default_factory=list)
    events: tuple[Event, ...] = ()
    refused: frozenset[int] = frozenset()
    unsent: frozenset[int] = frozenset()
    withheld: bool = False
    took: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether the session is fit for more."""
        return self.sentinel and self.commands and not self.ended and not self.gone


class ClientSession:
    """Opened by `Staging`. `scene` is the contact's view: whom stanzas are from, and to."""

    def __init__(
        self, cell: Cell, tap: Tap, agent: Agent, contact: Pipe, recorded: Recorded, left: ExitStack
    ) -> None:
        self._cell, self._tap, self.agent, self._contact, self.recorded = cell, tap, agent, contact, recorded
        self._left = left
        self.account = tap.jid.partition("/")[0]
        self.scene = Scene(
            contact.jid,
            cell.domain,
            {Addressee.CONTACT: (tap.jid,), Addressee.PEER: ("",)},
            self.account,
        )
        self._arrivals = len(tap.arrivals)
        self._swallowed: set[str] = set()
        self.shows = True
        self.sent = 0
        self._shown_mark = ""
        contact.receive = self._contact_got
        tap.from_client = self._passed_on

    @property
    def jid(self) -> str:
        return self._tap.jid

    @property
    def contact(self) -> str:
        """The contact's full JID."""
        return self._contact.jid

    @property
    def domain(self) -> str:
        return self._cell.domain

    @property
    def trace(self) -> Trace:
        return self._tap.trace

    @property
    def usable(self) -> bool:
        """Whether it is fit for more: the contact, too, is still there."""
        return self._alive and not self._contact.closed

    def close(self) -> None:
        self._contact.close()
        self._left.close()

    # --- sending

    def send(self, items: Sequence[Item], patience: float) -> Received:
        """Send them, and sentinels behind; wait until all that must come has come, or `patience` is at its end.

        What the server does not pass on goes by the tap. Raises AgentFault: the agent broke its contract.
        """
        batch = Received(items, [Seen() for _ in items])
        began, before = time.monotonic(), len(self.recorded.sent)
        self.sent += len(items)
        direct = [n for n, item in enumerate(items) if incoming.is_injected(item)]
        passable = [n for n in range(len(items)) if n not in set(direct)]
        answered = not passable or self._by_the_contact(batch, passable, patience)
        if answered and self._alive:
            for place in sorted({*direct, *batch.refused}):
                self._inject(items[place], stamped=place in batch.refused)
            batch.sentinel = self._behind(items, patience)
        else:
            batch.unsent |= {*direct, *batch.refused}
        self._look_after(batch, patience)
        batch.sent = self.recorded.sent[before:]
        for item, seen in zip(items, batch.seen, strict=True):
            if item.id:
                seen.replies.extend(self.recorded.replies.get(item.id, ()))
        batch.took = time.monotonic() - began
        return batch

    def _by_the_contact(self, batch: Received, places: Sequence[int], patience: float) -> bool:
        """Send through the server, and a sentinel behind; whether that is answered."""
        self._contact.write(b"".join(chunk for place in places for chunk in batch.items[place].chunks))
        mark = f"{MARK}{token_hex(5)}"
        self._contact.write(
            f"<iq type='get' id='{mark}' to={quoteattr(self.jid)}><ping xmlns='{PING}'/></iq>".encode()
        )
        self._wait(lambda: mark in self.recorded.replies or self._contact.closed or not self._alive, patience)
        missing = frozenset(place for place in places if batch.items[place].id not in self.recorded.arrived)
        if mark not in self.recorded.arrived:  # some may be on their way: to send them again would be twice
            batch.unsent, batch.withheld = missing, not self._contact.closed
            return self._contact.closed
        batch.refused = missing
        return mark in self.recorded.replies

    def _inject(self, item: Item, *, stamped: bool) -> None:
        """Send to the client as if the server had; `stamped` with the sender that it would have put there."""
        chunks: Iterable[bytes] = item.chunks
        if stamped:
            written = incoming.injectable(item, self.contact)
            if written is None:
                return
            chunks = (written,)
        self._swallowed.add(item.id)
        whole = b"".join(chunks)
        if len(item.chunks) > 1:  # nobody could read a part
            self.recorded.to_client(whole)
        self._tap.inject(*chunks)

    def _behind(self, items: Sequence[Item], patience: float) -> bool:
        """Whether the sentinel of the server's is answered; what must be is waited for, and shown."""
        mark, shown = f"{MARK}{token_hex(5)}", f"{MARK}{token_hex(5)}"
        self._swallowed.update((mark, shown))
        self._tap.inject(
            f"<message from={quoteattr(f'sentinel@{self.domain}/lab')} to={quoteattr(self.jid)} type='chat' "
            f"id='{shown}'><body>{shown}</body></message>"
        )
        self._tap.inject(
            f"<iq type='get' id='{mark}' from={quoteattr(self.domain)} to={quoteattr(self.jid)}>"
            f"<ping xmlns='{PING}'/></iq>"
        )
        if len(items) == 1 and incoming.is_broken(items[0]):
            patience /= 4  # it may wait for the end of what is broken, and nobody minds
        self._wait(lambda: mark in self.recorded.replies or not self._alive, patience)
        if mark not in self.recorded.replies:
            return False
        owed = [item.id for item in items if must_answer(item)]
        self._wait(
            lambda: all(i in self.recorded.replies for i in owed) or not self._alive, min(patience / 4, SETTLE)
        )
        self._shown_mark = shown
        return True

    def _look_after(self, batch: Received, patience: float) -> None:
        """What became of the stream, of the process, and what was shown."""
        batch.ended = not self._alive
        if batch.ended:
            arrival = self._tap.arrivals[self._arrivals - 1]
            if not arrival.closed:
                self._wait(lambda: self.agent.code is not None, EXIT_SECONDS)
            batch.left = (arrival.left or arrival.closed) and not self.recorded.refused
            batch.condition = self.recorded.condition
            if self._tap.faults:
                fault = self._tap.faults[0]
                batch.violation = f"{fault.message}: {fault.seen}"
                batch.wrong = _NUMBER.sub("…", fault.message)[:WRONG]
        try:
            self.agent.patience = patience
            self.agent.ask(UNHEARD_OF)
        except CommandUnsupported:
            pass
        except NoAnswer:
            batch.commands = False
        except AgentGone as error:
            batch.gone, _, batch.last_words = error.seen.partition("; its last words:\n")
        events = list(self.agent.take())
        if batch.sentinel and not batch.gone and self.shows:
            deadline = time.monotonic() + SHOW_SECONDS * min(crowd(), CROWDED)
            while not any(e.get("body") == self._shown_mark for e in events) and time.monotonic() < deadline:
                time.sleep(STEP)
                events += self.agent.take()
        batch.events = tuple(events)

    def shows_what_came(self) -> bool:
        """Whether it answers at all, and then whether it shows a message of somebody whom it does not know.

        Raises PeerError: it does not answer.
        """
        batch = self.send((), self.agent.patience)
        if not batch.usable:
            raise PeerError("the client does not answer behind its login", seen=batch.gone or batch.condition)
        self.shows = any(event.get("body") == self._shown_mark for event in batch.events)
        return self.shows

    @property
    def _alive(self) -> bool:
        """Whether the connection that began this session still stands."""
        return self._tap.serving and len(self._tap.arrivals) == self._arrivals and self.agent.code is None

    def _wait(self, found: Callable[[], bool], seconds: float) -> bool:
        """Whether that becomes so; the contact goes on answering meanwhile."""
        deadline = time.monotonic() + seconds
        while not found():
            if time.monotonic() > deadline:
                return False
            pump((self._contact,), 0.0)
            self.recorded.wait(found, STEP)
        return True

    # --- what comes back

    def _contact_got(self, element: Element) -> None:
        if localname(element) == "iq" and element.get("type") in {"get", "set"}:
            answer(self._contact, element)

    def _passed_on(self, element: Element) -> Iterable[Piece]:
        """Answers to what the server never sent are not for it."""
        reply = kind_of(element) == IQ and element.get("type") in {"result", "error"}
        return () if reply and element.get("id", "") in self._swallowed else (element,)


def patience_of_clients() -> float:
    """How many seconds a client has for whatever must come, on this machine as it is now."""
    return PATIENCE * min(crowd(), CROWDED)


class Staging:
    """How sessions of one client are made, each with fresh accounts and a fresh process.

    A program takes its time to start and to end: one is always started in advance, and those that are done with end
    in the background.
    """

    def __init__(self, cell: Cell, place: ClientPlace, accounts: Accounts, comeback: Comeback) -> None:
        self._cell, self._place, self._accounts, self._comeback = cell, place, accounts, comeback
        self._starting = ThreadPoolExecutor(1, "starting")
        self._ending = ThreadPoolExecutor(ENDING, "ending")
        self._next: Future[ClientSession] | None = None

    def open(self) -> ClientSession:
        """A client, online. Raises PeerError: it does not come so far; AgentFault, MachineError."""
        for _ in range(STARTS):
            awaited, self._next = self._next or self._starting.submit(self._start), None
            session = awaited.result()
            self._next = self._starting.submit(self._start)
            if session.usable:
                return session
            self.end(session)  # it was lost while it waited
        raise PeerError("the client does not stay online", seen=f"{STARTS} times it went by itself")

    def end(self, session: ClientSession) -> None:
        """Close a session, without waiting for it."""
        self._ending.submit(session.close)

    def close(self) -> None:
        """Wait until all sessions have ended."""
        if self._next is not None and not self._next.cancel() and self._next.exception() is None:
            self.end(self._next.result())
        self._starting.shutdown()
        self._ending.shutdown()

    def _start(self) -> ClientSession:
        trace, recorded, patience = Trace(), Recorded(), START_SECONDS * min(crowd(), CROWDED)
        account, other = self._accounts.fresh(), self._accounts.fresh()
        name = self._place.subject.name
        with ExitStack() as stack:
            session = self._comeback.open(
                lambda: negotiation.connect(self._cell, Stage.BOUND, account=other, trace=trace, label="contact")
            )
            stack.callback(session.transport.close)
            session.send("<presence/>")
            tap = Tap(
                self._cell, account, self._place.host, patience=patience, trace=trace, label=name, observer=recorded
            )
            stack.enter_context(tap)
            agent = stack.enter_context(
                launch(self._place, account, tap.endpoint, patience=patience, trace=trace, label=f"{name}'s agent")
            )
            agent.ask("connect")
            tap.bound()
            made = ClientSession(self._cell, tap, agent, Pipe(session), recorded, stack.pop_all())
        try:
            made.shows_what_came()
        except BaseException:
            made.close()
            raise
        return made
