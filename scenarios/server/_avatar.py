"""Avatars over PEP (XEP-0084) and in presence (XEP-0153), as checks use them. Nothing here judges but `publish`."""

from __future__ import annotations

from collections.abc import Sequence

from lab.plugin import require_result
from lab.wire.namespaces import AVATAR_DATA, AVATAR_METADATA, NS, VCARD_UPDATE
from lab.wire.session import Matches, Session, localname, new_id
from lab.wire.stream import Element
from scenarios.server import _pep
from scenarios.server._vcard import Picture

CONVERSION = "urn:xmpp:pep-vcard-conversion:0"
NOT_READY = f"<x xmlns='{VCARD_UPDATE}'/>"
NO_IMAGE = f"<x xmlns='{VCARD_UPDATE}'><photo/></x>"


def announces(hash_: str) -> str:
    """What a client puts into its presence for an image."""
    return f"<x xmlns='{VCARD_UPDATE}'><photo>{hash_}</photo></x>"


def info(image: Picture, url: str = "") -> str:
    """What the metadata say of an image: published, or (with `url`) to be had there."""
    at = f" url='{url}'" if url else ""
    return f"<info id='{image.hash}' bytes='{len(image.data)}' type='{image.kind}'{at}/>"


def publish(
    session: Session,
    image: Picture,
    *,
    infos: Sequence[str] = (),
    item: str | None = None,
    model: str = "open",
) -> None:
    """Publish an image and then its metadata (XEP-0084 §4.1, §4.2), with an access model of both nodes."""
    require_result(offer(session, image, infos=infos, item=item, model=model))


def offer(
    session: Session,
    image: Picture,
    *,
    infos: Sequence[str] = (),
    item: str | None = None,
    model: str | None = "open",
) -> Element:
    """Publish them as far as they are taken. Answers the refusal, or the result for the metadata.

    `infos` stand in the metadata in place of the image's own; `item` is the id in place of its hash. Where no `model`
    is given, the nodes are of the default one.
    """
    options = None if model is None else {"pubsub#access_model": model}
    item = item or image.hash
    data = f"<data xmlns='{AVATAR_DATA}'>{image.base64}</data>"
    metadata = f"<metadata xmlns='{AVATAR_METADATA}'>{''.join(infos) or info(image)}</metadata>"
    for node, payload in ((AVATAR_DATA, data), (AVATAR_METADATA, metadata)):
        # There may be a node already that a vCard has made, and no access model was asked for.
        if options is not None:
            _pep.configure(session, node, options)
        reply = _pep.store(session, node, payload, item=item, options=options)
        if reply.get("type") != "result":
            break
    return reply


def disable(session: Session) -> None:
    """Say by metadata without an image that there is none (XEP-0084 §4.3)."""
    _pep.stored(session, AVATAR_METADATA, f"<metadata xmlns='{AVATAR_METADATA}'/>", item=None)


def presence_of(sender: Session) -> Matches:
    """Matches available presence of a session."""

    def matches(element: Element) -> bool:
        return localname(element) == "presence" and element.get("type") is None and element.get("from") == sender.jid

    return matches


def marked(session: Session, content: str = "", *, to: str | None = None) -> Matches:
    """Send available presence with a status that nobody else has. Answers what tells it from others on arrival."""
    mark = new_id()
    target = f" to='{to}'" if to else ""
    session.send(f"<presence{target}><status>{mark}</status>{content}</presence>")
    return lambda element: localname(element) == "presence" and element.findtext("{*}status") == mark


def update(presence: Element) -> Element | None:
    """The update child of a presence."""
    return presence.find("vcard-update:x", NS)


def hash_in(presence: Element) -> str | None:
    """The hash in a presence, in lower case; empty where the photo element is, None where there is none."""
    told = presence.findtext("vcard-update:x/vcard-update:photo", None, NS)
    return None if told is None else told.strip().lower()
