"""XEP-0115, the server's role: its own caps, caps passed on in presence, and caps of clients heeded."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter

import pytest

from lab.plugin import Connect, Specification, Stage, require, require_equal, require_result, unsupported
from lab.wire import negotiation
from lab.wire.namespaces import CAPS, DISCO_INFO, DISCO_ITEMS, NS
from lab.wire.session import Matches, Session, localname, show
from lab.wire.stream import Element
from scenarios.server._caps import (
    Capabilities,
    Client,
    features,
    form_type,
    fresh_capabilities,
    identities,
    is_info_request,
    verification_string,
)
from scenarios.server._contacts import appear, befriend
from scenarios.server._pep import NODE, PROBE, notified, owner, owner_and_contact, published, reach

CAPABILITIES = Specification("XEP-0115")
HASH_SIZES = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Bytes that each hash function makes."""


def logged_in(connect: Connect) -> Session:
    """A bound session that got the features behind SASL under the eyes of the check."""
    account, session = connect.account(), connect(Stage.SECURED, label="alice")
    negotiation.authenticate(session, account)
    negotiation.open_stream(session)
    negotiation.bind(session)
    return session


def offered(session: Session) -> Element:
    """The server's caps in the stream features (§6.3), which are optional."""
    caps = None if session.features is None else session.features.find("caps:c", NS)
    if caps is None:
        unsupported("entity capabilities in the stream features")
    return caps


def caps_node(session: Session) -> str:
    """The node that the server's caps point to (§6.2)."""
    caps = offered(session)
    return f"{caps.get('node')}#{caps.get('ver')}"


def described(session: Session, node: str | None = None) -> Element:
    """The `<query/>` of the server's disco#info result."""
    attribute = "" if node is None else f" node='{node}'"
    reply = session.iq("get", f"<query xmlns='{DISCO_INFO}'{attribute}/>", to=session.domain)
    require_result(reply)
    require_equal(reply.get("from"), session.domain, "from")
    query = reply.find("disco:query", NS)
    require(query is not None, "a disco#info query", reply)
    return reply if query is None else query


# --- the server's own caps


@CAPABILITIES.must("4", "9.3", says="The caps in the stream features have hash, node and ver, each with a value.")
def test_stream_feature_has_hash_node_and_ver(connect: Connect) -> None:
    caps = offered(logged_in(connect))
    require(all(caps.get(name) for name in ("hash", "node", "ver")), "hash, node and ver", caps)
    require(len(caps) == 0 and not (caps.text or "").strip(), "an empty <c/>", caps)


@CAPABILITIES.should("4", says="The caps node is an HTTP address, where people find more about the software.")
def test_stream_feature_node_is_an_address(connect: Connect) -> None:
    node = offered(logged_in(connect)).get("node", "")
    require(re.match(r"https?://", node), "a node that is an HTTP address", node)


@CAPABILITIES.must("5.1", says="The verification string is what the server's identities, features and forms hash to.")
def test_verification_string_fits_the_server(connect: Connect) -> None:
    alice = logged_in(connect)
    caps = offered(alice)
    query = described(alice, caps_node(alice))
    require_equal(caps.get("ver"), verification_string(query, caps.get("hash", "")), "the verification string")


@CAPABILITIES.must("5.1", says="The verification string is base64 without whitespace, its padding bits zero.")
def test_verification_string_is_base64(connect: Connect) -> None:
    caps = offered(logged_in(connect))
    ver = caps.get("ver", "")
    require(re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", ver) and len(ver) % 4 == 0, "base64 without whitespace", ver)
    hashed = b64decode(ver)
    require_equal(b64encode(hashed).decode(), ver, "the same bytes, encoded afresh,")
    size = HASH_SIZES.get(caps.get("hash", ""))
    require(size is None or len(hashed) == size, f"{size} bytes, as {caps.get('hash')} makes", f"{len(hashed)} bytes")


@CAPABILITIES.must("6.2", "6.3", says="disco#info at node#ver tells all capabilities, and names that node.")
def test_caps_node_is_described(connect: Connect) -> None:
    alice = logged_in(connect)
    query, plain = described(alice, caps_node(alice)), described(alice)
    require_equal(query.get("node"), caps_node(alice), "the query's node")
    require_equal(sorted(features(query)), sorted(features(plain)), "features")
    require_equal(sorted(identities(query)), sorted(identities(plain)), "identities")


@CAPABILITIES.should_not("6.2", says="The caps node is no item: disco#items does not list it.")
def test_caps_node_is_no_item(connect: Connect) -> None:
    alice = logged_in(connect)
    node = caps_node(alice)
    reply = alice.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=alice.domain)
    require_result(reply)
    require_equal(reply.get("from"), alice.domain, "from")
    query = reply.find("items:query", NS)
    require(query is not None, "a disco#items query", reply)
    listed = [item.get("node") for item in reply.iterfind("items:query/items:item", NS)]
    require(node not in listed, f"no item with the node {node}", reply)


