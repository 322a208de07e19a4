"""RFC 6120 §8.3: what stanza errors look like, which type goes with which condition; none answers another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_error, unsupported
from lab.wire.namespaces import CLIENT, NS, PUBSUB, STANZA_ERROR, XML_LANG
from lab.wire.session import Session, localname, new_id, parse, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server.rfc6120._stanzas import UNKNOWN, same, stanza

RFC = Specification("RFC 6120")

MUC = "http://jabber.org/protocol/muc"
MUC_OWNER = f"{MUC}#owner"
TYPES = {"auth", "cancel", "continue", "modify", "wait"}

USUAL_TYPES = {
    "bad-request": ("8.3.3.1", {"modify"}),
    "conflict": ("8.3.3.2", {"cancel"}),
    "feature-not-implemented": ("8.3.3.3", {"cancel", "modify"}),
    "forbidden": ("8.3.3.4", {"auth"}),
    "gone": ("8.3.3.5", {"cancel"}),
    "internal-server-error": ("8.3.3.6", {"cancel"}),
    "item-not-found": ("8.3.3.7", {"cancel"}),
    "jid-malformed": ("8.3.3.8", {"modify"}),
    "not-acceptable": ("8.3.3.9", {"modify"}),
    "not-allowed": ("8.3.3.10", {"cancel"}),
    "not-authorized": ("8.3.3.11", {"auth"}),
    "policy-violation": ("8.3.3.12", {"modify", "wait"}),
    "recipient-unavailable": ("8.3.3.13", {"wait"}),
    "redirect": ("8.3.3.14", {"modify"}),
    "registration-required": ("8.3.3.15", {"auth"}),
    "remote-server-not-found": ("8.3.3.16", {"cancel"}),
    "remote-server-timeout": ("8.3.3.17", {"wait"}),
    "resource-constraint": ("8.3.3.18", {"wait"}),
    "service-unavailable": ("8.3.3.19", {"cancel"}),
    "subscription-required": ("8.3.3.20", {"auth"}),
    "undefined-condition": ("8.3.3.21", TYPES),
    "unexpected-request": ("8.3.3.22", {"modify", "wait"}),
}
"""Every defined condition (§8.3.3): its section, and the types that go with it."""


def _types(condition: str) -> str:
    return " or ".join(sorted(USUAL_TYPES[condition][1]))


def require_error_structure(error: Element, kind: str, identifier: str) -> Element:
    """The check fails unless `error` is an error stanza as §8.3.2 has it; answers its <error/>."""
    require(error.tag == f"{{{CLIENT}}}{kind}", f"an error of the same kind: {kind}", error)
    require(error.get("type") == "error", "type='error'", error)
    require_equal(error.get("id"), identifier, "the id")
    children = error.findall(f"{{{CLIENT}}}error")
    require(len(children) == 1, "one <error/>", error)
    child = children[0]
    require(child.get("type") in TYPES, f"an error type: {', '.join(sorted(TYPES))}", error)
    defined = [localname(e) for e in child if e.tag.startswith(f"{{{STANZA_ERROR}}}")]
    conditions = [name for name in defined if name != "text"]
    require(len(conditions) == 1 and conditions[0] in USUAL_TYPES, "one defined condition", error)
    require(len(child) - len(defined) <= 1, "one application-specific condition at most", error)
    strangers = [e for e in child if e.tag.startswith(f"{{{CLIENT}}}") or not e.tag.startswith("{")]
    require(not strangers, "children of <error/> in namespaces of their own", error)
    return child


def provoke(session: Session, xml: str) -> Element:
    """Send a stanza that bears an id; answers the error that comes back."""
    identity = parse(xml, default=CLIENT).get("id")
    session.send(xml)
    return session.expect(
        lambda e: e.get("id") == identity and e.get("type") == "error", f"an error with id {identity!r}"
    )


Provocation = Callable[[Session, Connect], Element]


def _service(connect: Connect, name: str) -> str:
    service = connect.cell.services.get(name)
    if service is None:
        impossible(f"the cell names no {name} service, where this condition can be provoked")
    return service


def unknown_payload(alice: Session, _: Connect) -> Element:
    return alice.iq("get", UNKNOWN, to=alice.domain)


def undefined_type(alice: Session, _: Connect) -> Element:
    asked = new_id()
    return provoke(alice, f"<iq type='ask' id='{asked}' to='{alice.domain}'>{UNKNOWN}</iq>")


def forbidden_localpart(alice: Session, _: Connect) -> Element:
    return alice.iq("get", UNKNOWN, to=f"spaces are forbidden@{alice.domain}")


def _room(connect: Connect, configuration: str = "") -> tuple[Session, str]:
    """A room that its owner is in, with fields of its configuration set."""
    owner = connect(label="owner")
    room = f"r{new_id()}@{_service(connect, 'muc')}"
    owner.send(f"<presence/><presence to='{room}/owner'><x xmlns='{MUC}'/></presence>")
    owner.expect(lambda e: e.get("from") == f"{room}/owner", "the owner's presence in the room")
    fields = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>" + configuration
    form = f"<query xmlns='{MUC_OWNER}'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>"
    if owner.iq("set", form, to=room).get("type") != "result":
        impossible("the room cannot be configured so that it refuses anything")
    return owner, room


def _join(alice: Session, room: str, nick: str) -> Element:
    alice.send("<presence/>")
    return provoke(alice, f"<presence id='{new_id()}' to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")


def nick_of_another(alice: Session, connect: Connect) -> Element:
    _, room = _room(connect)
    return _join(alice, room, "owner")


def members_only_room(alice: Session, connect: Connect) -> Element:
    _, room = _room(connect, "<field var='muc#roomconfig_membersonly'><value>1</value></field>")
    return _join(alice, room, "alice")


def room_with_password(alice: Session, connect: Connect) -> Element:
    _, room = _room(
        connect,
        "<field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field>"
        "<field var='muc#roomconfig_roomsecret'><value>secret</value></field>",
    )
    return _join(alice, room, "alice")


def configuration_by_a_stranger(alice: Session, connect: Connect) -> Element:
    _, room = _room(connect)
    return alice.iq("get", f"<query xmlns='{MUC_OWNER}'/>", to=room)


def message_from_outside(alice: Session, connect: Connect) -> Element:
    _, room = _room(connect)
    sent = f"<message type='groupchat' id='{new_id()}' to='{room}'><body>Let me in</body></message>"
    return provoke(alice, sent)


def absent_pubsub_node(alice: Session, connect: Connect) -> Element:
    items = f"<pubsub xmlns='{PUBSUB}'><items node='{new_id()}'/></pubsub>"
    return alice.iq("get", items, to=_service(connect, "pubsub"))


PROVOCATIONS: dict[str, tuple[Provocation, str]] = {
    "unknown-payload": (unknown_payload, "service-unavailable"),
    "undefined-type": (undefined_type, "bad-request"),
    "forbidden-localpart": (forbidden_localpart, "jid-malformed"),
    "nick-of-another": (nick_of_another, "conflict"),
    "members-only-room": (members_only_room, "registration-required"),
    "room-with-password": (room_with_password, "not-authorized"),
    "configuration-by-a-stranger": (configuration_by_a_stranger, "forbidden"),
    "message-from-outside": (message_from_outside, "not-acceptable"),
    "absent-pubsub-node": (absent_pubsub_node, "item-not-found"),
}
"""Ways to be refused, and the condition that usually comes of it. Another one is not this module's affair."""


