"""The stream's reader: every input whole, byte by byte, in random splits, and with bytes behind it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from lab.wire.namespaces import CLIENT, STREAM, XML_LANG
from lab.wire.stream import (
    PROLOG_BYTES,
    Event,
    PeerViolation,
    Received,
    State,
    Stream,
    StreamClosed,
    StreamOpened,
)

DECLARATION = b"<?xml version='1.0'?>"
HEADER = (
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    b"id='i&#x3C;&quot;' from='a.test' version='1.0' xml:lang='en'>"
)
CLOSE = b"</stream:stream>"

Facts = tuple[object, ...]


def facts(event: Event) -> Facts:
    """What an event says, comparable."""
    match event:
        case StreamOpened():
            return "opened", {str(k): str(v) for k, v in event.element.attrib.items()}, event.content_namespace
        case Received():
            assert event.element.tail is None
            return "received", etree.tostring(event.element, method="c14n", exclusive=True)
        case StreamClosed():
            return ("closed",)


def read(chunks: Iterable[bytes], stream: Stream | None = None) -> tuple[list[Facts], str]:
    """All events of the chunks, and the condition of the violation that ended them, or the state."""
    stream = stream or Stream()
    events = []
    try:
        for chunk in chunks:
            stream.receive_data(chunk)
            while (event := stream.next_event()) is not None:
                events.append(facts(event))
    except PeerViolation as violation:
        assert stream.state is State.BROKEN
        return events, violation.condition
    return events, stream.state.name


def splits(data: bytes) -> Iterator[list[bytes]]:
    """The data whole, byte by byte, and in random splits."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    chance = random.Random(data)  # noqa: S311 - not for secrets, and the same in each run
    for _ in range(10):
        cuts = sorted(chance.sample(range(len(data)), min(len(data), chance.randint(1, 8))))
        yield [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def check(data: bytes, events: list[Facts], end: str) -> None:
    for chunks in splits(data):
        assert read(chunks) == (events, end), chunks


def received(xml: str) -> Facts:
    return "received", etree.tostring(etree.fromstring(xml), method="c14n", exclusive=True)


OPENED: Facts = (
    "opened",
    {"id": 'i<"', "from": "a.test", "version": "1.0", XML_LANG: "en"},
    CLIENT,
)
A = "<a xmlns='jabber:client'/>"


@pytest.mark.parametrize(
    "prolog",
    [
        b"",
        DECLARATION,
        DECLARATION + b" \r\n\t",
        b'<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n',
        b"<?xml version='1.0' encoding = 'utf-8'?>",
        b"\n",
        b" \n" + DECLARATION,  # white space that a stream before left behind
    ],
)
def test_header(prolog: bytes) -> None:
    check(prolog + HEADER, [OPENED], "OPEN")


def test_header_of_another_prefix_and_content_namespace() -> None:
    data = f"<s:stream xmlns:s='{STREAM}' xmlns='jabber:server' xmlns:db='jabber:server:dialback'>".encode()
    check(data, [("opened", {}, "jabber:server")], "OPEN")
    check(
        f"<stream xmlns='{STREAM}'><x/>".encode(),
        [("opened", {}, STREAM), received(f"<x xmlns='{STREAM}'/>")],
        "OPEN",
    )


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"<a/>", "<a/>"),
        (b"<iq id='1'><q xmlns='urn:q'><r/></q><s/></iq>", "<iq id='1'><q xmlns='urn:q'><r/></q><s/></iq>"),
        (
            b"<p:a xmlns:p='urn:p' p:b='1' b='2'><p:c/><d/></p:a>",
            "<p:a xmlns:p='urn:p' p:b='1' b='2'><p:c/><d/></p:a>",
        ),
        (
            b"<stream:features><x xmlns='urn:x'/></stream:features>",
            "<stream:features><x xmlns='urn:x'/></stream:features>",
        ),
        (b"<a><![CDATA[&no; <b> ]] ]]>&amp;<![CDATA[]]></a>", "<a>&amp;no; &lt;b&gt; ]] &amp;</a>"),
        (
            b"<a b='&amp;&lt;&gt;&quot;&apos;'>&amp;&lt;&gt;&quot;&apos;</a>",
            "<a b='&amp;&lt;&gt;\"&#39;'>&amp;&lt;&gt;\"'</a>",
        ),
        (b"<a>&#65;&#x42;&#x000043;&#128512;</a>", "<a>ABC\U0001f600</a>"),
        (b"<a b='caf\xc3\xa9'>\xe2\x82\xac\xf0\x9f\x98\x80</a>", "<a b='café'>€\U0001f600</a>"),
        (b"<a xml:lang='de'>\n b \t</a>", "<a xml:lang='de'>\n b \t</a>"),
        (b"<a>amp; lt &amp;amp; #65;</a>", "<a>amp; lt &amp;amp; #65;</a>"),
        (b"<a b = '1'\n/>", "<a b='1'/>"),
    ],
)
def test_stanza(sent: bytes, meant: str) -> None:
    wrapped = etree.fromstring(f"<w xmlns='{CLIENT}' xmlns:stream='{STREAM}'>{meant}</w>")
    expected: Facts = ("received", etree.tostring(wrapped[0], method="c14n", exclusive=True))
    check(DECLARATION + HEADER + sent, [OPENED, expected], "OPEN")
    check(HEADER + sent + b"\n" + sent + b"<unfin", [OPENED, expected, expected], "OPEN")


