"""RFC 6120 §4.3, §4.7 to §4.9 between servers, the subject as the one who is called: its answers to our headers."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, Stage, premise, require, require_equal
from lab.plugin.federation import Remote, needs_external
from lab.wire.namespaces import LAB, SASL, SERVER, STREAM, XML_LANG
from lab.wire.negotiation import expect_header, starttls
from lab.wire.s2s import ServerSession, open_server_stream
from lab.wire.session import StreamFailed, show, stream_error_condition
from lab.wire.stream import StreamClosed, StreamOpened
from scenarios.server.rfc6120._s2s import server_header, with_certificate
from scenarios.server.rfc6120._streams import CONDITIONS, expect_features, expect_refusal, open_with, refused_header

RFC = Specification("RFC 6120")

STRANGE = "unknown.invalid"
"""A domain that nobody serves (RFC 2606)."""
STAGES = {"before-tls": Stage.OPENED, "after-tls": Stage.SECURED, "after-sasl": Stage.AUTHENTICATED}
everywhere = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())


def answered_at(remote: Remote, stage: Stage) -> StreamOpened:
    """The subject's response header at that point of our way in."""
    session = remote.call(Stage.CONNECTED)
    open_server_stream(session)
    if stage >= Stage.SECURED:
        starttls(session, with_certificate(remote))
        open_server_stream(session)
    if stage >= Stage.AUTHENTICATED:
        logged_in(session)
        open_server_stream(session)
    header = session.header
    assert header is not None
    return header


def logged_in(session: ServerSession) -> None:
    """SASL EXTERNAL, and no restart."""
    needs_external(session)
    session.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    require_equal(session.receive().tag, f"{{{SASL}}}success", "the answer to EXTERNAL")


@everywhere
@RFC.must("4.7.1", says="The response header to a server says 'from': a domain of the server.")
def test_server_header_has_from(remote: Remote, stage: Stage) -> None:
    # It may be another one than was called for (§4.7.1).
    named = answered_at(remote, stage).get("from")
    require(named in remote.names_of_the_subject, "'from' of the response header: a domain of the server", str(named))


@everywhere
@RFC.must("4.7.2", says="The response header to a server says 'to': the domain in the initial header's 'from'.")
def test_server_header_has_to(remote: Remote, stage: Stage) -> None:
    require_equal(answered_at(remote, stage).get("to"), remote.domain, "'to' of the response header")


@everywhere
@RFC.must("4.7.3", says="The response header to a server has an id.")
def test_server_header_has_an_id(remote: Remote, stage: Stage) -> None:
    require(answered_at(remote, stage).get("id"), "an id in the response header", "none")


@everywhere
@RFC.must("4.7.5", says="The response header to a server of version 1.0 says version 1.0.")
def test_server_header_has_the_version(remote: Remote, stage: Stage) -> None:
    require_equal(answered_at(remote, stage).get("version"), "1.0", "'version' of the response header")


@everywhere
@RFC.must("4.7.4", says="The response header to a server says a language.")
def test_server_header_has_a_language(remote: Remote, stage: Stage) -> None:
    require(answered_at(remote, stage).element.get(XML_LANG), "xml:lang in the response header", "none")


@everywhere
@RFC.must("4.8.3", "4.8.1", says="To a server, the response header declares jabber:server as content namespace.")
def test_server_header_is_a_server_s(remote: Remote, stage: Stage) -> None:
    header = answered_at(remote, stage)
    require_equal(header.element.tag, f"{{{STREAM}}}stream", "the root element")
    # It may stand at each stanza instead (§4.8.2).
    require(header.content_namespace in {SERVER, None}, f"the content namespace {SERVER}", header.content_namespace)


