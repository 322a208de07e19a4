"""An account as a pubsub service, as checks use it: publishing, nodes, forms, notifications. XEP-0060's protocol.

Only `notified` and `refused_by_precondition` judge, for the many checks that wait for such an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, impossible, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import (
    DISCO_ITEMS,
    LAB,
    NS,
    PUBSUB,
    PUBSUB_ERRORS,
    PUBSUB_EVENT,
    PUBSUB_OWNER,
)
from lab.wire.session import Matches, Session, localname, new_id, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._caps import Client, features, identities
from scenarios.server._contacts import appear, befriend, disappear
from scenarios.server._discovery import info
from scenarios.server._forms import submit

NODE = "urn:stanzalab:pep"
OTHER = "urn:stanzalab:pep:other"
PROBE = "urn:stanzalab:pep:probe"
"""Published to only in order to learn whether the server knows a client's caps by now."""

NODE_CONFIG = f"{PUBSUB}#node_config"
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"
TRIES = 4
"""Times that a publication is tried whose node is not found."""
ROUND = 0.1
"""Seconds between two publications on PROBE."""


def owner(connect: Connect, *, account: Account | None = None) -> Session:
    """A session with a fresh account whose server says that it does PEP (§6.1); else the check is `unsupported`."""
    session = connect(account=account, label="alice")
    if ("pubsub", "pep") not in [i[:2] for i in identities(account_info(session))]:
        unsupported("the identity pubsub/pep on the own account")
    return session


def owner_and_resource(connect: Connect, *wanted: str) -> tuple[Session, Client]:
    """An owner, available, and another resource of the account that is told of the nodes `wanted`, by now."""
    account = connect.account()
    alice = owner(connect, account=account)
    appear(alice)
    other = Client(connect(account=account, label="alice's other"), *wanted, PROBE)
    other.appear()
    reach(alice, other)
    return alice, other


def owner_and_contact(connect: Connect) -> tuple[Session, Session]:
    """An owner, available, and a contact with a subscription of type `both`, not available."""
    alice, bob = owner(connect), connect(label="bob")
    befriend(alice, bob)
    appear(alice)
    return alice, bob


def with_publish_options(session: Session) -> Session:
    """The same session, whose account says that it does PEP with publish-options; else the check is `unsupported`."""
    account = account_info(session)
    if ("pubsub", "pep") not in [i[:2] for i in identities(account)]:
        unsupported("the identity pubsub/pep on the own account")
    if f"{PUBSUB}#publish-options" not in features(account):
        unsupported("pubsub#publish-options")
    return session


def account_info(session: Session) -> Element:
    """The `<query/>` of a disco#info result of the own account, empty where there is none."""
    return info(session, session.bare_jid)


def advertised(session: Session, feature: str) -> bool:
    """Whether the account lists a pubsub feature, by its short name."""
    return f"{PUBSUB}#{feature}" in features(account_info(session))


def retracts(session: Session) -> bool:
    """Whether items can be retracted: not everywhere (XEP-0060 §7.2.3.6)."""
    return advertised(session, "retract-items") or advertised(session, "delete-items")


# --- requests


def note(text: str) -> str:
    """A payload of ours."""
    return f"<note xmlns='{LAB}'>{text}</note>"


