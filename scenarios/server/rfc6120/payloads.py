"""RFC 6120 §8.4 and §8.1.5: what a server delivers, it delivers unmodified: extended content, text, languages.

The comparison is of XML information (`_stanzas.require_delivered`), never of spelling.
"""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal
from lab.wire.namespaces import CLIENT, LAB, XML_LANG
from lab.wire.negotiation import authenticate, bind, expect_header, header
from lab.wire.session import Session, localname, new_id, parse, stanza_error_condition
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    available_bob,  # noqa: F401 - the fixture `bob` of this module
    become_available,
    deliver,
    require_delivered,
    require_no_copy,
)

RFC = Specification("RFC 6120")

A, B = f"{LAB}:a", f"{LAB}:b"

EXTENSIONS = {
    "unknown-element": UNKNOWN,
    "empty-element": f"<x xmlns='{A}'/>",
    "several-elements": f"<x xmlns='{A}'/><x xmlns='{B}'/><y xmlns='{A}'/><x xmlns='{A}'>again</x>",
    "nested-namespaces": f"<x xmlns='{A}'><x xmlns='{B}'><x xmlns='{A}'/></x></x>",
    "prefixed-element": f"<a:x xmlns:a='{A}'><a:y>text</a:y></a:x>",
    "prefix-declared-again": f"<p:x xmlns:p='{A}'><p:x xmlns:p='{B}'/><p:y/></p:x>",
    "extension-attributes": f"<x xmlns='{A}' xmlns:b='{B}' k='plain' b:k='of another namespace'/>",
    "attributes-of-two-namespaces": f"<x xmlns='{A}' xmlns:a='{A}' xmlns:b='{B}' a:k='1' b:k='2' k='3'/>",
    "mixed-content": f"<x xmlns='{A}'>one <y>two</y> three<y/>four </x>",
    "white-space-alone": f"<x xmlns='{A}'>  \n\t  <y> </y>\n</x>",
    "language-inside": f"<x xmlns='{A}'><y xml:lang='eo'>saluton</y><y xml:lang='x-klingon'>nuqneH</y></x>",
    "stanza-inside": f"<x xmlns='{A}'><message xmlns='{CLIENT}' to='c@d.example'><body>t</body></message></x>",
    "deep-nesting": f"<x xmlns='{A}'>{'<y>' * 40}core{'</y>' * 40}</x>",
    "many-elements": f"<x xmlns='{A}'>" + "".join(f"<y n='{n}'/>" for n in range(200)) + "</x>",
    "names-beyond-ascii": f"<ёлка xmlns='{A}' größe='1'><木/></ёлка>",
    "namespace-of-odd-characters": "<x xmlns='urn:a?b=c&amp;d=%20'/>",
}

# Messages carry all of them; the other kinds go the same ways through a server, and a few tell whether they do.
SOME = ("unknown-element", "nested-namespaces", "prefix-declared-again", "extension-attributes", "mixed-content")

each_extension = pytest.mark.parametrize("payload", EXTENSIONS.values(), ids=EXTENSIONS.keys())
some_extensions = pytest.mark.parametrize("payload", [EXTENSIONS[name] for name in SOME], ids=SOME)


@each_extension
@RFC.must("8.4", "8.2.1", says="A message is delivered with content that the server does not know, unmodified.")
def test_message_keeps_unknown_content(payload: str, alice: Session, bob: Session) -> None:
    sent = f"<message type='chat' id='{new_id()}' to='{bob.jid}'><body>Hello</body>{payload}</message>"
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@some_extensions
@RFC.must("8.4", says="Presence is delivered with content that the server does not know, unmodified.")
def test_presence_keeps_unknown_content(payload: str, alice: Session, bob: Session) -> None:
    sent = f"<presence id='{new_id()}' to='{bob.jid}'><show>away</show>{payload}</presence>"
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@some_extensions
@RFC.must("8.4", "8.2.3", says="An iq and its result are delivered with payloads unknown to the server, unmodified.")
def test_iq_keeps_unknown_content(payload: str, alice: Session, bob: Session) -> None:
    become_available(alice)
    asked = new_id()
    request = f"<iq type='set' id='{asked}' to='{bob.jid}'>{payload}</iq>"
    require_delivered(deliver(alice, bob, request), request, alice.jid)
    response = f"<iq type='result' id='{asked}' to='{alice.jid}'>{payload}</iq>"
    require_delivered(deliver(bob, alice, response), response, bob.jid)


