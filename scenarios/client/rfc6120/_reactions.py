"""What a client does with what it is sent: told by what it sends next."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from lab.plugin import require
from lab.plugin.clients import ClientUnderTest
from lab.wire.namespaces import LAB, PING, STREAM
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer

STREAM_ERROR_TAG = f"{{{STREAM}}}error"
UNKNOWN = f"<lab xmlns='{LAB}'/>"
PINGED = f"<ping xmlns='{PING}'/>"  # answered even by clients that leave what they do not know unanswered
STRANGER = "stranger"


def stranger(client: ClientUnderTest) -> str:
    """A full JID that the client has never heard of."""
    return f"{STRANGER}-{new_id()}@{client.domain}/lab"


def reaction(client: ClientUnderTest, xml: str, *, may_go_on: bool = True) -> Element | None:
    """Send the client something, and an iq behind it. What comes first, of:

    a stream error; a stanza of type error that does not answer the iq; the answer to the iq: it went on as if
    nothing were; None: the connection ended. Raises NoAnswer where nothing of it comes.
    `may_go_on`: no check forbids that.
    """
    mark = f"behind-{new_id()}"
    client.tap.inject(xml)
    client.tap.inject(
        f"<iq type='get' id='{mark}' from={quoteattr(client.domain)} to={quoteattr(client.jid)}>{PINGED}</iq>"
    )
    if not may_go_on:
        client.pretends(f"<iq type='result' id='{mark}'/>")
    return client.tap.expect_or_end(
        lambda e: e.tag == STREAM_ERROR_TAG or e.get("type") == "error" or e.get("id") == mark,
        "a stream error, a stanza error, or the answer to an iq that was sent behind",
    )


def require_stream_error(client: ClientUnderTest, seen: Element | None) -> None:
    """The check fails unless a reaction is a stream error. What the client sent may be no XML: that is said, too."""
    refused = seen is not None and seen.tag == STREAM_ERROR_TAG
    require(refused, "a stream error", client.end if seen is None else seen)


def goes_on(client: ClientUnderTest, xml: str, *, may: bool = True) -> bool:
    """Send the client something: whether it neither refuses it nor ends the connection.

    Who answers no iq at all may have gone on: what it shows says more.
    """
    try:
        seen = reaction(client, xml, may_go_on=may)
    except NoAnswer:
        return True
    return seen is not None and localname(seen) == "iq" and seen.get("id", "").startswith("behind-")