def publish(
    session: Session,
    node: str,
    text: str,
    *,
    item: str | None = "current",
    to: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Element:
    """Publish a note. Answers the reply."""
    return publish_payload(session, node, note(text), item=item, to=to, options=options)


def publish_payload(
    session: Session,
    node: str,
    payload: str,
    *,
    item: str | None = "current",
    to: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Element:
    """Publish an item (XEP-0060 §7.1), with publish-options where given (§7.1.5). Answers the reply."""
    identifier = f" id='{item}'" if item is not None else ""
    form = f"<publish-options>{submit(PUBLISH_OPTIONS, options)}</publish-options>" if options is not None else ""
    publication = f"<publish node='{node}'><item{identifier}>{payload}</item></publish>"
    return session.iq("set", f"<pubsub xmlns='{PUBSUB}'>{publication}{form}</pubsub>", to=to)


def published(session: Session, node: str, text: str, *, item: str = "current") -> None:
    """Publish a note and see that it was accepted."""
    stored(session, node, note(text), item=item)


def found(ask: Callable[[], Element]) -> Element:
    """The reply to what `ask` sends, which is sent again, a few times at most, while something is not found.

    ejabberd does not always find at once the node that it has just created, and that a node is created on the way is
    a check of its own.
    """
    reply = ask()
    for _ in range(TRIES - 1):
        if stanza_error_condition(reply) != "item-not-found":
            break
        reply = ask()
    return reply


def store(
    session: Session,
    node: str,
    payload: str,
    *,
    item: str | None = "current",
    options: Mapping[str, str] | None = None,
) -> Element:
    """Publish an item, whatever comes of it. Answers the reply."""
    return found(lambda: publish_payload(session, node, payload, item=item, options=options))


def stored(
    session: Session,
    node: str,
    payload: str,
    *,
    item: str | None = "current",
    options: Mapping[str, str] | None = None,
) -> None:
    """Publish an item and see that it was accepted."""
    require_result(store(session, node, payload, item=item, options=options))


def retract(session: Session, node: str, item: str) -> Element:
    """Retract an item, and have it told (XEP-0060 §7.2)."""
    return session.iq(
        "set", f"<pubsub xmlns='{PUBSUB}'><retract node='{node}' notify='true'><item id='{item}'/></retract></pubsub>"
    )


def refused_by_precondition(reply: Element) -> None:
    """The publication must be refused because the node is not as its publish-options ask (XEP-0060 §7.1.5)."""
    require_error(reply, "conflict", kind="cancel")
    require(
        reply.find(f"{{*}}error/{{{PUBSUB_ERRORS}}}precondition-not-met") is not None, "precondition-not-met", reply
    )


def create(session: Session, node: str, config: Mapping[str, str] | None = None) -> Element:
    """Create a node (XEP-0060 §8.1), configured where `config` is given (§8.1.3)."""
    form = f"<configure>{submit(NODE_CONFIG, config)}</configure>" if config is not None else ""
    return session.iq("set", f"<pubsub xmlns='{PUBSUB}'><create node='{node}'/>{form}</pubsub>")


def configure(session: Session, node: str, config: Mapping[str, str]) -> Element:
    """Change a node's configuration (XEP-0060 §8.2.4). Answers the reply."""
    form = submit(NODE_CONFIG, config)
    return session.iq("set", f"<pubsub xmlns='{PUBSUB_OWNER}'><configure node='{node}'>{form}</configure></pubsub>")


def with_access(session: Session, node: str, model: str, **more: str) -> None:
    """A node with an access model, or the check cannot be tried."""
    config = {"pubsub#access_model": model} | {f"pubsub#{key}": value for key, value in more.items()}
    if not made(session, node, config):
        impossible(f"no node with the access model {model} could be made; another check says whether that is a fault")


def made(session: Session, node: str, config: Mapping[str, str]) -> bool:
    """Make a node that is configured like this. Answers whether there is one.

    A result of its creation does not say so: a service without create-and-configure SHOULD ignore what the request
    has of configuration (XEP-0060 §8.1.3), and the node is then of the default access model.
    """
    reply = create(session, node, config)
    if stanza_error_condition(reply) == "internal-server-error":  # on a crowded machine, ejabberd's database fails
        reply = create(session, node, config)
    if reply.get("type") != "result":
        return False
    return _is_as_asked(session, node, config) or (
        configure(session, node, config).get("type") == "result" and _is_as_asked(session, node, config)
    )


def _is_as_asked(session: Session, node: str, config: Mapping[str, str]) -> bool:
    """Whether the node's configuration has all that was asked for. A field that is not shown may have it."""
    reply = _configuration(session, node)
    if reply.get("type") != "result":
        return advertised(session, "create-and-configure")
    told = _fields(reply)
    if "pubsub#access_model" in config and not told.get("pubsub#access_model"):
        return False
    booleans = {"1": "true", "0": "false"}
    return all(
        booleans.get(value, value) in [booleans.get(v, v) for v in told.get(field) or [value]]
        for field, value in config.items()
    )


def _configuration(session: Session, node: str) -> Element:
    return found(lambda: session.iq("get", f"<pubsub xmlns='{PUBSUB_OWNER}'><configure node='{node}'/></pubsub>"))


def configured(session: Session, node: str, field: str) -> list[str]:
    """The values of a field of a node's configuration; `unsupported` where the service shows none, as it may (§5)."""
    if not advertised(session, "config-node"):
        unsupported("pubsub#config-node")
    values = configuration(session, node).get(f"pubsub#{field}")
    if values is None:
        unsupported(f"the field pubsub#{field} in a node's configuration")
    return values


def configuration(session: Session, node: str) -> dict[str, list[str]]:
    """A node's configuration (XEP-0060 §8.2.1): each field's values."""
    return _fields(_configuration(session, node))


def _fields(reply: Element) -> dict[str, list[str]]:
    require_result(reply)
    form = reply.find("pubsub-owner:pubsub/pubsub-owner:configure/x:x", NS)
    require(form is not None, "the configuration form of the node", reply)
    fields = () if form is None else form.findall("x:field", NS)
    return {f.get("var", ""): [v.text or "" for v in f.iterfind("x:value", NS)] for f in fields}


def retrieve(session: Session, to: str, node: str) -> Element:
    """Ask for a node's items (XEP-0060 §6.5)."""
    return session.iq("get", f"<pubsub xmlns='{PUBSUB}'><items node='{node}'/></pubsub>", to=to)


def items(reply: Element) -> dict[str, Element]:
    """Id and element of each item that an answer or a notification carries."""
    return {
        item.get("id", ""): item
        for path in ("pubsub:pubsub/pubsub:items/pubsub:item", "event:event/event:items/event:item")
        for item in reply.iterfind(path, NS)
    }


def notes(reply: Element) -> dict[str, str]:
    """Item id and text of each note that an answer or a notification carries."""
    return {identifier: item.findtext("lab:note", "", NS) for identifier, item in items(reply).items()}


def nodes(session: Session, to: str) -> list[str]:
    """The nodes that disco#items of an account lists to whoever asks. A refusal lists none."""
    reply = session.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to=to)
    return [item.get("node", "") for item in reply.iterfind("items:query/items:item", NS) if item.get("jid") == to]


def subscription(session: Session, action: str, to: str, node: str, jid: str) -> Element:
    """Ask for `subscribe` (XEP-0060 §6.1) or `unsubscribe` (§6.2)."""
    return session.iq("set", f"<pubsub xmlns='{PUBSUB}'><{action} node='{node}' jid='{jid}'/></pubsub>", to=to)


# --- notifications


def tells_of(node: str, item: str | None = None) -> Matches:
    """Matches notifications of a node's items, or of one item."""

    def matches(element: Element) -> bool:
        if localname(element) != "message":
            return False
        told = element.find("event:event/event:items", NS)
        if told is None or told.get("node") != node:
            return False
        return item is None or item in [i.get("id") for i in told]

    return matches


def example(publisher: Session, recipient: Session, node: str, item: str = "current") -> str:
    """A notification as it must not come."""
    return (
        f"<message from='{publisher.bare_jid}' to='{recipient.jid}' type='headline' id='{new_id()}'>"
        f"<event xmlns='{PUBSUB_EVENT}'><items node='{node}'><item id='{item}'>{note('forbidden')}</item></items>"
        f"</event></message>"
    )


def notified(client: Client, publisher: Session, node: str, text: str, *, item: str = "current") -> Element:
    """The client must be told of an item: from the owner's bare JID (§4.3.1), with its payload (§5)."""
    message = client.expect(tells_of(node, item), f"the notification of item {item!r} at {node}")
    require_equal(message.get("from"), publisher.bare_jid, "the notification's from")
    require(message.get("to") in {client.session.jid, client.session.bare_jid}, "to: the recipient's JID", message)
    require(message.get("type") != "error", "a notification, not an error", message)
    require_equal(notes(message), {item: text}, "items in the notification")
    return message


def not_notified(client: Client, publisher: Session, node: str, why: str, *, item: str | None = None) -> None:
    """The client must not be told of a node (or one item) by what was published so far."""
    client.session.expect_nothing(
        example(publisher, client.session, node, item or "current"),
        tells_of(node, item),
        f"notification {why}",
        after=publisher,
    )


def reach(publisher: Session, *clients: Client, node: str = PROBE) -> None:
    """Publish on `node` until each client was told of it: from then on the server knows what they want.

    A server learns what caps mean from an answer that it may take its time to digest (XEP-0115 §5.4).
    """
    for client in clients:
        deadline = time.monotonic() + client.session.patience
        while not _reached(publisher, client, node):
            if time.monotonic() > deadline:
                raise PeerError(
                    "the server never heeded +notify in the client's caps",
                    expected=f"a notification from a node that {client.session.jid} asked for",
                    seen=f"none within {client.session.patience:.1f} s of publishing",
                )
    for client in clients:
        # Prosody asks in the name of the contact's account too, and notifies on either answer: let it read both.
        client.sentinel()
        client.session.sentinel()


def introduce(publisher: Session, client: Client) -> None:
    """Make the client's caps known to the server; the client is unavailable before and behind.

    The checks of last items use it, for what becomes of caps never seen before is a check of its own.
    """
    client.appear()
    reach(publisher, client)
    disappear(client.session)


def _reached(publisher: Session, client: Client, node: str) -> bool:
    mark = new_id()
    published(publisher, node, mark, item=mark)
    try:
        client.expect(tells_of(node), "the probe", timeout=ROUND)
    except NoAnswer:
        return False
    return True