@RFC.must("8.4", says="A message with extended content alone is delivered, unmodified.")
def test_message_of_extended_content_alone_is_delivered(alice: Session, bob: Session) -> None:
    sent = f"<message id='{new_id()}' to='{bob.jid}'>{UNKNOWN}</message>"
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@pytest.mark.parametrize("kind", ["message", "presence"])
@RFC.must("8.4", says="The children of a stanza are delivered in the order in which they were sent.")
def test_children_keep_their_order(kind: str, alice: Session, bob: Session) -> None:
    # In the order of the RFC's schema, so that nobody need put it right.
    known = "<subject>s</subject><body>b</body>" if kind == "message" else "<show>away</show><status>s</status>"
    sent = (
        f"<{kind} id='{new_id()}' to='{bob.jid}'>{known}<x xmlns='{A}'/><x xmlns='{B}'/>"
        f"<x xmlns='{A}'>second</x>{UNKNOWN}</{kind}>"
    )
    got = deliver(alice, bob, sent)
    require_delivered(got, sent, alice.jid)
    names = [child.tag for child in parse(sent, default=CLIENT)]
    require([c.tag for c in got if c.tag in names] == names, f"children in the order {', '.join(names)}", got)


@RFC.should("8.4", says="Prefixes are maintained when a stanza is routed.")
def test_prefixes_are_maintained(alice: Session, bob: Session) -> None:
    sent = f"<message id='{new_id()}' to='{bob.jid}'><a:x xmlns:a='{A}'><b:y xmlns:b='{B}'/></a:x></message>"
    got = deliver(alice, bob, sent)
    require_delivered(got, sent, alice.jid)
    outer = got.find(f"{{{A}}}x")
    prefixes = [] if outer is None else [outer.prefix, *(child.prefix for child in outer)]
    require(prefixes == ["a", "b"], "the prefixes a and b, as sent", got)


