"""RFC 6120 §4.7-§4.9, §11: stream headers that a server has to refuse, and how it refuses them.

Errors behind a good header stand in `stream_errors`, XML that XMPP forbids in `xml_restrictions`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.cell import Cell
from lab.plugin import Connect, Specification, Stage, require, require_equal
from lab.wire.namespaces import CLIENT, LAB, STREAM
from lab.wire.negotiation import expect_header, header
from lab.wire.session import StreamFailed, show, stream_error_condition
from lab.wire.stream import StreamOpened
from scenarios.server.rfc6120._streams import (
    CONDITIONS,
    expect_features,
    expect_refusal,
    open_with,
    refused_header,
)

RFC = Specification("RFC 6120")

STRANGE = "unknown.invalid"
"""A domain that nobody serves (RFC 2606)."""


def wrong_stream_namespace(domain: str) -> str:
    return header(to=domain).replace(STREAM, f"{LAB}:streams")


@RFC.must("4.8.1", "4.9.1.2", says="A header in another than the stream namespace is refused with a stream error.")
def test_wrong_stream_namespace_is_refused(connect: Connect, cell: Cell) -> None:
    refused_header(connect(Stage.CONNECTED), wrong_stream_namespace(cell.domain))


@RFC.should("4.8.1", "4.9.3.10", says="The error for a wrong stream namespace is invalid-namespace.")
def test_wrong_stream_namespace_is_named(connect: Connect, cell: Cell) -> None:
    refused_header(connect(Stage.CONNECTED), wrong_stream_namespace(cell.domain), "invalid-namespace")


@RFC.must(
    "4.8.3",
    "4.9.3.10",
    says="What is qualified by an unsupported content namespace ends the stream by an error.",
)
def test_unsupported_content_namespace_is_refused(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, header(to=cell.domain, namespace=LAB) + "<message><body>Hello</body></message>")
    expect_refusal(session)


@RFC.should("4.8.3", "4.9.3.10", "4.9.3.24", says="The error for an unsupported content namespace says so.")
def test_unsupported_content_namespace_is_named(connect: Connect, cell: Cell) -> None:
    # §4.8.3 asks for invalid-namespace, §4.9.3.24 for unsupported-stanza-type.
    session = connect(Stage.CONNECTED)
    open_with(session, header(to=cell.domain, namespace=LAB) + "<message><body>Hello</body></message>")
    expect_refusal(session, "invalid-namespace", "unsupported-stanza-type")


@RFC.must(
    "4.9.1.3",
    "4.9.3.6",
    says="Refusing an unknown host, a server calls itself by a name of its own, or by none.",
)
def test_unknown_host_is_refused_under_an_own_name(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    answer = open_with(session, header(to=STRANGE))
    _require_own_name(cell, answer)
    try:
        expect_features(session)  # a server may serve whoever comes
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


@RFC.must(
    "4.9.1.3",
    "4.7.2",
    says="A header without 'to' is served, or refused under a name of the server's, or none.",
)
def test_header_without_to_is_served_or_refused_properly(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    answer = open_with(session, header(to=None))
    _require_own_name(cell, answer)
    try:
        expect_features(session)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


def _require_own_name(cell: Cell, answer: StreamOpened) -> None:
    # That 'from' may not be left out is §4.7.1, and has its check.
    endpoint = cell.endpoint("c2s")
    names = {None, "", cell.domain, endpoint.host if endpoint else None, *cell.services.values()}
    require(answer.get("from") in names, "'from' with a name of the server's, or empty", show(answer.element))


def other_prefix(domain: str) -> str:
    return header(to=domain).replace("stream:", "flow:").replace(":stream=", ":flow=")


def no_prefix(domain: str) -> str:
    return f"<?xml version='1.0'?><stream xmlns='{STREAM}' to='{domain}' version='1.0'>"


@RFC.must(
    "4.8.5",
    "4.8.2",
    says="A header with another prefix for the stream namespace is served, or refused by an error.",
)
@pytest.mark.parametrize(
    "form", [pytest.param(other_prefix, id="other-prefix"), pytest.param(no_prefix, id="no-prefix")]
)
def test_stream_prefix_is_accepted_or_refused(connect: Connect, cell: Cell, form: Callable[[str], str]) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, form(cell.domain))
    try:
        expect_features(session)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


@RFC.should("4.8.5", "4.9.3.2", says="A prefix that the server does not accept is refused as bad-namespace-prefix.")
def test_refused_stream_prefix_is_named(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    open_with(session, other_prefix(cell.domain))
    try:
        expect_features(session)
    except StreamFailed as error:
        require_equal(error.condition, "bad-namespace-prefix", "condition")


BROKEN_HEADERS = [
    pytest.param("<stream:stream to={d} version=1.0>", id="unquoted-attribute"),
    pytest.param(
        "<stream:stream xmlns='{c}' xmlns:stream='{s}' to='{d}' to='{d}' version='1.0'>", id="attribute-twice"
    ),
    pytest.param(
        "<stream:stream xmlns='{c}' xmlns:stream='{s}' to='<{d}>' version='1.0'>", id="less-than-in-attribute"
    ),
    pytest.param("<stream:stream xmlns='{c}' to='{d}' version='1.0'>", id="undeclared-stream-prefix"),
    pytest.param("Hello\r\n", id="text"),
]


@RFC.must("11.3", "4.9.1.2", says="A header that is not well-formed is answered by a header and a stream error.")
@pytest.mark.parametrize("form", BROKEN_HEADERS)
def test_header_that_is_not_well_formed_is_refused(connect: Connect, cell: Cell, form: str) -> None:
    refused_header(connect(Stage.CONNECTED), form.format(c=CLIENT, s=STREAM, d=cell.domain))


@RFC.must(
    "4.9.1.2",
    "4.8.1",
    says="A root element other than the stream's is answered by a header and a stream error.",
)
@pytest.mark.parametrize(
    "form",
    [
        pytest.param(
            "<stream:features xmlns='{c}' xmlns:stream='{s}' to='{d}' version='1.0'>", id="stream-namespace"
        ),
        pytest.param("<message xmlns='{c}' to='{d}'>", id="stanza"),
    ],
)
def test_other_root_element_is_refused(connect: Connect, cell: Cell, form: str) -> None:
    refused_header(connect(Stage.CONNECTED), "<?xml version='1.0'?>" + form.format(c=CLIENT, s=STREAM, d=cell.domain))


@RFC.must("4.9.1.2", says="An error over the header comes inside a stream: header, error, closing tag.")
def test_error_over_the_header_comes_in_a_whole_stream(connect: Connect, cell: Cell) -> None:
    session = connect(Stage.CONNECTED)
    session.send(wrong_stream_namespace(cell.domain))
    answer = expect_header(session)
    require_equal(answer.content_namespace, CLIENT, "content namespace")
    error = session.expect_stream_error()
    require(stream_error_condition(error) in CONDITIONS, "a defined condition", error)
    session.expect_closed()
