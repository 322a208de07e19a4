"""Schema strictness: where what a subject itself wrote is not what our schemas say. Never changes an outcome.

Collected for each check, bounded, and shown apart from failures (DESIGN, rule 6).
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import replace

from lxml import etree

from lab import standing
from lab.record import Strictness
from lab.wire.namespaces import STANZA_ERROR
from lab.wire.stream import Element
from schemas.catalogue import Catalogue

KINDS = 20  # mismatches of one check that are kept, each once
STANZAS = 2_000  # elements of one check that are looked at
MESSAGE, SEEN = 400, 600  # characters
_FORWARDED = "{urn:xmpp:forward:0}forwarded"
_ITEMS = ("{http://jabber.org/protocol/pubsub}item", "{http://jabber.org/protocol/pubsub#event}item")


class Strictnesses:
    """The mismatches of one check.

    `authors` are the addresses whose stanzas the subject itself makes; None: it is the author of all.
    """

    def __init__(self, catalogue: Catalogue, authors: Collection[str] | None) -> None:
        self._catalogue = catalogue
        self._authors = authors
        self._found: dict[tuple[str, str], Strictness] = {}
        self._looked = 0

    @property
    def found(self) -> tuple[Strictness, ...]:
        return tuple(self._found.values())

    def look(self, element: Element) -> None:
        """Validate a stanza, or whatever else came on a stream, if the subject is its author."""
        if self._looked >= STANZAS or not self._is_the_subjects(element):
            return
        self._looked += 1
        for mismatch in self._catalogue.mismatches(_own_part(element)):
            key = mismatch.element, mismatch.message[:MESSAGE]
            if key in self._found:
                self._found[key] = replace(self._found[key], count=self._found[key].count + 1)
            elif len(self._found) < KINDS:
                seen = etree.tostring(element, encoding="unicode", with_tail=False)
                self._found[key] = Strictness(*key, seen if len(seen) <= SEEN else f"{seen[:SEEN]} …")

    def _is_the_subjects(self, element: Element) -> bool:
        if self._authors is None or not standing.kind_of(element):
            return True
        sender = element.get("from")
        # What a client sends bears a full JID; presence of subscriptions is passed on with a bare one.
        return sender is None or (
            "/" not in sender
            and sender.rpartition("@")[2] in self._authors
            and (sender in self._authors or standing.kind_of(element) != standing.PRESENCE)
        )


def _own_part(element: Element) -> Element:
    """Without what the subject only repeats: the payload that an error brings back, items that were published, the
    content of forwarded stanzas. What others wrote badly is not the subject's lack of strictness."""
    error = element.get("type") == "error" and standing.kind_of(element) != ""
    if not error and next(element.iter(_FORWARDED, *_ITEMS), None) is None:
        return element
    own = deepcopy(element)
    own.tail = None
    if error:
        namespace = etree.QName(own).namespace
        for child in list(own):
            if child.tag == f"{{{namespace}}}error":
                # Our schema wants the condition first, as XSD 1.0 cannot say "one of these, anywhere"; no RFC does.
                child[:] = sorted(child, key=_place_in_error)
            else:
                own.remove(child)
    for item in own.iter(*_ITEMS):
        for payload in list(item):
            item.remove(payload)
    for forwarded in own.iter(_FORWARDED):
        for stanza in forwarded:
            if standing.kind_of(stanza):
                del stanza[:]
    return own


def _place_in_error(child: Element) -> int:
    name = str(child.tag)
    if not name.startswith(f"{{{STANZA_ERROR}}}"):
        return 2
    return int(name.endswith("}text"))
