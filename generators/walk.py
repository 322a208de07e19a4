"""The one walk over a shape: from choices to the XML text of an element.

Each shape is compiled once into functions that put pieces of text; a draw is then nothing but calls and choices. A
choice of 0 everywhere is the smallest legal instance. What may be left out mostly is, and below DEPTH it always is,
so that recursion ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from generators import escape, foreign, values
from generators.addresses import Addresses
from generators.foreign import Writer
from generators.shapes import (
    Attribute,
    Child,
    ElementShape,
    Group,
    Order,
    Particle,
    Wildcard,
    least_weight,
    weight,
)
from generators.source import BEGIN, END, Source
from generators.stanza import Scene
from generators.values import Ask
from lab.errors import UsageError

DEPTH = 5
"""How many levels of elements may hold what they need not: below them, only what the schema asks for."""

PIECES = 1000
"""Of how many pieces a text may be made before nothing is added that need not be. Most have less than fifty."""

XML = "http://www.w3.org/XML/1998/namespace"

_TURNS = 64  # one more thing or none: so many outcomes each, and one for a burst
_ENDLESS = 10**9
_BURST = 40  # a burst has so many things at most
_GO_ON = 15  # … and ends after each by one chance in so many and one
_WILD = 3  # of those outcomes, what a wildcard has where named children stand beside it
_ALONE = 16  # … and where none does
_WILD_ATTRIBUTE = 63  # one element of so many has an attribute that its schema does not name


def draw(shape: ElementShape, source: Source, scene: Scene) -> str:
    """The text of an element, its namespace declared on it. Raises UsageError: it cannot be drawn."""
    return text_of(writer(shape), source.integer, addresses_of(scene))


def text_of(write: Writer, ask: Ask, addresses: Addresses) -> str:
    pieces: list[str] = []
    write(ask, addresses, pieces, DEPTH)
    return "".join(pieces)


def addresses_of(scene: Scene) -> Addresses:
    """A scene's addresses, made ready once for the scenes used last."""
    return _addresses(scene.own, scene.domain, tuple(scene.addresses.items()), _Kept(scene))


