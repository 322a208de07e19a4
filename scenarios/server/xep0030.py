"""XEP-0030: what the server, its services, accounts and connected resources answer to disco#info and disco#items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sized

import pytest

from lab.cell import Cell
from lab.plugin import (
    Specification,
    impossible,
    on_every_transport,
    require,
    require_equal,
    require_error,
    unsupported,
)
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server._caps import features, identities, is_info_request
from scenarios.server._contacts import appear, befriend, subscribe
from scenarios.server._disco import answered, info, info_of, info_query, items, items_of, items_query
from scenarios.server._discovery import listed

DISCO = Specification("XEP-0030")

pytestmark = on_every_transport
ABSENT = "urn:stanzalab:no-such-node"
ENTITIES = pytest.mark.parametrize("entity", ["server", "account", "services"])


def queries(session: Session, entity: str, cell: Cell) -> Iterator[Element]:
    """disco#info of the server, the own account, or the cell's services, as far as these answer with a result."""
    if entity != "services":
        yield info_of(session, session.domain if entity == "server" else session.bare_jid)
    else:
        answers = [(jid, info(session, jid)) for jid in sorted(set(cell.services.values()))]
        answered = [(jid, reply) for jid, reply in answers if reply.get("type") == "result"]
        if not answered:
            unsupported("a service that answers disco#info")
        yield from (info_query(reply, jid) for jid, reply in answered)


def _telling(what: Callable[[Element], Sized], session: Session, entity: str, cell: Cell) -> list[Element]:
    """Those that hold identities (or features) to look at; that there must be some is a check of its own."""
    found = [query for query in queries(session, entity, cell) if what(query)]
    if not found:
        impossible(f"no {what.__name__} in what {entity} answered; another check says that there must be")
    return found


def listed_services(session: Session, cell: Cell) -> list[str]:
    """The JIDs that the server's disco#items lists, but for the place kept free for the lab's component."""
    query = items_of(session, session.domain)
    if query.find("items:item", NS) is None:
        unsupported("items of the server")
    return listed(query, cell)


# --- what an answer to disco#info is made of


@DISCO.must("3.1", says="A disco#info result holds a query with at least one identity and one feature.")
@ENTITIES
def test_info_has_identity_and_feature(alice: Session, cell: Cell, entity: str) -> None:
    for query in queries(alice, entity, cell):
        require(identities(query), "at least one identity", query)
        require(features(query), "at least one feature", query)


@DISCO.must("3.1", says="Who answers disco#info supports that feature, and lists it.")
@ENTITIES
def test_info_lists_disco_info(alice: Session, cell: Cell, entity: str) -> None:
    for query in queries(alice, entity, cell):
        require(DISCO_INFO in features(query), f"the feature {DISCO_INFO}", query)


@DISCO.must("3.1", says="Each identity has a category and a type.")
@ENTITIES
def test_identity_has_category_and_type(alice: Session, cell: Cell, entity: str) -> None:
    for query in _telling(identities, alice, entity, cell):
        require(all(i[0] and i[1] for i in identities(query)), "category and type on each identity", query)


@DISCO.must_not("3.1", says="No two identities share category, type and language and differ in name.")
@ENTITIES
def test_identities_differ(alice: Session, cell: Cell, entity: str) -> None:
    for query in _telling(identities, alice, entity, cell):
        counted = Counter(i[:3] for i in set(identities(query)))
        require(max(counted.values(), default=1) == 1, "one name for each category, type and language", query)


@DISCO.should("3.1", says="All identities that have a name have the same one, in one language.")
@ENTITIES
def test_identities_share_a_name(alice: Session, cell: Cell, entity: str) -> None:
    for query in _telling(identities, alice, entity, cell):
        for language in {i[2] for i in identities(query)}:
            names = {i[3] for i in identities(query) if i[2] == language and i[3]}
            require(len(names) <= 1, "one name on all identities", query)


