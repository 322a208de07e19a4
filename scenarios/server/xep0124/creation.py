"""XEP-0124 §7, §19.3: the session creation request, and what the response says."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, proved_by, require, require_equal, unsupported
from lab.wire.bosh import HttpRefused
from lab.wire.namespaces import HTTPBIND
from lab.wire.session import new_id
from scenarios.server.xep0124._bosh import (
    ask,
    bound,
    create,
    created,
    number,
    ping,
    require_terminated,
    until,
)

XEP = Specification("XEP-0124")

ASKED_VERSION = (1, 6)


@XEP.must("7.2", "6", says="A session creation request is answered by a <body/> with a session id.")
def test_session_is_created(connect: Connect) -> None:
    _, response = create(connect)
    require_equal(response.tag, f"{{{HTTPBIND}}}body", "the root of the response")
    require(response.get("sid"), "a sid", response)


@XEP.must("7.2", "19.3", says="Each session has an id of its own.")
def test_session_ids_differ(connect: Connect) -> None:
    ids = [create(connect)[1].get("sid") for _ in range(3)]
    require(all(ids) and len(set(ids)) == len(ids), "three different ids", ", ".join(str(i) for i in ids))


@pytest.mark.parametrize("wait", ["1", "60", "3600"])
@XEP.must("7.2", says="The response says how long requests are held: no longer than the client asked for.")
def test_wait_is_no_longer_than_asked(wait: str, connect: Connect) -> None:
    _, response = create(connect, wait=wait)
    require(number(response, "wait") <= int(wait), f"a wait of {wait} s at most", response)


@pytest.mark.parametrize("hold", ["1", "2"])
@XEP.must("7.2", says="The response says how many requests may be made at a time: more than are held.")
def test_requests_are_more_than_are_held(hold: str, connect: Connect) -> None:
    _, response = create(connect, hold=hold)
    held = number(response, "hold") if response.get("hold") else int(hold)
    require(number(response, "requests") > held, f"more than {held} requests", response)


@pytest.mark.parametrize("hold", ["0", "1", "2", "100"])
@XEP.must_not("7.2", says="The response does not say that more requests are held than the client asked for.")
def test_hold_is_no_more_than_asked(hold: str, connect: Connect) -> None:
    _, response = create(connect, hold=hold)
    require(response.get("sid"), "a session", response)
    require(response.get("hold") is None or number(response, "hold") <= int(hold), f"{hold} at most", response)


@pytest.mark.parametrize("attribute", ["ver", "polling", "inactivity", "hold"])
@XEP.should("7.2", says="The response has the attributes ver, polling, inactivity and hold.")
def test_response_has_the_attributes_of_a_session(attribute: str, connect: Connect) -> None:
    _, response = create(connect)
    value = response.get(attribute)
    require(value, f"{attribute!r} in the response", response)
    whole = (value or "").replace(".", "", 1) if attribute == "ver" else value or ""
    require(whole.isascii() and whole.isdigit(), f"a number for {attribute!r}", response)


@XEP.should("7.2", says="'ver' in the response is the client's version, or the server's where that is lower.")
def test_version_is_the_lower_of_both(connect: Connect) -> None:
    _, response = create(connect, ver="1.6")
    major, _, minor = (response.get("ver") or "").partition(".")
    require(major.isdigit() and minor.isdigit(), "a version", response)
    require((int(major), int(minor)) <= ASKED_VERSION, "version 1.6 at most, as the client said", response)


@XEP.must("7.1", says="The parts of 'ver' are whole numbers: a client of version 1.11 is one of at least 1.6.")
def test_parts_of_the_version_are_whole_numbers(connect: Connect) -> None:
    _, response = create(connect, ver="1.11")
    require(response.get("sid"), "a session", response)
    require(response.get("type") is None, "no error", response)


@XEP.should("7.2", says="The response says by 'from' which server the client is connected to.")
def test_response_names_the_server(connect: Connect) -> None:
    _, response = create(connect)
    require_equal(response.get("from"), connect.cell.domain, "'from'")


@XEP.should_not("7.2", says="The attributes that describe the session stand in no other response.")
def test_no_other_response_describes_the_session(connect: Connect) -> None:
    session = bound(connect)
    asked = new_id()
    response = until(session, "iq", ask(session, ping(session, asked)))
    described = {"sid", "wait", "requests", "ver", "polling", "inactivity", "hold"}
    again = sorted(described.intersection(response.keys()))
    require(not again, "a body without the attributes of the session creation response", response)
    require(response[0].get("id") == asked, "the answer to the iq", response)


# --- media types


@XEP.must("7.1", says="Without 'content' in the request, responses are text/xml; charset=utf-8.")
@proved_by("bosh-other-content-type")
def test_responses_are_xml_of_utf8(connect: Connect) -> None:
    session = created(connect)
    require_equal(_content_type(session.last), "text/xml;charset=utf-8", "the Content-Type of the response")


@pytest.mark.parametrize("content", ["text/html; charset=utf-8", "text/plain"], ids=["html", "plain"])
@XEP.must("7.1", says="The Content-Type that the request asks for is that of the responses.")
@proved_by("bosh-ignores-content")
def test_content_type_is_what_was_asked_for(content: str, connect: Connect) -> None:
    session = created(connect, content=content)
    require_equal(_content_type(session.last), content.replace(" ", ""), "the Content-Type of the creation response")


def _content_type(response: object) -> str:
    """A Content-Type, without what does not count: white space and case."""
    header = getattr(response, "header", lambda _: None)("content-type")
    return str(header or "none").replace(" ", "").lower()


# --- what cannot be had


@XEP.may("17.2", "7.1", says="A session with a domain that is not served may be refused, by the condition for it.")
def test_unknown_host_is_refused(connect: Connect) -> None:
    _, response = create(connect, to=f"unknown.{connect.cell.domain}")
    if response.get("type") != "terminate":
        unsupported("refusing a session with a domain that is not served before its stream")
    require_terminated(response, "host-unknown", "host-gone", "improper-addressing", "remote-connection-failed")


@XEP.must("7.1", "17.2", says="A request with a session id that is not valid is no session: item-not-found.")
def test_unknown_session_is_not_found(connect: Connect) -> None:
    session = created(connect)
    wrong = f"{session.sid[:-1]}{'0' if session.sid[-1] != '0' else '1'}"
    stranger = connect.bosh(label="stranger")
    try:
        response = ask(stranger, "", {"sid": wrong})
    except HttpRefused as refused:
        require_equal(refused.response.status, 404, "the HTTP status of a response without a condition")
        return
    require_terminated(response, "item-not-found")


@XEP.should(
    "7.1", says="'to' says which domain is meant: without it, a default one serves, or the request is refused."
)
def test_creation_without_a_domain(connect: Connect) -> None:
    _, response = create(connect, to=None)
    if response.get("sid") and response.get("type") is None:
        return
    require_terminated(response, "improper-addressing", "host-unknown", "bad-request")
