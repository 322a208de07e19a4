"""XEP-0390 (Entity Capabilities 2.0), as far as servers have a part in it: their own hashes, and what they do with
those of their clients."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, Stage, impossible, require, require_equal, require_result, unsupported
from lab.wire import negotiation
from lab.wire.capabilities import FUNCTIONS, Hash, caps, digest, hashes, node
from lab.wire.namespaces import CAPS_2, DISCO_INFO, NS, XML_LANG
from lab.wire.session import Session, new_id, show
from lab.wire.stream import Element
from scenarios.server._caps import is_info_request, parse_query
from scenarios.server._contacts import befriend
from scenarios.server._discovery import advertises

XEP = Specification("XEP-0390")

OPTIMIZE, GRATUITOUS = f"{CAPS_2}:optimize", f"{CAPS_2}:gratuitous"
NEEDED = {"sha-256", "sha3-256", "blake2b-256"}
"""Hash functions that whoever hashes has (XEP-0300, XEP-0414)."""
FORBIDDEN = {"md2", "md4", "md5"}


def _in_features(session: Session) -> Element | None:
    return None if session.features is None else session.features.find("caps2:c", NS)


def _supporter(connect: Connect, feature: str = CAPS_2, label: str = "alice") -> Session:
    alice = connect(label=label)
    if not advertises(alice, alice.domain, feature):
        unsupported(feature)
    return alice


def _own(connect: Connect) -> tuple[Session, tuple[Hash, ...]]:
    """A session, and the hashes that the server tells of itself; `unsupported` where it tells none.

    It logs in within the check: header and features are what is judged.
    """
    account = connect.account()
    alice = connect(Stage.SECURED, label="alice")
    negotiation.authenticate(alice, account)
    negotiation.open_stream(alice)
    negotiation.bind(alice)
    told = _in_features(alice)
    if told is None:
        unsupported(f"{CAPS_2} among the stream features")
    return alice, hashes(told)


def _info(session: Session, at: str | None = None) -> Element:
    """The server's disco#info, at a node."""
    asked = f" node='{at}'" if at else ""
    reply = session.iq("get", f"<query xmlns='{DISCO_INFO}'{asked}/>", to=session.domain)
    require_result(reply)
    query = reply.find("disco:query", NS)
    require(query is not None, "<query/>", reply)
    return reply if query is None else query


# --- the server's own


@XEP.must("5.1", says="A server that tells hashes, or does anything with those of others, lists urn:xmpp:caps.")
def test_support_is_advertised(alice: Session) -> None:
    signs = [feature for feature in (OPTIMIZE, GRATUITOUS) if advertises(alice, alice.domain, feature)]
    told = _in_features(alice)
    if told is None and not signs:
        if not advertises(alice, alice.domain, CAPS_2):
            unsupported(CAPS_2)
        return
    require(
        advertises(alice, alice.domain, CAPS_2), f"{CAPS_2} in disco#info", told if told is not None else signs[0]
    )


@XEP.must("5.2", says="A server that tells its hashes in its stream features says in the header who it is.")
def test_header_says_who_the_server_is(connect: Connect) -> None:
    alice, _ = _own(connect)
    require_equal(None if alice.header is None else alice.header.get("from"), alice.domain, "from")


@XEP.must("4.2", says="Among the hashes is one by a function that everybody has.")
def test_hashes_have_a_common_function(connect: Connect) -> None:
    _, own = _own(connect)
    require(NEEDED & {function for function, _ in own}, f"a hash by {' or '.join(sorted(NEEDED))}", str(own))


@XEP.should_not("4.2", says="Among the hashes is none by a function that nobody should use any more.")
def test_hashes_have_no_broken_function(connect: Connect) -> None:
    _, own = _own(connect)
    require(own and not FORBIDDEN & {function for function, _ in own}, "hashes by other functions", str(own))


@XEP.must("4.1", "4.2", says="The hashes are those of what the server answers to disco#info.")
def test_hashes_are_right(connect: Connect) -> None:
    alice, own = _own(connect)
    query = _info(alice)
    told = [(function, value) for function, value in own if function in FUNCTIONS]
    require(told, "a hash by a known function", str(own))
    lang = (alice.header.get(XML_LANG) if alice.header else "") or ""
    for function, value in told:
        # The language of the stream counts where none is closer (§4.1); a server may not have meant it.
        right = {digest(function, query, one) for one in (lang, "")}
        require(value in right, f"the {function} of its disco#info: {' or '.join(sorted(right))}", value)


@XEP.must("5.5", "6.1", "4.3", says="At the node of each of its hashes the server answers what that stands for.")
def test_hash_nodes_are_answered(connect: Connect) -> None:
    alice, own = _own(connect)
    plain = sorted(show(child) for child in _info(alice))
    require(own, "hashes", str(own))
    for one in own:
        query = _info(alice, node(one))
        require_equal(query.get("node"), node(one), "node")
        require_equal(sorted(show(child) for child in query), plain, "identities, features and forms")


# --- what becomes of the clients'