@CAPABILITIES.must("6.3", says="A server that offers caps says in its stream header who it is, in 'from'.")
def test_stream_header_has_from(connect: Connect) -> None:
    alice = logged_in(connect)
    offered(alice)
    require_equal(alice.header and alice.header.get("from"), alice.domain, "the stream header's from")


@CAPABILITIES.must("7", says="A server that supports entity capabilities lists the feature.")
def test_support_is_advertised(connect: Connect) -> None:
    alice = logged_in(connect)
    offered(alice)
    query = described(alice)
    require(CAPS in features(query), f"the feature {CAPS}", query)


@CAPABILITIES.must("5.4", says="The server's disco#info is well-formed for hashing: nothing in it stands twice.")
def test_own_info_can_be_verified(alice: Session) -> None:
    offered(alice)
    query = described(alice)
    kinds = [form_type(form) for form in query.iterfind("x:x", NS)]
    things: list[object] = [*identities(query), *features(query), *[f"form {k}" for k in kinds if k is not None]]
    require(identities(query) and features(query), "identities and features", query)
    twice = [str(thing) for thing, count in Counter(things).items() if count > 1]
    require(not twice, "no identity, feature or FORM_TYPE twice", ", ".join(twice))


# --- caps in presence


def presence_of(session: Session, status: str) -> Matches:
    """Matches available presence of `session` with that status text."""
    return lambda e: (
        localname(e) == "presence" and e.get("from") == session.jid and e.findtext("c:status", "", NS) == status
    )


def carries(presence: Element, capabilities: Capabilities) -> None:
    """The presence has the client's annotation as the client sent it."""
    found = presence.findall("caps:c", NS)
    require(len(found) == 1 and presence.get("type") is None, "available presence with one <c/>", presence)
    expected = {"hash": capabilities.algorithm, "node": capabilities.node, "ver": capabilities.ver}
    require_equal({name: found[0].get(name) for name in expected}, expected, "the attributes of <c/>")


def contacts(connect: Connect) -> tuple[Session, Session]:
    """Two contacts, neither available."""
    alice, bob = connect(label="alice"), connect(label="bob")
    befriend(alice, bob)
    return alice, bob


@CAPABILITIES.must("8.4", says="A contact's first presence notification carries the client's caps, unaltered.")
def test_first_presence_carries_caps(connect: Connect) -> None:
    alice, bob = contacts(connect)
    appear(bob)
    client = Client(alice)
    client.appear("first")
    carries(bob.expect(presence_of(alice, "first"), "alice's presence"), client.capabilities)


@CAPABILITIES.must("8.4", says="A contact that comes later is sent the caps with the first presence that it gets.")
def test_latecomer_is_sent_caps(connect: Connect) -> None:
    alice, bob = contacts(connect)
    client = Client(alice)
    client.appear("first")
    client.sentinel()
    bob.send("<presence/>")
    carries(bob.expect(presence_of(alice, "first"), "alice's presence"), client.capabilities)


@CAPABILITIES.must("8.4", says="A change of caps is passed on to those who see the presence.")
def test_change_of_caps_is_passed_on(connect: Connect) -> None:
    alice, bob = contacts(connect)
    appear(bob)
    client = Client(alice)
    client.appear("first")
    carries(bob.expect(presence_of(alice, "first"), "alice's presence"), client.capabilities)
    changed = Client(alice, "urn:stanzalab:changed")
    changed.appear("second")
    carries(bob.expect(presence_of(alice, "second"), "alice's next presence"), changed.capabilities)


@CAPABILITIES.must("7", "8.4", says="A server that leaves caps out of later presence says so: caps#optimize.")
def test_optimization_is_advertised(connect: Connect) -> None:
    alice, bob = contacts(connect)
    appear(bob)
    client = Client(alice)
    client.appear("first")
    carries(bob.expect(presence_of(alice, "first"), "alice's presence"), client.capabilities)
    client.appear("second")
    second = bob.expect(presence_of(alice, "second"), "alice's next presence")
    if second.find("caps:c", NS) is None:
        require(f"{CAPS}#optimize" in features(described(alice)), f"the feature {CAPS}#optimize", second)
    else:
        carries(second, client.capabilities)


