"""Addresses: senders that somebody is not, and what is no JID (RFC 6120 §8.1; RFC 7622 §3).

`fault_of_address` says by the letter of RFC 7622 why a text is no JID. It knows the rules that need no table of
IDNA, so that what it calls malformed is so by any reading.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from html import escape

from generators.allowed import Allowed, Reaction
from generators.malformations.operators import Change, Proof, operator, pick
from generators.malformations.outcomes import INVALID, for_the_server, liberal
from generators.malformations.proof import child
from generators.malformations.tokens import attribute_of, with_attribute
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from schemas.payloads import Addressee, Carrier

MOST = 1023  # bytes of each part (RFC 7622 §3.1)
_EXCLUDED = set("\"&'/:<>@")  # from localparts (§3.3.1)
_LETTERS = {
    "Ll",
    "Lu",
    "Lo",
    "Nd",
    "Lm",
    "Mn",
    "Mc",
}  # what PRECIS's IdentifierClass takes beyond ASCII (RFC 8264 §9.1)


def fault_of_address(text: str) -> str:
    """Why a text is no JID; empty where nothing is found against it."""
    bare, slash, resource = text.partition("/")
    local, at, domain = bare.partition("@") if "@" in bare else ("", "", bare)
    parts = [("domainpart", domain)]
    parts += [("localpart", local)] if at else []
    parts += [("resourcepart", resource)] if slash else []
    for name, part in parts:
        if not part:
            return f"an empty {name}"
        if len(part.encode()) > MOST:
            return f"a {name} of more than {MOST} bytes"
        if any(unicodedata.category(c) in {"Cc", "Cn"} for c in part):
            return f"a control or unassigned character in the {name}"
    if any(c in _EXCLUDED or not _identifies(c) for c in local):
        return "a character that no localpart may hold"
    return _fault_of_domain(domain)


def _identifies(character: str) -> bool:
    if character.isascii():
        return "!" <= character <= "~"
    return unicodedata.category(character) in _LETTERS


def _fault_of_domain(domain: str) -> str:
    if domain.startswith("["):
        return ""
    labels = domain.removesuffix(".").split(".")
    if any(not label for label in labels):
        return "an empty label in the domainpart"
    if any(c.isspace() or c in _EXCLUDED for c in domain):
        return "a character that no domainpart may hold"
    return "a label of more than 63 letters" if any(len(label) > 63 and label.isascii() for label in labels) else ""


def _changed(stanza: Stanza, name: str, value: str, allowed: Allowed) -> Change:
    # As references: in a value, white space other than the space is read as a space.
    written = escape(value).replace("\t", "&#9;").replace("\n", "&#10;")
    xml = with_attribute(stanza.xml, name, written)
    was = attribute_of(stanza.xml, name)
    return Change(f"/{stanza.carrier}/@{name}", was, value, (xml.encode(),), allowed)


def _addresses_wrongly(name: str) -> Proof:
    def proof(_: Stanza, change: Change) -> bool:
        element = child(change.data)
        return element is not None and bool(fault_of_address(element.get(name, "localhost")))

    return proof


def _names_another(_: Stanza, change: Change) -> bool:
    element = child(change.data)
    return element is not None and bool(element.get("from")) and not fault_of_address(element.get("from", ""))


def _is_stanza(stanza: Stanza) -> bool:
    return stanza.carrier in {Carrier.IQ, Carrier.MESSAGE, Carrier.PRESENCE}


def _with_from(stanza: Stanza, where: str) -> Allowed:
    """The server sets it right, or ends the stream with <invalid-from/>, or refuses."""
    allowed = liberal(stanza, where)
    return Allowed(allowed.reactions, where, allowed.errors, INVALID | {"not-authorized"})


@operator(Family.PROTOCOL, "The address of somebody else as the sender's.", _names_another)
def spoofed_from(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    """The contact, a room, the server, another resource of the own account, an administrator, a stranger."""
    others = [to for to in scene.addresses.get(Addressee.CONTACT, ()) if to]
    others += [to for who in (Addressee.ROOM, Addressee.PUBSUB) for to in scene.addresses.get(who, ())[:1] if to]
    others += [
        scene.domain,
        f"{scene.own_bare}/stanzalab-other",
        f"admin@{scene.domain}",
        "somebody@stanzalab.invalid",
    ]
    if _is_stanza(stanza):
        other = pick(source, others)
        yield _changed(stanza, "from", other, _with_from(stanza, "RFC 6120 §8.1.2.1, §4.9.3.9"))


def _malformed(domain: str) -> tuple[str, ...]:
    """What is no JID, first at the server itself."""
    return (
        f"@{domain}",
        f"bob@{domain}/",
        f"{domain}/",
        "",
        "@",
        "/",
        "/r",
        "bob@",
        f"bob@@{domain}",
        f"bo@b@{domain}",
        f'b"ob@{domain}',
        f"b&ob@{domain}",
        f"b'ob@{domain}",
        f"b:ob@{domain}",
        f"<bob>@{domain}",
        f"b ob@{domain}",
        f" bob@{domain}",
        f"bob @{domain}",
        f"b\nob@{domain}",
        f"\u2665@{domain}",
        f"b\u00a0ob@{domain}",
        f"b\u200dob@{domain}",
        f"b\u202eob@{domain}",
        f"b\u2028ob@{domain}",
        f"b\u0085ob@{domain}",
        f"b\U000e0001ob@{domain}",
        f"b\u0378ob@{domain}",
        f"bob@{domain}/a\u0085b",
        f"bob@{domain}/a\tb",
        f"bob@{domain}/a\u0378b",
        f"bob@.{domain}",
        f"bob@{domain}..",
        f"bob@a b.{domain}",
        f"bob@{'a' * 64}.{domain}",
        " ",
    )


@operator(Family.PROTOCOL, "An addressee that is no JID.", _addresses_wrongly("to"))
def malformed_to(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if _is_stanza(stanza):
        yield _elsewhere(stanza, scene, pick(source, _malformed(scene.domain)))


@operator(Family.PROTOCOL, "An addressee of which a part is longer than any may be.", _addresses_wrongly("to"))
def long_to(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    length = pick(source, (MOST + 1, 3_072, 6_000))
    letter = pick(source, ("a", "\u00e9"))
    long = letter * (length // len(letter.encode()) + 1)
    kinds = (f"bob@{scene.domain}/{long}", f"{long}@{scene.domain}", f"bob@{long}.{scene.domain}", long)
    if _is_stanza(stanza):
        yield _elsewhere(stanza, scene, pick(source, kinds))


def _elsewhere(stanza: Stanza, scene: Scene, to: str) -> Change:
    """A reader may mend the address and answer; one that asks another server about it may take its time."""
    where = "RFC 7622 §3, RFC 6120 §8.3.1, §8.3.3.8"
    allowed = liberal(stanza, where)
    more = {Reaction.ERROR, Reaction.DELIVERY}
    here = to.partition("/")[0].rpartition("@")[2] in {scene.domain, ""}
    if not (here and for_the_server(stanza)):
        more.add(Reaction.SILENCE)
    return _changed(stanza, "to", to, Allowed(allowed.reactions | more, where, stream_errors=INVALID))


@operator(Family.PROTOCOL, "A sender that is no JID.", _addresses_wrongly("from"))
def malformed_from(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if _is_stanza(stanza):
        sender = pick(source, _malformed(scene.domain))
        yield _changed(stanza, "from", sender, _with_from(stanza, "RFC 6120 §8.1.2.1, §8.3.3.8, §4.9.3.9"))