@DISCO.must("3.1", says="Each feature has a var, which is not empty, and no children.")
@ENTITIES
def test_feature_has_var_and_no_children(alice: Session, cell: Cell, entity: str) -> None:
    for query in _telling(features, alice, entity, cell):
        require(all(features(query)), "a var on each feature", query)
        require(all(len(f) == 0 for f in query.iterfind("disco:feature", NS)), "features without children", query)


@DISCO.should("6.3", says="Whoever asks is given the same identities.")
def test_identities_are_the_same_for_all(alice: Session, bob: Session) -> None:
    first, second = (identities(info_of(session, session.domain)) for session in (alice, bob))
    require_equal(sorted(i[:2] for i in second), sorted(i[:2] for i in first), "category and type")


# --- accounts


@DISCO.must("3.1", says="The server answers disco#info to a bare JID on behalf of the account, here the asker's own.")
def test_server_answers_for_the_account(alice: Session) -> None:
    reply = info(alice, alice.bare_jid)
    if reply.get("type") == "error":  # §3.1: either with an IQ-error or an IQ-result
        require_error(reply)
    else:
        info_query(reply, alice.bare_jid, own=True)


@DISCO.should("3.1", says="The account's identity is of the category account, and registered its likely type.")
def test_account_identity(alice: Session) -> None:
    query = info_query(info(alice, alice.bare_jid), alice.bare_jid, own=True)
    require("account" in [i[0] for i in identities(query)], "an identity of the category account", query)


@DISCO.should("3.1", says="Who may see an account's presence is given the account's identity.")
@pytest.mark.parametrize("mutual", [True, False], ids=["both", "from"])
def test_subscriber_is_answered(alice: Session, bob: Session, mutual: bool) -> None:
    appear(alice)
    appear(bob)
    subscribe(bob, alice)
    if mutual:
        subscribe(alice, bob)
    query = info_query(info(bob, alice.bare_jid), alice.bare_jid)
    require("account" in [i[0] for i in identities(query)], "an identity of the category account", query)


@DISCO.must("8", says="Who may not see an account's presence gets service-unavailable for disco#info.")
def test_stranger_is_refused(alice: Session, bob: Session) -> None:
    reply = info(bob, alice.bare_jid)
    require_error(reply, "service-unavailable")
    require_equal(reply.get("from"), alice.bare_jid, "from")


@DISCO.must(
    "8", says="disco#info of an account that does not exist is answered with service-unavailable, node or not."
)
@pytest.mark.parametrize("node", [None, ABSENT], ids=["without-node", "with-node"])
def test_absent_account_is_unavailable(alice: Session, node: str | None) -> None:
    nobody = f"nobody-{new_id()}@{alice.domain}"
    reply = info(alice, nobody, node)
    require_error(reply, "service-unavailable")
    require_equal(reply.get("from"), nobody, "from")


@DISCO.must("8", says="By disco, a stranger cannot tell an account that exists from one that does not.")
@pytest.mark.parametrize("namespace", [DISCO_INFO, DISCO_ITEMS], ids=["info", "items"])
def test_accounts_cannot_be_harvested(alice: Session, bob: Session, namespace: str) -> None:
    appear(alice)
    nobody = f"nobody-{new_id()}@{alice.domain}"
    seen = []
    for jid in (alice.bare_jid, nobody):
        reply = bob.iq("get", f"<query xmlns='{namespace}'/>", to=jid)
        require_equal(reply.get("from"), jid, "from")
        seen.append((reply.get("type"), [show(child).replace(jid, "JID") for child in reply]))
    require_equal(seen[0], seen[1], "the answer for an account that exists")


@DISCO.must("8", says="disco#items shows a stranger no resource of an account: an empty result, or a refusal.")
def test_stranger_sees_no_resources(alice: Session, bob: Session) -> None:
    # §8 asks for an empty result, §4.1 and §7 allow any refusal; RFC 6121 §8.5.1 asks for service-unavailable where
    # there is no account, so that an empty result for those that exist would tell them apart.
    appear(alice)
    reply = items(bob, alice.bare_jid)
    require_equal(reply.get("from"), alice.bare_jid, "from")
    if reply.get("type") == "error":
        require_error(reply)
    else:
        found = items_query(reply, alice.bare_jid)
        require(alice.jid not in [i.get("jid") for i in found], "no resource of the account", reply)


