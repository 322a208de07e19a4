"""Archives as checks use them: filled, asked, and their answers read.

What makes an answer one at all is judged here, for all checks: that it is a result with `<fin/>` and `<set/>` in it,
and that what came before it are forwarded messages from the archive that was asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, impossible, require, require_equal, require_result, unsupported
from lab.wire.namespaces import ARCHIVE, DELAY, FORWARD, NS, RSM
from lab.wire.session import Matches, Session, localname, new_id, show
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._discovery import advertises
from scenarios.server._forms import submit
from scenarios.server._rooms import OWNER, Room, room

MAM = Specification("XEP-0313")
EXTENDED = f"{ARCHIVE}#extended"

Kind = Literal["account", "room"]
KINDS = pytest.mark.parametrize("kind", ["account", "room"])
"""For what holds of any archive."""

DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
"""The DateTime profile of XEP-0082 §3.2."""

Form = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Result:
    """One message of an archive: its id there, the time that it is said to have come, and the message itself."""

    stanza: Element
    id: str
    stamp: str
    message: Element

    @property
    def body(self) -> str:
        return self.message.findtext("c:body", "", NS)

    @property
    def when(self) -> datetime:
        require(DATE_TIME.fullmatch(self.stamp), "a stamp in the DateTime profile of XEP-0082", self.stamp)
        return datetime.fromisoformat(self.stamp)


@dataclass(frozen=True)
class Page:
    """An answer: the messages, in the order in which they came, and `<fin/>` behind them."""

    fin: Element
    results: tuple[Result, ...]

    @cached_property
    def set(self) -> Element:
        found = self.fin.find("rsm:set", NS)
        require(found is not None, "<set/> in <fin/>", self.fin)
        return self.fin if found is None else found

    @property
    def bodies(self) -> list[str]:
        return [result.body for result in self.results]

    @property
    def ids(self) -> list[str]:
        return [result.id for result in self.results]

    @property
    def complete(self) -> bool:
        return self.fin.get("complete") in {"true", "1"}

    @property
    def index(self) -> str | None:
        """The place of the first message among all, where it is told."""
        first = self.set.find("rsm:first", NS)
        return None if first is None else first.get("index")

    def value(self, name: str) -> str | None:
        """`first`, `last` or `count`, None where it is not given."""
        return self.set.findtext(f"rsm:{name}", namespaces=NS)


@dataclass
class Archive:
    """An archive and who asks it. `texts` are the bodies that were put into it, the oldest first."""

    session: Session
    jid: str
    kind: Kind
    texts: list[str] = field(default_factory=list)

    @property
    def mine(self) -> bool:
        return self.jid == self.session.bare_jid

    def seen_by(self, session: Session) -> Archive:
        """The same archive, asked by somebody else."""
        return Archive(session, self.jid, self.kind, self.texts)

    def ask(
        self, form: Form | None = None, within: str = "", *, name: str | None = None, to: str | None = None
    ) -> str:
        """Send a query that bears `name`, if any; answers its id. `within` is what it holds besides the form."""
        identifier = new_id()
        to = to or (None if self.mine else self.jid)
        self.session.send(self.query(identifier, form, within, name=name, to=to))
        return identifier

    def query(
        self,
        identifier: str,
        form: Form | None = None,
        within: str = "",
        *,
        name: str | None = None,
        to: str | None = None,
    ) -> str:
        """A query as it is sent."""
        fields = "" if form is None else submit(ARCHIVE, form)
        called = "" if name is None else f" queryid={quoteattr(name)}"
        target = "" if to is None else f" to={quoteattr(to)}"
        query = f"<query xmlns='{ARCHIVE}'{called}>{fields}{within}</query>"
        return f"<iq type='set' id='{identifier}'{target}>{query}</iq>"

    def answered(self, identifier: str, name: str | None) -> Page:
        """The answer to a query that was sent, and the messages that came for it."""
        reply = self.session.expect(identifier, "the answer to the query")
        require_result(reply)
        require(reply.get("from") in self._senders, f"an answer from {self.jid}", reply)
        fin = reply.find("mam:fin", NS)
        require(fin is not None, "<fin/> in the answer", reply)
        return Page(reply if fin is None else fin, tuple(self._result(one) for one in self.taken(name)))

    def page(
        self, form: Form | None = None, within: str = "", *, name: str | None = None, to: str | None = None
    ) -> Page:
        """Ask, and wait for the answer. The query has a name of its own unless one is given."""
        name = name or new_id()
        return self.answered(self.ask(form, within, name=name, to=to), name)

    def refused(self, form: Form | None = None, within: str = "") -> Element:
        """The answer to a query that may not be answered: no message may have come. The error is the caller's."""
        name = new_id()
        reply = self.session.expect(self.ask(form, within, name=name), "the answer to the query")
        came = self.taken(name)
        require(not came, "no message from the archive", came[0] if came else None)
        return reply

    def taken(self, name: str | None) -> list[Element]:
        """What came in answer to queries of a name, taken out of the inbox."""
        fits = is_result_of(name)
        found = [element for element in self.session.inbox if fits(element)]
        self.session.inbox[:] = [element for element in self.session.inbox if not fits(element)]
        return found

    @property
    def _senders(self) -> set[str | None]:
        return {self.jid, None} if self.mine else {self.jid}

    def _result(self, stanza: Element) -> Result:
        require(stanza.get("from") in self._senders, f"a message from the archive {self.jid}", stanza)
        require(stanza.get("to") in {self.session.jid, None}, f"a message to {self.session.jid}", stanza)
        (result,) = stanza.findall("mam:result", NS)
        require(result.get("id"), "a result with the id of the message in the archive", stanza)
        messages = result.findall("forward:forwarded/c:message", NS)
        require(len(messages) == 1, "one forwarded message in the result", stanza)
        delay = result.find("forward:forwarded/delay:delay", NS)
        stamp = "" if delay is None else delay.get("stamp", "")
        return Result(stanza, result.get("id", ""), stamp, messages[0])


