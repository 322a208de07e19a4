"""XEP-0030, the client's side: what it answers to disco#info and disco#items, and how it asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from lab.agents.agent import CommandFailed
from lab.plugin import Specification, require, require_equal, require_error, unsupported
from lab.plugin.clients import ClientUnderTest
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server._caps import features, identities, is_info_request

DISCO = Specification("XEP-0030")
ABSENT = "urn:stanzalab:no-such-node"
TOLD = "urn:stanzalab:told"
FORGED = "urn:stanzalab:forged"


def asked(client: ClientUnderTest, namespace: str, node: str = "") -> Element:
    """What it answers to another resource of its own account, from which nothing need be hidden."""
    attribute = f" node='{node}'" if node else ""
    return client.answers("get", f"<query xmlns='{namespace}'{attribute}/>", sender=f"{client.bare_jid}/another")


def info(client: ClientUnderTest, node: str = "") -> Element:
    """The `<query/>` of its disco#info result; the check is `unsupported` where it answers by an error."""
    return _query(asked(client, DISCO_INFO, node), "disco", DISCO_INFO)


def _query(reply: Element, prefix: str, namespace: str) -> Element:
    if reply.get("type") == "error":
        unsupported(f"{namespace} (answered by an error, as is allowed)")
    query = reply.find(f"{prefix}:query", NS)
    require(query is not None and len(reply) == 1, f"one query of {namespace} in the result", reply)
    return reply if query is None else query


@DISCO.must("3.1", says="A client answers disco#info by a result or an error.")
def test_client_answers_info(client: ClientUnderTest) -> None:
    reply = asked(client, DISCO_INFO)
    if reply.get("type") == "error":
        require_error(reply)


@DISCO.must("3.1", says="A client's disco#info result has at least one identity and one feature.")
def test_client_info_has_identity_and_feature(client: ClientUnderTest) -> None:
    query = info(client)
    require(identities(query), "at least one identity", query)
    require(features(query), "at least one feature", query)


@DISCO.must("3.1", says="A client that answers disco#info has that feature, and lists it.")
def test_client_info_lists_disco_info(client: ClientUnderTest) -> None:
    query = info(client)
    require(DISCO_INFO in features(query), f"the feature {DISCO_INFO}", query)


@DISCO.must("3.1", says="Each identity of a client has a category and a type.")
def test_client_identity_has_category_and_type(client: ClientUnderTest) -> None:
    query = info(client)
    require(all(category and kind for category, kind, _, _ in identities(query)), "category and type", query)


@DISCO.must_not("3.1", says="No two identities of a client share category, type and language and differ in name.")
def test_client_identities_differ(client: ClientUnderTest) -> None:
    query = info(client)
    counted = Counter(one[:3] for one in set(identities(query)))
    require(max(counted.values(), default=1) == 1, "one name for each category, type and language", query)


@DISCO.must("3.1", says="Each feature of a client has a name, and no children.")
def test_client_features_are_names(client: ClientUnderTest) -> None:
    query = info(client)
    for feature in query.iterfind("disco:feature", NS):
        require(feature.get("var") and len(feature) == 0, "an empty feature with 'var'", feature)


@DISCO.must("3.2", says="A client that answers disco#info of a node by a result names that node in it.")
def test_client_mirrors_the_node(client: ClientUnderTest) -> None:
    caps = next((c for p in client.sent(lambda e: e.find("caps:c", NS) is not None) for c in p if c.get("ver")), None)
    node = f"{caps.get('node')}#{caps.get('ver')}" if caps is not None else ABSENT
    require_equal(info(client, node).get("node"), node, "node")


@DISCO.should("7", says="A client asked for a node that it does not have says item-not-found.")
def test_client_has_no_such_node(client: ClientUnderTest) -> None:
    info(client)  # else it does not do disco#info at all
    require_error(asked(client, DISCO_INFO, ABSENT), "item-not-found")


@DISCO.should("6.3", says="A client says the same of its identity to everybody it answers.")
def test_client_identity_is_the_same_to_all(client: ClientUnderTest, bob: Session) -> None:
    to_own = {one[:2] for one in identities(info(client))}
    reply = client.answers("get", f"<query xmlns='{DISCO_INFO}'/>", sender=bob.jid)
    to_bob = {one[:2] for one in identities(_query(reply, "disco", DISCO_INFO))}
    require_equal(to_bob, to_own, "identities")


