"""From XSD to shapes: the component model of `xmlschema`, read once into the facts that a walk needs.

The schemas are loaded when the first element is asked for; each element is compiled when it is. What a shape cannot
say (identity constraints, substitution) is refused here, so that nothing is drawn that would not be valid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, partial
from xml.sax.saxutils import quoteattr

from xmlschema import XMLSchema10, XMLSchemaException
from xmlschema.validators import (
    XsdAnyAttribute,
    XsdAnyElement,
    XsdAttribute,
    XsdComplexType,
    XsdElement,
    XsdGroup,
    XsdList,
    XsdSimpleType,
    XsdUnion,
)

from generators.shapes import Attribute, Child, ElementShape, Group, Order, Particle, Value, Wildcard
from lab.errors import UsageError
from schemas import tables
from schemas.catalogue import LAB, XS, Catalogue, SchemaFile, catalogue

TYPES = "urn:stanzalab:types"
_LEAST, _MOST = f"{{{LAB}}}min", f"{{{LAB}}}max"


def shape_of(name: str) -> ElementShape:
    """The shape of a global element of the lab's own catalogue, by its name in Clark notation.

    Raises UsageError: no schema has it (with the nearest that there are), or its schema says what shapes cannot.
    """
    return _own().of(name)


@cache
def _own() -> Shapes:
    return Shapes(catalogue())


class Shapes:
    """The shapes of a catalogue's elements, each compiled when it is first asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[str, ElementShape] = {}

    def of(self, name: str) -> ElementShape:
        """As `shape_of`, in this catalogue."""
        if name not in self._known:
            file = self._catalogue.file(name[1:].partition("}")[0] if name.startswith("{") else "")
            if name not in file.elements:
                raise UsageError(f"{file.path.name} has no element {name}", hint=tables.nearest(name, file.elements))
            self._known[name] = _Reader(file, self).element(self._schema.maps.elements[name])
        return self._known[name]

    @cached_property
    def _schema(self) -> XMLSchema10:
        """All files together: each alone would load what it imports again, which takes four times as long."""
        imports = "".join(
            f"<xs:import namespace={quoteattr(namespace)} schemaLocation={quoteattr(file.path.resolve().as_uri())}/>"
            for namespace, file in self._catalogue.files.items()
        )
        try:
            return XMLSchema10(f'<xs:schema xmlns:xs="{XS}">{imports}</xs:schema>', allow="local")
        except XMLSchemaException as error:
            raise UsageError("the schemas cannot be compiled", cause=str(error), hint="mend what it names") from error


