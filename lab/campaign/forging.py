"""Operators for clients alone: somebody speaks for somebody else, in what only the own account may send.

They are no part of `generators.malformations`, as nobody may send the like to a server and none would pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from generators.allowed import Allowed, Reaction
from generators.malformations.operators import Change, Operator, operator, pick
from generators.malformations.proof import child
from generators.source import Source
from generators.stanza import Family, Scene, Stanza
from lab.wire.namespaces import ARCHIVE, CARBONS, CLIENT, FORWARD, ROSTER
from schemas.payloads import Addressee, Carrier

VICTIM = "stanzalab-victim"  # who never says a word


def _allowed(where: str) -> Allowed:
    return Allowed(frozenset({Reaction.SILENCE, Reaction.ERROR}), where)


def _forger(source: Source, scene: Scene) -> str:
    """The contact, or somebody whose address is nearly that of the own account."""
    others = (
        scene.own,
        scene.own_bare,
        f"x{scene.account}",
        f"{scene.account}.invalid",
        "somebody@stanzalab.invalid",
    )
    return pick(source, others)


def _forwarded(stanza: Stanza, scene: Scene) -> str:
    """The victim's words: the id, which nobody else says."""
    return (
        f"<forwarded xmlns='{FORWARD}'><message xmlns='{CLIENT}' from='{VICTIM}@{scene.domain}/lab' "
        f"to='{_client(scene)}' type='chat' id='{escape(stanza.id)}-of'><body>{escape(stanza.id)}</body></message>"
        "</forwarded>"
    )


def _client(scene: Scene) -> str:
    return escape(scene.addresses[Addressee.CONTACT][0])


def _forged(stanza: Stanza, scene: Scene, forger: str, kind: str, content: str, where: str) -> Change:
    name = stanza.carrier
    xml = (
        f"<{name} from='{escape(forger)}' to='{_client(scene)}' type='{kind}' id='{escape(stanza.id)}'>"
        f"{content}</{name}>"
    )
    return Change(f"/{name}", stanza.xml, f"from {forger}", (xml.encode(),), _allowed(where))


def _whole(_: Stanza, change: Change) -> bool:
    return child(change.data) is not None


@operator(Family.PROTOCOL, "A copy of another's message (XEP-0280), from who is not the own account.", _whole)
def forged_copy(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.MESSAGE:
        name = pick(source, ("received", "sent"))
        content = f"<{name} xmlns='{CARBONS}'>{_forwarded(stanza, scene)}</{name}>"
        yield _forged(stanza, scene, _forger(source, scene), "chat", content, "XEP-0280 §11")


@operator(Family.PROTOCOL, "A result of an archive (XEP-0313) that was not asked, with another's message.", _whole)
def forged_result(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.MESSAGE:
        query = pick(source, (" queryid='q'", ""))
        content = f"<result xmlns='{ARCHIVE}'{query} id='1'>{_forwarded(stanza, scene)}</result>"
        yield _forged(stanza, scene, _forger(source, scene), "normal", content, "XEP-0313 §8")


@operator(Family.PROTOCOL, "A roster push from who is not the own account.", _whole)
def forged_push(source: Source, stanza: Stanza, scene: Scene) -> Iterator[Change]:
    if stanza.carrier is Carrier.IQ and stanza.type == "set":
        item = f"<item jid='{VICTIM}-{escape(stanza.id)}@{scene.domain}' subscription='both'/>"
        content = f"<query xmlns='{ROSTER}'>{item}</query>"
        yield _forged(stanza, scene, _forger(source, scene), "set", content, "RFC 6121 §2.1.6")


FORGERIES: tuple[Operator, ...] = (forged_copy, forged_result, forged_push)
"""All of them."""