@DISCO.must("4.1", says="A client answers disco#items by a result or an error.")
def test_client_answers_items(client: ClientUnderTest) -> None:
    reply = asked(client, DISCO_ITEMS)
    if reply.get("type") == "error":
        require_error(reply)


@DISCO.must("7", "4.1", says="A client that has disco#items answers by a list, which is empty where it has none.")
def test_client_lists_its_items(client: ClientUnderTest) -> None:
    if DISCO_ITEMS not in features(info(client)):
        unsupported(DISCO_ITEMS)
    reply = asked(client, DISCO_ITEMS)
    require(reply.get("type") == "result", "a list of items, which may be empty", reply)


@DISCO.must("4.1", says="Each item of a client has a JID, and no text.")
def test_client_items_have_jids(client: ClientUnderTest) -> None:
    for item in _query(asked(client, DISCO_ITEMS), "items", DISCO_ITEMS).iterfind("items:item", NS):
        require(item.get("jid") and not (item.text or "").strip(), "an item with a JID and no text", item)


# --- how it asks


def answering(client: ClientUnderTest, *answers: tuple[str, str]) -> Callable[[], list[Element]]:
    """Have whatever disco#info it asks from now on answered by these: who, and the feature told. What it asked."""
    before = len(client.sent(is_info_request))

    def take(element: Element) -> Iterable[Element]:
        if not is_info_request(element):
            return (element,)
        node = element[0].get("node")
        mirrored = f" node='{node}'" if node else ""
        for sender, feature in answers:
            client.tap.inject(
                f"<iq type='result' id='{element.get('id')}' from='{sender}' to='{client.jid}'>"
                f"<query xmlns='{DISCO_INFO}'{mirrored}><identity category='client' type='bot'/>"
                f"<feature var='{DISCO_INFO}'/><feature var='{feature}'/></query></iq>"
            )
        return ()

    client.tap.from_client = take
    return lambda: client.sent(is_info_request)[before:]


@DISCO.must("3.1", says="A client that asks what somebody can do sends an iq get with an empty query, and is told.")
def test_client_asks_by_an_empty_query(client: ClientUnderTest) -> None:
    contact = f"asked-{new_id()}@{client.domain}/lab"
    asked_for = answering(client, (contact, TOLD))
    found = client.does("discover", jid=contact)["features"]
    requests = asked_for()
    require(requests, "a disco#info request", "none")
    request = requests[-1]
    require(request.get("to") == contact, f"a request to {contact}", request)
    require(len(request[0]) == 0 and not (request[0].text or "").strip(), "an empty query", request)
    require(TOLD in found, f"the feature {TOLD}", str(found))


@DISCO.must("4.2", says="A client that asks about a node names it, and asks the entity itself.")
def test_client_asks_for_a_node(client: ClientUnderTest) -> None:
    contact, node = f"asked-{new_id()}@{client.domain}/lab", "urn:stanzalab:a-node"
    asked_for = answering(client, (contact, TOLD))
    client.does("discover", jid=contact, node=node)
    requests = asked_for()
    require(requests, "a disco#info request", "none")
    require_equal((requests[-1].get("to"), requests[-1][0].get("node")), (contact, node), "whom, and which node")


@DISCO.should_not("3.1", says="A client does not take for somebody's features what somebody else answers.")
def test_client_takes_the_answer_of_whom_it_asked(client: ClientUnderTest) -> None:
    # CVE-2013-6483 (libpurple): the sender of a reply was not compared with the one who had been asked. No keyword
    # says so: §3.1 has "the target entity" answer, RFC 6120 §8.1.3 has the id alone tell what an answer is to.
    contact, eve = f"asked-{new_id()}@{client.domain}/lab", f"eve-{new_id()}@{client.domain}/lab"
    answering(client, (eve, FORGED), (contact, TOLD))
    try:
        found = client.does("discover", jid=contact)["features"]
    except CommandFailed:  # it believes neither
        found = []
    require(FORGED not in found, "nothing that somebody else answered", str(found))
