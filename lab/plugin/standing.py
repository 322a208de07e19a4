"""Watches the sessions of one check: every stanza that comes is held against the standing rules (`lab.standing`).

Learns from what is sent which iqs await an answer. Where what was sent cannot be read (bytes that are no stanzas),
nothing is said of answers any more: what a server makes of such a stream is that check's matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from lab.cell import Cell
from lab.errors import LabError
from lab.plugin.strictness import Strictnesses
from lab.record import Strictness
from lab.standing import IQ, Fault, Request, fault, faults_of_reply, faults_of_stanza, kind_of
from lab.wire.namespaces import COMPONENT, HTTPBIND, SERVER, STREAM
from lab.wire.session import Session
from lab.wire.stream import Element, Event, Received
from schemas.catalogue import catalogue

FAULTS = 10  # of one check that are kept, one of a rule
READABLE = 256 * 1024  # bytes: more in one piece is a check of limits
UNVALIDATED = 50  # elements that wait for their validation until the session sends again
LEFT = 1_000  # events that came, unread by the check, that are still looked at
LEFT_SECONDS = 0.001
_HEADER = re.compile(rb"\s*(<\?xml[^>]*\?>)?\s*<stream:stream\s[^>]*>")
_CLOSE = re.compile(rb"</stream:stream>\s*\Z")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass
class _Asked:
    """An iq that was sent, and how often it was answered. `clear` is False where its id or its sender is in doubt."""

    request: Request
    clear: bool
    answers: int = 0


class Watch:
    """The observer of a check's sessions. `faults` and `strictness` are what it found."""

    def __init__(self, cell: Cell) -> None:
        self._strictness = Strictnesses(catalogue(), {cell.domain, *cell.services.values()})
        self._faults: dict[str, Fault] = {}
        self._asked: dict[tuple[str, str], _Asked] = {}  # by label of the session, and id
        self._ids: set[tuple[str, str]] = set()  # bare JID of a sender, id of a stanza ("" where it has none)
        self._answered: set[str] = set()  # ids of results and errors that our sessions sent
        self._legible = True
        self._unvalidated: list[Element] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._faults.values())

    @property
    def strictness(self) -> tuple[Strictness, ...]:
        self._validate()
        return self._strictness.found

    # --- what a session tells

    def sent(self, session: Session, data: bytes) -> None:
        """Take note of the stanzas in it. Then, while the server works on them, validate what came before."""
        self._learn(session, data)
        self._validate()

    def _learn(self, session: Session, data: bytes) -> None:
        stanzas = _read(session.namespace, data)
        if stanzas is None:
            self._legible = False
            return
        for stanza in stanzas:
            if kind_of(stanza):
                self._note(session, stanza)

    def received(self, session: Session, event: Event) -> None:
        """Judge a stanza."""
        if not isinstance(event, Received):
            return
        element = event.element
        self._unvalidated.append(element)
        if len(self._unvalidated) >= UNVALIDATED:
            self._validate()
        kind = kind_of(element)
        if not kind:
            return
        # A component that plays somebody of its domain is asked in its own name, too.
        own = session.jid.rpartition("@")[2] if session.namespace == COMPONENT else session.jid
        self._blame(faults_of_stanza(element, own, session.domain))
        if kind == IQ and element.get("type") in {"result", "error"}:
            self._judge_answer(session, element)

    def look_at_what_is_left(self, sessions: Iterable[Session]) -> None:
        """Judge what has come by now and was not read by the check: a second answer, above all."""
        for session in sessions:
            session.tamper = None  # no check will see it, so there is no use in damaging it
            try:
                for _ in range(LEFT):
                    session.next_event(timeout=LEFT_SECONDS)
            except LabError:
                continue  # nothing more came, or nothing more can

    def _validate(self) -> None:
        for element in self._unvalidated:
            self._strictness.look(element)
        self._unvalidated.clear()

    # --- requests and answers

    def _note(self, session: Session, stanza: Element) -> None:
        identifier = stanza.get("id", "")
        account = (_bare(session.jid), identifier)
        again = account in self._ids
        self._ids.add(account)
        if stanza.tag != f"{{{session.namespace}}}iq":
            return
        if stanza.get("type") not in {"get", "set"}:
            self._answered.add(identifier)
            return
        claimed = stanza.get("from", "")
        of_client = session.namespace not in {COMPONENT, SERVER}
        sender = session.jid if of_client else claimed
        forged = claimed not in {"", sender, _bare(sender)}
        request = Request(identifier, stanza.get("to"), sender, session.domain, of_client)
        clear = bool(identifier) and not again and not forged
        self._asked[session.label, identifier] = _Asked(request, clear)

    def _judge_answer(self, session: Session, answer: Element) -> None:
        identifier = answer.get("id", "")
        if not self._legible or identifier in self._answered:
            return
        asked = self._asked.get((session.label, identifier))
        if asked is not None:
            asked.answers += 1
            if asked.clear and asked.answers > 1:
                self._blame((fault("answered-once", answer),))
            elif asked.clear:
                self._blame(faults_of_reply(asked.request, answer))
        elif not self._ids & {(_bare(session.jid), identifier), ("", identifier)}:
            self._blame((fault("unasked-reply", answer),))

    def _blame(self, faults: Iterable[Fault]) -> None:
        for one in faults:
            if len(self._faults) < FAULTS:
                self._faults.setdefault(one.rule, one)


def _read(namespace: str, data: bytes) -> list[Element] | None:
    """The first-level elements in what was sent, or None where it is not a number of whole ones."""
    if len(data) > READABLE:
        return None
    header = _HEADER.match(data)
    if header is not None:
        data = data[header.end() :]
    data = _CLOSE.sub(b"", data)
    wrapped = b"<w xmlns='%b' xmlns:stream='%b'>%b</w>" % (namespace.encode(), STREAM.encode(), data)
    try:
        root = etree.fromstring(wrapped, _PARSER)
    except etree.XMLSyntaxError:
        return None
    texts = [root.text, *(child.tail for child in root)]
    plain = all(isinstance(child.tag, str) for child in root)  # no comment, no processing instruction
    if not plain or any(text and text.strip() for text in texts):
        return None
    bosh = f"{{{HTTPBIND}}}body"
    return [stanza for child in root for stanza in (child if child.tag == bosh else [child])]


def _bare(jid: str) -> str:
    return jid.partition("/")[0]
