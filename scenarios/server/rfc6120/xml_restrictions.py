"""RFC 6120 §11.1, §11.5: the features of XML that XMPP forbids, and what goes with the XML declaration.

Each is tried in the prolog, before TLS and in a bound session; what is merely broken stands in `xml_well_formedness`.
"""

from __future__ import annotations

import pytest

from lab.cell import Cell
from lab.plugin import Connect, Specification, Stage, proved_by, require
from lab.wire.namespaces import DISCO_INFO, STREAM, TLS
from lab.wire.negotiation import header
from lab.wire.session import Session, StreamFailed, new_id
from scenarios.server.rfc6120._stanzas import (
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    deliver,
)
from scenarios.server.rfc6120._streams import (
    CONDITIONS,
    expect_features,
    introduce,
    open_with,
    refused_at_once,
    refused_header,
)

RFC = Specification("RFC 6120")

FORBIDDEN = {
    "comment": "<!-- comment -->",
    "processing-instruction": "<?stanzalab instruction?>",
    "document-type": "<!DOCTYPE stream>",
    "entity-reference": "&stanzalab;",
}
LAUGHS = (
    "<!DOCTYPE stream [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>"
)

BETWEEN_STANZAS = [pytest.param(FORBIDDEN[name], id=name) for name in ("comment", "processing-instruction")]

inside = pytest.mark.parametrize("what", [pytest.param(text, id=name) for name, text in FORBIDDEN.items()])
prolog = pytest.mark.parametrize(
    "what",
    [
        pytest.param("<!-- comment -->", id="comment"),
        pytest.param("<?stanzalab instruction?>", id="processing-instruction"),
        pytest.param(f"<!DOCTYPE stream:stream SYSTEM '{STREAM}/none.dtd'>", id="external-subset"),
        pytest.param("<!DOCTYPE stream:stream [<!ENTITY e 'e'>]>", id="internal-subset"),
        pytest.param(LAUGHS, id="nested-entities"),
    ],
)


@RFC.must("11.1", says="Comments, processing instructions, DTDs and entity references end a stream that has begun.")
@inside
@pytest.mark.parametrize(
    "stage", [pytest.param(Stage.OPENED, id="before-tls"), pytest.param(Stage.BOUND, id="bound")]
)
def test_restricted_xml_ends_the_stream(connect: Connect, stage: Stage, what: str) -> None:
    session = connect(stage)
    # What stands behind or around it is answered where the forbidden was overlooked: no need to wait for silence.
    if stage is Stage.OPENED:
        session.send(f"{what}<starttls xmlns='{TLS}'/>")
    else:
        query = f"<query xmlns='{DISCO_INFO}'>{what}</query>"
        session.send(f"<iq type='get' id='{new_id()}' to='{session.domain}'>{query}</iq>")
    refused_at_once(session)


@RFC.should("11.1", "4.9.3.18", "4.9.3.1", says="The error for a forbidden feature of XML is restricted-xml.")
@pytest.mark.parametrize("what", BETWEEN_STANZAS)
def test_restricted_xml_is_named(alice: Session, what: str) -> None:
    query = f"<query xmlns='{DISCO_INFO}'>{what}</query>"
    alice.send(f"<iq type='get' id='{new_id()}' to='{alice.domain}'>{query}</iq>")
    refused_at_once(alice, "restricted-xml")


@RFC.must("11.1", says="Forbidden XML between stanzas ends the stream as well.")
@pytest.mark.parametrize("what", BETWEEN_STANZAS)
def test_restricted_xml_between_stanzas_ends_the_stream(alice: Session, what: str) -> None:
    query = f"<iq type='get' id='{new_id()}' to='{alice.domain}'><query xmlns='{DISCO_INFO}'/></iq>"
    alice.send(what + query)
    refused_at_once(alice)


@RFC.must(
    "11.1",
    "4.9.1.2",
    says="Comments, processing instructions and DTDs before the stream header end the stream.",
)
@prolog
def test_restricted_xml_in_the_prolog_ends_the_stream(connect: Connect, cell: Cell, what: str) -> None:
    session = connect(Stage.CONNECTED)
    refused_header(session, header(to=cell.domain, declaration=f"<?xml version='1.0'?>{what}"))


