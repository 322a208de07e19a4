"""The scene of these tests, and what they ask of a drawn text."""

from __future__ import annotations

from lxml import etree

from generators.source import Source
from generators.stanza import Scene
from schemas.catalogue import Element
from schemas.payloads import Addressee

SCENE = Scene(
    own="romeo@lab.test/it's <3",
    domain="lab.test",
    addresses={
        Addressee.SERVER: ("lab.test",),
        Addressee.ACCOUNT: ("", "romeo@lab.test"),
        Addressee.CONTACT: ("juliet@lab.test", "juliet@lab.test/balcony"),
        Addressee.MUC: ("muc.lab.test",),
        Addressee.ROOM: ("room@muc.lab.test",),
        Addressee.OCCUPANT: ("room@muc.lab.test/romeo & juliet",),
        Addressee.PUBSUB: ("pubsub.lab.test",),
        Addressee.UPLOAD: ("upload.lab.test",),
        Addressee.PROXY: ("proxy.lab.test",),
        Addressee.COMPONENT: ("component.lab.test",),
    },
)

STREAM = "<stream xmlns='jabber:client'>{}</stream>"

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, recover=False)


def on_stream(xml: str) -> Element:
    """The one child of a stream that a text is, parsed strictly from its bytes."""
    children: list[Element] = list(etree.fromstring(STREAM.format(xml).encode(), _PARSER))
    assert len(children) == 1, xml
    return children[0]


class Recorded:
    """A source that writes down what another one answers."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.choices: list[int] = []

    def integer(self, most: int) -> int:
        if most <= 0:
            return self._source.integer(most)
        answer = self._source.integer(most)
        self.choices.append(answer)
        return answer


class Highest:
    """Answers the most that may be answered, always: what is drawn must end even so."""

    def integer(self, most: int) -> int:
        return max(0, most)


class NextToHighest:
    """… and one less."""

    def integer(self, most: int) -> int:
        return max(0, most - 1)
