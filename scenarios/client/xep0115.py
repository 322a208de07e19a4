"""XEP-0115, the client's side: its own capabilities, and what it believes of others'."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest

from lab.agents.agent import CommandFailed
from lab.errors import PeerError
from lab.plugin import Specification, impossible, require, require_equal, unsupported
from lab.plugin.clients import ClientUnderTest, has
from lab.wire.namespaces import CAPS, DATA_FORM, DISCO_INFO, NS, ROSTER
from lab.wire.session import localname, new_id
from lab.wire.stream import Element
from scenarios.client.xep0030 import info
from scenarios.server._caps import (
    ALGORITHMS,
    features,
    fresh_capabilities,
    is_info_request,
    parse_query,
    verification_string,
)

CAPABILITIES = Specification("XEP-0115")
ROUNDS = 20  # of messages behind an answer, until a client that is at work with it must have done


# --- its own


def own_caps(client: ClientUnderTest) -> Element:
    """The caps in its last presence; the check is `unsupported` where there are none."""
    annotated = client.sent(lambda e: localname(e) == "presence" and has("caps:c")(e))
    caps = annotated[-1].find("caps:c", NS) if annotated else None
    if caps is None:
        unsupported("entity capabilities in presence")
    return caps


@CAPABILITIES.must("4", "9.3", says="A client's caps have hash, node and ver, each with a value.")
def test_client_caps_have_hash_node_and_ver(client: ClientUnderTest) -> None:
    caps = own_caps(client)
    require(all(caps.get(name) for name in ("hash", "node", "ver")), "hash, node and ver", caps)


@CAPABILITIES.should("4", says="The node of a client's caps is an HTTP address, where people find more about it.")
def test_client_caps_node_is_an_address(client: ClientUnderTest) -> None:
    node = own_caps(client).get("node", "")
    require(node.startswith(("http://", "https://")), "an HTTP address", node)


@CAPABILITIES.must("5.1", "4", says="The ver of a client's caps is the hash of what it answers to disco#info there.")
def test_client_ver_is_the_hash_of_its_info(client: ClientUnderTest) -> None:
    client.sentinel()
    caps = own_caps(client)
    query = described(client, caps)
    while (newer := own_caps(client)).get("ver") != caps.get("ver"):  # what it can do has changed meanwhile (§6.1)
        caps, query = newer, described(client, newer)
    require_equal(caps.get("ver"), verification_string(query, caps.get("hash", "")), "ver")


def described(client: ClientUnderTest, caps: Element) -> Element:
    """What it answers to disco#info at the node of its caps."""
    if not caps.get("hash"):
        unsupported("caps with a hash")
    return info(client, f"{caps.get('node')}#{caps.get('ver')}")


@CAPABILITIES.should(
    "9.1", "8.1", says="A client's caps can be checked by everybody: a hash that all have, or a known one."
)
def test_client_caps_have_a_known_hash(client: ClientUnderTest) -> None:
    name = own_caps(client).get("hash")
    if not name:
        unsupported("caps with a hash")
    require(name in {*ALGORITHMS, "md5", "md2"}, "a hash function in IANA's registry", str(name))


@CAPABILITIES.must("7", says="A client that sends caps lists that feature in its disco#info result.")
def test_client_info_lists_caps(client: ClientUnderTest) -> None:
    own_caps(client)
    query = info(client)
    require(CAPS in features(query), f"the feature {CAPS}", query)


@CAPABILITIES.should("6.1", says="A client sends its caps with every presence.")
def test_client_sends_caps_with_every_presence(client: ClientUnderTest) -> None:
    own_caps(client)
    client.does("send-presence", show="away")
    presence = client.sends(lambda e: localname(e) == "presence" and e.findtext("{*}show") == "away", "presence")
    require(presence.find("caps:c", NS) is not None, "caps in it", presence)


