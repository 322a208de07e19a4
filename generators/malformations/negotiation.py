"""What comes at the wrong time, in the wrong namespace, or is no stanza at all (RFC 6120 §4.3.5, §4.8, §7)."""

from __future__ import annotations

from collections.abc import Iterator

from generators.allowed import Allowed, Reaction
from generators.malformations.operators import Change, operator, pick, spliced
from generators.malformations.outcomes import INVALID, NOT_A_STANZA, for_the_server, is_request, liberal
from generators.malformations.proof import CLIENT, STREAM, child, read
from generators.malformations.tokens import element_end, tokens, with_attribute
from generators.source import Source
from generators.stanza import Family, Moment, Scene, Stanza
from schemas.payloads import Carrier

STANZAS = {f"{{{CLIENT}}}{name}" for name in ("iq", "message", "presence")}
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"

EARLY = frozenset({"jabber:iq:register", "jabber:iq:auth"})
"""Made to be asked before there is an account (XEP-0077, XEP-0078)."""

BEFORE_BINDING = EARLY | {BIND, "urn:ietf:params:xml:ns:xmpp-session"}
"""In their place while a stream is negotiated."""


def _no_stanza(_: Stanza, change: Change) -> bool:
    element = child(change.data)
    return element is not None and str(element.tag) not in STANZAS


def _whole(_: Stanza, change: Change) -> bool:
    reading = read(change.data)
    return reading.complete and reading.whole == 1


def _is_stanza(stanza: Stanza) -> bool:
    return stanza.carrier in {Carrier.IQ, Carrier.MESSAGE, Carrier.PRESENCE}


def _in_namespace(stanza: Stanza, namespace: str, allowed: Allowed) -> Iterator[Change]:
    if _is_stanza(stanza):
        xml = with_attribute(stanza.xml, "xmlns", namespace)
        yield Change(f"/{stanza.carrier}", CLIENT, namespace, (xml.encode(),), allowed)


