"""What a project says in its DOAP file that it implements, in the vocabulary of XEP-0453; and such a file, made anew.

RDF is read by rdflib: however a project spells its RDF/XML (or Turtle, by the file's name) is the same to it. A file
that names several projects is read as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lxml import etree

from lab.errors import UsageError

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

DOAP = "http://usefulinc.com/ns/doap#"
XMPP = "https://linkmauve.fr/ns/xmpp-doap#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
FORMATS = {".ttl": "turtle", ".nt": "nt"}  # by the file's name; all else is RDF/XML
_PREFIXES = {"rdf": RDF, "xmpp": XMPP, None: DOAP}
COMPLETE, PARTIAL = "complete", "partial"
UNDONE = ("planned", "wontfix")
"""Statuses of what a project does not claim to implement."""
_XEP = re.compile(r"/xep-(\d{4})(?:\.html)?/?(?:#.*)?\Z", re.IGNORECASE)
_RFC = re.compile(r"/rfc(\d+)(?:\.(?:html|txt))?/?(?:#.*)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Implemented:
    """What a file says of one specification. `version` is the specification's; each may be empty."""

    status: str = ""
    version: str = ""
    since: str = ""
    note: str = ""

    @property
    def claimed(self) -> bool:
        """Whether the project says that it is there, whole or in part."""
        return self.status not in UNDONE


def read(path: Path) -> dict[str, Implemented]:
    """Provider (`XEP-0030`, `RFC 6120`) -> what the file says of it.

    Raises UsageError where the file cannot be read, is no RDF, or names no specification.
    """
    graph = _graph(path)
    found: dict[str, Implemented] = {}
    for _, said in _triples(graph, DOAP, "implements"):
        provider = provider_of(str(said))
        if provider:
            found.setdefault(provider, Implemented())
            continue
        for one in _values(graph, said, "xep"):
            if named := provider_of(one):
                values = {f.name: next(iter(_values(graph, said, f.name)), "") for f in fields(Implemented)}
                found[named] = Implemented(**values)
    if not found:
        raise UsageError(
            f"{path} names no specification",
            cause="it has no doap:implements of an RFC, or of an xmpp:SupportedXep",
            hint="XEP-0453 says how a project lists what it implements",
        )
    return dict(sorted(found.items()))


def provider_of(address: str) -> str:
    """`https://xmpp.org/extensions/xep-0030.html` is XEP-0030, `…/info/rfc6120` is RFC 6120; empty for others."""
    if found := _XEP.search(address):
        return f"XEP-{found[1]}"
    found = _RFC.search(address)
    return f"RFC {found[1]}" if found else ""


def _graph(path: Path) -> Graph:
    from rdflib import Graph  # noqa: PLC0415 - slow to load, and few ask for it

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the DOAP file {path}", cause=str(error)) from error
    graph = Graph()
    try:
        graph.parse(data=data, format=FORMATS.get(path.suffix.lower(), "xml"), publicID="file:///doap")
    except Exception as error:
        said = str(error).strip().splitlines()
        raise UsageError(
            f"{path} is no DOAP file",
            cause=said[0] if said else type(error).__name__,
            hint="it must be RDF (XEP-0453)",
        ) from error
    return graph


def _triples(graph: Graph, namespace: str, name: str, subject: Node | None = None) -> Iterable[tuple[Node, Node]]:
    from rdflib import URIRef  # noqa: PLC0415

    found = ((s, o) for s, _, o in graph.triples((subject, URIRef(namespace + name), None)))
    return sorted(found, key=lambda pair: str(pair[1]))


def _values(graph: Graph, subject: Node, name: str) -> list[str]:
    return [str(value).strip() for _, value in _triples(graph, XMPP, name, subject)]


def written(name: str, implemented: Mapping[str, Implemented]) -> str:
    """A DOAP file of a project that implements just this, as XEP-0453 has it; the rest of it is the project's own."""
    root = etree.Element(f"{{{RDF}}}RDF", nsmap=cast("dict[str, str]", _PREFIXES))
    project = etree.SubElement(root, f"{{{DOAP}}}Project")
    etree.SubElement(project, f"{{{DOAP}}}name").text = name
    for provider, said in implemented.items():
        kind, _, number = provider.replace("-", " ").partition(" ")
        if kind == "RFC" and said.status == PARTIAL:  # there is no way to say it of an RFC
            project.append(etree.Comment(f" {provider}: {said.note.replace('--', '- -')} "))
            continue
        implements = etree.SubElement(project, f"{{{DOAP}}}implements")
        if kind == "RFC":
            implements.set(f"{{{RDF}}}resource", f"https://www.rfc-editor.org/info/rfc{number}")
            continue
        supported = etree.SubElement(implements, f"{{{XMPP}}}SupportedXep")
        xep = etree.SubElement(supported, f"{{{XMPP}}}xep")
        xep.set(f"{{{RDF}}}resource", f"https://xmpp.org/extensions/xep-{number}.html")
        for field in fields(Implemented):
            if value := getattr(said, field.name):
                etree.SubElement(supported, f"{{{XMPP}}}{field.name}").text = value
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8").decode() + "\n"
