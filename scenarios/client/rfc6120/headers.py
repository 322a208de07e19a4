"""RFC 6120 §4.7, §4.8: what a client's stream headers say, and how its stanzas are written."""

from __future__ import annotations

import re

from lab.plugin import Specification, require, require_equal
from lab.plugin.clients import ClientUnderTest
from lab.wire.namespaces import CLIENT, SERVER, STREAM, XML_LANG
from scenarios.client.rfc6120._login import arrived

RFC = Specification("RFC 6120")
VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # RFC 5646 §2.1, in outline


@RFC.must("4.7.2", says="Each stream header of a client is addressed to the server's domain.")
def test_client_header_is_addressed(client: ClientUnderTest) -> None:
    require_equal(
        [header.get("to") for header in arrived(client).headers], [client.domain] * 3, "'to' of the headers"
    )


@RFC.must("4.7.5", says="Each stream header of a client says version 1.0 or more, without leading zeros.")
def test_client_header_has_a_version(client: ClientUnderTest) -> None:
    for header in arrived(client).headers:
        version = VERSION.fullmatch(header.get("version", ""))
        require(version is not None and int(version[1]) >= 1, "a version of at least 1.0", str(dict(header)))


@RFC.should("4.7.4", says="Each stream header of a client says in which language its texts are.")
def test_client_header_has_a_language(client: ClientUnderTest) -> None:
    for header in arrived(client).headers:
        require(header.get(XML_LANG), "xml:lang", str(dict(header)))


@RFC.must("4.7.4", says="The language in a client's stream header, where there is one, is a language tag.")
def test_client_header_language_is_a_tag(client: ClientUnderTest) -> None:
    for header in arrived(client).headers:
        language = header.get(XML_LANG)
        require(language is None or LANGUAGE.fullmatch(language), "a language tag", str(dict(header)))


@RFC.should("4.7.1", says="Once TLS protects the stream, a client's stream header says whose it is.")
def test_client_header_says_from_whom(client: ClientUnderTest) -> None:
    for header in arrived(client).headers[1:]:
        require_equal(header.get("from"), client.bare_jid, "'from' of a header over TLS")


@RFC.must(
    "4.8.2", "4.8.1", "4.8.3", says="A client's stream header has the two namespaces of XMPP, its stanzas' one."
)
def test_client_header_has_the_namespaces(client: ClientUnderTest) -> None:
    for namespaces in arrived(client).namespaces:
        require_equal(namespaces.get(None), CLIENT, "default namespace")
        require(STREAM in namespaces.values(), "the stream namespace", str(dict(namespaces)))


@RFC.must_not("4.8.5", "4.8.4", says="A client's stream header declares no namespace of what its stanzas contain.")
def test_client_header_declares_no_other_namespace(client: ClientUnderTest) -> None:
    for namespaces in arrived(client).namespaces:
        # XMPP's own are harmless: RFC 6120 §4.8.5 is about extended content.
        others = set(namespaces.values()) - {CLIENT, STREAM, "http://www.w3.org/XML/1998/namespace"}
        require(not others, "no other namespace", ", ".join(sorted(others)))


@RFC.must_not("4.8.5", "4.8.3", says="A client writes its stanzas in jabber:client, and without a prefix.")
def test_client_stanzas_have_no_prefix(client: ClientUnderTest) -> None:
    client.sentinel()
    client.sends_nothing(
        "<message xmlns='jabber:server'/>", lambda e: e.tag.startswith(f"{{{SERVER}}}"), "stanza in jabber:server"
    )
    client.sends_nothing(
        f"<lab:presence xmlns:lab='{CLIENT}'/>",
        lambda e: e.tag.startswith(f"{{{CLIENT}}}") and e.prefix is not None,
        "prefix for jabber:client",
    )


@RFC.should("11.5", "4.3.3", says="A client sends an XML declaration before its first stream header.")
def test_client_sends_an_xml_declaration(client: ClientUnderTest) -> None:
    arrival = arrived(client)
    require(arrival.declared, "an XML declaration", f"a header without one: {dict(arrival.headers[0])}")