def is_result_of(name: str | None) -> Matches:
    """Matches messages that hold one result of the query of a name (None: of one without)."""

    def matches(element: Element) -> bool:
        results = element.findall("mam:result", NS) if localname(element) == "message" else []
        return len(results) == 1 and results[0].get("queryid") == name

    return matches


def example(archive: Archive, name: str, text: str) -> str:
    """A result as it must not come."""
    return (
        f"<message from='{archive.jid}' to='{archive.session.jid}'><result xmlns='{ARCHIVE}' queryid='{name}' "
        f"id='forbidden'><forwarded xmlns='{FORWARD}'><delay xmlns='{DELAY}' stamp='2026-01-01T00:00:00Z'/>"
        f"<message xmlns='jabber:client' type='chat'><body>{text}</body></message></forwarded></result></message>"
    )


# --- pages


def paging(most: int | None = None, *, after: str | None = None, before: str | None = None, more: str = "") -> str:
    """A `<set/>` (XEP-0059). An empty `before` asks for the last page."""
    wanted = (("after", after), ("before", before))
    ends = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in wanted if value is not None)
    limit = "" if most is None else f"<max>{most}</max>"
    return f"<set xmlns='{RSM}'>{limit}{ends}{more}</set>"


# --- archives with something in them


def own_archive(connect: Connect, *, account: Account | None = None, label: str = "alice") -> Archive:
    """The archive of a fresh account, or the check is `unsupported`."""
    session = connect(account=account, label=label)
    if not advertises(session, session.bare_jid, ARCHIVE):
        unsupported(f"{ARCHIVE} on the own account")
    return Archive(session, session.bare_jid, "account")


def room_archive(connect: Connect, **config: str) -> tuple[Archive, Room]:
    """The archive of a fresh room, as its owner sees it, or the check is `unsupported`."""
    owner = connect(label="owner")
    made = room(connect, owner, **config)
    if not advertises(owner, made.jid, ARCHIVE):
        unsupported(f"{ARCHIVE} on a room")
    return Archive(owner, made.jid, "room"), made