@pytest.mark.parametrize("provoke_error", [f for f, _ in PROVOCATIONS.values()], ids=PROVOCATIONS)
@RFC.must("8.3.2", "8.3.1", says="An error stanza has one <error/>, with a defined type and one defined condition.")
def test_error_has_a_type_and_a_condition(provoke_error: Provocation, alice: Session, connect: Connect) -> None:
    error = provoke_error(alice, connect)
    kind = localname(error)
    require_error(error)
    require_error_structure(error, kind, error.get("id") or "")
    require(bool(error.get("from")) or kind == "iq", "'from' says who refused", error)
    require(error.get("to") in {None, alice.jid}, f"'to' is {alice.jid}", error)


@pytest.mark.parametrize(
    "provoke_error",
    [
        pytest.param(
            function,
            marks=RFC.should(USUAL_TYPES[usual][0], says=f"The type of {usual} is {_types(usual)}."),
            id=name,
        )
        for name, (function, usual) in PROVOCATIONS.items()
    ],
)
def test_error_type_goes_with_the_condition(provoke_error: Provocation, alice: Session, connect: Connect) -> None:
    error = provoke_error(alice, connect)
    child = require_error_structure(error, localname(error), error.get("id") or "")
    condition = stanza_error_condition(error)
    section, usual = USUAL_TYPES[condition]
    require(child.get("type") in usual, f"{condition} with the type {_types(condition)} (§{section})", error)