class _Reader:
    """Reads an element of one file. Local elements are read once each, when somebody asks for their shape."""

    def __init__(self, file: SchemaFile, shapes: Shapes) -> None:
        self.file = file
        self._shapes = shapes
        self._local: dict[int, ElementShape] = {}

    def element(self, element: XsdElement) -> ElementShape:
        self._refuse(element, bool(element.identities), "identity constraints (xs:key, xs:unique) are not drawn")
        self._refuse(element, bool(element.abstract), "abstract elements are not drawn")
        type_, name = element.type, str(element.name)
        if isinstance(type_, XsdSimpleType):
            return ElementShape(name, (), None, self.value(type_, name), element.fixed, False, None)
        simple = type_.content if isinstance(type_.content, XsdSimpleType) else None
        return ElementShape(
            name=name,
            attributes=self.attributes(type_, name),
            any_attribute=self.any_attribute(type_),
            text=self.value(simple, name) if simple is not None else None,
            fixed=element.fixed,
            mixed=bool(type_.mixed),
            content=self.group(type_.content) if isinstance(type_.content, XsdGroup) and len(type_.content) else None,
        )

    def attributes(self, type_: XsdComplexType, element: str) -> tuple[Attribute, ...]:
        return tuple(
            Attribute(str(name), self.value(a.type, f"{element}/@{name}"), a.use == "required", a.fixed)
            for name, a in type_.attributes.items()
            if isinstance(a, XsdAttribute) and a.use != "prohibited"
        )

    def any_attribute(self, type_: XsdComplexType) -> Wildcard | None:
        wildcard = type_.attributes.get(None)
        return self.wildcard(wildcard, 0, 1) if isinstance(wildcard, XsdAnyAttribute) else None

    def wildcard(self, any_: XsdAnyAttribute | XsdAnyElement, least: int, most: int | None) -> Wildcard:
        return Wildcard(least, most, any_.process_contents == "strict", any_.is_namespace_allowed)

    def group(self, group: XsdGroup) -> Group:
        """A choice that may be repeated without end is content in no order; lab:min, lab:max count its children."""
        order = Order.CHOICE if group.model == "choice" else Order.SEQUENCE
        counted = (
            order is Order.CHOICE and group.max_occurs is None and not any(isinstance(p, XsdGroup) for p in group)
        )
        if counted or group.model == "all":
            order = Order.FREE
        particles = tuple(self.particle(p, counted) for p in group)
        if group.model == "all":
            every = Group(order, particles, 0, None)
            # All or nothing: that it may be missing as a whole is said by a group around it.
            return every if group.min_occurs else Group(Order.SEQUENCE, (every,), 0, 1)
        return Group(order, particles, group.min_occurs, group.max_occurs)

    def particle(self, particle: XsdElement | XsdAnyElement | XsdGroup, counted: bool) -> Particle:
        least, most = particle.min_occurs, particle.max_occurs
        if isinstance(particle, XsdGroup):
            return self.group(particle)
        if counted:  # how often one turn may repeat it is of no matter among turns without end
            least, most = 0, None
        if isinstance(particle, XsdAnyElement):
            return self.wildcard(particle, least, most)
        lower, upper = particle.elem.get(_LEAST), particle.elem.get(_MOST)
        least = max(least, int(lower)) if lower is not None else least
        most = most if upper is None else int(upper) if most is None else min(most, int(upper))
        return Child(str(particle.name), least, most, self._shape(particle))

    def _shape(self, element: XsdElement) -> Callable[[], ElementShape]:
        if element.ref is not None:
            return partial(self._shapes.of, str(element.name))

        def resolve() -> ElementShape:
            key = id(element)
            if key not in self._local:
                self._local[key] = self.element(element)
            return self._local[key]

        return resolve

    def value(self, type_: XsdSimpleType, at: str) -> Value:
        place = f"{self.file.path.name}: {at}"
        if isinstance(type_, XsdUnion):
            members = tuple(self.value(member, at) for member in type_.member_types)
            return Value(_meaning(type_), place, plain=True, members=members, accepts=type_.is_valid)
        facets = _Facets(type_)
        items = next((self.value(t.item_type, at) for t in facets.steps if isinstance(t, XsdList)), None)
        members = next(
            (tuple(self.value(m, at) for m in t.member_types) for t in facets.steps if isinstance(t, XsdUnion)), ()
        )
        return Value(
            meaning=_meaning(type_),
            place=place,
            plain=facets.plain,
            enumeration=facets.enumeration,
            patterns=facets.patterns,
            min_length=facets.min_length,
            max_length=facets.max_length,
            low=facets.low,
            high=facets.high,
            items=items,
            members=members,
            accepts=type_.is_valid,
        )

    def _refuse(self, element: XsdElement, wrong: bool, why: str) -> None:
        if wrong:
            raise UsageError(f"{self.file.path.name}: {element.name}: {why}", hint=f"mend {self.file.path}")


def _steps(type_: XsdSimpleType) -> list[XsdSimpleType]:
    """A type and those that it was derived from, the most derived first."""
    steps: list[XsdSimpleType] = []
    step: object = type_
    while isinstance(step, XsdSimpleType):
        steps.append(step)
        step = step.base_type
    return steps


def _meaning(type_: XsdSimpleType) -> str:
    for wanted in (f"{{{TYPES}}}", f"{{{XS}}}"):
        for step in _steps(type_):
            if step.name is not None and step.name.startswith(wanted):
                return step.name.removeprefix(wanted)
    return "string"


class _Facets:
    """What all steps of a derivation ask for together."""

    def __init__(self, type_: XsdSimpleType) -> None:
        self.steps = _steps(type_)
        self.plain = type_.name is not None and type_.name.startswith((f"{{{TYPES}}}", f"{{{XS}}}"))
        self.enumeration = next((tuple(str(v) for v in s.enumeration) for s in self.steps if s.enumeration), ())
        own = [s for s in self.steps if s.name is None or not s.name.startswith(f"{{{XS}}}")]
        self.patterns = tuple(tuple(s.patterns.regexps) for s in own if s.patterns is not None)
        self.min_length = max((s.min_length or 0 for s in self.steps), default=0)
        self.max_length = min((s.max_length for s in self.steps if s.max_length is not None), default=None)
        self.low = max((v for s in self.steps if (v := _whole(s.min_value)) is not None), default=None)
        self.high = min((v for s in self.steps if (v := _whole(s.max_value)) is not None), default=None)


def _whole(bound: object) -> int | None:
    return int(bound) if isinstance(bound, int) else None