@DISCO.should("4.1", says="Who may see an account's presence is shown its available resources by disco#items.")
def test_subscriber_sees_resources(alice: Session, bob: Session) -> None:
    befriend(alice, bob)
    appear(alice)
    found = items_query(items(bob, alice.bare_jid), alice.bare_jid)
    require(alice.jid in [i.get("jid") for i in found], f"an item {alice.jid}", found)


@DISCO.must(
    "4.1", says="The server answers disco#items to a bare JID on behalf of the account, here the asker's own."
)
def test_server_answers_items_for_the_account(alice: Session) -> None:
    reply = items(alice, alice.bare_jid)
    if reply.get("type") == "error":  # §4.1: its list, or an error
        require_error(reply)
        return
    query = items_query(reply, alice.bare_jid, own=True)
    require(all(i.get("jid") for i in query.iterfind("items:item", NS)), "a jid on each item", query)


# --- disco#items


@DISCO.must("4.1", says="Each item has a jid.")
def test_items_have_a_jid(alice: Session) -> None:
    query = items_of(alice, alice.domain)
    found = query.findall("items:item", NS)
    if not found:
        unsupported("items of the server")
    require(all(i.get("jid") for i in found), "a jid on each item", query)


@DISCO.must_not("4.1", says="An item holds no character data.")
def test_items_hold_no_text(alice: Session) -> None:
    query = items_of(alice, alice.domain)
    found = query.findall("items:item", NS)
    if not found:
        unsupported("items of the server")
    texts = [text for i in found for text in (i.text, *(child.tail for child in i))]
    require(not any((text or "").strip() for text in texts), "items without character data", query)


@DISCO.should("4.1", says="An item of the list is an empty element.")
def test_items_are_empty(alice: Session) -> None:
    query = items_of(alice, alice.domain)
    found = query.findall("items:item", NS)
    if not found:
        unsupported("items of the server")
    require(not any(len(i) for i in found), "items without children", query)


@DISCO.must_not("4.2", says="No item has an empty node.")
def test_items_have_no_empty_node(alice: Session) -> None:
    replies = [items(alice, jid) for jid in (alice.domain, alice.bare_jid)]
    told = [reply for reply in replies if reply.get("type") == "result"]
    if not told:
        unsupported("disco#items of the server or the own account")
    for reply in told:
        require(all(i.get("node") != "" for i in reply.iterfind("items:query/items:item", NS)), "no node=''", reply)


@DISCO.must("4.1", "7", says="A service with disco#items and no items answers with an empty query, and no error.")
def test_service_answers_items(alice: Session, cell: Cell) -> None:
    able = [jid for jid in sorted(set(cell.services.values())) if DISCO_ITEMS in _features_of(alice, jid)]
    if not able:
        unsupported("a service that lists the feature disco#items")
    for jid in able:
        query = items_query(items(alice, jid), jid)
        require(all(i.get("jid") for i in query.iterfind("items:item", NS)), "a jid on each item", query)


def _features_of(session: Session, jid: str) -> list[str]:
    return [f for query in info(session, jid).iterfind("disco:query", NS) for f in features(query)]


@DISCO.must("3.1", says="A service found by disco#items answers disco#info itself, with a result or an error.")
def test_services_answer(alice: Session, cell: Cell) -> None:
    for jid in listed_services(alice, cell):
        reply = info(alice, jid)
        require_equal(reply.get("from"), jid, "from")
        if reply.get("type") == "result":
            require(identities(info_query(reply, jid)), "an identity", reply)
        else:
            require_error(reply)


# --- nodes


@DISCO.must("3.2", says="A disco#info result for a node mirrors the node.")
def test_node_is_mirrored(alice: Session) -> None:
    node = "urn:stanzalab:mirrored"
    _pep_node(alice, node)
    query = info_query(answered(info(alice, alice.bare_jid, node), "disco#info of a node"), alice.bare_jid, own=True)
    require_equal(query.get("node"), node, "the query's node")
    require(identities(query), "an identity of the node", query)