@RFC.should("11.1", "4.9.3.18", says="The error for forbidden XML before the stream header is restricted-xml.")
@prolog
def test_restricted_xml_in_the_prolog_is_named(connect: Connect, cell: Cell, what: str) -> None:
    session = connect(Stage.CONNECTED)
    refused_header(session, header(to=cell.domain, declaration=f"<?xml version='1.0'?>{what}"), "restricted-xml")


@RFC.must("11.1", "4.9.1.1", says="A session that ends over forbidden XML is seen to end by its contacts.")
@inside
def test_restricted_xml_ends_the_session(alice: Session, bob: Session, what: str) -> None:
    introduce(alice, bob)
    identifier = new_id()
    stanza = f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>{what}</body></message>"
    alice.send(stanza)
    # Behind it comes what would be delivered by a server that goes on.
    alice.send(f"<presence to='{bob.jid}'><status>{identifier}</status></presence>")
    seen = bob.expect(
        lambda e: (
            e.get("from") == alice.jid and (e.get("type") == "unavailable" or e.findtext("{*}status") == identifier)
        ),
        "unavailable presence",
    )
    require(seen.get("type") == "unavailable", f"unavailable presence of {alice.jid}", seen)


@RFC.must("11.1", says="The five predefined entities and character references are no forbidden entities.")
def test_predefined_entities_are_delivered(alice: Session, bob: Session) -> None:
    message = deliver(
        alice,
        bob,
        f"<message to='{bob.jid}' type='chat' id='{new_id()}'>"
        "<body>&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x1F600;</body></message>",
    )
    require(message.findtext("{*}body") == "<>&'\"AB\U0001f600", "the characters that were meant", message)
    require(message.get("from") == alice.jid, f"a message from {alice.jid}", message)


@RFC.must("11.1", says="A CDATA section is character data like any other: what it holds is delivered.")
def test_cdata_section_is_delivered(alice: Session, bob: Session) -> None:
    message = deliver(
        alice,
        bob,
        f"<message to='{bob.jid}' type='chat' id='{new_id()}'>"
        "<body><![CDATA[<!-- no comment --> &no; <?entity?>]]></body></message>",
    )
    require(message.findtext("{*}body") == "<!-- no comment --> &no; <?entity?>", "the section's text", message)
    require(message.get("from") == alice.jid, f"a message from {alice.jid}", message)


@RFC.must("11.5", says="standalone='no' in the XML declaration is ignored, or ends the stream by an error.")
def test_standalone_no_is_ignored_or_refused(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, header(to=cell.domain, declaration="<?xml version='1.0' standalone='no'?>"))
    try:
        expect_features(session)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


def _opening(connect: Connect, cell: Cell) -> str:
    """The first that a server says, as bytes: its XML declaration is no event of the stream."""
    session = connect(Stage.CONNECTED)
    session.send(header(to=cell.domain))
    data = b""
    while b"<stream:stream" not in data and len(data) < 4096:
        chunk = session.transport.receive(timeout=cell.patience)
        session.trace.received(session.label, chunk)
        require(chunk, "a stream header", data.decode("utf-8", "backslashreplace"))
        data += chunk
    return data.decode("utf-8", "backslashreplace").partition("<stream:stream")[0]


@RFC.should("11.5", "4.3.3", says="A server sends an XML declaration before its stream header.")
@proved_by("no-xml-declaration")
def test_server_sends_an_xml_declaration(connect: Connect, cell: Cell) -> None:
    opening = _opening(connect, cell)
    require(opening.startswith("<?xml version="), "an XML declaration first", opening)


@RFC.must_not(
    "11.5",
    "11.6",
    says="A server's declaration says nothing of standalone and no encoding but UTF-8; no BOM.",
)
@proved_by("declares-standalone")
def test_declaration_of_the_server_is_fit_for_xmpp(connect: Connect, cell: Cell) -> None:
    opening = _opening(connect, cell)
    require("\ufeff" not in opening, "no byte order mark", opening.encode("unicode_escape").decode())
    require("standalone" not in opening, "no standalone document declaration", opening)
    encoding = opening.partition("encoding=")[2][1:].lower()
    require(not encoding or encoding.startswith("utf-8"), "the encoding UTF-8, or none", opening)