def test_an_element_keeps_its_default_namespace() -> None:
    """Evidence shows elements as text: the copy must not bear made-up prefixes."""
    stream = Stream()
    stream.receive_data(HEADER + b"<iq><q xmlns='urn:q'/></iq>")
    stream.next_event()
    event = stream.next_event()
    assert isinstance(event, Received)
    assert event.element.getparent() is None
    assert b"<iq xmlns=" in etree.tostring(event.element)


def test_white_space_between_stanzas() -> None:
    check(HEADER + b" \n\t<a/>\r\n\n<a/> ", [OPENED, received(A), received(A)], "OPEN")


@pytest.mark.parametrize("behind", [b"", b" \r\n"])
def test_closing(behind: bytes) -> None:
    check(HEADER + b"<a/>" + CLOSE + behind, [OPENED, received(A), ("closed",)], "CLOSED")
    check(HEADER[:-1] + b"/>" + behind, [OPENED, ("closed",)], "CLOSED")


def test_restart() -> None:
    stream = Stream()
    for end in (b"", b"<a/><b", CLOSE, b"<a></b>"):
        stream.restart()
        assert stream.state is State.PROLOG
        assert read([DECLARATION + HEADER], stream) == ([OPENED], "OPEN")
        stream.receive_data(end)
    stream.restart()
    assert stream.next_event() is None


def test_nothing_is_no_event() -> None:
    stream = Stream()
    stream.receive_data(b"")
    assert stream.next_event() is None
    assert stream.state is State.PROLOG


LAUGHS = (
    b"<!DOCTYPE l [<!ENTITY a 'ha'>"
    + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
) + b"]><l>&j;</l>"


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"<!DOCTYPE x>" + HEADER, "restricted-xml"),
        (DECLARATION + b"<!DOCTYPE x [<!ENTITY y 'z'>]>" + HEADER, "restricted-xml"),
        (DECLARATION + LAUGHS, "restricted-xml"),
        (b"<!-- c -->" + HEADER, "restricted-xml"),
        (b"<?p i?>" + HEADER, "restricted-xml"),
        (b"<?xml-stylesheet href='x'?>" + HEADER, "restricted-xml"),
        (DECLARATION + DECLARATION + HEADER, "restricted-xml"),
        (b"text" + HEADER, "not-well-formed"),
        (b"\xef\xbb\xbf" + HEADER, "not-well-formed"),
        (HEADER.decode().encode("utf-16"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-16-le"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-16-be"), "unsupported-encoding"),
        (HEADER.decode().encode("utf-32-le"), "unsupported-encoding"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>" + HEADER, "unsupported-encoding"),
        (b"<foo/>", "invalid-namespace"),
        (b"<stream xmlns='jabber:client'>", "invalid-namespace"),
        (b"<stream:stream xmlns:stream='urn:other'>", "invalid-namespace"),
        (f"<s:flow xmlns:s='{STREAM}'>".encode(), "bad-format"),
        (b"<stream:stream>", "bad-namespace-prefix"),
        (b"<stream:stream to='a' to='b'>", "not-well-formed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not-well-formed"),
    ],
)
def test_no_stream_header(data: bytes, condition: str) -> None:
    check(data, [], condition)


