"""Iqs over the border: to a resource, an account, the server, a service, and to who is not there."""

from __future__ import annotations

import pytest

from lab.plugin import Specification, require, require_equal, require_error, require_result
from lab.plugin.border import Federation
from lab.plugin.judge import Missed
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, LAB, NS, PING, VCARD, VERSION
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.federation._border import answered, friends, strangers
from scenarios.server import _disco
from scenarios.server._caps import features, identities
from scenarios.server._vcard import fetch, store

CORE = Specification("RFC 6120")
IM = Specification("RFC 6121")
DISCO = Specification("XEP-0030")
VCARDS = Specification("XEP-0054")

NOBODY = "nobody-has-this-name"
MANY = 20
QUERIES = {
    "ping": f"<ping xmlns='{PING}'/>",
    "version": f"<query xmlns='{VERSION}'/>",
    "info": f"<query xmlns='{DISCO_INFO}'/>",
    "unknown": f"<query xmlns='{LAB}'/>",
}
ANY_QUERY = pytest.mark.parametrize("query", QUERIES)


@CORE.must("8.2.3", "10.4", says="A request to a full JID over the border comes there, and its result comes back.")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_request_crosses_the_border(federation: Federation, kind: str) -> None:
    alice, bob = friends(federation)  # of strangers, a server should refuse it (RFC 6121 §8.5.3.1)
    identifier = new_id()
    alice.send(f"<iq type='{kind}' id='{identifier}' to='{bob.jid}'><query xmlns='{LAB}'><deep/></query></iq>")
    request = bob.expect(identifier, "the request")
    with federation.here.writes():
        require_equal(request.get("from"), alice.jid, "the sender of the request")
    require_equal(request.get("type"), kind, "the type")
    require(request.find("lab:query/lab:deep", NS) is not None, "the payload", request)
    bob.send(f"<iq type='result' id='{identifier}' to='{alice.jid}'><query xmlns='{LAB}'><answer/></query></iq>")
    result = alice.expect(identifier, "the result")
    with federation.there.writes():
        require_equal(result.get("from"), bob.jid, "the sender of the result")
    require_result(result)
    require(result.find("lab:query/lab:answer", NS) is not None, "the payload of the result", result)


@CORE.must("8.2.3", "8.3.1", says="An error that a client answers a request with comes back over the border.")
def test_refusal_crosses_the_border(federation: Federation) -> None:
    alice, bob = friends(federation)  # of strangers, a server should refuse it (RFC 6121 §8.5.3.1)
    identifier = new_id()
    alice.send(f"<iq type='set' id='{identifier}' to='{bob.jid}'><query xmlns='{LAB}'/></iq>")
    bob.expect(identifier, "the request")
    bob.send(
        f"<iq type='error' id='{identifier}' to='{alice.jid}'><error type='auth'>"
        f"<forbidden xmlns='{NS['stanzas']}'/></error></iq>"
    )
    require_error(alice.expect(identifier, "the error"), "forbidden", kind="auth")


@CORE.must("8.2.3", says="Each of many requests over the border is answered once, with its own id.")
def test_many_requests_are_each_answered(federation: Federation) -> None:
    alice = federation.alice()
    wanted = [new_id() for _ in range(MANY)]
    alice.send_together(
        f"<iq type='get' id='{identifier}' to='{federation.there.domain}'>{QUERIES['info']}</iq>"
        for identifier in wanted
    )
    for identifier in wanted:
        reply = alice.expect(identifier, f"the answer to {identifier}")
        if reply.get("type") == "error":  # an answer, too (§10.5.1)
            require_error(reply)
        else:
            require_result(reply)


@CORE.must("8.2.3", "10.5.1", says="A request to the remote server itself is answered, by a result or an error.")
@ANY_QUERY
def test_remote_server_answers(federation: Federation, query: str) -> None:
    alice = federation.alice()
    reply = answered(alice, "get", QUERIES[query], federation.there.domain)
    with federation.there.writes():
        if query == "unknown":
            require_error(reply, "service-unavailable")
        elif reply.get("type") == "error":
            require_error(reply)


