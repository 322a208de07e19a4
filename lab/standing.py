"""The standing rules: what holds for every stanza that a peer sends, whatever a check is about (DESIGN, rule 6).

Facts in, faults out; nothing is remembered here. A rule stands here only where the RFC leaves no doubt, and each of
its liberties passes: a false accusation costs more than a missed fault. Good stanzas take a few microseconds.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from lxml import etree

from lab.wire.namespaces import CARBONS, CLIENT, COMPONENT, FORWARD, SERVER, STANZA_ERROR
from lab.wire.stream import Element


@dataclass(frozen=True)
class Request:
    """An iq of type get or set that was sent. `to` is as written, None where there was none.

    `sender` is our own full JID, or what a component or a server put into `from`; empty before a resource is bound.
    """

    id: str
    to: str | None
    sender: str
    domain: str
    of_client: bool = True


@dataclass(frozen=True)
class Fault:
    """A rule that a stanza breaks: its name in `RULES`, where it stands, what it says, and the stanza."""

    rule: str
    where: str
    says: str
    seen: str


RULES: dict[str, tuple[str, str]] = {
    "answered-once": ("RFC 6120 §8.2.3", "An iq of type get or set is answered by one result or error, not by more."),
    "unasked-reply": ("RFC 6120 §8.2.3", "An iq of type result or error answers an iq that was sent."),
    "reply-id": ("RFC 6120 §8.2.3", "The answer to an iq bears the id of that iq."),
    "reply-type": ("RFC 6120 §8.2.3", "An iq of type get or set is answered by an iq of type result or error."),
    "reply-from": ("RFC 6120 §8.1.2.1", "The answer to an iq comes from whom the iq was sent to."),
    "reply-to": ("RFC 6120 §8.1.1.1", "The answer to an iq, where it has a 'to', is for the full JID that asked."),
    "to-own": ("RFC 6120 §8.1.1.1", "A stanza is delivered only to the account, or the component, that it is for."),
    "own-from": ("RFC 6120 §8.1.2.1", "A client's stanza bears no 'from', or that of the client itself."),
    "iq-id": ("RFC 6120 §8.2.3", "An iq of type get or set has an id."),
    "iq-type": ("RFC 6120 §8.2.3", "The type of an iq is get, set, result or error."),
    "iq-payload": ("RFC 6120 §8.2.3", "An iq of type get or set has one child element, a result one or none."),
    "message-type": ("RFC 6121 §5.2.2", "The type of a message is chat, error, groupchat, headline or normal."),
    "presence-type": ("RFC 6121 §4.7.1", "The type of a presence stanza, where it has one, is a defined one."),
    "error-child": ("RFC 6120 §8.3.1", "A stanza of type error has an <error/> child, and no other stanza has."),
    "error-type": ("RFC 6120 §8.3.2", "The type of an <error/> is auth, cancel, continue, modify or wait."),
    "error-condition": ("RFC 6120 §8.3.2", "An <error/> has one of the defined conditions, and only one."),
}
"""Name of each rule -> where it stands, and what it says in our own words."""

IQ, MESSAGE, PRESENCE = "iq", "message", "presence"
_STANZAS = {
    f"{{{namespace}}}{kind}": (kind, f"{{{namespace}}}error")
    for namespace in (CLIENT, SERVER, COMPONENT)
    for kind in (IQ, MESSAGE, PRESENCE)
}
_TYPES: dict[str, frozenset[str | None]] = {
    IQ: frozenset({"get", "set", "result", "error"}),
    # Without a type, a message is a normal one (RFC 6121 §5.2.2).
    MESSAGE: frozenset({None, "chat", "error", "groupchat", "headline", "normal"}),
    PRESENCE: frozenset(
        {None, "error", "probe", "subscribe", "subscribed", "unavailable", "unsubscribe", "unsubscribed"}
    ),
}
_ERROR_TYPES = frozenset({"auth", "cancel", "continue", "modify", "wait"})
CONDITIONS = frozenset(
    f"{{{STANZA_ERROR}}}{name}"
    for name in (
        "bad-request",
        "conflict",
        "feature-not-implemented",
        "forbidden",
        "gone",
        "internal-server-error",
        "item-not-found",
        "jid-malformed",
        "not-acceptable",
        "not-allowed",
        "not-authorized",
        "policy-violation",
        "recipient-unavailable",
        "redirect",
        "registration-required",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
        "service-unavailable",
        "subscription-required",
        "undefined-condition",
        "unexpected-request",
        "bad-format",  # a stream error's name, but XEP-0049 answers with it: nobody is blamed for following that
        "payment-required",  # of RFC 3920, dropped by RFC 6120: nobody is blamed for it
    )
)
_TEXT = f"{{{STANZA_ERROR}}}text"
_FORBIDDEN = frozenset("\"&':<>@")  # in a localpart (RFC 7622 §3.3.1)
_PART = 1_024  # octets that no part of an address has (§3.1)
_SEEN = 2_000  # characters of a stanza


def fault(rule: str, stanza: Element) -> Fault:
    """That `stanza` breaks a rule of `RULES`."""
    where, says = RULES[rule]
    seen = etree.tostring(stanza, encoding="unicode", with_tail=False)
    return Fault(rule, where, says, seen if len(seen) <= _SEEN else f"{seen[:_SEEN]} …")


def kind_of(element: Element) -> str:
    """`iq`, `message` or `presence`; empty for what is no stanza."""
    found = _STANZAS.get(element.tag)
    return found[0] if found else ""


def faults_of_stanza(element: Element, own_jid: str, domain: str) -> tuple[Fault, ...]:
    """What is wrong with a stanza by itself, received by `own_jid` (empty before bind) from a server of `domain`.

    A server delivers what others wrote unmodified (RFC 6120 §8.4), so types, ids and errors are judged only where
    the server itself is the author. `own_jid` of a component is its domain.
    """
    found = _STANZAS.get(element.tag)
    if found is None:
        return ()
    kind, error_tag = found
    faults: list[Fault] = []
    to = element.get("to")
    # Of what comes back to a component or a server as an error the addresses SHOULD, no more, be swapped (§8.3.1).
    brought_back = "@" not in own_jid and element.get("type") == "error"
    if to is not None and to != own_jid and own_jid and not _is_mine(to, own_jid) and not brought_back:
        faults.append(fault("to-own", element))
    if _made_by_server(kind, element.get("from"), domain):
        faults += _faults_of_author(element, kind, error_tag)
    return tuple(faults)


def faults_of_client(element: Element, own_jid: str) -> tuple[Fault, ...]:
    """What is wrong with a stanza by itself that a client sent, whose full JID is `own_jid` (empty before bind)."""
    found = _STANZAS.get(element.tag)
    if found is None:
        return ()
    kind, error_tag = found
    faults: list[Fault] = []
    sender = element.get("from")
    if sender is not None and own_jid and not _same(sender, own_jid) and not _same(sender, _bare(own_jid)):
        faults.append(fault("own-from", element))
    return (*faults, *_faults_of_author(element, kind, error_tag))


def faults_of_reply(request: Request, reply: Element) -> tuple[Fault, ...]:
    """What is wrong with the iq that came back for a request.

    The reply must come from the server or its services: what one's own other sessions answered is theirs. That there
    is one only, and that it is valid by itself where the server made it (`faults_of_stanza`), is not asked here.
    """
    found = _STANZAS.get(reply.tag)
    type_ = reply.get("type")
    if found is None or found[0] != IQ or type_ not in {"result", "error"}:
        return (fault("reply-type", reply),)
    faults: list[Fault] = []
    if reply.get("id") != request.id:
        faults.append(fault("reply-id", reply))
    sender, to = reply.get("from"), reply.get("to")
    # Before bind, nobody has an address yet; for others than clients, see `faults_of_stanza`.
    if request.sender and (request.of_client or type_ == "result"):
        if sender != request.to and not _may_answer(request, sender, type_):
            faults.append(fault("reply-from", reply))
        if to is not None and to != request.sender and not _same(to, request.sender):
            faults.append(fault("reply-to", reply))
    if type_ == "error" and not _made_by_server(IQ, sender, request.domain):
        faults += _faults_of_error(reply, found[1])
    return tuple(faults)


def _faults_of_author(stanza: Element, kind: str, error_tag: str) -> list[Fault]:
    """What is wrong with a stanza that lies with whoever made it: its type, and what goes with the type."""
    type_ = stanza.get("type")
    if type_ not in _TYPES[kind]:
        return [fault(f"{kind}-type", stanza)]
    if type_ == "error":
        return [] if _copies_an_error(stanza) else _faults_of_error(stanza, error_tag)
    faults = _faults_of_iq(stanza, type_) if kind == IQ else []
    if stanza.find(error_tag) is not None:
        faults.append(fault("error-child", stanza))
    return faults


def _faults_of_iq(iq: Element, type_: str | None) -> list[Fault]:
    faults: list[Fault] = []
    asks = type_ in {"get", "set"}
    # An answer without an id is right where the question had none (§8.2.3): who knows the question judges it.
    if asks and iq.get("id") is None:
        faults.append(fault("iq-id", iq))
    if len(iq) > 1 or (asks and not len(iq)):
        faults.append(fault("iq-payload", iq))
    return faults


def _copies_an_error(stanza: Element) -> bool:
    """A copy bears the type of the message in it (XEP-0280 §7, §8), and nothing else: its <error/> is inside."""
    return any(
        message.get("type") == "error"
        for way in ("received", "sent")
        for message in stanza.iterfind(f"{{{CARBONS}}}{way}/{{{FORWARD}}}forwarded/{{{CLIENT}}}message")
    )


def _faults_of_error(stanza: Element, error_tag: str) -> list[Fault]:
    """An error stanza may bring back what was sent (§8.3.1), an <error/> included: one that is right is enough."""
    first: list[Fault] = []
    for error in stanza.iterchildren(error_tag):
        faults: list[Fault] = []
        if error.get("type") not in _ERROR_TYPES:
            faults.append(fault("error-type", stanza))
        conditions = [
            child.tag for child in error if str(child.tag).startswith(f"{{{STANZA_ERROR}}}") and child.tag != _TEXT
        ]
        if len(conditions) != 1 or conditions[0] not in CONDITIONS:
            faults.append(fault("error-condition", stanza))
        if not faults:
            return []
        first = first or faults
    return first or [fault("error-child", stanza)]


def _made_by_server(kind: str, sender: str | None, domain: str) -> bool:
    """Whether only the server can have made a stanza of that `from`: a client's bears a full JID (§8.1.2.1)."""
    if sender is None or sender == domain:
        return True
    # Presence of subscriptions is passed on with the sender's bare JID (RFC 6121 §3.1.2).
    return kind != PRESENCE and "/" not in sender and sender.endswith(f"@{domain}")