@pytest.mark.parametrize(
    ("broken", "condition"),
    [
        (b"<!-- c --><a/>", "restricted-xml"),
        (b"<b><!-- c --></b>", "restricted-xml"),
        (b"<?p i?><a/>", "restricted-xml"),
        (b"<b><?p i?></b>", "restricted-xml"),
        (b"<!DOCTYPE x>", "not-well-formed"),  # within an element it is not even XML
        (DECLARATION + b"<b/>", "not-well-formed"),
        (b"<b>&no;</b>", "restricted-xml"),
        (b"<b c='&no;'/>", "restricted-xml"),
        (b"<b>&nbsp;</b>", "restricted-xml"),
        (b"<b>&ampersand;</b>", "restricted-xml"),
        (b"<b>&amp</b>", "restricted-xml"),
        (b"<b>& </b>", "restricted-xml"),
        (b"<b>&#x;</b>", "restricted-xml"),
        (b"<b>&<![CDATA[amp;]]></b>", "restricted-xml"),
        (b"<b><![CDATA[]]>&no;</b>", "restricted-xml"),
        (b"<b>&#0;</b>", "not-well-formed"),
        (b"<b>&#xFFFE;</b>", "not-well-formed"),
        (b"<b>&#xD800;</b>", "not-well-formed"),
        (b"<x:b/>", "bad-namespace-prefix"),
        (b"<b x:c='1'/>", "bad-namespace-prefix"),
        (b"<b c='1' c='1'/>", "not-well-formed"),
        (b"<b xmlns:p='urn:u' xmlns:q='urn:u' p:c='1' q:c='2'/>", "not-well-formed"),
        (b"<b></c>", "not-well-formed"),
        (b"</b>", "not-well-formed"),
        (b"<b c=1/>", "not-well-formed"),
        (b"<b c='<'/>", "not-well-formed"),
        (b"<b>]]></b>", "not-well-formed"),
        (b"<b>\0</b>", "not-well-formed"),
        (b"<b>\x01</b>", "not-well-formed"),
        (b"<b>\xff</b>", "not-well-formed"),
        (b"<b>\xc0\x80</b>", "not-well-formed"),
        (b"<b>\xed\xa0\x80</b>", "not-well-formed"),
        (b"text<b/>", "bad-format"),
        (b"&amp;<b/>", "bad-format"),
        (b"<![CDATA[text]]><b/>", "bad-format"),
        (b"text" + CLOSE, "bad-format"),
        (CLOSE[:-1].replace(b"stream:stream", b"stream:other") + b">", "not-well-formed"),
        (b"<d>" * 300, "policy-violation"),
    ],
)
def test_violation_behind_whole_events(broken: bytes, condition: str) -> None:
    """What was right before is delivered first; nothing is delivered behind."""
    check(HEADER + b"<a/><a/>" + broken + b"<a/>", [OPENED, received(A), received(A)], condition)


@pytest.mark.parametrize("behind", [b"x", b"<a/>", b"<!-- c -->", b"<?p i?>", b"\n\n" + DECLARATION, CLOSE])
def test_data_behind_the_end(behind: bytes) -> None:
    check(HEADER + CLOSE + behind, [OPENED, ("closed",)], "not-well-formed")


