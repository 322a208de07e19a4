"""XEP-0369 §6 and §7.3: what a MIX service and its channels say of themselves; channels made and destroyed."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, require_result
from lab.wire.namespaces import ARCHIVE, DISCO_INFO, DISCO_ITEMS, MIX, NS, PUBSUB
from lab.wire.session import Session, new_id
from lab.wire.stream import Element
from scenarios.server._caps import features, identities
from scenarios.server._discovery import info
from scenarios.server.xep0369._channel import BOTH, MESSAGES, PARTICIPANTS, channel, create, destroy, service

CHANNELS = Specification("XEP-0369")


def _kinds(query: Element) -> list[tuple[str, str]]:
    return [(category, kind) for category, kind, *_ in identities(query)]


def _listed(session: Session, at: str, node: str = "") -> list[str | None]:
    """The JIDs that disco#items lists."""
    reply = session.iq("get", f"<query xmlns='{DISCO_ITEMS}'{node}/>", to=at)
    require_result(reply)
    return [item.get("jid") for item in reply.iterfind("items:query/items:item", NS)]


# --- the service


@CHANNELS.must("6.1", says="A MIX service says so: identity conference/mix, and the feature of MIX.")
def test_service_says_what_it_is(connect: Connect, alice: Session) -> None:
    query = info(alice, service(connect))
    require(("conference", "mix") in _kinds(query), "the identity conference/mix", query)
    require(MIX in features(query), f"the feature {MIX}", query)


@CHANNELS.must("6.1", says="A MIX service is found among the items of its server.")
def test_service_is_found(connect: Connect, alice: Session) -> None:
    require(service(connect) in _listed(alice, alice.domain), "the MIX service", "the server's items")


@CHANNELS.must_not("6.1", says="A MIX service does not call itself an archive, nor a pubsub service.")
@pytest.mark.parametrize("what", [pytest.param(ARCHIVE, id="mam"), pytest.param(PUBSUB, id="pubsub")])
def test_service_is_nothing_else(connect: Connect, alice: Session, what: str) -> None:
    query = info(alice, service(connect))
    require(features(query), "features", query)
    more = [feature for feature in features(query) if feature.partition("#")[0] == what.partition("#")[0]]
    require(not more, f"no feature of {what}", ", ".join(more))


