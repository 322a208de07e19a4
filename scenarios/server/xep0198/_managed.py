"""A managed stream as a client plays it: enabling, acknowledging, breaking, resuming.

Judges only whether what a check builds upon was granted. Whatever comes is counted as it is read, as a client does,
so that `h` is right; what a check says of it may be another matter.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from lxml import etree

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Stage, require, unsupported
from lab.wire.namespaces import CLIENT, NS, STREAM_MANAGEMENT
from lab.wire.session import Matches, Observer, Session, localname, new_id
from lab.wire.stream import Element, Event, Received
from scenarios.server._contacts import appear, befriend
from scenarios.server.rfc6121._playing import is_presence

SM = f"{{{STREAM_MANAGEMENT}}}"
REQUEST = f"<r xmlns='{STREAM_MANAGEMENT}'/>"
TRUE = {"true", "1"}
STANZAS = {f"{{{CLIENT}}}{kind}" for kind in ("iq", "message", "presence")}

over_websocket = pytest.mark.transports("c2s", "websocket")
"""For checks that make sense on any single connection: BOSH has acknowledgements and a resumption of its own."""


class Tally:
    """Counts the stanzas on a session's stream in either direction; tells whoever observed it before, too."""

    def __init__(self, session: Session, *, sent: int = 0, handled: int = 0) -> None:
        self.sent_stanzas = sent
        self._handled = handled
        self.received_ids: list[str] = []
        self._observer: Observer | None = session.observer
        session.observer = self

    @property
    def handled(self) -> int:
        return self._handled + len(self.received_ids)

    def handled_up_to(self, identifier: str) -> int:
        """What `h` is once the stanza of that id is handled, and none behind it."""
        return self._handled + self.received_ids.index(identifier) + 1

    def sent(self, session: Session, data: bytes) -> None:
        self.sent_stanzas += _stanzas_in(data)
        if self._observer is not None:
            self._observer.sent(session, data)

    def received(self, session: Session, event: Event) -> None:
        if isinstance(event, Received) and event.element.tag in STANZAS:
            self.received_ids.append(event.element.get("id", ""))
        if self._observer is not None:
            self._observer.received(session, event)


def _stanzas_in(data: bytes) -> int:
    """How many stanzas there are in what was sent; none in stream headers and other things that are no elements."""
    try:
        root = etree.fromstring(b"<w xmlns='%b'>%b</w>" % (CLIENT.encode(), data))
    except etree.XMLSyntaxError:
        return 0
    return sum(child.tag in STANZAS for child in root)


class Managed:
    """A session whose stream is managed. `enabled` is what the server said of it when it began."""

    def __init__(self, session: Session, account: Account, enabled: Element, tally: Tally | None = None) -> None:
        self.session = session
        self.account = account
        self.enabled = enabled
        self.tally = tally or Tally(session)

    @property
    def name(self) -> str:
        """The SM-ID, by which the stream can be resumed."""
        return self.enabled.get("id", "")

    @property
    def longest_break(self) -> int | None:
        """Seconds that the server keeps a broken stream, where it says so in figures."""
        seconds = self.enabled.get("max", "")
        return int(seconds) if seconds.isdecimal() else None

    def acknowledge(self, handled: int | None = None) -> None:
        """Send `<a/>` for what was read, or whatever is to be said."""
        self.session.send(acknowledgement(self.tally.handled if handled is None else handled))

    def read(self, *identifiers: str) -> None:
        """Wait until the stanzas of these ids have come; they stay in the inbox."""
        for identifier in identifiers:
            self.session.inbox.append(self.session.expect(identifier))

    def came(self, identifiers: Iterable[str]) -> list[str]:
        """Which of these have come and lie in the inbox, in order and as often as they came."""
        wanted = set(identifiers)
        return [e.get("id", "") for e in self.session.inbox if e.get("id") in wanted]

    def cut(self) -> None:
        """Break the TCP connection, without a word on the stream, and wait until the server has let go of it, too."""
        transport = self.session.transport
        try:
            transport.half_close()
            while transport.receive(timeout=self.session.patience):
                continue
        except PeerError as error:
            self.session.trace.note(self.session.label, f"cut: {error.message}")
        self.session.trace.note(self.session.label, "the connection is cut")
        self.session.abandon()


# --- nonzas


def acknowledgement(handled: int | str) -> str:
    return f"<a xmlns='{STREAM_MANAGEMENT}' h='{handled}'/>"