TOGETHER = 10
"""Messages sent without waiting between them: each may take a server as long as an answer of its own."""


def filled(connect: Connect, kind: Kind, count: int, *, account: Account | None = None) -> Archive:
    """An archive with so many messages of one sender: what an account sent, or what a room's owner said."""
    texts = [f"{number} {new_id()}" for number in range(count)]
    if kind == "room":
        archive, made = room_archive(connect)
        for text in texts:
            made.say(archive.session, OWNER, text)
    else:
        archive = own_archive(connect, account=account)
        send(archive.session, connect(label="bob").jid, *texts)
    archive.texts += texts
    if texts:
        _filled_to(archive, texts[-1])
    return archive


def _filled_to(archive: Archive, text: str) -> None:
    """Wait until that message is the archive's last; an archive that keeps nothing makes a check `impossible`."""
    for _ in _tries(archive.session):
        page = archive.page(within=paging(1, before=""))
        if page.bodies[-1:] == [text]:
            return
    if not page.results:
        impossible(NOTHING)


NOTHING = (
    "the archive keeps nothing of this (what it keeps is policy, §3); another check says whether that is a fault"
)
PAUSE = 0.2


def _tries(session: Session) -> Iterator[None]:
    """Ask again until patience is out: nothing says how soon a message can be asked for."""
    deadline = time.monotonic() + session.patience
    yield
    while time.monotonic() < deadline:
        with suppress(NoAnswer):
            session.expect(lambda _: False, timeout=PAUSE)
        yield


def awaited(archive: Archive, count: int, *, should: bool = False) -> Page:
    """What the archive has, once it has so many messages or patience is out; nothing at all makes it `impossible`.

    With `should` that is left to the caller, who says that there SHOULD be something.
    """
    for _ in _tries(archive.session):
        page = archive.page()
        if len(page.results) >= count or not page.complete:
            break
    if not page.results and count and not should:
        impossible(NOTHING)
    return page


def send(sender: Session, to: str, *texts: str, kind: str = "chat", content: str = "") -> list[str]:
    """Send messages of these bodies, and wait until the server has read them; answers their ids."""
    identifiers = [new_id() for _ in texts]
    stanzas = [
        f"<message type='{kind}' id='{identifier}' to={quoteattr(to)}><body>{escape(text)}</body>{content}</message>"
        for identifier, text in zip(identifiers, texts, strict=True)
    ]
    for first in range(0, len(stanzas), TOGETHER):
        sender.send_together(stanzas[first : first + TOGETHER])
        sender.sentinel()
    return identifiers


def exchange(sender: Session, recipient: Session, text: str, *, to: str | None = None, content: str = "") -> Element:
    """Send a message to a session (to its full JID unless `to` says otherwise); answers it as it came there."""
    (identifier,) = send(sender, to or recipient.jid, text, content=content)
    return recipient.expect(
        lambda e: localname(e) == "message" and e.get("id") == identifier,
        f"the message {text!r} of {sender.bare_jid}",
    )


# --- what the answers must be


def holds(archive: Archive, texts: Sequence[str], form: Form | None = None) -> Page:
    """The archive must have just these messages, in this order, and say that these are all."""
    for _ in _tries(archive.session):
        page = archive.page(form)
        if len(page.results) >= len(texts) or not page.complete:
            break
    require_equal(page.bodies, list(texts), "the bodies of the messages")
    require(page.complete, "complete='true', as these are all", page.fin)
    return page


def without(archive: Archive, secret: str, reply: Element) -> None:
    """Neither the answer nor anything that came may show `secret`."""
    leaks = [element for element in (reply, *archive.session.inbox) if secret in show(element)]
    require(not leaks, f"nothing of {secret!r}", leaks[0] if leaks else None)


def told(moment: datetime) -> str:
    """A moment as fields and stamps say it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