def test_a_violation_is_final() -> None:
    stream = Stream()
    stream.receive_data(b"<foo/>")
    for _ in range(2):
        with pytest.raises(PeerViolation):
            stream.next_event()
        stream.receive_data(HEADER)


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
@pytest.mark.parametrize(
    "prolog", [b" " * (PROLOG_BYTES + 1), b"<?xml version='1.0'" + b" " * PROLOG_BYTES, b"\n" * 100 * PROLOG_BYTES]
)
def test_a_prolog_without_end(prolog: bytes, chunk: int) -> None:
    assert read(prolog[at : at + chunk] for at in range(0, len(prolog), chunk)) == ([], "policy-violation")


@pytest.mark.parametrize("beginning", [b"<b>", b"<b c='", b"<b><!-- ", b"<b><![CDATA[", b"<b><?p ", b"<", b" "])
def test_a_stanza_without_end(beginning: bytes) -> None:
    filling = b" " if beginning == b" " else b"x"
    events, end = read([HEADER + beginning] + [filling * 1000] * 100, Stream(stanza_bytes=50_000))
    assert events == [OPENED]
    assert end in {"policy-violation", "not-well-formed"}


def test_a_header_without_end() -> None:
    chunks = [HEADER[:-1], b" x='"] + [b"x" * 1000] * 100
    assert read(chunks, Stream(stanza_bytes=50_000)) == ([], "policy-violation")


def test_many_stanzas_are_not_one() -> None:
    """The bound is on each stanza, not on the stream."""
    stream = Stream(stanza_bytes=1000)
    stream.receive_data(HEADER)
    for _ in range(100):
        stream.receive_data(b"<a>" + b"x" * 500 + b"</a>\n")
    assert len(list(iter(stream.next_event, None))) == 101


@pytest.mark.parametrize(
    ("stanza", "times"),
    [
        (b"<message to='a@b.test'><body>text</body><x xmlns='urn:x'/></message>\n", 100_000),
        (b"<a xmlns='relative'/>", 20_000),  # libxml2 logs a warning of each
        (b"\n", 100_000),
    ],
)
def test_memory_stays_flat(stanza: bytes, times: int) -> None:
    """Stanzas that were read leave nothing behind, in Python, in libxml2, or in the root element."""
    stream = Stream()
    stream.receive_data(HEADER)
    process = psutil.Process()

    def resident_after(count: int) -> int:
        for _ in range(count):
            stream.receive_data(stanza)
            stream.next_event()
        return process.memory_info().rss

    before = resident_after(2000)
    assert resident_after(times) - before < times * 20  # bytes; a kept stanza takes hundreds
    assert stream._root is not None
    assert len(stream._root) == 0


SAMPLE = (
    DECLARATION
    + b"\n"
    + HEADER
    + b" <a/>\n<iq id='1'><q xmlns='urn:q' p:r='&apos;' xmlns:p='urn:p'>&#65;<![CDATA[&<]]>\xc3\xa9</q></iq>"
)


@given(
    cuts=st.lists(st.integers(0, len(SAMPLE)), max_size=20),
    behind=st.sampled_from(
        [b"", CLOSE, b"&no;", b"<!-- c -->", b"text<a/>", b"<a></b>", b"\xff\xff<a/>", CLOSE + b"x"]
    ),
)
def test_any_split_gives_the_same_events(cuts: list[int], behind: bytes) -> None:
    data = SAMPLE + behind
    places = sorted(cuts)
    chunks = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    assert read(chunks) == read([data])


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_end_well_or_in_a_violation(data: bytes, size: int) -> None:
    """Whatever comes, it is the same whole and in pieces, and no other exception."""
    data = HEADER + data
    whole = read([data])
    pieces = read([data[i : i + size] for i in range(0, len(data), size)])
    assert whole[0] == pieces[0]
    assert (whole[1] in State.__members__) == (pieces[1] in State.__members__)