@CHANNELS.must("6.2", says="Channels that exist are listed, to those who may join, and those that are gone are not.")
def test_channels_are_listed(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    require(made.jid in _listed(bob, made.service), f"{made.jid} among the channels", "the service's items")
    require_result(destroy(alice, made))
    require(made.jid not in _listed(bob, made.service), "no channel that is gone", made.jid)


# --- a channel


@CHANNELS.must("6.3", says="A channel says what it is: identity conference/mix, the features of MIX and of archives.")
def test_channel_says_what_it_is(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    query = info(bob, made.jid)
    require(("conference", "mix") in _kinds(query), "the identity conference/mix", query)
    require({MIX, ARCHIVE} <= set(features(query)), f"the features {MIX} and {ARCHIVE}", query)


@CHANNELS.must("5", says="Who asks a channel that is not there gets an error.")
@pytest.mark.parametrize("query", [pytest.param(DISCO_INFO, id="info"), pytest.param(DISCO_ITEMS, id="items")])
def test_missing_channel_says_nothing(connect: Connect, alice: Session, query: str) -> None:
    node = " node='mix'" if query == DISCO_ITEMS else ""
    reply = alice.iq("get", f"<query xmlns='{query}'{node}/>", to=f"no-{new_id()}@{service(connect)}")
    require_error(reply)


@CHANNELS.must("6.4", "4.7.3", says="A channel lists its nodes, and that of participants is among them.")
def test_channel_lists_its_nodes(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    jids = _listed(bob, made.jid, " node='mix'")
    require_equal(set(jids), {made.jid}, "whose nodes they are")
    require(PARTICIPANTS in made.nodes(bob), PARTICIPANTS, ", ".join(made.nodes(bob)))


@CHANNELS.must("6.4", says="Nodes that are listed exist: each of them can be subscribed to by who joins.")
def test_listed_nodes_exist(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    listed = made.nodes(bob)
    require(listed, "at least one node", made.jid)
    told = made.join(bob, "bob", listed)
    require_equal(set(told.nodes), set(listed), "the nodes subscribed to")


@CHANNELS.must("6.4", says="A query for items without node='mix' is rejected by what is no room of MUC besides.")
def test_query_without_mix_is_rejected(connect: Connect, alice: Session) -> None:
    made = channel(connect, alice)
    if "http://jabber.org/protocol/muc" in features(info(alice, made.jid)):
        impossible("the channel is a room of MUC, too")
    require_error(alice.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=made.jid))


# --- made and destroyed


@CHANNELS.must("7.3.2", says="Who creates a channel by a name is told that name, and the channel is there.")
def test_channel_is_created(connect: Connect, alice: Session) -> None:
    at, name = service(connect), f"channel-{new_id()}"
    reply = create(alice, at, name)
    require_result(reply)
    require_equal(reply.get("from"), at, "'from'")
    made = reply.find("mix:create", NS)
    require(made is not None and made.get("channel") == name, f"<create channel='{name}'/>", reply)
    require(("conference", "mix") in _kinds(info(alice, f"{name}@{at}")), "a channel", f"{name}@{at}")


@CHANNELS.must("7.3.2", says="Who creates a channel without a name is told the one that the service made up.")
def test_channel_is_named_by_the_service(connect: Connect, alice: Session) -> None:
    at = service(connect)
    names = []
    for _ in range(2):
        reply = create(alice, at, None)
        require_result(reply)
        made = reply.find("mix:create", NS)
        require(made is not None and made.get("channel"), "<create/> with a name", reply)
        names.append(made.get("channel") if made is not None else "")
    require(names[0] != names[1], "two names", str(names))
    require(("conference", "mix") in _kinds(info(alice, f"{names[0]}@{at}")), "a channel", f"{names[0]}@{at}")


@CHANNELS.must("5", says="A channel that somebody else has made is not made again: an error, and it stays theirs.")
def test_channel_is_not_created_twice(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    require_error(create(bob, made.service, made.name))
    require_error(destroy(bob, made))


@CHANNELS.must("7.3.4", says="Its owner destroys a channel, and it is gone, whoever is in it.")
def test_owner_destroys_the_channel(connect: Connect, alice: Session, bob: Session) -> None:
    made = channel(connect, alice)
    made.join(bob, "bob")
    require_result(destroy(alice, made))
    require_error(bob.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to=made.jid))
    require_error(made.set_nick(bob, "robert"))


@CHANNELS.must("7.3.4", says="Who does not own a channel cannot destroy it, not even as a participant.")
@pytest.mark.parametrize("who", ["stranger", "participant"])
def test_others_do_not_destroy_the_channel(connect: Connect, alice: Session, bob: Session, who: str) -> None:
    made = channel(connect, alice)
    if who == "participant":
        made.join(bob, "bob")
    require_error(destroy(bob, made), "forbidden", "not-allowed", "not-authorized")
    require_equal(set(made.join(alice, "alice").nodes), set(BOTH), "the nodes of a channel that is still there")


@CHANNELS.must("5", says="A channel that is not there is not destroyed: an error.")
def test_missing_channel_is_not_destroyed(connect: Connect, alice: Session) -> None:
    made = channel(connect, alice)
    require_result(destroy(alice, made))
    require_error(destroy(alice, made))


@CHANNELS.must("5", says="A request that MIX has and the service has not, or nobody has, gets an error.")
@pytest.mark.parametrize(
    ("at", "payload"),
    [
        pytest.param("channel", f"<lab xmlns='{MIX}'/>", id="unknown-element"),
        pytest.param("service", f"<lab xmlns='{MIX}'/>", id="unknown-element-at-the-service"),
        pytest.param("service", f"<destroy xmlns='{MIX}'/>", id="destroy-nothing"),
        pytest.param("channel", f"<setnick xmlns='{MIX}'/>", id="setnick-by-a-stranger"),
        pytest.param("channel", f"<pubsub xmlns='{PUBSUB}'><items node='{MESSAGES}-none'/></pubsub>", id="no-node"),
    ],
)
def test_bad_request_gets_an_error(connect: Connect, alice: Session, bob: Session, at: str, payload: str) -> None:
    made = channel(connect, alice)
    kind = "get" if "pubsub" in payload else "set"
    require_error(bob.iq(kind, payload, to=made.jid if at == "channel" else made.service))