@DISCO.must("4.2", says="A node found by disco#items answers disco#info at its JID and node.")
def test_node_found_by_items_answers(alice: Session) -> None:
    _pep_node(alice, "urn:stanzalab:found")
    found = items_of(alice, alice.bare_jid)
    places = [(i.get("jid", ""), i.get("node")) for i in found if i.get("node")]
    if not places:  # §4.2: it SHOULD list them
        unsupported("nodes among the items of the own account")
    for jid, node in places:
        reply = info(alice, jid, node)
        if reply.get("type") == "result":
            require_equal(info_query(reply, jid, own=True).get("node"), node, "the query's node")
        else:
            require_error(reply)


def _pep_node(session: Session, node: str) -> None:
    """A node on the own account (XEP-0163), the surest way to have one."""
    payload = "<x xmlns='urn:stanzalab:0'/>"
    reply = session.iq(
        "set",
        f"<pubsub xmlns='{NS['pubsub']}'><publish node='{node}'><item id='1'>{payload}</item></publish></pubsub>",
    )
    if reply.get("type") != "result":
        unsupported("a node of our own making: publishing to the own account (XEP-0163)")


@DISCO.should("7", says="A node that does not exist is answered with an error.")
@pytest.mark.parametrize("namespace", [DISCO_INFO, DISCO_ITEMS], ids=["info", "items"])
@pytest.mark.parametrize("entity", ["server", "account"])
def test_unknown_node_is_not_found(alice: Session, entity: str, namespace: str) -> None:
    jid = alice.domain if entity == "server" else alice.bare_jid
    reply = alice.iq("get", f"<query xmlns='{namespace}' node='{ABSENT}'/>", to=jid)
    if namespace == DISCO_ITEMS and reply.get("type") == "result":
        # §7 and §8 have an empty result where nothing is associated with what is asked for.
        require(not reply.findall("items:query/items:item", NS), "an error, or no items", reply)
        return
    require_error(reply)  # §7: others than item-not-found, where the fact cannot be divulged
    require(reply.get("from") in ({jid} if entity == "server" else {jid, None}), f"an answer from {jid}", reply)


# --- connected resources


@DISCO.must(
    "3.1", says="disco#info to a contact's connected resource reaches it, and its answer comes back, unaltered."
)
def test_resource_is_asked_and_answers(alice: Session, bob: Session) -> None:
    befriend(alice, bob)
    appear(bob)
    appear(alice)
    identifier, node = new_id(), "urn:stanzalab:of-a-client"
    alice.send(f"<iq type='get' id='{identifier}' to='{bob.jid}'><query xmlns='{DISCO_INFO}' node='{node}'/></iq>")
    request = bob.expect(
        lambda e: is_info_request(e) and e.get("from") == alice.jid, f"the disco#info request of {alice.jid}"
    )
    require_equal(request[0].get("node"), node, "the request's node")
    bob.send(
        f"<iq type='result' id='{request.get('id')}' to='{alice.jid}'><query xmlns='{DISCO_INFO}' node='{node}'>"
        f"<identity category='client' type='bot' name='lab'/><feature var='{DISCO_INFO}'/></query></iq>"
    )
    reply = alice.expect(identifier, "the contact's answer")
    query = info_query(reply, bob.jid)
    require_equal(query.get("node"), node, "the answer's node")
    require_equal(identities(query), [("client", "bot", "", "lab")], "identities")
    require_equal(features(query), [DISCO_INFO], "features")


@DISCO.should("7", "3.1", says="disco#info to a resource that is not connected is answered with an error.")
def test_absent_resource_is_an_error(alice: Session, bob: Session) -> None:
    befriend(alice, bob)
    absent = f"{bob.bare_jid}/absent-{new_id()}"
    reply = info(alice, absent)
    require_error(reply, "service-unavailable", "item-not-found", kind="cancel")
    require_equal(reply.get("from"), absent, "from")
