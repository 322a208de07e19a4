"""The schema catalogue: every XSD of `xsd/`, compiled together by lxml, and what it says of an element.

One file is one target namespace. A file says which specification it follows (`lab:provider`, `version`), and
what XSD 1.0 cannot say of children in free order, how often each may stand: `lab:min` and `lab:max` on the particles
of a choice. Both are checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import quote

from lxml import etree

from lab.errors import UsageError
from schemas import tables

FOLDER = Path(__file__).parent / "xsd"
XS = "http://www.w3.org/2001/XMLSchema"
LAB = "urn:stanzalab:schemas"
_GLOBALS = ("element", "attribute", "simpleType", "complexType", "group", "attributeGroup")

Element = etree._Element


@dataclass(frozen=True)
class SchemaFile:
    """One XSD: its target namespace, the specification and version that it follows, its global elements."""

    path: Path
    namespace: str
    provider: str
    version: str
    elements: frozenset[str]


@dataclass(frozen=True)
class Count:
    """How often a child may stand in a parent whose children have no fixed order. `most` is None for any number."""

    least: int
    most: int | None


@dataclass(frozen=True)
class Mismatch:
    """Where an element and its schema disagree. `element` is the name of the one at fault, in Clark notation."""

    element: str
    message: str

    def __str__(self) -> str:
        return self.message


class Catalogue:
    """Every schema of a folder, compiled. `files` maps target namespaces to their files."""

    def __init__(self, files: Mapping[str, SchemaFile], schema: etree.XMLSchema, counts: Counts) -> None:
        self.files = files
        self._schema = schema
        self._counts = counts
        self._elements = frozenset().union(*(f.elements for f in files.values()))

    def declares(self, name: str) -> bool:
        """Whether some schema has a global element of that name (Clark notation)."""
        return name in self._elements

    def knows(self, namespace: str) -> bool:
        return namespace in self.files

    def file(self, namespace: str) -> SchemaFile:
        """The schema of a namespace. Raises UsageError with the nearest ones."""
        if namespace not in self.files:
            raise UsageError(f"no schema for the namespace {namespace!r}", hint=tables.nearest(namespace, self.files))
        return self.files[namespace]

    def valid(self, element: Element) -> bool:
        """Whether an element with a global declaration is valid; see `mismatches` for why not."""
        return bool(self._schema.validate(element)) and not self._miscounted(element)

    def mismatches(self, element: Element) -> tuple[Mismatch, ...]:
        """Why an element is not valid; empty where it is, or where no schema declares it."""
        if not self.declares(str(element.tag)):
            return ()
        found: list[Mismatch] = []
        if not self._schema.validate(element):
            for entry in cast("Iterable[etree._LogEntry]", self._schema.error_log):
                name = entry.message.partition("'")[2].partition("'")[0]
                found.append(Mismatch(name, entry.message))
        found.extend(self._miscounted(element))
        return tuple(dict.fromkeys(found))

    def _miscounted(self, element: Element) -> list[Mismatch]:
        found: list[Mismatch] = []
        # A look into a table at each element is quicker than lxml's own search for many names.
        for parent in element.iter() if self._counts else ():
            for child, count in self._counts.get(parent.tag, {}).items():
                seen = sum(1 for _ in parent.iterchildren(child))
                if seen < count.least or (count.most is not None and seen > count.most):
                    allowed = f"at least {count.least}" if seen < count.least else f"at most {count.most}"
                    words = f"Element '{parent.tag}': {seen} children '{child}'; {allowed} must stand here."
                    found.append(Mismatch(str(parent.tag), words))
        return found


Counts = Mapping[str, Mapping[str, Count]]
"""Name of a parent -> name of a child -> how often it may stand there."""


@cache
def catalogue() -> Catalogue:
    """The lab's own catalogue, compiled once a process."""
    return load(FOLDER)


def load(folder: Path) -> Catalogue:
    """Compile every XSD of a folder. Raises UsageError naming file and line of what is wrong."""
    files: dict[str, SchemaFile] = {}
    counts: dict[str, dict[str, Count]] = {}
    roots = {path: _parse(path) for path in sorted(folder.glob("*.xsd"))}
    for path, root in roots.items():
        file = _file(path, root)
        if file.namespace in files:
            raise _broken(path, root, f"{files[file.namespace].path.name} has the namespace {file.namespace} already")
        files[file.namespace] = file
        _count(path, root, counts)
    for path, root in roots.items():
        _follow_imports(path, root, files)
    return Catalogue(files, _compiled(folder, files), counts)