@CORE.must("8.2.3", "10.5.3.2", says="An iq to an account over the border is answered by its server on its behalf.")
@ANY_QUERY
def test_remote_account_is_answered_for(federation: Federation, query: str) -> None:
    alice, bob = strangers(federation)
    identifier = new_id()
    alice.send(f"<iq type='get' id='{identifier}' to='{bob.bare_jid}'>{QUERIES[query]}</iq>")
    reply = alice.expect(identifier, "an answer on the account's behalf")
    with federation.there.writes():
        require_equal(reply.get("from"), bob.bare_jid, "the sender of the answer")
        if query == "unknown":
            require_error(reply, "service-unavailable", "feature-not-implemented")
    forbidden = f"<iq type='get' id='{identifier}' from='{alice.jid}' to='{bob.jid}'>{QUERIES[query]}</iq>"
    with federation.there.blamed():
        bob.expect_nothing(forbidden, lambda e: e.get("id") == identifier, "request to the account", after=alice)


@CORE.must("10.5.3.1", says="A request to nobody over the border is refused as service-unavailable.")
@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("to", ["bare", "full"])
def test_request_to_nobody_over_the_border(federation: Federation, to: str, kind: str) -> None:
    address = f"{NOBODY}@{federation.there.domain}{'/nowhere' if to == 'full' else ''}"
    reply = answered(federation.alice(), kind, QUERIES["unknown"], address)
    with federation.there.writes():
        require_error(reply, "service-unavailable")


@IM.must("8.5.3.2.3", says="A request to a resource that is gone is refused over the border as service-unavailable.")
def test_request_to_a_resource_that_is_gone(federation: Federation) -> None:
    alice, bob = strangers(federation)
    reply = answered(alice, "get", QUERIES["ping"], f"{bob.bare_jid}/gone")
    with federation.there.writes():
        require_error(reply, "service-unavailable")


@DISCO.must("3.1", says="A remote server says what it is: an identity server/im, and disco#info among its features.")
def test_remote_server_is_discovered(federation: Federation) -> None:
    reply = answered(federation.alice(), "get", QUERIES["info"], federation.there.domain)
    with federation.there.writes():
        query = _query(_told(reply))
        require("server" in [i[0] for i in identities(query)], "an identity of the category server", reply)
        require(DISCO_INFO in features(query), "disco#info among the features", reply)


@DISCO.should("6.3", says="Who asks a server over the border is given the same identities as its own users.")
def test_remote_server_has_the_same_identities_for_all(federation: Federation) -> None:
    alice, bob = federation.alice(), federation.bob()
    abroad = _query(answered(alice, "get", QUERIES["info"], federation.there.domain))
    at_home = _query(answered(bob, "get", QUERIES["info"], federation.there.domain))
    with federation.there.writes():
        require_equal(sorted(identities(abroad)), sorted(identities(at_home)), "the identities:")


@DISCO.should("4.1", says="The services of a remote server are found by disco#items.")
def test_remote_services_are_found(federation: Federation) -> None:
    service = federation.there.service("muc")
    reply = answered(federation.alice(), "get", f"<query xmlns='{DISCO_ITEMS}'/>", federation.there.domain)
    with federation.there.writes():
        _told(reply)
        found = [item.get("jid") for item in reply.iterfind("items:query/items:item", NS)]
        require(service in found, f"{service} among the items", reply)


@DISCO.must("3.1", says="A service of a remote server says itself what it is.")
@pytest.mark.parametrize(("kind", "category"), [("muc", "conference"), ("pubsub", "pubsub")], ids=["muc", "pubsub"])
def test_remote_service_is_discovered(federation: Federation, kind: str, category: str) -> None:
    service = federation.there.service(kind)
    reply = answered(federation.alice(), "get", QUERIES["info"], service)
    with federation.there.writes():
        require(category in [i[0] for i in identities(_query(_told(reply)))], f"an identity {category}", reply)


@DISCO.must("3.1", says="disco#info to a contact's resource over the border reaches it, and so does its answer.")
def test_remote_resource_is_discovered(federation: Federation) -> None:
    alice, bob = friends(federation)
    identifier = new_id()
    alice.send(f"<iq type='get' id='{identifier}' to='{bob.jid}'>{QUERIES['info']}</iq>")
    request = bob.expect(identifier, "the request")
    listed = "<identity category='client' type='bot' name='lab'/><feature var='urn:stanzalab:0'/>"
    bob.send(
        f"<iq type='result' id='{identifier}' to='{request.get('from')}'>"
        f"<query xmlns='{DISCO_INFO}'>{listed}</query></iq>"
    )
    query = _query(alice.expect(identifier, "the answer"))
    require_equal(features(query), [LAB], "the features")
    require_equal(identities(query), [("client", "bot", "", "lab")], "the identities")


