"""Who takes part in a campaign: fuzzers that send, a contact whom they may address, a bystander who must see nothing.

All of them are fresh entities of one cell. The contact answers what it is asked, as a client must; what reaches
whom is written into a ledger by the id of the stanza that caused it. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from xml.sax.saxutils import quoteattr

from generators.stanza import Moment, Scene
from lab.accounts import Accounts, Comeback
from lab.campaign.pipe import Logged, Pipe
from lab.cell import Account, Cell, Transport
from lab.errors import PeerError
from lab.wire import component, negotiation
from lab.wire.namespaces import CLIENT, NS, STANZA_ERROR
from lab.wire.negotiation import Stage
from lab.wire.session import Session, localname
from lab.wire.stream import Element
from schemas.payloads import Addressee

WITHIN = "-within"  # behind the ids of what stands within another stanza (generators.malformations.smuggling)
MUC = "http://jabber.org/protocol/muc"
MUC_OWNER = f"{MUC}#owner"
SERVICES = {
    Addressee.MUC: "muc",
    Addressee.PUBSUB: "pubsub",
    Addressee.UPLOAD: "upload",
    Addressee.PROXY: "proxy",
}
MOMENTS = {
    Moment.OPENED: Stage.OPENED,
    Moment.SECURED: Stage.SECURED,
    Moment.AUTHENTICATED: Stage.AUTHENTICATED,
    Moment.BOUND: Stage.BOUND,
}


@dataclass
class Seen:
    """What came of one stanza: its replies, and the stanzas that bear its id and reached somebody."""

    replies: list[Element] = field(default_factory=list)
    deliveries: list[tuple[str, Element]] = field(default_factory=list)


class Ledger:
    """What came of which stanza, by id; `strays` are replies and errors that no stanza of ours explains.

    `smuggled` bear an id that only stood within another stanza (the malformations of smuggling give such).
    """

    def __init__(self) -> None:
        self.entries: dict[str, Seen] = {}
        self.strays: list[tuple[str, Element]] = []
        self.leaks: list[Element] = []
        self.smuggled: list[tuple[str, Element]] = []
        self.marks: set[str] = set()

    def expect(self, identifier: str) -> Seen:
        """Begin an entry; the same one for an id that is used twice."""
        return self.entries.setdefault(identifier, Seen())


class Cast:
    """Fuzzers, a contact and a bystander, connected. `scenes`: one a fuzzer; `room`: where they meet, if anywhere."""

    def __init__(
        self, fuzzers: list[Pipe], contact: Pipe, bystander: Pipe, scenes: list[Scene], room: str = ""
    ) -> None:
        self.fuzzers, self.contact, self.bystander, self.scenes = fuzzers, contact, bystander, scenes
        self.room = room
        self.ledger = Ledger()
        self._senders = {f.jid.partition("/")[0] for f in fuzzers}
        for fuzzer in fuzzers:
            self.listen(fuzzer)
        contact.receive = self._contact_got
        bystander.receive = self._bystander_got

    @property
    def pipes(self) -> tuple[Pipe, ...]:
        return (*self.fuzzers, self.contact, self.bystander)

    def listen(self, fuzzer: Pipe) -> None:
        """Write down what comes on a connection of a fuzzer's."""
        fuzzer.receive = lambda element: self._fuzzer_got(fuzzer, element)

    @property
    def witnessed(self) -> bool:
        """Whether contact and bystander are still there: then a fuzzer whose stream ended can be replaced."""
        return not self.contact.closed and not self.bystander.closed

    def replace(self, place: int, fuzzer: Pipe, scene: Scene) -> None:
        """Another fuzzer in the place of one whose stream ended."""
        self._senders.add(fuzzer.jid.partition("/")[0])
        self.fuzzers[place], self.scenes[place] = fuzzer, scene
        self.listen(fuzzer)

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.close()

    def ping(self, pipe: Pipe) -> str:
        """Send a sentinel of `pipe`'s own; its id is in `ledger.marks` once it was answered."""
        mark = f"sentinel-{token_hex(5)}"
        sender = f" from={quoteattr(pipe.jid)}" if pipe.session.namespace != CLIENT else ""
        domain = pipe.session.domain
        pipe.write(f"<iq type='get' id='{mark}' to='{domain}'{sender}><ping xmlns='{NS['ping']}'/></iq>".encode())
        return mark

    def _fuzzer_got(self, pipe: Pipe, element: Element) -> None:
        identifier = element.get("id", "")
        if identifier.endswith(WITHIN):
            self.ledger.smuggled.append((pipe.label, element))
        entry = self.ledger.entries.get(identifier)
        kind = element.get("type")
        name = localname(element)
        if name == "iq" and kind in {"get", "set"}:
            if entry is not None:
                entry.deliveries.append(("sender", element))
            answer(pipe, element)
        elif kind == "error" or (name == "iq" and kind == "result"):
            if identifier.startswith("sentinel-"):
                self.ledger.marks.add(identifier)
            elif entry is not None:
                entry.replies.append(element)
            else:
                self.ledger.strays.append((pipe.label, element))
        elif entry is not None:
            entry.deliveries.append(("sender", element))

    def _contact_got(self, element: Element) -> None:
        identifier = element.get("id", "")
        if identifier.startswith("sentinel-") and element.get("type") in {"result", "error"}:
            self.ledger.marks.add(identifier)
            return
        if identifier.endswith(WITHIN):
            self.ledger.smuggled.append(("contact", element))
        entry = self.ledger.entries.get(identifier)
        if entry is not None:
            entry.deliveries.append(("contact", element))
        if localname(element) == "iq" and element.get("type") in {"get", "set"}:
            answer(self.contact, element)

    def _bystander_got(self, element: Element) -> None:
        identifier = element.get("id", "")
        if identifier.startswith("sentinel-"):
            self.ledger.marks.add(identifier)
        elif identifier in self.ledger.entries or element.get("from", "").partition("/")[0] in self._senders:
            self.ledger.leaks.append(element)