def _parse(path: Path) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.parse(path, parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise UsageError(f"{path} is not a schema", cause=str(error), hint=f"mend {path}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _broken(path, root, "a schema needs no document type")
    if root.tag != f"{{{XS}}}schema":
        raise _broken(path, root, f"the root element is {root.tag}, not xs:schema")
    return root


def _file(path: Path, root: Element) -> SchemaFile:
    namespace, provider, version = (
        root.get("targetNamespace"),
        root.get(f"{{{LAB}}}provider"),
        root.get("version"),
    )
    if not namespace or not provider or not version:
        raise _broken(path, root, "targetNamespace, lab:provider and version must be said")
    elements = frozenset(f"{{{namespace}}}{e.get('name')}" for e in root.iterchildren(f"{{{XS}}}element"))
    return SchemaFile(path, namespace, provider, version, elements)


def _follow_imports(path: Path, root: Element, files: Mapping[str, SchemaFile]) -> None:
    """Each import names a schema of the catalogue, by its own file: libxml2 overlooks those that it cannot find."""
    for import_ in root.iterchildren(f"{{{XS}}}import"):
        namespace, location = import_.get("namespace", ""), import_.get("schemaLocation", "")
        if namespace not in files:
            raise _broken(path, import_, f"nothing here has the imported namespace {namespace!r}")
        if (path.parent / location).resolve() != files[namespace].path.resolve():
            raise _broken(path, import_, f"{namespace} stands in {files[namespace].path.name}, not in {location!r}")
    for other in ("include", "redefine"):
        for element in root.iterchildren(f"{{{XS}}}{other}"):
            raise _broken(path, element, f"xs:{other}: one file is one namespace here")


def _compiled(folder: Path, files: Mapping[str, SchemaFile]) -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{ns}" schemaLocation="{quote(file.path.name)}"/>' for ns, file in files.items()
    )
    driver = etree.fromstring(
        f'<xs:schema xmlns:xs="{XS}" targetNamespace="urn:stanzalab:catalogue">{imports}</xs:schema>',
        etree.XMLParser(no_network=True),
        base_url=f"{folder.resolve()}/catalogue.xsd",
    )
    try:
        return etree.XMLSchema(driver)
    except etree.XMLSchemaParseError as error:
        where = [
            f"{_name(e.filename)}:{e.line}: {e.message}" for e in cast("Iterable[etree._LogEntry]", error.error_log)
        ][:5]
        raise UsageError(
            f"the schemas in {folder} do not compile",
            cause="\n".join(where) or str(error),
            hint="mend the first of them; the others may follow from it",
        ) from error


def _name(filename: str) -> str:
    return filename.rpartition("/")[2]


def _count(path: Path, root: Element, counts: dict[str, dict[str, Count]]) -> None:
    """Collect `lab:min` and `lab:max`, by the names of parent and child."""
    least, most = f"{{{LAB}}}min", f"{{{LAB}}}max"
    for particle in root.iter(f"{{{XS}}}element"):
        if least not in particle.attrib and most not in particle.attrib:
            continue
        try:
            upper = particle.get(most)
            count = Count(int(particle.get(least, "0")), None if upper is None else int(upper))
        except ValueError as error:
            raise _broken(path, particle, "lab:min and lab:max are whole numbers") from error
        child = _particle_name(path, particle)
        parents = _parents(path, root, particle)
        for parent in parents:
            known = counts.setdefault(parent, {})
            if known.setdefault(child, count) != count:
                raise _broken(path, particle, f"{parent} has another count of {child} already")


def _particle_name(path: Path, particle: Element) -> str:
    name = particle.get("name")
    if name is not None:
        return f"{{{particle.getroottree().getroot().get('targetNamespace')}}}{name}"
    return _qname(path, particle, particle.get("ref", ""))


def _qname(path: Path, at: Element, name: str) -> str:
    prefix, colon, local = name.rpartition(":")
    namespace = at.nsmap.get(prefix if colon else None)
    if namespace is None:
        raise _broken(path, at, f"the prefix of {name!r} is not declared")
    return f"{{{namespace}}}{local}"


def _parents(path: Path, root: Element, particle: Element) -> Iterable[str]:
    """The elements whose content a particle belongs to: the one around it, or those of the type around it."""
    namespace = root.get("targetNamespace")
    for above in particle.iterancestors():
        if above.tag == f"{{{XS}}}element":
            return [f"{{{namespace}}}{above.get('name')}"]
        if above.tag == f"{{{XS}}}complexType" and above.get("name"):
            wanted = f"{{{namespace}}}{above.get('name')}"
            users = [e for e in root.iter(f"{{{XS}}}element") if e.get("type")]
            return [f"{{{namespace}}}{e.get('name')}" for e in users if _qname(path, e, e.get("type", "")) == wanted]
    raise _broken(path, particle, "lab:min and lab:max belong into the content of an element or of a named type")


def _broken(path: Path, at: Element, cause: str) -> UsageError:
    return UsageError(f"{path.name}:{at.sourceline}: {cause}", hint=f"mend {path}")