@RFC.should("8.3.2", says="The text of an error says its language.")
def test_text_of_an_error_has_a_language(alice: Session, connect: Connect) -> None:
    errors = [refuse(alice, connect) for refuse in (unknown_payload, undefined_type, forbidden_localpart)]
    texts = [text for error in errors for text in error.iterfind("{*}error/{*}text")]
    if not texts:
        unsupported("text in stanza errors")
    for error in errors:
        for text in error.iterfind("{*}error/{*}text"):
            require(text.tag == f"{{{STANZA_ERROR}}}text", "<text/> in the namespace of stanza errors", error)
            require(text.get(XML_LANG), "an xml:lang on <text/>", error)


@RFC.may("8.3.1", says="An error may hold the original payload: what it holds of it is what was sent.")
def test_payload_in_an_error_is_the_original(alice: Session) -> None:
    error = provoke(alice, f"<iq type='set' id='{new_id()}' to='{alice.domain}'>{UNKNOWN}</iq>")
    require_error(error)
    for child in error:
        if child.tag != f"{{{CLIENT}}}error":
            require(same(child, parse(UNKNOWN, default=CLIENT)), f"nothing, or {UNKNOWN}", error)


@pytest.mark.parametrize("kind", ["iq", "message"])
@RFC.should("8.3.1", says="An error has the addresses of its cause, swapped.")
def test_error_swaps_the_addresses(kind: str, alice: Session) -> None:
    target = f"{alice.domain}/{new_id()}"
    cause = stanza(kind, target)
    asked = parse(cause, default=CLIENT).get("id") or ""
    alice.send(cause)
    alice.sentinel()
    errors = [e for e in alice.inbox if e.get("id") == asked]
    if kind == "message" and not errors:
        unsupported("errors for messages to a resource of the server")
    require_equal(len(errors), 1, "the number of errors")
    require_error_structure(errors[0], kind, asked)
    require_equal(errors[0].get("from"), target, "'from'")
    require_equal(errors[0].get("to"), alice.jid, "'to'")


@pytest.mark.parametrize("to", ["nobody", "no-such-user", "server", "server-resource", "absent-resource"])
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@RFC.must_not("8.3.1", says="An error stanza is not answered by another error, wherever it goes.")
def test_error_is_not_answered_by_an_error(kind: str, to: str, alice: Session, connect: Connect) -> None:
    target = {
        "nobody": "",
        "no-such-user": f"nobody-{new_id()}@{alice.domain}",
        "server": alice.domain,
        "server-resource": f"{alice.domain}/{new_id()}",
        "absent-resource": f"{connect.account().jid}/{new_id()}",
    }[to]
    asked = new_id()
    address = f"to='{target}'" if target else ""
    condition = f"<error type='cancel'><item-not-found xmlns='{STANZA_ERROR}'/></error>"
    alice.send(f"<{kind} type='error' id='{asked}' {address}>{UNKNOWN}{condition}</{kind}>")

    def answers(element: Element) -> bool:
        # A message to nobody goes to the own account (§10.3.1): it may come back, from this very client.
        return element.get("id") == asked and element.get("from") != alice.jid

    forbidden = f"<{kind} type='error' id='{asked}' from='{target or alice.domain}'>{condition}</{kind}>"
    alice.expect_nothing(forbidden, answers, "an error that answers an error")


@RFC.must("8.3.1", says="Errors do not end the stream: whatever was refused, the next request is served.")
def test_stream_goes_on_after_errors(alice: Session) -> None:
    for _ in range(10):
        reply = alice.iq("set", UNKNOWN, to=alice.domain)
        require_error(reply)
        require_error_structure(reply, "iq", reply.get("id") or "")
    reply = alice.iq("get", f"<query xmlns='{NS['disco']}'/>", to=alice.domain)
    require(reply.get("type") == "result" and reply.find("disco:query", NS) is not None, "disco#info", reply)