@CAPABILITIES.should("8.3", says="A client sends its caps with presence to one alone, too.")
def test_client_sends_caps_with_directed_presence(client: ClientUnderTest) -> None:
    own_caps(client)
    contact = f"directed-{new_id()}@{client.domain}"
    client.does("send-presence", to=contact)
    presence = client.sends(lambda e: localname(e) == "presence" and e.get("to") == contact, "directed presence")
    require(presence.find("caps:c", NS) is not None, "caps in it", presence)


@CAPABILITIES.should_not("6.2", says="A client does not list the node of its caps among its items.")
def test_client_does_not_list_the_caps_node(client: ClientUnderTest) -> None:
    caps = own_caps(client)
    reply = client.answers("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>")
    nodes = [item.get("node", "") for item in reply.iterfind("items:query/items:item", NS)]
    require(f"{caps.get('node')}#{caps.get('ver')}" not in nodes, "no caps node", reply)


# --- others'


@dataclass(frozen=True)
class Answer:
    """What a contact shows: caps in its presence, and the children of its disco#info query (empty: an error)."""

    node: str
    ver: str
    children: str
    hash: str = "sha-1"

    @property
    def caps(self) -> str:
        return f"<c xmlns='{CAPS}' hash='{self.hash}' node='{self.node}' ver='{self.ver}'/>"


class Contacts:
    """Contacts that are on the client's roster as far as it knows, and answer what it asks of them."""

    def __init__(self, client: ClientUnderTest) -> None:
        self._client = client
        self._answers: dict[str, Answer] = {}
        client.tap.from_client = self._take

    def appear(self, answer: Answer) -> str:
        """A new contact, which becomes available with these caps; its full JID."""
        client, bare = self._client, f"contact-{new_id()}@{self._client.domain}"
        jid = f"{bare}/lab"
        self._answers[jid] = answer
        client.tap.inject(
            f"<iq type='set' id='{new_id()}' from='{client.bare_jid}' to='{client.jid}'>"
            f"<query xmlns='{ROSTER}'><item jid='{bare}' subscription='both'/></query></iq>"
        )
        client.tap.inject(f"<presence from='{jid}' to='{client.jid}'>{answer.caps}</presence>")
        client.sentinel()
        client.tap.sent()  # what it asked by then is heard, and its answer on the way, before anything else is sent
        return jid

    def believed(self, jid: str, *, until: str = "") -> list[str]:
        """What the client believes that one can do: at once, or (some rounds at most) until it is that, too."""
        for _ in range(ROUNDS):
            self._client.sentinel()
            found = self._features_of(jid)
            if not until or until in found:
                break
        return found

    def _features_of(self, jid: str) -> list[str]:
        try:
            return list(self._client.does("features-of", jid=jid)["features"])
        except CommandFailed:  # it knows nothing of that contact
            return []

    @property
    def requests(self) -> list[Element]:
        """What it asked of them."""
        return self._client.sent(lambda e: is_info_request(e) and self._is_contact(e.get("to", "")))

    def asked(self, jid: str) -> list[Element]:
        """What it asked of one."""
        return self._client.sent(lambda e: is_info_request(e) and e.get("to") == jid)

    def _is_contact(self, jid: str) -> bool:
        return bare(jid) in {bare(known) for known in tuple(self._answers)}

    def _take(self, element: Element) -> Iterable[Element]:
        to = element.get("to", "")
        if not self._is_contact(to):
            return (element,)
        if is_info_request(element):
            self._answer(element, self._answers.get(to))
        return ()

    def _answer(self, request: Element, answer: Answer | None) -> None:
        attributes = f"id='{request.get('id')}' from='{request.get('to')}' to='{self._client.jid}'"
        node = request[0].get("node")
        mirrored = f" node='{node}'" if node else ""
        if answer is None or not answer.children:
            error = f"<error type='cancel'><item-not-found xmlns='{NS['stanzas']}'/></error>"
            self._client.tap.inject(f"<iq type='error' {attributes}>{error}</iq>")
        else:
            query = f"<query xmlns='{DISCO_INFO}'{mirrored}>{answer.children}</query>"
            self._client.tap.inject(f"<iq type='result' {attributes}>{query}</iq>")