def _may_answer(request: Request, sender: str | None, type_: str) -> bool:
    """Whether a reply may bear that `from`.

    - Nobody in particular was asked: the account answers, named or not (§10.3.3), or the server for it.
    - Somebody was asked: who was asked answers; what was sent to a resource that is not there is treated as sent to
      the bare JID (§10.5.4). What the own account or server answers may have no 'from' (§8.1.2.1).
    - An error may come from the way there, too: addresses SHOULD, no more, be swapped (§8.3.1).
    """
    own = (request.sender, _bare(request.sender), request.domain)
    if request.to is None:
        return sender is None or any(_same(sender, one) for one in own[1:])
    if not _judgeable(request.to):
        return True
    if sender is None:
        return type_ == "error" or any(_same(request.to, one) for one in own)
    asked = [request.to, _bare(request.to)]
    if type_ == "error":
        asked += [_domain(request.to), *own[1:]]
    return any(_same(sender, one) for one in asked)


def _is_mine(to: str, own_jid: str) -> bool:
    """An account is addressed by its bare JID or any resource (§8.1.1.1), a component by all of its domain."""
    if "@" in own_jid:
        return _same(_bare(to), _bare(own_jid))
    return _same(_domain(to), own_jid)


def _bare(jid: str) -> str:
    return jid.partition("/")[0]


