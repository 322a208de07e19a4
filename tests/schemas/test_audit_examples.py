"""From sources to examples: what is XML, what was done to make it so, what is not, and where; and hostile sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import UsageError
from schemas.audit import examples, sources
from schemas.audit.examples import Example, Form
from schemas.audit.sources import LARGEST, Broken, Source
from tests.schemas.made_up import cdata, xep


def read(path: Path) -> Source:
    source = sources.read("XEP-9999", path)
    assert isinstance(source, Source), source
    return source


def example(tmp_path: Path, text: str, *others: str, subset: str = "") -> Example:
    return next(examples.read(read(xep(tmp_path, text, *others, subset=subset))))


def text_of(found: Example) -> str:
    return "".join(str(text) for root in found.roots for text in root.itertext())


def names(found: Example) -> list[str]:
    return [str(root.tag) for root in found.roots]


def test_a_source_says_title_newest_version_and_examples(tmp_path: Path) -> None:
    source = read(xep(tmp_path, cdata("<iq/>"), "a &lt;b/&gt; c"))
    assert (source.title, source.version) == ("Greetings", "1.2.0")
    assert [block.title for block in source.examples] == ["Number 1", "Number 2"]
    assert [block.text for block in source.examples] == ["<iq/>", "a <b/> c"]


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("<iq/>\n<message/>", ["{jabber:client}iq", "{jabber:client}message"]),
        ("<stream:features/>", ["{http://etherx.jabber.org/streams}features"]),
        ("POST /bosh HTTP/1.1\nHost: a.example\n\n<body xmlns='urn:b'/>", ["{urn:b}body"]),
        ("<?xml version='1.0' encoding='UTF-16'?><body xmlns='urn:b'/>", ["{urn:b}body"]),
        ("<?xml version='1.0'?><body/>", ["body"]),  # a document of its own: no stream lends it a namespace
    ],
)
def test_well_formed(tmp_path: Path, text: str, roots: list[str]) -> None:
    found = example(tmp_path, cdata(text))
    assert (found.form, found.how, names(found)) == (Form.WELL_FORMED, (), roots)


@pytest.mark.parametrize(
    "text", ["xmpp:a@example.com", "{'a': 1}", "| A |--> 1 <--| B |", "<!-- only a remark: <a --> "]
)
def test_not_xml(tmp_path: Path, text: str) -> None:
    assert example(tmp_path, cdata(text)).form is Form.NOT_XML


OPEN = "<stream:stream xmlns='jabber:server' to='a.example'>"


@pytest.mark.parametrize(
    ("text", "how", "roots"),
    [
        (OPEN, ["stream opened or closed"], 1),
        ("<iq/></stream:stream>", ["stream opened or closed"], 1),
        (f"<a/><?xml version='1.0'?>{OPEN}", ["XML declaration left out", "stream opened or closed"], 2),
        (f"C: {OPEN}\nS: {OPEN}\n<iq/></stream:stream></stream:stream>", None, 2),
        (f"C: {OPEN}\nS: <proceed/>\nC: {OPEN}", None, 2),
    ],
)
def test_salvaged_and_how(tmp_path: Path, text: str, how: list[str] | None, roots: int) -> None:
    found = example(tmp_path, cdata(text))
    assert found.form is Form.SALVAGED
    assert list(found.how) == (how or ["marks of who speaks left out", "stream opened or closed"])
    assert len(found.roots) == roots
    header = "{http://etherx.jabber.org/streams}stream"
    assert not any(inner.tag == header for root in found.roots for inner in root.iterdescendants())


def test_a_prefix_that_another_example_declares(tmp_path: Path) -> None:
    found = example(tmp_path, cdata("<db:result/>"), cdata("<s xmlns:db='urn:db'/>"))
    assert (found.form, names(found)) == (Form.SALVAGED, ["{urn:db}result"])
    assert found.how == ("prefix db declared as in another example",)


def test_a_prefix_with_two_meanings_is_not_guessed(tmp_path: Path) -> None:
    found = example(tmp_path, cdata("<db:result/>"), cdata("<s xmlns:db='urn:db'/><s xmlns:db='urn:other'/>"))
    assert found.form is Form.MALFORMED
    assert "Namespace prefix db" in found.problem


def test_of_several_parts_those_that_are_whole(tmp_path: Path) -> None:
    path = xep(tmp_path, cdata("<iq>\n</oops>\n\n<message>\n  <body/>\n</message>"))
    (found,) = examples.read(read(path))
    assert (found.form, names(found)) == (Form.SALVAGED, ["{jabber:client}message"])
    assert found.how == ("1 of 2 parts read",)
    assert "mismatch" in found.problem
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[found.problem_line - 1] == "</oops>"
    assert lines[found.line_of(found.roots[0]) - 1] == "<message>"


@pytest.mark.parametrize(
    "text",
    [
        "<iq><a></iq>",
        "<iq ...>",
        "<iq>&undeclared;</iq>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><iq>&b;</iq>",
        "<a>" * 400 + "</a>" * 400,  # deeper than the parser goes
    ],
)
def test_malformed_with_the_parsers_words_and_line(tmp_path: Path, text: str) -> None:
    path = xep(tmp_path, cdata("\n" + text))
    (found,) = examples.read(read(path))
    assert (found.form, found.roots) == (Form.MALFORMED, ())
    assert found.problem
    assert path.read_text(encoding="utf-8").splitlines()[found.problem_line - 1].startswith(text)


def test_pieces_without_end_are_not_tried_one_by_one(tmp_path: Path) -> None:
    found = example(tmp_path, cdata("<iq/>\n\n<a\n\n" * 100))
    assert (found.form, found.roots) == (Form.MALFORMED, ())


def test_elements_and_declared_entities_in_an_example_are_kept(tmp_path: Path) -> None:
    subset = "<!ENTITY base 'urn:greetings'><!ENTITY ns '&base;:1'>"
    found = example(tmp_path, f"{cdata('<a xmlns=')}'&ns;'&gt;<b/>{cdata('</a>')}", subset=subset)
    assert names(found) == ["{urn:greetings:1}a"]
    assert [str(child.tag) for child in found.roots[0]] == ["{urn:greetings:1}b"]


@pytest.mark.parametrize("mark", ["...", "\n  [ ... ]\n", ".\n.\n.", "[8 more]\n.", "…"])
def test_marks_of_elision(tmp_path: Path, mark: str) -> None:
    found = example(tmp_path, cdata(f"<a><b/>{mark}<c>{mark}</c></a>"))
    cut = examples.as_meant(found)
    assert cut is not None
    assert text_of(cut) == ""
    assert cut.how == ("elisions left out",)
    assert mark in text_of(found)


@pytest.mark.parametrize("text", ["Well... yes", "Well...", "a [b]", ".", "1.0.0", "QUJD", "two\nlines, and prose"])
def test_text_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    assert examples.as_meant(example(tmp_path, cdata(f"<a>{text}</a>"))) is None


@pytest.mark.parametrize(
    ("text", "meant", "how"),
    [
        ("\n  QUJDREVGR0hJ...\n", "\n  QUJDREVGR0hJ", "elisions left out"),
        ("\n  QUJD\n  REVG\n  Rw==\n", "QUJDREVGRw==", "wrapped lines joined"),
    ],
)
def test_what_is_there_for_the_page(tmp_path: Path, text: str, meant: str, how: str) -> None:
    found = examples.as_meant(example(tmp_path, cdata(f"<a>{text}</a>")))
    assert found is not None
    assert (text_of(found), found.how) == (meant, (how,))


@pytest.mark.parametrize(
    ("content", "line", "cause"),
    [
        (b"<xep><header></xep>", 1, "is not well-formed"),
        (b"<xep>\n\xff\xfe</xep>", 2, "is not well-formed"),
        (b"", 1, "is not well-formed"),
        (b"PK\x03\x04", 1, "is not well-formed"),
        (b"<html/>", 1, "begins with <html>"),
        (b"<xep>" + b" " * LARGEST + b"</xep>", 0, "is larger than"),
    ],
)
def test_a_broken_source_is_said_with_its_line(tmp_path: Path, content: bytes, line: int, cause: str) -> None:
    path = tmp_path / "xep-0001.xml"
    path.write_bytes(content)
    broken = sources.read("XEP-0001", path)
    assert isinstance(broken, Broken)
    assert cause in broken.cause
    assert (broken.line, str(broken)) == (line, f"xep-0001.xml:{line}: {broken.cause}" if line else str(broken))


def test_neither_a_circle_of_links_nor_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "xep-0001.xml").symlink_to("xep-0002.xml")
    (tmp_path / "xep-0002.xml").symlink_to("xep-0001.xml")
    (tmp_path / "xep-0003.xml").mkdir()
    found = sources.find(tmp_path)
    assert list(found) == ["XEP-0001", "XEP-0002", "XEP-0003"]
    assert all(isinstance(sources.read(name, path), Broken) for name, path in found.items())


def test_an_entity_bomb_does_not_go_off(tmp_path: Path) -> None:
    bombs = "<!ENTITY a0 'boom'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    small = example(tmp_path, "x &a4; &lt;iq/&gt;", subset=bombs)
    assert (small.form, small.roots) == (Form.MALFORMED, ())
    bomb = sources.read("XEP-9999", xep(tmp_path, "x &a11; &lt;iq/&gt;", subset=bombs))
    assert isinstance(bomb, Broken)
    assert "amplification" in bomb.cause
    secret = "<!ENTITY f SYSTEM 'file:///etc/passwd'>"
    assert example(tmp_path, "&lt;iq&gt;&f;&lt;/iq&gt;", subset=secret).form is Form.MALFORMED


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    (tmp_path / "xep-template.xml").write_text("<xep/>", encoding="utf-8")
    with pytest.raises(UsageError, match="no checkout"):
        sources.find(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        sources.find(tmp_path / "elsewhere")


def test_an_rfc_is_read_by_its_artwork(tmp_path: Path) -> None:
    xep(tmp_path)
    (tmp_path / "rfc9999.xml").write_text(
        "<rfc><front><title>Greeting</title></front><section title='Use'><figure>"
        "<artwork><![CDATA[C: <iq/>]]></artwork></figure></section>"
        "<sourcecode>&lt;xs:schema targetNamespace='a'/></sourcecode></rfc>",
        encoding="utf-8",
    )
    path = sources.find(tmp_path, tmp_path)["RFC 9999"]
    source = sources.read("RFC 9999", path)
    assert isinstance(source, Source)
    assert [(block.title, block.text) for block in source.examples] == [("Use", "C: <iq/>")]
    assert len(source.code) == 1