@operator(Family.PROTOCOL, "A stanza of the namespace that servers use among themselves.", _no_stanza)
def stanza_of_servers(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    """Put right, refused or ignored: §4.8.3 calls it a stanza, §4.8.4 would have it called none."""
    where = "RFC 6120 §4.8.3, §4.8.4"
    allowed = Allowed(liberal(stanza, where).reactions | {Reaction.SILENCE}, where, stream_errors=INVALID)
    return _in_namespace(stanza, "jabber:server", allowed)


@operator(Family.PROTOCOL, "A stanza in a namespace that has no stanzas.", _no_stanza)
def stanza_in_wrong_namespace(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = ("urn:stanzalab:0", STREAM, "jabber:client#", "JABBER:CLIENT", "jabber:component:accept", BIND)
    return _in_namespace(stanza, pick(source, kinds), NOT_A_STANZA)


@operator(Family.PROTOCOL, "A stanza in no namespace.", _no_stanza)
def stanza_without_namespace(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    return _in_namespace(stanza, "", NOT_A_STANZA)


@operator(Family.PROTOCOL, "A stanza under a name that no stanza has.", _no_stanza)
def unknown_stanza(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    if _is_stanza(stanza):
        name: str = stanza.carrier
        new = pick(source, ("stanzalab", name.upper(), name.title(), f"{name}s", "query", "features", "stream"))
        first, last = tokens(stanza.xml).tags[0], tokens(stanza.xml).tags[-1]
        xml = f"<{new}{stanza.xml[first.name_end :]}"
        if last.kind == "end":
            xml = f"{xml[: len(xml) - (last.end - last.start)]}</{new}>"
        yield Change(f"/{name}", name, new, (xml.encode(),), NOT_A_STANZA)


@operator(Family.PROTOCOL, "A payload without a stanza around it.", _no_stanza)
def payload_without_stanza(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """Only of namespaces that are no stream feature's: those may have a meaning there."""
    found = tokens(stanza.xml).tags
    numbers = [n for n, tag in enumerate(found) if tag.kind != "end" and tag.depth == 1]
    if _is_stanza(stanza) and numbers and stanza.payload.namespace not in BEFORE_BINDING:
        number = pick(source, numbers)
        alone = stanza.xml[found[number].start : element_end(found, number)]
        yield Change(found[number].place, f"<{stanza.carrier}>…", "", (alone.encode(),), NOT_A_STANZA, "")


@operator(Family.PROTOCOL, "A stanza whose own name has a prefix.", _whole)
def prefixed_stanza(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """The same to a reader of namespaces; §4.8.5 forbids to send it, and asks that it be not accepted."""
    if _is_stanza(stanza):
        prefix = pick(source, ("c", "client", "stream2"))
        found = tokens(stanza.xml).tags
        name, last = stanza.carrier, found[-1]
        xml = f"<{prefix}:{name} xmlns:{prefix}='{CLIENT}'{stanza.xml[found[0].name_end :]}"
        if last.kind == "end":
            xml = f"{xml[: len(xml) - (last.end - last.start)]}</{prefix}:{name}>"
        where = "RFC 6120 §4.8.5"
        allowed = Allowed(liberal(stanza, where).reactions | {Reaction.SILENCE}, where, stream_errors=INVALID)
        yield Change(f"/{name}", name, f"{prefix}:{name}", (xml.encode(),), allowed)


@operator(Family.PROTOCOL, "What only a server says: features, a challenge, proceed, success.", _no_stanza)
def words_of_a_server(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    kinds = (
        "<stream:features/>",
        f"<stream:features><bind xmlns='{BIND}'/></stream:features>",
        f"<proceed xmlns='{TLS}'/>",
        f"<challenge xmlns='{SASL}'>cj0x</challenge>",
        f"<success xmlns='{SASL}'/>",
    )
    yield _instead(stanza, pick(source, kinds), NOT_A_STANZA)


@operator(Family.PROTOCOL, "SASL, once more, on a stream that is authenticated.", _no_stanza)
def authentication_again(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """No credentials: a mechanism that is not offered, an answer to no challenge, an end of what did not begin."""
    kinds = (
        f"<auth xmlns='{SASL}' mechanism='X-STANZALAB'/>",
        f"<response xmlns='{SASL}'/>",
        f"<abort xmlns='{SASL}'/>",
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='X-STANZALAB'/>",
    )
    where = "RFC 6120 §6.4.2, §6.4.6, §4.8.4"
    allowed = Allowed(NOT_A_STANZA.reactions, where, stream_errors=INVALID | {"not-authorized"})
    yield _instead(stanza, pick(source, kinds), allowed)


@operator(Family.PROTOCOL, "STARTTLS, once more, within TLS.", _no_stanza)
def starttls_again(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    """<failure/> and the end of the stream (§5.4.2.2), or what any unknown element gets (§4.8.4)."""
    allowed = Allowed(NOT_A_STANZA.reactions, "RFC 6120 §5.4.2.2, §4.8.4", stream_errors=INVALID)
    yield _instead(stanza, f"<starttls xmlns='{TLS}'/>", allowed)


def _instead(stanza: Stanza, xml: str, allowed: Allowed) -> Change:
    return Change("the whole stanza", stanza.xml, xml, (xml.encode(),), allowed, "")


@operator(Family.PROTOCOL, "A resource is bound, once more.", _whole, spoils=True)
def bind_again(source: Source, stanza: Stanza, _: Scene) -> Iterator[Change]:
    """No sentence forbids it to succeed: then the session has another address, and spoils what comes behind."""
    if stanza.carrier is Carrier.IQ and stanza.id:
        inner = pick(source, ("", "<resource>stanzalab</resource>", "<resource/>"))
        xml = f"<iq type='set' id='{stanza.id}'><bind xmlns='{BIND}'>{inner}</bind></iq>"
        reactions = frozenset({Reaction.RESULT, Reaction.ERROR, Reaction.STREAM_ERROR})
        yield _instead(stanza, xml, Allowed(reactions, "RFC 6120 §7.1, §7.3, §7.7"))._replace(id=stanza.id)


def _too_early(stanza: Stanza) -> Allowed:
    """Before SASL: not to be processed, be it for whom it may; to others it ends the stream."""
    where = "RFC 6120 §4.3.5, §4.9.3.12, §13.12"
    reactions = {Reaction.STREAM_ERROR}
    if for_the_server(stanza):
        reactions |= {Reaction.ERROR, Reaction.SILENCE}
        if stanza.payload.namespace in EARLY and is_request(stanza):
            reactions.add(Reaction.RESULT)
    return Allowed(frozenset(reactions), where, stream_errors=INVALID | {"not-authorized", "host-unknown"})


def _as_it_is(stanza: Stanza, allowed: Allowed) -> Iterator[Change]:
    if _is_stanza(stanza) and stanza.payload.namespace not in BEFORE_BINDING - EARLY:
        yield spliced(stanza, 0, 0, "", "the whole stream", allowed)


@operator(Family.PROTOCOL, "A stanza before TLS.", _whole, moment=Moment.OPENED)
def stanza_before_tls(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    return _as_it_is(stanza, _too_early(stanza))


@operator(Family.PROTOCOL, "A stanza before authentication.", _whole, moment=Moment.SECURED)
def stanza_before_authentication(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    return _as_it_is(stanza, _too_early(stanza))


@operator(Family.PROTOCOL, "A stanza before a resource is bound.", _whole, moment=Moment.AUTHENTICATED)
def stanza_before_binding(_: Source, stanza: Stanza, __: Scene) -> Iterator[Change]:
    """To the server and the own account it may be answered (§7.1), or not yet; to others it ends the stream."""
    reactions = frozenset({Reaction.STREAM_ERROR})
    if for_the_server(stanza):
        reactions = liberal(stanza, "RFC 6120 §7.1").reactions | {Reaction.SILENCE}
    conditions = INVALID | {"not-authorized"}
    return _as_it_is(stanza, Allowed(reactions, "RFC 6120 §4.3.5, §7.1", stream_errors=conditions))