TEXTS = {
    "astral": "\N{GRINNING FACE}\N{MUSICAL SYMBOL G CLEF}\U0002070e\U0010fffd",
    "joined-emoji": "\N{WOMAN}\U0001f3fd\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "combining-marks": "e\u0301 \u00e9 a\u0323\u0307 a\u0307\u0323 \u1100\u1161\u11a8 \uac01",
    "compatibility-characters": "\ufb01 \u212b \u2126 \uff21 \u00aa \u2460",
    "right-to-left": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u200fabc\u200e \u202eabc\u202c",
    "white-space": "  two before, a tab\tinside,\n\n two lines, two behind  ",
    "spaces-of-unicode": "\u00a0\u2003\u2028\u3000\ufeff\u0085",
    "markup": "&lt;b&gt; &amp;amp; \"quotes\" 'and' ]]&gt; &amp;#65;",
    "character-references": "&#x41;&#66;&#x1F600;&#38;&#60;",
    "character-data-section": "<![CDATA[<b>&amp; ]] > </b>]]> and &lt;more",
    "tab-and-line-break-references": "a&#9;b&#10;c",
    "carriage-return-reference": "a&#13;b&#13;&#10;c",
    "control-of-latin-1": "a&#x80;b&#x9f;c\u007f",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@RFC.must("8.4", "8.2.1", says="The text of a message reaches its recipient character for character.")
def test_text_is_delivered_character_for_character(text: str, alice: Session, bob: Session) -> None:
    sent = (
        f"<message type='chat' id='{new_id()}' to='{bob.jid}'><body>{text}</body><x xmlns='{A}'>{text}</x></message>"
    )
    got = deliver(alice, bob, sent)
    wanted = parse(sent, default=CLIENT)
    require_equal(got.findtext(f"{{{CLIENT}}}body"), wanted.findtext(f"{{{CLIENT}}}body"), "the body")
    require_equal(got.findtext(f"{{{A}}}x"), wanted.findtext(f"{{{A}}}x"), "the extension's text")
    require_delivered(got, sent, alice.jid)


VALUES = {
    "markup": "&lt;&amp;&gt;&quot;&apos;",
    "astral": "\N{GRINNING FACE} e\u0301",
    "spaces": "  a  b  ",
    "white-space-references": "a&#9;b&#10;c&#13;d",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@RFC.must("8.4", says="The attributes of unknown content reach the recipient character for character.")
def test_attribute_is_delivered_character_for_character(value: str, alice: Session, bob: Session) -> None:
    sent = f'<message id="{new_id()}" to="{bob.jid}"><x xmlns="{A}" k="{value}"><y k="{value}"/></x></message>'
    require_delivered(deliver(alice, bob, sent), sent, alice.jid)


@RFC.must_not("8.1.5", says="The server neither modifies nor deletes the languages of a stanza and of its children.")
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_languages_are_left_alone(kind: str, alice: Session, bob: Session) -> None:
    content = {
        "message": "<body>Hi</body><body xml:lang='de-Latn-AT-1996'>Servus</body><body xml:lang='fr'>Salut</body>",
        "presence": "<status>Hi</status><status xml:lang='fr'>Salut</status>",
        "iq": f"<x xmlns='{A}'><y>Hi</y><y xml:lang='fr'>Salut</y></x>",
    }[kind]
    shape = "type='get'" if kind == "iq" else ""
    sent = f"<{kind} {shape} id='{new_id()}' to='{bob.jid}' xml:lang='eo'>{content}</{kind}>"
    got = deliver(alice, bob, sent)
    require_equal(got.get(XML_LANG), "eo", "xml:lang")
    require_delivered(got, sent, alice.jid)


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@RFC.should("8.1.5", says="A stanza without a language is given that of its sender's stream.")
def test_language_of_the_stream_is_added(kind: str, bob: Session, connect: Connect) -> None:
    account = connect.account()
    alice = connect(Stage.SECURED, account=account, label="alice")
    authenticate(alice, account)
    alice.stream.restart()
    alice.send(header(to=alice.domain, lang="eo", declaration=""))
    expect_header(alice)
    alice.expect(lambda e: localname(e) == "features", "stream features")
    bind(alice)
    content = {"message": "<body>Saluton</body>", "presence": "<status>Saluton</status>", "iq": UNKNOWN}[kind]
    shape = "type='get'" if kind == "iq" else ""
    sent = f"<{kind} {shape} id='{new_id()}' to='{bob.jid}'>{content}</{kind}>"
    got = deliver(alice, bob, sent)
    require_delivered(got, sent, alice.jid)
    require_equal(got.get(XML_LANG), "eo", "xml:lang")


@RFC.should("8.4", says="A server that does not ignore a message of unknown content to itself refuses it fittingly.")
def test_unknown_message_to_the_server_is_ignored_or_refused(alice: Session) -> None:
    asked = new_id()
    alice.send(f"<message id='{asked}' to='{alice.domain}'>{UNKNOWN}</message>")
    alice.expect_nothing(
        f"<message type='error' id='{asked}' from='{alice.domain}' to='{alice.jid}'/>",
        lambda e: e.get("id") == asked and stanza_error_condition(e) != "service-unavailable",
        "another answer than service-unavailable",
    )


@RFC.must_not("8", says="A stanza of which only a part has come is not processed.")
def test_part_of_a_stanza_is_not_processed(alice: Session, bob: Session, connect: Connect) -> None:
    carol = connect(label="carol")
    asked = new_id()
    alice.send(f"<message type='chat' id='{asked}' to='{bob.jid}'><body>The first half")
    carol.sentinel()
    bob.expect_nothing(
        f"<message type='chat' id='{asked}' from='{alice.jid}' to='{bob.jid}'><body>The first half</body></message>",
        lambda e: e.get("id") == asked,
        "half a stanza",
        after=carol,
    )
    alice.send(f" and the second</body>{UNKNOWN}</message>")
    got = bob.expect(asked)
    text = "The first half and the second"
    whole = f"<message type='chat' id='{asked}' to='{bob.jid}'><body>{text}</body>{UNKNOWN}</message>"
    require_delivered(got, whole, alice.jid)
    require_no_copy(alice, bob, got)


@RFC.must_not("8", says="A stanza whose end never comes is not processed.")
def test_stanza_cut_off_by_the_end_of_the_connection_is_not_processed(
    alice: Session, bob: Session, connect: Connect
) -> None:
    carol = connect(label="carol")
    asked = new_id()
    alice.send(f"<message type='chat' id='{asked}' to='{bob.jid}'><body>Hello</body>")
    alice.transport.close()
    carol.sentinel()
    bob.expect_nothing(
        f"<message type='chat' id='{asked}' from='{alice.jid}' to='{bob.jid}'><body>Hello</body></message>",
        lambda e: e.get("id") == asked,
        "a stanza that never ended",
        after=carol,
    )
