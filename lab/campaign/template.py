"""A stanza with blanks for whom it names: what a finding keeps, so that it can be sent again by other entities.

The blanks are `{{own}}`, `{{contact}}`, `{{domain}}`, `{{id}}` and their like; everything else is kept byte for byte.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

from generators.allowed import Allowed, Reaction
from generators.stanza import Family, Malformed, Moment, Scene, Stanza
from lab.campaign.batch import Item
from schemas.payloads import Addressee, Carrier, Party, Payload, Use

NOBODY = Scene("nobody@nowhere/nothing", "nowhere", {})


@dataclass(frozen=True)
class Template:
    """What is needed to send a stanza again, and to judge what comes back.

    `chunks` are base64, one a write. `use_types` and `use_children` are the registry's at the time. Empty `operator`:
    the stanza is valid.
    """

    element: str
    provider: str
    carrier: str
    type: str
    addressee: str
    to: str
    chunks: tuple[str, ...]
    id: str
    reactions: tuple[str, ...]
    errors: tuple[str, ...]
    stream_errors: tuple[str, ...]
    where: str
    operator: str = ""
    family: str = ""
    place: str = ""
    was: str = ""
    became: str = ""
    moment: str = Moment.BOUND.value
    choices: tuple[int, ...] = ()

    @classmethod
    def of(cls, item: Item, scene: Scene) -> Self:
        """The template of an item that was made in `scene`."""
        stanza, malformed, allowed = item.stanza, item.malformed, item.allowed
        # An id that was changed is part of what is wrong: it stays as it is.
        blanks = _blanks(scene, item.id if item.id == stanza.id else "")
        chunks = [_emptied(chunk, blanks) for chunk in _uncut(item.chunks, blanks)]
        # An id that stands there in another spelling (references, another encoding) stays what it is.
        named = item.id == stanza.id and any(b"{{id}}" in chunk for chunk in chunks)
        return cls(
            element=stanza.payload.element,
            provider=stanza.payload.provider,
            carrier=stanza.carrier.value,
            type=stanza.type,
            addressee=stanza.addressee.value,
            to=_emptied(stanza.to.encode(), blanks).decode(),
            chunks=tuple(b64encode(chunk).decode() for chunk in chunks),
            id="{{id}}" if named else item.id,
            reactions=tuple(sorted(allowed.reactions)),
            errors=tuple(sorted(allowed.errors)),
            stream_errors=tuple(sorted(allowed.stream_errors)),
            where=allowed.where,
            operator=item.operator,
            family=malformed.family.value if malformed else "",
            place=malformed.place if malformed else "",
            was=_emptied(malformed.was.encode("utf-8", "replace"), blanks).decode() if malformed else "",
            became=_emptied(malformed.became.encode("utf-8", "replace"), blanks).decode() if malformed else "",
            moment=(malformed.moment if malformed else Moment.BOUND).value,
            choices=item.choices,
        )

    def item(self, scene: Scene, identifier: str) -> Item:
        """The stanza for another scene, under another id. Raises ValueError where the template is damaged."""
        blanks = _blanks(scene, identifier)
        allowed = Allowed(
            frozenset(Reaction(r) for r in self.reactions),
            self.where,
            frozenset(self.errors),
            frozenset(self.stream_errors),
        )
        carrier, addressee = Carrier(self.carrier), Addressee(self.addressee)
        use = Use(carrier, (self.type,) if self.type else (), (Party.CLIENT,), (addressee,))
        chunks = tuple(_filled(b64decode(chunk, validate=True), blanks) for chunk in self.chunks)
        own_id = identifier if self.id == "{{id}}" else self.id
        stanza = Stanza(
            Payload(self.element, self.provider, (use,)),
            use,
            addressee,
            carrier,
            self.type,
            identifier,
            _filled(self.to.encode(), blanks).decode(),
            b"".join(chunks).decode("utf-8", "backslashreplace"),
            allowed,
        )
        if not self.operator:
            return Item(stanza, None, self.choices)
        malformed = Malformed(
            stanza,
            self.operator,
            Family(self.family),
            self.place,
            self.was,
            self.became,
            own_id,
            chunks,
            allowed,
            Moment(self.moment),
        )
        return Item(stanza, malformed, self.choices)

    @classmethod
    def can_be_of(cls, item: Item) -> bool:
        """Whether others can send it: whom it names must stand there in plain bytes, not in another encoding."""
        malformed = item.malformed
        if malformed is None or malformed.family is not Family.BYTES or not item.stanza.to:
            return True
        return item.stanza.to.encode() in malformed.data

    @property
    def text(self) -> str:
        """The stanza as a person reads it, blanks and all."""
        return b"".join(b64decode(chunk) for chunk in self.chunks).decode("utf-8", "backslashreplace")

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError where it is none."""
        if not isinstance(data, dict):
            raise TypeError("a template is an object")
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        fields.pop("text", None)
        template = cls(**fields)
        try:
            template.item(NOBODY, "x")  # whoever is to send it would stumble over what is damaged
        except AttributeError as error:
            raise TypeError(str(error)) from error
        return template


def _blanks(scene: Scene, identifier: str) -> list[tuple[bytes, bytes]]:
    """What stands for what, the longest first: a full JID before the domain in it."""
    found = {scene.own: "own", scene.own_bare: "own-bare", scene.domain: "domain"}
    for addressee, addresses in scene.addresses.items():
        for number, address in enumerate(addresses):
            if address:
                found.setdefault(address, f"{addressee}{f'-{number}' if number else ''}")
    if scene.account:  # of the client that receives, whom others have for a contact
        found[scene.account] = f"{Addressee.CONTACT}-1"
    pairs = [(value.encode(), b"{{%s}}" % name.encode()) for value, name in found.items()]
    if identifier:
        pairs.append((identifier.encode(), b"{{id}}"))
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def _uncut(chunks: Sequence[bytes], blanks: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The chunks, but none that ends within what a blank stands for: others would send half of whom it names."""
    if len(chunks) == 1:
        return list(chunks)
    data = b"".join(chunks)
    within = {
        at
        for value, _ in blanks
        for found in re.finditer(re.escape(value), data)
        for at in range(found.start() + 1, found.end())
    }
    ends = [end for end in accumulate(map(len, chunks)) if end not in within]
    return [data[start:end] for start, end in pairwise([0, *ends])]


def _emptied(data: bytes, blanks: list[tuple[bytes, bytes]]) -> bytes:
    for value, blank in blanks:
        data = data.replace(value, blank)
    return data


def _filled(data: bytes, blanks: list[tuple[bytes, bytes]]) -> bytes:
    for value, blank in blanks:
        data = data.replace(blank, value)
    return data