def bare(jid: str) -> str:
    return jid.partition("/")[0]


def honest(*more: str, extra: str = "") -> tuple[Answer, str]:
    """Caps that nobody has yet, with a right ver, and a feature that is theirs alone. `extra` is not hashed."""
    capabilities = fresh_capabilities(*more)
    own = next(feature for feature in capabilities.features if feature.startswith("urn:stanzalab:"))
    return Answer(capabilities.node, capabilities.ver, capabilities.info() + extra), own


def hashed(children: str) -> Answer:
    """Caps whose ver is the hash of these children, as whoever does not look closer computes it."""
    return Answer(f"https://{new_id()}.example", verification_string(parse_query(children)), children)


def supports_others(contacts: Contacts) -> None:
    """The check is `unsupported` where the client makes nothing of anybody's caps."""
    answer, feature = honest()
    jid = contacts.appear(answer)
    if feature not in contacts.believed(jid, until=feature):
        unsupported("what contacts can do, by their caps")


@CAPABILITIES.must("5.4", says="A client believes of a contact what its right ver stands for.")
def test_client_believes_a_right_ver(client: ClientUnderTest) -> None:
    contacts = Contacts(client)
    answer, feature = honest()
    jid = contacts.appear(answer)
    found = contacts.believed(jid, until=feature)
    require(feature in found, f"the feature {feature}", str(found))


def first_question(contacts: Contacts) -> tuple[Element, str, Answer]:
    """What a client asks of a contact that appears, whose full JID that is, and what it announced."""
    answer, feature = honest()
    jid = contacts.appear(answer)
    contacts.believed(jid, until=feature)
    if not contacts.requests:
        unsupported("questions about contacts' caps")
    return contacts.requests[0], jid, answer


@CAPABILITIES.must("6.2", says="A client asks what a ver means of the contact's full JID, at a node.")
def test_client_asks_at_a_node(client: ClientUnderTest) -> None:
    question, jid, _ = first_question(Contacts(client))
    require_equal(question.get("to"), jid, "whom it asked")
    require(question[0].get("node"), "a node", question)


@CAPABILITIES.should("6.2", says="The node at which a client asks what a ver means is that of the caps.")
def test_client_asks_at_the_caps_node(client: ClientUnderTest) -> None:
    question, _, answer = first_question(Contacts(client))
    require_equal(question[0].get("node"), f"{answer.node}#{answer.ver}", "node")


@CAPABILITIES.should("8.2", "5.4", says="A client that knows what a ver means does not ask the next contact.")
def test_client_remembers_a_right_ver(client: ClientUnderTest) -> None:
    contacts = Contacts(client)
    answer, feature = honest()
    first = contacts.appear(answer)
    if feature not in contacts.believed(first, until=feature):
        unsupported("what contacts can do, by their caps")
    second = contacts.appear(answer)
    found = contacts.believed(second, until=feature)
    require(feature in found, f"the feature {feature}", str(found))
    question = f"<iq type='get' id='again' to='{second}'><query xmlns='{DISCO_INFO}'/></iq>"
    client.sends_nothing(question, lambda e: is_info_request(e) and e.get("to") == second, "second question")


@CAPABILITIES.should("5.4", says="A form without a hidden FORM_TYPE in an answer is left out, and the rest is right.")
def test_client_leaves_out_a_form_without_type(client: ClientUnderTest) -> None:
    form = (
        f"<x xmlns='{DATA_FORM}' type='result'><field var='FORM_TYPE'><value>urn:stanzalab:form</value></field>"
        "<field var='os'><value>Mac</value></field></x>"
    )
    contacts = Contacts(client)
    supports_others(contacts)
    answer, feature = honest(extra=form)
    first = contacts.appear(answer)
    contacts.believed(first, until=feature)
    second = contacts.appear(replace(answer, children=""))
    found = contacts.believed(second, until=feature)
    require(feature in found, f"the feature {feature}, which the ver stands for", str(found))