class _Kept:
    """A scene in a cache's key, where all that counts of it is said by the key already."""

    __slots__ = ("scene",)

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def __eq__(self, _: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _addresses(_own: str, _domain: str, _named: object, kept: _Kept) -> Addresses:
    return Addresses(kept.scene)


class _Around(NamedTuple):
    """Where a particle stands: the element's namespace, and the children by name, which no wildcard lets in."""

    namespace: str
    named: frozenset[str]


_writers: dict[tuple[ElementShape, str], Writer] = {}


def writer(shape: ElementShape, around: str = "") -> Writer:
    """The function that writes a shape, as a child of an element of the namespace `around`."""
    key = (shape, around if around == shape.namespace else "")
    if key not in _writers:
        _writers[key] = _element(shape, declared=bool(key[1]))
    return _writers[key]


def _later(child: Child, around: str) -> Writer:
    """A child's writer, made when it is first used: shapes may be recursive."""
    made: list[Writer] = []

    def write(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        if not made:
            made.append(writer(child.shape, around))
        ask(BEGIN)
        made[0](ask, addresses, out, depth)
        ask(END)

    return write


def _element(shape: ElementShape, declared: bool) -> Writer:
    if weight(shape) == float("inf"):
        raise UsageError(f"no element {shape.name} ends: what it must hold, holds it again", hint="mend its schema")
    start = f"<{shape.local}" if declared else f"<{shape.local} xmlns='{escape.attribute(shape.namespace)}'"
    end = f"</{shape.local}>"
    attributes = _attributes(shape)
    inside = _inside(shape)

    if inside is None:

        def empty(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
            out.append(start)
            if attributes is not None:
                attributes(ask, addresses, out, depth)
            out.append("/>")

        return empty

    def element(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        out.append(start)
        if attributes is not None:
            attributes(ask, addresses, out, depth)
        out.append(">")
        pieces = len(out)
        inside(ask, addresses, out, depth - 1)
        if len(out) > pieces:
            out.append(end)
        else:
            out[-1] = "/>"

    return element


def _inside(shape: ElementShape) -> Writer | None:
    """What stands between the tags; None where nothing ever does."""
    if shape.fixed is not None:
        return _constant(escape.content(shape.fixed))
    if shape.text is not None:
        value = values.drawing(shape.text, escape.content)

        def text(ask: Ask, addresses: Addresses, out: list[str], _depth: int) -> None:
            if written := value(ask, addresses):
                out.append(written)

        return text
    around = _Around(shape.namespace, frozenset(child.name for child in shape.children))
    content = _particle(shape.content, around) if shape.content and shape.content.particles else None
    if not shape.mixed:
        return content
    words = values.any_text(escape.content)

    def mixed(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        if ask(1):
            out.append(words(ask, addresses))
        if content is not None:
            content(ask, addresses, out, depth)

    return mixed


def _constant(text: str) -> Writer:
    def constant(_ask: Ask, _addresses: Addresses, out: list[str], _depth: int) -> None:
        out.append(text)

    return constant


def _attributes(shape: ElementShape) -> Writer | None:
    """All attributes: those that must stand there, the others by one choice each, seldom where there are many."""
    both = [(a.required, *_attribute(a, place)) for place, a in enumerate(shape.attributes)]
    required = [(start, value) for needed, start, value in both if needed]
    optional = [(start, value) for needed, start, value in both if not needed]
    wild = shape.any_attribute is not None and shape.any_attribute.allows(foreign.NAMESPACE)
    if not (required or optional or wild):
        return None
    rare = min(3, 1 + len(optional) // 2)

    def attributes(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        for start, value in required:
            out.append(f"{start}{value(ask, addresses)}'")
        if depth <= 0:
            return
        for start, value in optional:
            if ask(rare) == rare:
                out.append(f"{start}{value(ask, addresses)}'")
        if wild and ask(_WILD_ATTRIBUTE) == _WILD_ATTRIBUTE:
            out.append(foreign.attribute(ask, addresses))

    return attributes


def _attribute(attribute: Attribute, place: int) -> tuple[str, values.Draw]:
    """What stands before its value, and what draws that. A foreign one declares its prefix."""
    namespace, _, local = attribute.name.rpartition("}")
    start = f" {local}='"
    if namespace == f"{{{XML}":
        start = f" xml:{local}='"
    elif namespace:
        start = f" xmlns:n{place}='{escape.attribute(namespace[1:])}' n{place}:{local}='"
    if attribute.fixed is not None:
        only = escape.attribute(attribute.fixed)
        return start, lambda _ask, _addresses: only
    return start, values.drawing(attribute.value, escape.attribute)


def _particle(particle: Particle, around: _Around) -> Writer:
    if isinstance(particle, Group) and particle.order is Order.FREE:
        return _free(particle, around)
    stop = 2 * _TURNS - _ALONE if isinstance(particle, Wildcard) else _TURNS
    return _repeated(_once(particle, around), particle.least, particle.most, stop)


def _once(particle: Particle, around: _Around) -> Writer:
    """One turn of a particle, whatever number of them there may be."""
    if isinstance(particle, Child):
        return _later(particle, around.namespace)
    if isinstance(particle, Wildcard):
        return foreign.element(particle, around.named, writer)
    if particle.order is Order.CHOICE:
        return _choice(particle, around)
    inner = [_particle(one, around) for one in particle.particles]

    def sequence(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        for write in inner:
            write(ask, addresses, out, depth)

    return sequence


def _choice(group: Group, around: _Around) -> Writer:
    """The alternative that needs least comes first: it is the only one where the depth is used up."""
    inner = [_particle(one, around) for one in sorted(group.particles, key=least_weight)]
    most = len(inner) - 1

    def choice(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        inner[ask(most) if depth > 0 else 0](ask, addresses, out, depth)

    return choice


def _repeated(write: Writer, least: int, most: int | None, stop: int) -> Writer:
    if least == most == 1:
        return write
    if least == 0 and most == 1:

        def optional(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
            if depth > 0 and len(out) < PIECES and ask(2 * _TURNS) >= stop:
                write(ask, addresses, out, depth)

        return optional
    room = _ENDLESS if most is None else most - least

    def repeated(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        for _ in range(least):
            write(ask, addresses, out, depth)
        left = room
        while depth > 0 and left > 0 and len(out) < PIECES:
            ask(BEGIN)
            turn = ask(2 * _TURNS)
            if turn < stop:
                ask(END)
                return
            write(ask, addresses, out, depth)
            ask(END)
            left -= 1
            if turn == 2 * _TURNS:
                left -= _burst(write, min(left, _BURST), ask, addresses, out, depth)

    return repeated


def _burst(write: Writer, most: int, ask: Ask, addresses: Addresses, out: list[str], depth: int) -> int:
    """The same again, many times perhaps; answers how many."""
    for times in range(most):
        ask(BEGIN)
        if not ask(_GO_ON):
            ask(END)
            return times
        write(ask, addresses, out, depth)
        ask(END)
    return max(0, most)


def _free(group: Group, around: _Around) -> Writer:
    """Content in no order: turn by turn one thing more, and those that must stand there in between."""
    writers = [_once(particle, around) for particle in group.particles]
    most = [_ENDLESS if particle.most is None else particle.most for particle in group.particles]
    needed = [place for place, particle in enumerate(group.particles) for _ in range(particle.least)]
    needed += [_lightest(group)] * (group.least - len(needed))
    most_together = (_ENDLESS if group.most is None else group.most) - len(needed)
    table = _turns(group)
    stop, most_turns = 2 * _TURNS - len(table), len(table) - 1

    def free(ask: Ask, addresses: Addresses, out: list[str], depth: int) -> None:
        missing = needed.copy()
        left = most.copy()
        for place in missing:
            left[place] -= 1
        room = most_together
        while True:
            ask(BEGIN)
            turn = ask(2 * _TURNS) if depth > 0 and room > 0 and len(out) < PIECES else 0
            burst = turn == 2 * _TURNS
            if burst:
                turn = stop + ask(most_turns)
            place = table[turn - stop] if turn >= stop else -1
            if place < 0 or not left[place]:  # enough of it, or of everything
                if not missing:
                    ask(END)
                    return
                writers[missing.pop(turn % len(missing))](ask, addresses, out, depth)
                ask(END)
                continue
            writers[place](ask, addresses, out, depth)
            ask(END)
            times = 1
            if burst:
                times += _burst(writers[place], min(left[place], room, _BURST) - 1, ask, addresses, out, depth)
            left[place] -= times
            room -= times

    return free


def _lightest(group: Group) -> int:
    return min(range(len(group.particles)), key=lambda place: _single_weight(group.particles[place]))


def _single_weight(particle: Particle) -> float:
    return weight(particle.shape) if isinstance(particle, Child) else 2


def _turns(group: Group) -> Sequence[int]:
    """Which particle each outcome of a turn is: the named ones share alike, wildcards have few."""
    named = [place for place, particle in enumerate(group.particles) if not isinstance(particle, Wildcard)]
    wild = [place for place, particle in enumerate(group.particles) if isinstance(particle, Wildcard)]
    if not named:
        return [wild[turn % len(wild)] for turn in range(_ALONE)]
    few = wild * _WILD
    return [named[turn % len(named)] for turn in range(_TURNS - len(few))] + few