def enable(session: Session, attributes: str = "") -> Element:
    """Ask for stream management; answers `<enabled/>` or `<failed/>`."""
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}' {attributes}/>")
    return session.expect(is_one_of("enabled", "failed"), "<enabled/> or <failed/>")


def resumption(previd: str, handled: int | str) -> str:
    quoted = previd.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")
    return f"<resume xmlns='{STREAM_MANAGEMENT}' previd='{quoted}' h='{handled}'/>"


def is_one_of(*names: str) -> Matches:
    return lambda element: element.tag in {SM + name for name in names}


# --- streams


def offered(session: Session) -> None:
    """The check is `unsupported` where the stream features do not offer stream management."""
    if session.features is None or session.features.find("sm:sm", NS) is None:
        unsupported("stream management among the stream features")


def managed(
    connect: Connect,
    attributes: str = "",
    *,
    account: Account | None = None,
    label: str = "bob",
    online: bool = False,
) -> Managed:
    """A fresh account's stream (or that of `account`), managed; with `online` it is available before that."""
    account = account or connect.account()
    session = connect(account=account, label=label)
    offered(session)
    if online:
        appear(session)
    return manage(session, account, attributes)


def manage(session: Session, account: Account, attributes: str = "") -> Managed:
    """Have the stream of a session managed."""
    offered(session)
    enabled = enable(session, attributes)
    require(enabled.tag == f"{SM}enabled", "<enabled/>", enabled)
    return Managed(session, account, enabled)


def resumable(
    connect: Connect,
    *,
    account: Account | None = None,
    label: str = "bob",
    online: bool = False,
    longest: int | None = None,
) -> Managed:
    """As `managed`, for a stream that can be resumed, else `unsupported`; `longest` asks for so many seconds.

    Not every server keeps what was never `online`; whether it does is the matter of one check.
    """
    stream = managed(connect, _asked(longest), account=account, label=label, online=online)
    return _granted(stream)


def make_resumable(session: Session, account: Account, *, longest: int | None = None) -> Managed:
    """Have the stream of a session managed, and resumable."""
    return _granted(manage(session, account, _asked(longest)))


def _asked(longest: int | None) -> str:
    return "resume='true'" if longest is None else f"resume='true' max='{longest}'"


def _granted(stream: Managed) -> Managed:
    if stream.enabled.get("resume") not in TRUE:
        unsupported("the resumption of streams")
    return stream


def ask_to_resume(
    connect: Connect,
    stream: Managed,
    *,
    handled: int | str | None = None,
    account: Account | None = None,
) -> tuple[Session, Element]:
    """A new connection that asks for the stream, as its owner or as `account`; and the server's answer."""
    session = connect(Stage.AUTHENTICATED, account=account or stream.account, label="again")
    session.send(resumption(stream.name, stream.tally.handled if handled is None else handled))
    return session, session.expect(is_one_of("resumed", "failed"), "<resumed/> or <failed/>")


def resume(connect: Connect, stream: Managed, *, handled: int | None = None) -> tuple[Managed, Element]:
    """Resume the stream, which must be possible; answers it, and `<resumed/>`."""
    handled = stream.tally.handled if handled is None else handled
    session, answer = ask_to_resume(connect, stream, handled=handled)
    require(answer.tag == f"{SM}resumed", "<resumed/>", answer)
    session.jid = stream.session.jid
    tally = Tally(session, sent=stream.tally.sent_stanzas, handled=handled)
    return Managed(session, stream.account, stream.enabled, tally), answer


# --- messages


def message(to: str, identifier: str, kind: str = "chat") -> str:
    return f"<message type='{kind}' id='{identifier}' to='{to}'><body>{identifier}</body></message>"


def tell(sender: Session, to: str, count: int) -> list[str]:
    """Send messages, one behind the other; answers their ids, in order."""
    identifiers = [new_id() for _ in range(count)]
    sender.send_together(message(to, identifier) for identifier in identifiers)
    return identifiers


def is_unavailable(jid: str) -> Matches:
    def matches(element: Element) -> bool:
        return (
            localname(element) == "presence" and element.get("type") == "unavailable" and element.get("from") == jid
        )

    return matches


def watched(connect: Connect) -> tuple[Account, Session, Session]:
    """An account, bob's available session of it, and carol, who sees that end; nothing is left in her inbox."""
    account = connect.account()
    bob, carol = connect(account=account, label="bob"), connect(label="carol")
    befriend(bob, carol)
    appear(carol)
    appear(bob)
    carol.expect(is_presence(None, bob.jid), "the presence")
    bob.sentinel(carol)  # behind what a probe brings, too
    carol.inbox.clear()
    return account, bob, carol