def _domain(jid: str) -> str:
    return _bare(jid).rpartition("@")[2]


def _judgeable(jid: str) -> bool:
    """Whether it is plainly an address. What a server makes of another one, and what it answers then, is open."""
    bare, slash, resource = jid.partition("/")
    localpart, at, domain = bare.rpartition("@")
    whole = bool(domain) and bool(localpart) is bool(at) and bool(resource) is bool(slash)
    plain = jid.isascii() and jid.isprintable() and " " not in bare and not _FORBIDDEN.intersection(localpart)
    return whole and plain and max(len(localpart), len(domain), len(resource)) < _PART


def _same(one: str, other: str) -> bool:
    """Whether two addresses may be one. RFC 7622 prepares them: case, width and composition make no difference.

    A domain can be written in Unicode or in A-labels: where that may be so, the domains count as the same.
    """
    if one == other:
        return True
    first, second = _folded(one), _folded(other)
    if first[1].isascii() != second[1].isascii():
        return first[0] == second[0] and first[2] == second[2]
    return first == second


def _folded(jid: str) -> tuple[str, str, str]:
    bare, _, resource = jid.partition("/")
    bare = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", bare).casefold())
    localpart, _, domain = bare.rpartition("@")
    return localpart, domain.removesuffix("."), unicodedata.normalize("NFKC", resource)
