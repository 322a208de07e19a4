"""RFC 6120 §13.12: how large a stanza may be, and that nobody can make a server remember without end.

Limits on connections, attempts and bandwidth are the operator's.
"""

from __future__ import annotations

import pytest

from lab.cell import Cell
from lab.plugin import Connect, Specification, Stage, proved_by, require, require_equal, unsupported
from lab.wire.namespaces import DISCO_INFO, STREAM_LIMITS
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamFailed, localname, new_id, stanza_error_condition
from scenarios.server.rfc6120._flood import ends_over, feed
from scenarios.server.rfc6120._stanzas import (
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    deliver,
)
from scenarios.server.rfc6120._streams import expect_end

RFC = Specification("RFC 6120")
pytestmark = pytest.mark.overloads

SMALLEST_LIMIT = 10_000
"""Bytes that every server must take in one stanza (§13.12)."""
BELOW = 512
"""Bytes that stay free below an announced limit: a server may count what stands around a stanza."""
ABOVE = 64 * 1024
"""Bytes beyond it: a server may count by what it reads at a time."""
BUSY = 4
"""Times the usual patience: these checks keep a server busy with megabytes."""


def sized(to: str, size: int) -> tuple[str, str]:
    """A message of `size` bytes, and the text of its body."""
    start, end = f"<message to='{to}' type='chat' id='{new_id()}'><body>", "</body></message>"
    text = "x" * (size - len(start) - len(end))
    return f"{start}{text}{end}", text


def require_whole(alice: Session, bob: Session, size: int) -> None:
    stanza, text = sized(bob.jid, size)
    message = deliver(alice, bob, stanza)
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    body = message.findtext("{*}body") or ""
    require(body == text, f"a body of {len(text)} bytes, unchanged", f"a body of {len(body)} bytes")


def announced_limit(session: Session) -> int:
    """The size in bytes that the server says it takes (XEP-0478)."""
    limit = session.features.findtext(f".//{{{STREAM_LIMITS}}}max-bytes") if session.features is not None else None
    if not (limit or "").isdecimal():
        unsupported("a limit in the stream features (XEP-0478)")
    return int(limit or 0)


@RFC.must_not("13.12", says="No server's limit is below 10,000 bytes: a stanza of that size is delivered whole.")
@pytest.mark.parametrize("size", [pytest.param(5_000, id="half"), pytest.param(SMALLEST_LIMIT, id="whole")])
def test_stanza_of_the_smallest_limit_is_delivered(alice: Session, bob: Session, size: int) -> None:
    require_whole(alice, bob, size)


@RFC.must(
    "10.5.4",
    "13.12",
    says="A stanza below 10,000 bytes is delivered, be they those of an attribute, or of many small elements.",
)
@pytest.mark.parametrize(
    "filling",
    [
        pytest.param("<x xmlns='urn:stanzalab:0' attribute='{x}'/>", id="attribute"),
        pytest.param("<x xmlns='urn:stanzalab:0'>{elements}</x>", id="elements"),
    ],
)
def test_other_stanzas_of_the_smallest_limit_are_delivered(alice: Session, bob: Session, filling: str) -> None:
    payload = filling.format(x="x" * 9_500, elements=f"<y>{'x' * 88}</y>" * 100)
    message = deliver(
        alice,
        bob,
        f"<message to='{bob.jid}' type='chat' id='{new_id()}'><body>Hello</body>{payload}</message>",
    )
    require_equal(message.get("from"), alice.jid, "'from' of the message")
    seen = message.find("{urn:stanzalab:0}x")
    size = -1 if seen is None else len(seen.get("attribute") or "") + sum(len(y.text or "") + 7 for y in seen)
    require_equal(size, 9_500, "bytes of payload")


@RFC.should(
    "13.12",
    says="The limit that a server announces is the one that it keeps: just below, stanzas are delivered.",
)
def test_stanza_below_the_announced_limit_is_delivered(alice: Session, bob: Session) -> None:
    require_whole(alice, bob, announced_limit(alice) - BELOW)


@RFC.must(
    "13.12",
    says="Above its announced limit the server answers policy-violation, for the stanza or the stream.",
)
def test_stanza_above_the_announced_limit_is_refused(alice: Session, bob: Session) -> None:
    stanza, _ = sized(bob.jid, announced_limit(alice) + ABOVE)
    require(_refused(alice, stanza), "the error policy-violation", "the stanza was taken")
    bob.expect_nothing(
        "<message><body>xxxxx</body></message>",
        lambda e: e.find("{*}body") is not None,
        "stanza that is too large",
    )


@RFC.must("13.12", "4.9.3.14", says="A stanza of any size is delivered whole, or refused as a policy-violation.")
@pytest.mark.parametrize("kibibytes", [64, 250, 258, 1024])
def test_large_stanza_is_delivered_or_refused(alice: Session, bob: Session, kibibytes: int) -> None:
    stanza, text = sized(bob.jid, kibibytes * 1024)
    bob.patience *= BUSY
    if _refused(alice, stanza):
        return
    message = bob.expect(lambda e: e.get("from") == alice.jid, "the large message")
    require(message.findtext("{*}body") == text, f"a body of {len(text)} bytes, unchanged", "another body")


def _refused(session: Session, stanza: str) -> bool:
    """Send a large stanza; whether it is refused, by the one condition that §13.12 names."""
    expected = "policy-violation"
    session.patience *= BUSY
    try:
        feed(session, stanza)
        answer = session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=session.domain)
    except StreamFailed as error:
        require_equal(error.condition, expected, "condition")
        expect_end(session, behind="the stream error")
        return True
    require_equal(localname(answer), "iq", "the answer")
    for element in session.inbox:
        if element.get("type") == "error":
            require_equal(stanza_error_condition(element), expected, "condition")
            return True
    return False


ENDLESS = [
    pytest.param(Stage.CONNECTED, "{header} lab='", "x", id="header-attribute"),
    pytest.param(Stage.OPENED, "<message><body>", "x", id="text-before-tls"),
    pytest.param(Stage.OPENED, "<message><body>", "<x/>", id="elements-before-tls"),
    pytest.param(Stage.OPENED, "<message id='", "x", id="attribute-before-tls"),
    pytest.param(Stage.OPENED, "<", "x", id="name-before-tls"),
    pytest.param(Stage.OPENED, "<message>", "<x>", id="depth-before-tls"),
    pytest.param(Stage.BOUND, "<message><body>", "x", id="text-bound"),
    pytest.param(Stage.BOUND, "<message id='", "x", id="attribute-bound"),
]


@RFC.should("13.12", says="What never ends is given up: the server limits the size of what it has to remember.")
@proved_by("boundless-appetite")
@pytest.mark.parametrize(("stage", "start", "more"), ENDLESS)
def test_endless_data_is_given_up(connect: Connect, cell: Cell, stage: Stage, start: str, more: str) -> None:
    session = connect(stage)
    session.send(start.format(header=header(to=cell.domain)[:-1]))
    if ends_over(session, more):
        _require_service(connect)


def _require_service(connect: Connect) -> None:
    """Whoever comes next is served."""
    session = connect(Stage.OPENED)
    require(session.features is not None, "a stream for the next client", "none")
