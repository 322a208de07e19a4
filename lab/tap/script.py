"""A server that is nowhere but in the tap: from the login on it says what a script says, and nothing else.

    server = Script()
    client = arrive(online=False, alone=server)
    server.when(asks_for("roster:query"))                                     # says nothing
    server.when(asks_for("bind:bind"), answer("<bind …><jid>$account/lab</jid></bind>"))
    server.when(asks_for("ping:ping"), fails("policy-violation"))             # a stream error, and the end

The last line that fits speaks; where none does, a polite server does: it binds a resource, has an empty roster, and
refuses whatever else it is asked. In texts, `$account`, `$domain`, `$id` (of what is answered) and `$connection` (the
first is 1) are filled in. All else is as with a server behind the tap: the record, the filters, what is injected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from string import Template
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from lab.cell import Account
from lab.tap.line import END, Piece
from lab.wire.namespaces import BIND, CLIENT, NS, ROSTER, SESSION, STANZA_ERROR, STREAM, STREAM_ERROR
from lab.wire.session import localname, parse
from lab.wire.stream import Element

FEATURES = f"<bind xmlns='{BIND}'/>"
Matches = Callable[[Element], bool]


@dataclass(frozen=True)
class Scene:
    """What the client said, whose account it is, and on which connection (from 1)."""

    element: Element
    account: Account
    connection: int

    def fill(self, text: str) -> str:
        """A text with its names filled in, each escaped for a text or an attribute."""
        facts = {
            "account": self.account.jid,
            "domain": self.account.domain,
            "id": self.element.get("id", ""),
            "connection": str(self.connection),
        }
        quoted = {name: escape(value, {"'": "&apos;", '"': "&quot;"}) for name, value in facts.items()}
        return Template(text).safe_substitute(quoted)


Step = Callable[[Scene], Iterable[Piece | None]]
"""What the server does: pieces that it sends, in order; None ends the connection."""


class Script:
    """What the tap says in a server's place. `features` are shown after the login: one text for each connection, the
    last for all further ones. Lines can be added at any time.
    """

    def __init__(self, *features: str) -> None:
        self._features: Sequence[str] = features or (FEATURES,)
        self._lines: list[tuple[Matches, tuple[Step, ...]]] = list(_POLITE)

    def when(self, matches: Matches, *steps: Step) -> None:
        """Do these steps whenever the client sends what fits; none: say nothing."""
        self._lines.insert(0, (matches, steps))

    def features(self, connection: int) -> Element:
        """The stream features that a client is shown on its connection of that number."""
        shown = self._features[min(connection, len(self._features)) - 1]
        # With the prefix that everybody writes: some clients know the features by it.
        return etree.fromstring(
            f"<stream:features xmlns='{CLIENT}' xmlns:stream='{STREAM}'>{shown}</stream:features>"
        )

    def says(self, element: Element, account: Account, connection: int) -> Iterable[Piece | None]:
        """What the server does about it."""
        steps = next((steps for matches, steps in self._lines if matches(element)), ())
        scene = Scene(element, account, connection)
        return [piece for step in steps for piece in step(scene)]


def asks_for(path: str) -> Matches:
    """Matches iqs of type get or set with that payload (with the prefixes of `lab.wire.namespaces.NS`)."""
    return lambda element: _is_request(element) and element.find(path, NS) is not None


def _is_request(element: Element) -> bool:
    return localname(element) == "iq" and element.get("type") in {"get", "set"}


def answer(payload: str = "", kind: str = "result") -> Step:
    """Answer an iq, from whom it was sent to."""

    def step(scene: Scene) -> Iterable[Piece]:
        sender = scene.element.get("to")
        from_ = f" from={quoteattr(sender)}" if sender is not None else ""
        yield _element(scene.fill(f"<iq type='{kind}' id='$id'{from_}>{payload}</iq>"))

    return step


def refuse(condition: str, kind: str = "cancel") -> Step:
    """Answer an iq by an error."""
    return answer(f"<error type='{kind}'><{condition} xmlns='{STANZA_ERROR}'/></error>", "error")


def send(text: str) -> Step:
    """Send anything: XML, or what is none."""
    return lambda scene: (_element(scene.fill(text)),)


def fails(condition: str, content: str = "") -> Step:
    """End the stream with an error, and the connection (RFC 6120 §4.9.1.1). `content` is the condition's text."""
    error = f"<stream:error><{condition} xmlns='{STREAM_ERROR}'>{escape(content)}</{condition}></stream:error>"
    return lambda scene: (scene.fill(error), END, None)


def close(_: Scene) -> Iterable[Piece]:
    """Close the stream in order (§4.4)."""
    return (END,)


def hang_up(_: Scene) -> Iterable[Piece | None]:
    """Break the connection; no stream is closed."""
    return (None,)


def _element(text: str) -> Piece:
    """An element, which the tap's record keeps; or the text, where it is none."""
    try:
        return parse(text, default=CLIENT)
    except (etree.XMLSyntaxError, IndexError):
        return text


_POLITE: tuple[tuple[Matches, tuple[Step, ...]], ...] = (
    (asks_for("bind:bind"), (answer(f"<bind xmlns='{BIND}'><jid>$account/lab-$connection</jid></bind>"),)),
    (lambda e: _is_request(e) and e.find(f"{{{SESSION}}}session") is not None, (answer(),)),
    (lambda e: asks_for("roster:query")(e) and e.get("type") == "get", (answer(f"<query xmlns='{ROSTER}'/>"),)),
    (_is_request, (refuse("service-unavailable"),)),
)
