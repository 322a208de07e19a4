"""What RFC 6120 and RFC 6121 let a server do with what is wrong. Where the text leaves a doubt, it is allowed.

A condition is only listed where the text names it (or one that may stand for it); a SHOULD leaves any.
"""

from __future__ import annotations

from generators.allowed import Allowed, Reaction
from generators.stanza import Stanza
from schemas.payloads import Addressee, Carrier

_END = frozenset({Reaction.STREAM_ERROR})

UNREADABLE = frozenset(
    {
        "bad-format",  # may stand for each of the next (§4.9.3.1)
        "bad-namespace-prefix",
        "invalid-xml",
        "not-well-formed",
        "restricted-xml",
        "unsupported-encoding",
        "xml-not-well-formed",  # RFC 3920's name of it (§4.9.3.13)
        "policy-violation",
        "undefined-condition",
    }
)
"""Stream errors that say: these bytes are no XMPP stream."""

INVALID = UNREADABLE | {"invalid-namespace", "unsupported-stanza-type", "invalid-from", "improper-addressing"}
"""Stream errors of a server that looks at the content, too."""

NOT_WELL_FORMED = Allowed(_END, "RFC 6120 §11.3, §4.9.3.1, §4.9.3.13", stream_errors=UNREADABLE)
"""Not XML: it MUST end the stream."""

BAD_ENCODING = Allowed(_END, "RFC 6120 §11.6, §4.9.3.22", stream_errors=UNREADABLE)
"""Not UTF-8: it MUST end the stream."""

RESTRICTED = Allowed(_END, "RFC 6120 §11.1, §4.9.3.18", stream_errors=UNREADABLE)
"""XML that XMPP forbids: it MUST end the stream."""

BAD_NAMESPACES = Allowed(
    _END | {Reaction.ERROR},
    "RFC 6120 §11.3, §4.8.5",
    errors=frozenset({"not-acceptable", "bad-request"}),
    stream_errors=UNREADABLE,
)
"""XML, but not in its namespaces: <not-acceptable/>, or the end of the stream; never a delivery."""

NOT_A_STANZA = Allowed(_END | {Reaction.SILENCE, Reaction.ERROR}, "RFC 6120 §4.8.4, §4.9.3.24", stream_errors=INVALID)
"""A child of the stream that is no stanza: ignored, refused, or the end of the stream; never a delivery."""

STREAM_ENDED = Allowed(_END | {Reaction.SILENCE}, "RFC 6120 §4.4, §11.3")
"""Behind the closing tag nothing is a stanza of this stream; how the server closes is left to it."""


def is_reply(stanza: Stanza) -> bool:
    """Whether it is an answer itself, and so must not be answered (§8.2.3, §8.3.1)."""
    return stanza.type in {"result", "error"}


def is_request(stanza: Stanza) -> bool:
    return stanza.carrier is Carrier.IQ and stanza.type in {"get", "set"}


def for_the_server(stanza: Stanza) -> bool:
    """Whether the sender's own server is who has to answer."""
    return stanza.addressee in {Addressee.SERVER, Addressee.ACCOUNT}


def liberal(stanza: Stanza, where: str) -> Allowed:
    """For what a server may overlook, refuse, or end the stream for; §11.4: servers need not validate."""
    more = {Reaction.STREAM_ERROR}
    if not is_reply(stanza):
        more.add(Reaction.ERROR)
    if is_request(stanza):
        more.add(Reaction.RESULT)
    if stanza.carrier is Carrier.STREAM:
        more.add(Reaction.SILENCE)
    return Allowed(stanza.allowed.reactions | more, where, stream_errors=INVALID)


def excessive(stanza: Stanza) -> Allowed:
    """More than a server may want to take: processed, refused, or the end of the stream; in any words."""
    where = "RFC 6120 §13.12, §4.9.3.14, §4.9.3.17"
    return Allowed(stanza.allowed.reactions | {Reaction.ERROR, Reaction.STREAM_ERROR}, where)