@RFC.must(
    "4.7.3", "4.3.3", "5.4.3.3", "6.4.1", "6.4.6", says="Each new stream has a new id: behind TLS, behind SASL."
)
def test_server_restarts_have_new_ids(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    ids = []
    open_server_stream(session)
    ids.append(session.stream_id)
    starttls(session, with_certificate(remote))
    open_server_stream(session)
    ids.append(session.stream_id)
    logged_in(session)
    open_server_stream(session)
    ids.append(session.stream_id)
    require(all(ids) and len(set(ids)) == len(ids), "three ids that differ", ", ".join(ids))


@RFC.must("4.7.3", says="Stream ids to servers do not repeat.")
def test_server_stream_ids_do_not_repeat(remote: Remote) -> None:
    ids = []
    for _ in range(5):
        session = remote.call(Stage.CONNECTED)
        open_server_stream(session)
        ids.append(session.stream_id)
    require(len(set(ids)) == len(ids), "five ids that differ", ", ".join(ids))


@RFC.must("4.7.3", says="An id in a server's initial header is ignored: the response has one of the receiver's own.")
def test_server_id_of_ours_is_ignored(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    answer = open_with(session, server_header(session, attributes="id='of-our-own'"))
    require(answer.get("id") not in {None, "", "of-our-own"}, "an id of the server's own", str(answer.get("id")))
    expect_features(session)


VERSIONS = {"1.1": "1.0", "1.10": "1.0", "2.0": "1.0", "01.0": "1.0"}


@pytest.mark.parametrize("version", VERSIONS.keys())
@RFC.must("4.7.5", says="The response has the lower of both versions, compared as numbers, leading zeros ignored.")
def test_server_header_has_the_lower_version(remote: Remote, version: str) -> None:
    session = remote.call(Stage.CONNECTED)
    answer = open_with(session, server_header(session, version=version))
    require_equal(answer.get("version"), VERSIONS[version], "'version' of the response header")
    try:
        expect_features(session)
    except StreamFailed as error:  # whom it serves then is the receiver's choice (§4.9.3.25)
        require(version == "2.0" and error.condition == "unsupported-version", "features", error.element)


@RFC.should_not("4.7.5", says="A header without version is one of 0.9: the response has no version either.")
def test_server_header_to_an_old_one_has_no_version(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    answer = open_with(session, server_header(session, version=None))
    require(answer.get("id"), "an id in the response header", "none")
    require_equal(answer.get("version"), None, "'version' of the response header")


@RFC.must("4.3.2", "5.4.1", says="A server whose header says 1.0 is sent features behind the response header.")
def test_server_is_sent_features(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    open_with(session, server_header(session))
    require(len(expect_features(session)), "features", session.features)


@RFC.should("4.7.1", says="An initial header without 'from', from a server of old, is taken liberally.")
def test_server_header_without_from_is_taken(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    open_with(session, server_header(session, sender=None))
    expect_features(session)


@RFC.must("4.9.1.3", "4.9.3.6", says="Refusing an unknown host, a server calls itself by its own name, or by none.")
def test_unknown_host_is_refused_to_a_server_under_an_own_name(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    require_own_name(remote, open_with(session, server_header(session, to=STRANGE)))
    session.expect_stream_error()


@RFC.must("4.9.1.3", "4.9.1.2", says="A server that asks for a domain that is not served gets host-unknown.")
def test_unknown_host_is_named_to_a_server(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    refused_header(session, server_header(session, to=STRANGE), "host-unknown", "host-gone")


@RFC.must(
    "4.9.1.3", "4.7.2", says="A server's header without 'to' is served, or refused under a name of the receiver's."
)
def test_server_header_without_to_is_served_or_refused(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    answer = open_with(session, server_header(session, to=None))
    require_own_name(remote, answer)
    try:
        expect_features(session)
    except StreamFailed as error:
        require(error.condition in CONDITIONS, "a defined condition", error.element)


def require_own_name(remote: Remote, answer: StreamOpened) -> None:
    names = {None, "", *remote.names_of_the_subject}  # that 'from' may not be left out is §4.7.1
    require(answer.get("from") in names, "'from' with a name of the server's, or empty", str(answer.get("from")))


@RFC.must("4.8.3", "4.9.3.10", says="A content namespace that the server does not know ends the stream by an error.")
def test_unknown_content_namespace_is_refused_from_a_server(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    text = server_header(session).replace(SERVER, f"{LAB}:content", 1)
    open_with(session, text + "<message><body>Hello</body></message>")
    expect_refusal(session)


@RFC.must("4.8.1", "4.9.1.2", says="A server's header in another than the stream namespace gets a stream error.")
def test_wrong_stream_namespace_is_refused_from_a_server(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    refused_header(session, server_header(session).replace(STREAM, f"{LAB}:streams"))


@RFC.must("11.3", "4.9.1.2", says="A server's header that is not well-formed is answered by a header and an error.")
@pytest.mark.parametrize("text", ["<stream:stream to=x>", "Hello\r\n"], ids=["unquoted-attribute", "text"])
def test_broken_header_is_refused_from_a_server(remote: Remote, text: str) -> None:
    refused_header(remote.call(Stage.CONNECTED), text)


@RFC.must("4.9.1.2", says="An error over a server's header comes in a whole stream: header, error, closing tag.")
def test_error_over_a_server_s_header_comes_in_a_stream(remote: Remote) -> None:
    session = remote.call(Stage.CONNECTED)
    session.send(server_header(session, to=STRANGE))
    answer = expect_header(session)
    # It may stand at each stanza instead (§4.8.2).
    require(answer.content_namespace in {SERVER, None}, f"the content namespace {SERVER}", answer.content_namespace)
    error = premise(session.expect_stream_error, "a header to a domain that nobody has is taken as if it were right")
    require(stream_error_condition(error) in CONDITIONS, "a defined condition", error)
    require(isinstance(event := session.next_event(), StreamClosed), "</stream:stream>", show(event))


@RFC.must("5.4.3.3", "4.7.1", says="What 'from' a server said before TLS is forgotten: the new header says another.")
def test_from_before_tls_is_forgotten(remote: Remote) -> None:
    sibling = remote.sibling("other")
    session = remote.call(Stage.CONNECTED)
    open_with(session, server_header(session, sender=sibling))
    expect_features(session)
    starttls(session, with_certificate(remote))
    answer = open_with(session, server_header(session))
    # That it may not be left out is another check's matter.
    require(answer.get("to") in {None, remote.domain}, f"'to' {remote.domain} behind TLS", str(answer.get("to")))
    expect_features(session)
    logged_in(session)