def _fresh() -> tuple[str, tuple[Hash, ...]]:
    """A client's disco#info that nobody knows yet, and its hashes."""
    inside = f"<identity category='client' type='bot'/><feature var='{CAPS_2}'/><feature var='urn:lab:{new_id()}'/>"
    query = parse_query(inside)
    return inside, tuple((function, digest(function, query)) for function in ("sha-256", "sha3-256"))


def _subscribed(connect: Connect, feature: str) -> tuple[Session, Session]:
    alice, bob = _supporter(connect, feature), connect(label="bob")
    befriend(alice, bob)
    # What came to bob of alice before is not what is asked about.
    alice.sentinel(bob)
    bob.inbox.clear()
    return alice, bob


def _presence_of(alice: Session, bob: Session) -> Element:
    return bob.expect(
        lambda e: e.get("from") == alice.jid and e.get("type") is None and str(e.tag).endswith("presence"),
        f"presence of {alice.jid}",
    )


@XEP.must("6.3", "5.3", says="Who is told of somebody for the first time is told the newest hashes, though left out.")
def test_first_presence_has_the_hashes(connect: Connect) -> None:
    alice, bob = _subscribed(connect, OPTIMIZE)
    _, own = _fresh()
    alice.send(f"<presence>{caps(own)}</presence><presence><show>away</show></presence>")
    alice.sentinel()
    bob.send("<presence/>")
    told = _presence_of(alice, bob).find("caps2:c", NS)
    require(told is not None and hashes(told) == own, f"{caps(own)} in the first presence", _shown(told))


@XEP.must("6.3", "5.3", says="Each change of the hashes is told to all who are subscribed.")
def test_change_of_hashes_is_told(connect: Connect) -> None:
    alice, bob = _subscribed(connect, OPTIMIZE)
    bob.send("<presence/>")
    bob.sentinel()
    for _ in range(3):
        own = _fresh()[1]
        alice.send(f"<presence>{caps(own)}</presence>")
        told = _presence_of(alice, bob).find("caps2:c", NS)
        require(told is not None and hashes(told) == own, f"{caps(own)}", _shown(told))


def _shown(element: Element | None) -> str:
    return "none" if element is None else show(element)


def _gratuitous(session: Session, own: tuple[Hash, ...]) -> None:
    require_result(session.iq("set", caps(own), to=session.domain))


@XEP.must("5.6", says="Hashes that a client sends before its presence are taken, where the server says that it does.")
def test_gratuitous_hashes_are_taken(connect: Connect) -> None:
    _gratuitous(_supporter(connect, GRATUITOUS), _fresh()[1])


@XEP.must_not("5.6", says="Hashes that a client sends before its presence are told to nobody.")
def test_gratuitous_hashes_are_not_broadcast(connect: Connect) -> None:
    alice, bob = _subscribed(connect, GRATUITOUS)
    bob.send("<presence/>")
    bob.sentinel()
    own = _fresh()[1]
    _gratuitous(alice, own)
    alice.sentinel()
    bob.expect_nothing(
        f"<presence from='{alice.jid}' to='{bob.jid}'>{caps(own)}</presence>",
        lambda e: (e.get("from") or "").startswith(alice.bare_jid) and e.find("caps2:c", NS) is not None,
        "presence with the hashes",
        after=alice,
    )


QUESTIONS = {
    "another-node": ("with", "urn:lab:node"),
    "unknown-hash": ("with", node(("sha-256", "bm90aGluZyB0aGF0IGFueWJvZHkgaGFzIHNlZW4gaGVyZQ=="))),
    "without-caps": ("without", ""),
    "without-caps-hash": ("without", node(("sha-256", "bm90aGluZyB0aGF0IGFueWJvZHkgaGFzIHNlZW4gaGVyZQ=="))),
}
"""Of whom (with hashes in its presence, or without), and at which node."""


@XEP.must_not("6.4", says="What a server cannot know, or a client did not say, it leaves to the client to answer.")
@pytest.mark.parametrize("question", QUESTIONS)
def test_question_reaches_the_client(question: str, connect: Connect) -> None:
    whose, at = QUESTIONS[question]
    alice, bob = _supporter(connect), connect(label="bob")
    alice.send(f"<presence>{caps(_fresh()[1]) if whose == 'with' else ''}</presence>")
    alice.sentinel()
    _reaches(alice, bob, at)


def _reaches(alice: Session, bob: Session, at: str) -> None:
    """Bob's question at a node arrives with alice, whose answer arrives with bob."""
    identifier, asked = new_id(), f" node='{at}'" if at else ""
    bob.send(f"<iq type='get' id='{identifier}' to='{alice.jid}'><query xmlns='{DISCO_INFO}'{asked}/></iq>")
    bob.sentinel()
    request = alice.expect(
        lambda e: is_info_request(e) and e.get("from") == bob.jid, f"the question of {bob.jid} at {at or 'no node'}"
    )
    if request.get("id") is None:
        impossible("a question without an id")
    answer = f"<query xmlns='{DISCO_INFO}'{asked}>{_fresh()[0]}</query>"
    alice.send(f"<iq type='result' id='{request.get('id')}' to='{bob.jid}'>{answer}</iq>")
    reply = bob.expect(identifier, "the answer of alice")
    require_equal((reply.get("from"), reply.get("type")), (alice.jid, "result"), "from, type")