def poisoned() -> tuple[Answer, str, str]:
    """A right ver with an answer that does not fit it; the feature that is told, and the one that should be."""
    answer, feature = honest()
    lie, forged = honest()
    return replace(answer, children=lie.children), forged, feature


@CAPABILITIES.must_not("5.4", says="What a contact answers that does not fit its ver is believed of nobody else.")
def test_client_believes_no_poisoned_ver(client: ClientUnderTest) -> None:
    # Poisoning of caps caches, which the ver was made for (XEP-0115 §1, §9.3).
    contacts = Contacts(client)
    supports_others(contacts)
    answer, forged, _ = poisoned()
    first = contacts.appear(answer)
    contacts.believed(first)
    second = contacts.appear(replace(answer, children=""))
    found = contacts.believed(second)
    require(forged not in found, "nothing of what another contact claimed", str(found))


@CAPABILITIES.should(
    "5.4", says="After an answer that does not fit the ver, a client asks the next who has that ver."
)
def test_client_asks_the_next_after_a_poisoned_ver(client: ClientUnderTest) -> None:
    contacts = Contacts(client)
    supports_others(contacts)
    answer, _, feature = poisoned()
    right = honest()[0]
    first = contacts.appear(answer)
    contacts.believed(first)
    second = contacts.appear(replace(answer, children=right.children))
    contacts.believed(second)
    require(contacts.asked(second), f"a question to the next contact with that ver ({feature})", "none")


def ill_formed(kind: str) -> tuple[Answer, str]:
    """An answer that is ill-formed in one way (§5.4), with the ver that it would have if it were not."""
    feature = f"urn:stanzalab:{new_id()}"
    identity = "<identity category='client' type='bot' name='lab'/>"
    plain = identity + "".join(f"<feature var='{name}'/>" for name in (DISCO_INFO, CAPS, feature))

    def form(*types: str) -> str:
        values = "".join(f"<value>{value}</value>" for value in types)
        hidden = f"<field var='FORM_TYPE' type='hidden'>{values}</field>"
        return f"<x xmlns='{DATA_FORM}' type='result'>{hidden}<field var='os'><value>Mac</value></field></x>"

    more: dict[str, Callable[[], str]] = {
        "identity-twice": lambda: identity,
        "feature-twice": lambda: f"<feature var='{feature}'/>",
        "form-twice": lambda: form("urn:stanzalab:form") * 2,
        "form-of-two-types": lambda: form("urn:stanzalab:one", "urn:stanzalab:two"),
    }
    return hashed(plain + more[kind]()), feature


@pytest.mark.parametrize("kind", ["identity-twice", "feature-twice", "form-twice", "form-of-two-types"])
@CAPABILITIES.must("5.4", says="An answer that is ill-formed is believed of nobody else, even if its hash is right.")
def test_client_believes_no_ill_formed_info(client: ClientUnderTest, kind: str) -> None:
    contacts = Contacts(client)
    supports_others(contacts)
    answer, feature = ill_formed(kind)
    try:
        contacts.believed(contacts.appear(answer))
        second = contacts.appear(replace(answer, children=""))
        found = contacts.believed(second)
    except PeerError:
        if client.agent.seen("offline") or not client.tap.serving:  # no belief: RFC 6120 §11.4 is what it missed
            impossible(f"{client.place.title} ended its session at an ill-formed answer")
        raise
    require(feature not in found, "nothing of an ill-formed answer", str(found))


@CAPABILITIES.must("5.4", says="What is told for a ver whose hash nobody knows holds for that contact alone.")
def test_client_keeps_an_unknown_hash_to_one_contact(client: ClientUnderTest) -> None:
    contacts = Contacts(client)
    supports_others(contacts)
    answer, feature = honest()
    answer = replace(answer, hash="stanzalab-hash")
    first = contacts.appear(answer)
    contacts.believed(first)
    second = contacts.appear(replace(answer, children=""))
    found = contacts.believed(second)
    require(feature not in found, "nothing that could not be checked", str(found))