def answer(pipe: Pipe, request: Element) -> None:
    """What a client that knows nothing owes a request: an error, or for the server's own pushes a result."""
    attributes = f"id={quoteattr(request.get('id', ''))}"
    if sender := request.get("from"):
        attributes += f" to={quoteattr(sender)}"
    if pipe.session.namespace != CLIENT:
        attributes += f" from={quoteattr(request.get('to') or pipe.jid)}"
    pushed = request.get("type") == "set" and (not sender or "@" not in sender or sender == pipe.session.bare_jid)
    content = "" if pushed else f"<error type='cancel'><service-unavailable xmlns='{STANZA_ERROR}'/></error>"
    pipe.write(f"<iq type='{'result' if pushed else 'error'}' {attributes}>{content}</iq>".encode())


@dataclass(frozen=True)
class Casting:
    """How casts of a campaign are made: where, over what, with which services.

    `over` is the transport of the fuzzers; the others use c2s. `addressees` are those that some stanza may need. With
    `even`, sessions ask for resources of one length, so that addresses are as long on every server of one domain.
    """

    cell: Cell
    accounts: Accounts
    comeback: Comeback
    over: Transport = "c2s"
    addressees: frozenset[Addressee] = frozenset(Addressee)
    even: bool = False

    def open(self, *, fuzzers: int = 1, log: list[Logged] | None = None) -> Cast:
        """A cast with that many fuzzers. Raises PeerError, MachineError."""
        opened: list[Session] = []
        try:
            # A component has one address: one fuzzer is all there can be.
            count = 1 if self.over == "component" else fuzzers
            contact = self._bound("contact", opened)
            bystander = self._bound("bystander", opened)
            senders = [self._fuzzer("fuzzer" if n == 1 else f"fuzzer-{n}", opened) for n in range(1, count + 1)]
            room = self._room(senders[0], [contact, *senders[1:]]) if self._wants_rooms() else ""
            scenes = [self._scene(sender, contact, room) for sender in senders]
        except BaseException:
            for session in opened:
                session.transport.close()
            raise
        pipes = [Pipe(session, log=log) for session in senders]
        return Cast(pipes, Pipe(contact, log=log), Pipe(bystander, log=log), scenes, room)

    def renew(self, cast: Cast, *, log: list[Logged] | None = None) -> None:
        """Fresh fuzzers in the place of those whose streams ended: quicker than a fresh cast. Raises PeerError."""
        for place, pipe in enumerate(cast.fuzzers):
            if not pipe.closed:
                continue
            session = self._fuzzer(pipe.label, [])
            if cast.room:
                with suppress(PeerError):  # it does without the room; whoever speaks there is told so
                    _join(session, cast.room, f"fuzzer-{token_hex(3)}")
            cast.replace(place, Pipe(session, log=log), self._scene(session, cast.contact.session, cast.room))

    def early(self, moment: Moment, *, log: list[Logged] | None = None) -> Pipe:
        """A connection that has come only so far (a component: connected, or ready)."""
        account = self.accounts.fresh() if moment is Moment.AUTHENTICATED else None
        return Pipe(self._connect(MOMENTS[moment], account, "fuzzer", "c2s"), log=log)

    def _connect(self, stage: Stage, account: Account | None, label: str, over: Transport) -> Session:
        resource = f"r{token_hex(4)}" if self.even else None
        return self.comeback.open(
            lambda: negotiation.connect(self.cell, stage, account=account, resource=resource, over=over, label=label)
        )

    def _bound(self, label: str, opened: list[Session], over: Transport = "c2s") -> Session:
        over = over if self.cell.endpoint(over) else "c2s"
        session = self._connect(Stage.BOUND, self.accounts.fresh(), label, over)
        opened.append(session)
        session.send("<presence/>")
        return session

    def _fuzzer(self, label: str, opened: list[Session]) -> Session:
        if self.over != "component":
            return self._bound(label, opened, self.over)
        session = self.comeback.open(lambda: component.connect(self.cell, label=label))
        opened.append(session)
        return session

    def _wants_rooms(self) -> bool:
        rooms = {Addressee.ROOM, Addressee.OCCUPANT}
        return "muc" in self.cell.services and self.over != "component" and bool(rooms & self.addressees)

    def _room(self, owner: Session, others: Iterable[Session]) -> str:
        """An instant room (XEP-0045 §10.1.2) with all of them in it, or empty where none could be made."""
        room = f"r{token_hex(5)}@{self.cell.services['muc']}"
        try:
            _join(owner, room)
            form = f"<query xmlns='{MUC_OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>"
            if owner.iq("set", form, to=room).get("type") != "result":
                return ""
            for other in others:
                _join(other, room)
        except PeerError:
            return ""
        return room

    def _scene(self, sender: Session, contact: Session, room: str) -> Scene:
        cell = self.cell
        found: dict[Addressee, tuple[str, ...]] = {
            Addressee.SERVER: (cell.domain,),
            Addressee.CONTACT: (contact.jid, contact.bare_jid),
            Addressee.PEER: ("",),
        }
        if self.over != "component":
            found[Addressee.ACCOUNT] = ("", sender.bare_jid)
            if cell.component:
                found[Addressee.COMPONENT] = (cell.component.domain,)
        for addressee, service in SERVICES.items():
            if service in cell.services:
                found[addressee] = (cell.services[service],)
        if room:
            found[Addressee.ROOM] = (room,)
            found[Addressee.OCCUPANT] = (f"{room}/{contact.label}",)
        return Scene(sender.jid, cell.domain, found)


def _join(session: Session, room: str, nick: str = "") -> None:
    place = f"{room}/{nick or session.label}"
    session.send(f"<presence to='{place}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>")
    answer = session.expect(
        lambda e: e.tag == f"{{{CLIENT}}}presence" and e.get("from") == place, "the own presence in the room"
    )
    if answer.get("type") == "error":
        raise PeerError("the room cannot be joined")


def connected(pipes: Collection[Pipe]) -> bool:
    return not any(pipe.closed for pipe in pipes)