@CAPABILITIES.must("6.2", "5.4", says="disco#info at node#ver reaches the client whose presence had the caps.")
def test_client_is_asked_by_a_contact(connect: Connect) -> None:
    alice, bob = contacts(connect)
    appear(bob)
    client = Client(alice)
    client.appear("first")
    carries(bob.expect(presence_of(alice, "first"), "alice's presence"), client.capabilities)
    node = f"{client.capabilities.node}#{client.capabilities.ver}"
    bob.send(f"<iq type='get' id='caps' to='{alice.jid}'><query xmlns='{DISCO_INFO}' node='{node}'/></iq>")
    request = alice.expect(lambda e: is_info_request(e) and e.get("from") == bob.jid, "the contact's request")
    require_equal(request[0].get("node"), node, "the request's node")
    client.capabilities.answer(alice, request)
    reply = bob.expect("caps", "the client's answer")
    require_result(reply)
    require_equal(reply.get("from"), alice.jid, "from")
    require_equal(verification_string(reply[0]), client.capabilities.ver, "the hash of the answer")


# --- the server as one who asks


@CAPABILITIES.must("6.2", "5.4", says="The server asks the client itself what its caps mean: full JID, with a node.")
def test_server_asks_the_full_jid(connect: Connect) -> None:
    alice = owner(connect)
    alice.send(fresh_capabilities(NODE).presence())
    request = alice.expect(is_info_request, "a disco#info request of the server, as +notify needs")
    require(request.get("to") in {alice.jid, None}, f"a request to {alice.jid}", request)
    require(request[0].get("node"), "a node in the request", request)
    sender = request.get("from")
    require(sender is None or sender.rpartition("@")[2].partition("/")[0] == alice.domain, "from the server", request)


@CAPABILITIES.should("6.2", says="The node in the server's request is the caps' node, '#', and ver.")
def test_server_asks_for_node_and_ver(connect: Connect) -> None:
    alice = owner(connect)
    capabilities = fresh_capabilities(NODE)
    alice.send(capabilities.presence())
    request = alice.expect(is_info_request, "a disco#info request of the server, as +notify needs")
    require_equal(request[0].get("node"), f"{capabilities.node}#{capabilities.ver}", "the request's node")


@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param("sha-1", marks=CAPABILITIES.must("9.1", "5.4", says="Caps with SHA-1 are understood.")),
        pytest.param(
            "sha-256",
            marks=CAPABILITIES.should(
                "5.4", says="A client with caps of another hash function is asked, and heeded."
            ),
        ),
    ],
)
def test_hash_function_is_heeded(connect: Connect, algorithm: str) -> None:
    alice, bob = owner_and_contact(connect)
    client = Client(bob)
    client.capabilities = fresh_capabilities(NODE, PROBE, algorithm=algorithm)
    client.appear()
    reach(alice, client)
    published(alice, NODE, "one")
    notified(client, alice, NODE, "one")


@CAPABILITIES.must_not(
    "5.4", "9.3", says="An answer that does not hash to its ver is not kept for others with that ver."
)
def test_cache_is_not_poisoned(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    honest = Client(bob, NODE, PROBE)
    _lie(connect(label="liar"), honest.capabilities)
    honest.appear()
    reach(alice, honest)
    published(alice, NODE, "one")
    notified(honest, alice, NODE, "one")


def _lie(liar: Session, capabilities: Capabilities) -> None:
    """Announce somebody else's caps, and tell the server that they mean something else."""
    liar.send(capabilities.presence())
    request = liar.expect(is_info_request, "a disco#info request of the server, as +notify needs")
    node = request[0].get("node", "")
    to = f" to='{request.get('from')}'" if request.get("from") else ""
    liar.send(
        f"<iq type='result' id='{request.get('id')}'{to}><query xmlns='{DISCO_INFO}' node='{node}'>"
        f"<identity category='client' type='bot'/><feature var='{DISCO_INFO}'/></query></iq>"
    )
    liar.sentinel()


@CAPABILITIES.should("8.2", says="Caps that the server has verified are not asked for again of another who has them.")
def test_known_caps_are_not_asked_again(connect: Connect) -> None:
    alice, bob = owner_and_contact(connect)
    carol = connect(label="carol")
    befriend(alice, carol)
    appear(alice)
    first = Client(bob, NODE, PROBE)
    first.appear()
    reach(alice, first)
    first.sentinel()
    Client(carol, same_as=first).appear()
    published(alice, NODE, "one", item="for both")
    told = carol.expect(
        lambda e: is_info_request(e) or "for both" in show(e), "a notification with no disco#info request before it"
    )
    require(not is_info_request(told), "no disco#info request: these caps are known", told)
    require_equal(told.get("from"), alice.bare_jid, "the notification's from")
