"""XEP-0198 §3, §6: when stream management is enabled, how it is refused, and what `<enabled/>` says."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, unsupported
from lab.standing import CONDITIONS
from lab.wire import negotiation
from lab.wire.namespaces import PING, STANZA_ERROR, STREAM_MANAGEMENT
from lab.wire.session import Session, StreamFailed
from lab.wire.stream import Element
from scenarios.server.xep0198._counting import require_acknowledged
from scenarios.server.xep0198._managed import (
    REQUEST,
    SM,
    TRUE,
    ask_to_resume,
    enable,
    is_one_of,
    manage,
    managed,
    offered,
    over_websocket,
    resumable,
    resumption,
    tell,
)

MANAGED = Specification("XEP-0198")

LOCATION = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(:[0-9]{1,5})?")
"""A host, or an IPv6 address in brackets, perhaps with a port (RFC 6120 §4.9.3.19)."""


@over_websocket
@MANAGED.must("3", says="A request to enable stream management is answered by <enabled/> or <failed/>.")
def test_enable_is_answered(connect: Connect) -> None:
    session = connect(label="bob")
    offered(session)
    enable(session)
    session.sentinel()


ATTRIBUTES = {
    "resume-true": "resume='true'",
    "resume-1": "resume='1'",
    "resume-false": "resume='false'",
    "resume-0": "resume='0'",
    "max": "resume='true' max='60'",
    "max-alone": "max='60'",
    "max-greatest": "resume='true' max='4294967295'",
}


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=list(ATTRIBUTES))
@MANAGED.must("3", says="A request is answered by <enabled/> or <failed/>, with whatever attributes it asks.")
def test_enable_with_attributes_is_answered(attributes: str, connect: Connect) -> None:
    session = connect(label="bob")
    offered(session)
    answer = enable(session, attributes)
    session.sentinel()
    if answer.tag == f"{SM}enabled":
        session.send(REQUEST)
        session.expect(is_one_of("a"), "<a/>")


BROKEN = {
    "max-zero": "max='0'",
    "max-negative": "max='-1'",
    "max-word": "max='long'",
    "resume-word": "resume='perhaps'",
}


@pytest.mark.parametrize("attributes", BROKEN.values(), ids=list(BROKEN))
@MANAGED.must("6", "3", says="A request with an attribute that says nothing is answered, too, or ends the stream.")
def test_broken_enable_is_answered(attributes: str, connect: Connect) -> None:
    session = connect(label="bob")
    offered(session)
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}' {attributes}/>")
    try:
        session.expect(is_one_of("enabled", "failed"), "<enabled/>, <failed/> or a stream error")
    except StreamFailed:
        return  # misuse may end the stream


# --- order


@MANAGED.must("3", "6", says="A request before authentication is refused by <failed/>, or ends the stream.")
def test_enable_before_authentication_is_refused(connect: Connect) -> None:
    session = _not_authenticated(connect)
    try:
        answer = enable(session)
    except StreamFailed:
        return  # not-authorized is for whatever comes before authentication (RFC 6120 §4.9.3.12)
    require(answer.tag == f"{SM}failed", "<failed/>", answer)


def _not_authenticated(connect: Connect) -> Session:
    """A session before SASL, on a server that offers stream management to whoever is behind it."""
    offered(connect(Stage.AUTHENTICATED, label="carol"))
    return connect(Stage.SECURED, label="bob")


@over_websocket
@MANAGED.must("3", says="A request before a resource is bound is refused by <failed/>.")
def test_enable_before_bind_is_refused(connect: Connect) -> None:
    session = connect(Stage.AUTHENTICATED, label="bob")
    offered(session)
    answer = enable(session)
    require(answer.tag == f"{SM}failed", "<failed/>", answer)


@MANAGED.should(
    "6", says="A request that came too early is recoverable: a resource is bound, and the next one holds."
)
def test_enable_works_behind_one_that_came_too_early(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.AUTHENTICATED, account=account, label="bob")
    offered(session)
    enable(session)
    negotiation.bind(session)
    stream = manage(session, account)
    require_acknowledged(stream, 0)


@MANAGED.should(
    "3", says="A second request does not enable stream management again: it is refused, or ends the stream."
)
def test_second_enable_is_refused(connect: Connect) -> None:
    stream = managed(connect)
    session = stream.session
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}'/>")
    try:
        answer = session.expect(is_one_of("enabled", "failed"), "<failed/> or a stream error")
    except StreamFailed:
        return
    require(answer.tag == f"{SM}failed", "<failed/> or a stream error", answer)


@MANAGED.must("4", "3", says="A second request leaves the count as it is, where the stream goes on.")
def test_second_enable_does_not_reset_the_count(connect: Connect) -> None:
    stream = managed(connect)
    session = stream.session
    tell(session, session.bare_jid, 3)
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}'/>")
    try:
        answer = session.expect(is_one_of("enabled", "failed"), "<failed/> or a stream error")
        if answer.tag == f"{SM}enabled":  # §4: the count is set to zero when it is enabled
            unsupported("refusing a second <enable/>")
        require_acknowledged(stream, 3)
    except StreamFailed:
        unsupported("a stream that survives a second <enable/>")


# --- what failed says


def _before_authentication(connect: Connect) -> Element:
    session = _not_authenticated(connect)
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}'/>")
    return _failed_or_unsupported(session)


def _before_bind(connect: Connect) -> Element:
    session = connect(Stage.AUTHENTICATED, label="bob")
    offered(session)
    return enable(session)


def _twice(connect: Connect) -> Element:
    session = managed(connect).session
    session.send(f"<enable xmlns='{STREAM_MANAGEMENT}'/>")
    return _failed_or_unsupported(session)


def _unknown_stream(connect: Connect) -> Element:
    session = connect(Stage.AUTHENTICATED, label="bob")
    offered(session)
    session.send(resumption("no-such-stream", 0))
    return session.expect(is_one_of("resumed", "failed"), "<failed/>")


def _stream_of_another(connect: Connect) -> Element:
    stream = resumable(connect)
    return ask_to_resume(connect, stream, account=connect.account())[1]


def _resumption_before_authentication(connect: Connect) -> Element:
    session = _not_authenticated(connect)
    session.send(resumption("no-such-stream", 0))
    return _failed_or_unsupported(session)


def _failed_or_unsupported(session: Session) -> Element:
    try:
        return session.expect(is_one_of("enabled", "resumed", "failed"), "<failed/>")
    except StreamFailed:
        unsupported("<failed/> in this case: the stream is ended")


Fails = Callable[[Connect], Element]

FAILURES: dict[str, Fails] = {
    "enable-before-authentication": _before_authentication,
    "enable-before-bind": _before_bind,
    "enable-twice": _twice,
    "resume-unknown": _unknown_stream,
    "resume-of-another": _stream_of_another,
    "resume-before-authentication": _resumption_before_authentication,
}
every_failure = pytest.mark.parametrize("fails", FAILURES.values(), ids=list(FAILURES))


def _conditions(failed: Element) -> list[str]:
    """The children of `<failed/>` in the namespace of conditions, without the text of RFC 6120 §8.3.2."""
    if failed.tag != f"{SM}failed":  # that there must be one, other checks say
        unsupported("<failed/> in this case")
    space = f"{{{STANZA_ERROR}}}"
    return [str(child.tag) for child in failed if str(child.tag).startswith(space) and child.tag != f"{space}text"]


@every_failure
@MANAGED.should("6", says="<failed/> contains an error condition.")
def test_failure_has_a_condition(fails: Fails, connect: Connect) -> None:
    failed = fails(connect)
    require(_conditions(failed), "an error condition, as a child of its own", failed)


@every_failure
@MANAGED.must(
    "6", says="The error condition in <failed/>, where there is one, is one of the stanza errors' conditions."
)
def test_condition_of_a_failure_is_a_defined_one(fails: Fails, connect: Connect) -> None:
    failed = fails(connect)
    conditions = _conditions(failed)
    require(set(conditions) <= CONDITIONS and len(conditions) <= 1, "one condition that RFC 6120 defines", failed)


# --- what enabled says


@pytest.mark.parametrize("value", sorted(TRUE))
@MANAGED.must("5", "3", says="<enabled/> that says that the stream can be resumed has an id.")
def test_resumable_stream_has_an_id(value: str, connect: Connect) -> None:
    stream = managed(connect, f"resume='{value}'")
    if stream.enabled.get("resume") not in TRUE:
        unsupported("the resumption of streams")
    require(stream.name, "an 'id'", stream.enabled)


@MANAGED.must_not("5", says="An SM-ID is used for one stream alone, be it at once or one behind the other.")
def test_stream_ids_differ(connect: Connect) -> None:
    account = connect.account()
    streams = [
        resumable(connect, account=account),
        resumable(connect, account=account),
        resumable(connect),
    ]
    streams[0].session.close(farewell=streams[0].session.patience)
    streams.append(resumable(connect, account=account))
    names = [stream.name for stream in streams]
    require_equal(len(set(names)), len(names), "the number of ids")


@MANAGED.should_not("5", says="An SM-ID is no longer than 4000 bytes.")
def test_stream_id_is_not_too_long(connect: Connect) -> None:
    stream = resumable(connect)
    require(0 < len(stream.name.encode()) <= 4000, "an id of 1 to 4000 bytes", stream.enabled)


@MANAGED.may("3", says="'max' in <enabled/> is a time in seconds.")
def test_longest_break_is_a_number(connect: Connect) -> None:
    stream = resumable(connect)
    said = stream.enabled.get("max")
    if said is None:
        unsupported("'max' in <enabled/>")
    require(said.isdecimal() and int(said) > 0, "a number of seconds", stream.enabled)


@MANAGED.may("3", says="'location' in <enabled/> is a host, or an address, perhaps with a port.")
def test_location_is_an_address(connect: Connect) -> None:
    stream = resumable(connect)
    said = stream.enabled.get("location")
    if said is None:
        unsupported("'location' in <enabled/>")
    require(LOCATION.fullmatch(said), "domainpart:port, an IPv6 address in brackets", stream.enabled)


@MANAGED.must_not(
    "4", says="Before stream management is enabled, there are no acknowledgements, nor requests for them."
)
def test_nothing_is_managed_that_was_not_enabled(connect: Connect) -> None:
    session = connect(label="bob")
    offered(session)
    session.iq("get", f"<ping xmlns='{PING}'/>")
    session.expect_nothing(
        f"<r xmlns='{STREAM_MANAGEMENT}'/>", lambda e: e.tag.startswith(SM), "element of stream management"
    )
