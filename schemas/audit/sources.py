"""The sources of specifications: which files of a folder they are, and a safe way to read one.

A checkout is somebody else's text. No entity is expanded by the parser, nothing is fetched, and a file that is
broken is said with its line while the others go on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lxml import etree

from lab.errors import UsageError

LARGEST = 2 * 1024 * 1024  # the largest XEP has 400 kB, RFC 6120 540: whatever is bigger is something else
_XEP = re.compile(r"xep-(\d{4})\.xml")
_RFC = re.compile(r"rfc(\d{3,5})\.xml")
_ENTITY = re.compile(r"&([A-Za-z_][\w.-]*);")
_LONGEST_ENTITY = 2000
_DEEPEST_ENTITY = 3

Element = etree._Element


@dataclass(frozen=True)
class Broken:
    """A source that cannot be read, and why; `line` is 0 where no line can be said."""

    path: Path
    line: int
    cause: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.cause}" if self.line else f"{self.path.name}: {self.cause}"


@dataclass(frozen=True)
class Block:
    """A piece of text that a source sets apart. `line` is the source's line on which the text begins."""

    title: str
    line: int
    text: str


@dataclass(frozen=True)
class Source:
    """One specification: its examples, and the blocks of code that hold its own schemas."""

    provider: str
    title: str
    version: str
    path: Path
    examples: tuple[Block, ...]
    code: tuple[Block, ...]


def find(xeps: Path, rfcs: Path | None = None) -> dict[str, Path]:
    """Provider to file, for every specification in the folders. Raises UsageError: a folder holds none."""
    found = _files(xeps, _XEP, "XEP-{}", "xep-NNNN.xml", "https://github.com/xsf/xeps is one")
    if rfcs is not None:
        found |= _files(rfcs, _RFC, "RFC {}", "rfcNNNN.xml", "name the folder that holds the RFCs' XML sources")
    return found


def _files(folder: Path, name: re.Pattern[str], provider: str, pattern: str, hint: str) -> dict[str, Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} is not a folder that can be read", cause=str(error), hint=hint) from error
    matches = [(match, path) for path in entries if (match := name.fullmatch(path.name))]
    if not matches:
        raise UsageError(f"{folder} is no checkout of the sources", cause=f"no {pattern} in it", hint=hint)
    return {provider.format(match[1]): path for match, path in matches}


def read(provider: str, path: Path) -> Source | Broken:
    """Read one source. Whatever is wrong with it comes back as Broken, never as an exception."""
    try:
        # A link that leads round in a circle, a folder or a pipe of that name: not for reading.
        if not path.is_file():
            return Broken(path, 0, "is not a file that can be read")
        if path.stat().st_size > LARGEST:
            return Broken(path, 0, f"is larger than {LARGEST} bytes")
        data = path.read_bytes()
    except (OSError, RuntimeError) as error:
        return Broken(path, 0, str(error))
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        return Broken(path, error.lineno or 0, f"is not well-formed: {bare(error.msg)}")
    if root.tag not in {"xep", "rfc"}:
        return Broken(path, line(root), f"begins with <{root.tag}>, not with <xep> or <rfc>")
    entities = _entities(root)
    title = root.findtext("header/title") or root.findtext("front/title") or ""
    version = root.findtext("header/revision/version") or ""
    examples, code = _xep(root, entities) if root.tag == "xep" else _rfc(root, entities)
    return Source(provider, " ".join(title.split()), version.strip(), path, examples, code)


def bare(message: str | None) -> str:
    """A parser's message without the line and column at its end, which are said elsewhere."""
    return re.sub(r", line \d+, column \d+$", "", message or "")


def line(element: Element) -> int:
    """The line on which an element begins; lxml's stubs do not know its type."""
    return int(cast("int | None", element.sourceline) or 0)


Entities = Mapping[str, str]


def _xep(root: Element, entities: Entities) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    examples = tuple(_block(e, entities, e.get("caption", "")) for e in root.iter("example"))
    return examples, tuple(_block(e, entities, "") for e in root.iter("code"))


def _rfc(root: Element, entities: Entities) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """An RFC sets everything as artwork: examples are numbered by their order, and schemas stand among them."""
    blocks = tuple(_block(e, entities, _section(e)) for e in root.iter("artwork", "sourcecode"))
    schemas = tuple(b for b in blocks if "targetNamespace" in b.text)
    return tuple(b for b in blocks if b not in schemas), schemas


def _section(element: Element) -> str:
    section = next(element.iterancestors("section"), None)
    title = "" if section is None else section.get("title") or section.findtext("name") or ""
    return " ".join(title.split())


def _block(element: Element, entities: Entities, title: str) -> Block:
    return Block(" ".join(title.split()), line(element), _text(element, entities))


def _text(element: Element, entities: Entities) -> str:
    """The text of an element; elements inside are written as they stand, entities by what the source declares."""
    parts = [element.text or ""]
    for child in element:
        if isinstance(child, etree._Entity):
            parts.append(entities.get(child.name, child.text or ""))
        elif isinstance(child.tag, str):
            parts.append(etree.tostring(child, encoding="unicode", with_tail=False))
        parts.append(child.tail or "")
    return "".join(parts)


def _entities(root: Element) -> dict[str, str]:
    """The short entities of the internal subset: a namespace, or a piece of one.

    One may stand in another, but neither deep nor long, so that nothing blows up.
    """
    subset = root.getroottree().docinfo.internalDTD
    if subset is None:
        return {}
    declared = subset.iterentities()  # type: ignore[attr-defined] # the stubs do not know it
    plain = {e.name: e.content for e in declared if e.name and e.content}
    short = {name: text for name, text in plain.items() if len(text) <= _LONGEST_ENTITY and "<" not in text}
    for _ in range(_DEEPEST_ENTITY):
        replaced = {name: _replaced(text, short) for name, text in short.items()}
        short = {name: text for name, text in replaced.items() if len(text) <= _LONGEST_ENTITY}
    return short


def _replaced(text: str, entities: Entities) -> str:
    return _ENTITY.sub(lambda match: entities.get(match[1], match[0]), text)