@DISCO.should("3.1", says="Who may see an account's presence is given its identity over the border.")
def test_remote_contact_is_answered(federation: Federation) -> None:
    alice, bob = friends(federation)
    reply = answered(alice, "get", QUERIES["info"], bob.bare_jid)
    with federation.there.writes():
        require_result(reply)
        require("account" in [i[0] for i in identities(_query(reply))], "an identity of the category account", reply)


@DISCO.must(
    "8", says="Who may not see an account's presence gets service-unavailable for disco#info, from abroad, too."
)
def test_remote_stranger_is_refused(federation: Federation) -> None:
    alice, bob = strangers(federation)
    reply = answered(alice, "get", QUERIES["info"], bob.bare_jid)
    with federation.there.writes():
        require_error(reply, "service-unavailable")


@DISCO.must("8", says="From abroad, too, an account that exists cannot be told by disco from one that does not.")
def test_accounts_are_not_told_apart_from_abroad(federation: Federation) -> None:
    alice, bob = strangers(federation)
    told = {
        address: answered(alice, "get", QUERIES["info"], address)
        for address in (bob.bare_jid, f"{NOBODY}@{federation.there.domain}")
    }
    seen = [_refusal(reply) for reply in told.values()]
    with federation.there.writes():
        if seen[0] != seen[1]:
            raise Missed(
                "the same answer for both", " and ".join(f"{a}: {s}" for a, s in zip(told, seen, strict=True))
            )


@VCARDS.must("3.3", says="The vCard of a user over the border is had from the server, which does not ask the user.")
def test_vcard_is_had_from_abroad(federation: Federation) -> None:
    alice, bob = strangers(federation)
    with federation.there.blamed():
        require_result(store(bob, "<FN>Bob the Builder</FN>"))
    reply = answered(alice, "get", f"<vCard xmlns='{VCARD}'/>", bob.bare_jid)
    with federation.there.writes():
        require_result(reply)
        require_equal(reply.findtext("vcard:vCard/vcard:FN", None, NS), "Bob the Builder", "the name")
    forbidden = f"<iq type='get' id='x' from='{alice.jid}' to='{bob.jid}'><vCard xmlns='{VCARD}'/></iq>"
    with federation.there.blamed():
        bob.expect_nothing(forbidden, lambda e: e.find("vcard:vCard", NS) is not None, "request", after=alice)


@VCARDS.must("3.3", says="Who asks over the border for the vCard of nobody gets service-unavailable.")
def test_vcard_of_nobody_from_abroad(federation: Federation) -> None:
    address = f"{NOBODY}@{federation.there.domain}"
    reply = answered(federation.alice(), "get", f"<vCard xmlns='{VCARD}'/>", address)
    with federation.there.writes():
        require_error(reply, "service-unavailable")


@VCARDS.must("3.2", says="Nobody from abroad sets a user's vCard.")
def test_vcard_is_not_set_from_abroad(federation: Federation) -> None:
    alice, bob = strangers(federation)
    with federation.there.blamed():
        require_result(store(bob, "<FN>Bob</FN>"))
    reply = answered(alice, "set", f"<vCard xmlns='{VCARD}'><FN>Mallory</FN></vCard>", bob.bare_jid)
    with federation.there.writes():
        require_error(reply)
        require_equal(fetch(bob).findtext("vcard:vCard/vcard:FN", None, NS), "Bob", "the name")


def _told(reply: Element) -> Element:
    """A result: who is asked need not give one (XEP-0030 §3.1, §4.1)."""
    return _disco.answered(reply, "disco to those who ask from abroad")


def _query(reply: Element) -> Element:
    """The disco#info `<query/>` of a result; where there is none, the reply, in which nothing is found."""
    query = reply.find("disco:query", NS)
    return reply if query is None or localname(reply) != "iq" else query


def _refusal(reply: Element) -> str:
    error = reply.find("c:error", NS)
    return reply.get("type", "") if error is None else f"{error.get('type')}, {', '.join(e.tag for e in error)}"
