"""RFC 6120 §4.7, §4.8.2: the header that a server answers with, attribute by attribute.

Headers that a server has to refuse stand in `header_errors`, features in `stream_features`.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from lab.cell import Cell
from lab.plugin import Connect, Specification, Stage, require, require_equal
from lab.wire.namespaces import CLIENT, XML_LANG
from lab.wire.negotiation import header
from lab.wire.session import StreamFailed, new_id, show
from scenarios.server.rfc6120._stanzas import become_available
from scenarios.server.rfc6120._streams import (
    Where,
    before_header,
    bound_with,
    everywhere,
    expect_features,
    next_header,
    open_with,
)

RFC = Specification("RFC 6120")

LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
UNKNOWN_LANGUAGE = "qxz-x-stanzalab"
"""A well-formed tag for private use: no server can have texts in that language."""


@RFC.must("4.8.2", "4.1", says="The response stream's content namespace is the initial stream's.")
@everywhere
def test_response_header_has_the_same_content_namespace(connect: Connect, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, next_header(session))
    require_equal(answer.content_namespace, CLIENT, "content namespace")


@RFC.must("4.7.1", says="A response header bears 'from', one of the receiving server's names.")
@everywhere
def test_response_header_says_from(connect: Connect, cell: Cell, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, next_header(session))
    endpoint = cell.endpoint("c2s")
    names = {cell.domain, endpoint.host if endpoint else cell.domain}
    require(answer.get("from") in names, f"from={cell.domain!r} on the response header", show(answer.element))


@RFC.must("4.7.2", says="A client that says who it is ('from') finds its bare JID in the response header's 'to'.")
@everywhere
def test_response_header_says_to_whom(connect: Connect, where: Where) -> None:
    account = connect.account()
    session = before_header(connect, where, account)
    answer = open_with(session, next_header(session, attributes=f"from='{account.jid}'"))
    require_equal(answer.get("to"), account.jid, "'to' of the response header")


@RFC.must_not("4.7.2", says="A response header has no 'to' where the client's had no 'from'.")
@everywhere
def test_response_header_has_no_to_for_an_unnamed_client(connect: Connect, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, next_header(session))
    require_equal(answer.get("to"), None, "'to' of the response header")
    expect_features(session)


@RFC.must("4.7.3", says="A response header bears an 'id', made by the server.")
@everywhere
def test_response_header_has_an_id(connect: Connect, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, next_header(session))
    require(answer.get("id"), "a stream id", show(answer.element))


@RFC.must("4.7.3", says="Stream ids are unique within the server, and nobody can guess the next one.")
def test_stream_ids_are_unique_and_unpredictable(connect: Connect, cell: Cell) -> None:
    ids = []
    for _ in range(12):
        session = connect(Stage.CONNECTED)
        answer = open_with(session, header(to=cell.domain))
        ids.append(answer.get("id") or "")
    require(all(ids) and len(set(ids)) == len(ids), "twelve streams with twelve ids", ", ".join(ids))
    for before, after in pairwise(ids):
        for base in (10, 16):
            step = _step(before, after, base)
            require(
                step is None or abs(step) > 1000,
                "ids that do not count up or down",
                f"{before}, then {after}",
            )


def _step(before: str, after: str, base: int) -> int | None:
    """How far two ids lie apart where both are numbers."""
    try:
        return int(after, base) - int(before, base)
    except ValueError:
        return None


@RFC.must("4.7.3", says="An 'id' on the client's header is ignored.")
def test_client_stream_id_is_ignored(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    ours = f"client-{new_id()}"
    answer = open_with(session, header(to=cell.domain, attributes=f"id='{ours}'"))
    require(answer.get("id") and answer.get("id") != ours, "a stream id of the server's own", show(answer.element))
    expect_features(session)


@RFC.must("4.7.4", says="A response header bears 'xml:lang', a language tag.")
@everywhere
def test_response_header_has_a_language(connect: Connect, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, next_header(session, lang="de-CH"))
    seen = answer.get(XML_LANG) or ""
    require(LANGUAGE_TAG.match(seen), "xml:lang with a language tag on the response header", show(answer.element))


@RFC.must("4.7.4", says="A client with no language, or an unknown one, is told the server's default language.")
def test_unknown_language_falls_back_to_the_default(connect: Connect, cell: Cell) -> None:
    without = open_with(connect(Stage.CONNECTED), header(to=cell.domain, lang=None))
    default = without.get(XML_LANG) or ""
    require(
        LANGUAGE_TAG.match(default),
        "xml:lang with a language tag on the response header",
        show(without.element),
    )
    answer = open_with(connect(Stage.CONNECTED), header(to=cell.domain, lang=UNKNOWN_LANGUAGE))
    require_equal(answer.get(XML_LANG), default, "xml:lang of the response header")


@RFC.should("4.7.4", says="A stanza without xml:lang is delivered with the language of its sender's stream.")
def test_stream_language_is_put_on_stanzas(connect: Connect, cell: Cell) -> None:
    bob = connect(label="bob")
    alice = bound_with(connect, header(to=cell.domain, lang="de-CH", declaration=""))
    alice.send(f"<message to='{bob.jid}' type='chat' id='lang1'><body>Grüezi</body></message>")
    message = bob.expect("lang1")
    require(
        message.get("from") == alice.jid and message.findtext("{*}body") == "Grüezi",
        "alice's message",
        message,
    )
    require_equal(message.get(XML_LANG), "de-CH", "xml:lang of the delivered message")


@RFC.must_not("4.7.4", says="The server changes or removes no xml:lang that a stanza bears itself.")
def test_stanza_language_stays(connect: Connect, cell: Cell) -> None:
    bob = connect(label="bob")
    become_available(bob)  # whether a client that is not gets messages too is a check of `routing`
    alice = bound_with(connect, header(to=cell.domain, lang="de-CH", declaration=""))
    alice.send(
        f"<message to='{bob.jid}' type='chat' id='lang2' xml:lang='fr-CA'>"
        f"<body>Bonjour</body><body xml:lang='nn'>Hei</body></message>"
    )
    message = bob.expect("lang2")
    require_equal(message.get(XML_LANG), "fr-CA", "xml:lang of the delivered message")
    bodies = [(b.text, b.get(XML_LANG)) for b in message.iterfind("{*}body")]
    require(
        bodies in ([("Bonjour", None), ("Hei", "nn")], [("Bonjour", "fr-CA"), ("Hei", "nn")]),
        "both bodies",
        message,
    )


@RFC.must("4.7.5", says="The response header's version is the lower of both sides', compared as numbers.")
@pytest.mark.parametrize(
    "version",
    [
        pytest.param("1.0", id="same"),
        pytest.param("1.1", id="newer-minor"),
        pytest.param("1.10", id="two-digit-minor"),
        pytest.param("01.00", id="leading-zeros"),
        pytest.param("2.0", id="newer-major"),
        pytest.param("10.0", id="two-digit-major"),
    ],
)
def test_response_header_has_the_lower_version(connect: Connect, cell: Cell, version: str) -> None:
    session = connect(Stage.CONNECTED)
    answer = open_with(session, header(to=cell.domain, version=version))
    require_equal(answer.get("version"), "1.0", "version of the response header")
    try:
        expect_features(session)
    except StreamFailed as error:
        # A server may refuse another major version, and no other (§4.9.3.25).
        major = version.lstrip("0").partition(".")[0]
        if major == "1" or error.condition != "unsupported-version":
            raise


@RFC.should_not("4.7.5", says="A client without a version speaks 0.9: the response header has no version either.")
def test_old_client_gets_no_version(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    answer = open_with(session, header(to=cell.domain, version=None))
    require_equal(answer.get("version"), None, "version of the response header")


@RFC.may("11.5", "4.7.1", "4.8.5", says="Equivalent ways to write a stream header are equally good.")
@pytest.mark.parametrize(
    ("declaration", "attributes"),
    [
        pytest.param("", "", id="no-declaration"),
        pytest.param("<?xml version='1.0' encoding='UTF-8'?>", "", id="encoding-declared"),
        pytest.param("<?xml version='1.0' encoding='utf-8'?>", "", id="encoding-in-lower-case"),
        pytest.param('<?xml version="1.0"?>\r\n', " xml:lang\r\n=\t'en'\n", id="line-breaks"),
        pytest.param("<?xml version='1.0'?>", "xml:lang='&#101;n'", id="character-reference"),
        pytest.param("<?xml version='1.0'?>", "xmlns:lab='urn:stanzalab:0' lab:any='1'", id="unknown-attribute"),
    ],
)
def test_equivalent_header_is_accepted(connect: Connect, cell: Cell, declaration: str, attributes: str) -> None:
    session = connect(Stage.CONNECTED)
    text = header(to=cell.domain, lang=None, attributes=attributes, declaration=declaration)
    answer = open_with(session, text)
    require_equal(answer.get("version"), "1.0", "version of the response header")
    expect_features(session)


@RFC.may(
    "4.3.3",
    "11.5",
    says="A client may, and should, send an XML declaration with each header that restarts the stream.",
)
@pytest.mark.parametrize("where", [pytest.param(w, id=w.value) for w in (Where.AFTER_TLS, Where.AFTER_SASL)])
def test_declaration_on_a_restart_is_accepted(connect: Connect, cell: Cell, where: Where) -> None:
    session = before_header(connect, where)
    answer = open_with(session, header(to=cell.domain))
    require_equal(answer.get("version"), "1.0", "version of the response header")
    expect_features(session)
