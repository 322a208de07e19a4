"""XEP-0357 §4, §5, §6: how a client enables and disables services, and what is published then."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_error, require_result, unsupported
from lab.wire.namespaces import PUSH
from lab.wire.session import Session, new_id
from scenarios.server._contacts import log_out
from scenarios.server._discovery import advertises
from scenarios.server.xep0357._service import (
    Service,
    ask,
    away,
    disable,
    enable,
    nothing_pushed,
    pushed_for,
    user,
)

PUSHES = Specification("XEP-0357")

pytestmark = pytest.mark.xdist_group("component")

# --- §4, §5: discovery and enabling


@PUSHES.must("4.1", says="A server that can push says so: disco#info of the own account lists urn:xmpp:push:0.")
def test_support_is_advertised(service: Service, connect: Connect) -> None:
    session = connect(label="bob")
    if ask(session, "enable", service.jid, new_id()).get("type") != "result":
        unsupported("push notifications")
    listed = advertises(session, session.bare_jid, PUSH)
    require(listed, f"the feature {PUSH}", "it is not listed, though pushes are enabled")


@pytest.mark.parametrize("to", ["nobody", "account"])
@PUSHES.must("5", "7", says="A client enables a service for its account, addressed or not; pushes come then.")
def test_service_is_enabled(to: str, service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    require_result(ask(session, "enable", service.jid, node, to=session.bare_jid if to == "account" else None))
    log_out(session)
    service.accept(pushed_for(service, node, alice, session.bare_jid))


@PUSHES.should("5", says="A request to enable a service that does not say which is refused.")
def test_enabling_needs_a_service(connect: Connect) -> None:
    session = user(connect)
    require_error(session.iq("set", f"<enable xmlns='{PUSH}' node='{new_id()}'/>"))


@PUSHES.should("5", says="A request without a node is answered; where it is accepted, pushes come without one.")
def test_enabling_without_a_node_is_answered(service: Service, alice: Session, connect: Connect) -> None:
    session = user(connect)
    reply = ask(session, "enable", service.jid, None)
    if reply.get("type") == "error":
        require_error(reply)
        unsupported("services without a node")
    log_out(session)
    service.accept(pushed_for(service, "", alice, session.bare_jid))


@PUSHES.must_not("5", says="Nobody enables a service for another account.")
def test_service_of_another_is_not_enabled(service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    ask(alice, "enable", service.jid, node, to=session.bare_jid)  # whatever is made of it
    ask(alice, "disable", service.jid, node)
    log_out(session)
    nothing_pushed(connect, service, node, alice, session.bare_jid)


@PUSHES.may("5", says="A service is enabled with several nodes, and each of them is published to.")
def test_several_nodes_are_enabled(service: Service, alice: Session, connect: Connect) -> None:
    nodes = [new_id() for _ in range(3)]
    to = away(connect, service, *nodes)
    service.accept(pushed_for(service, nodes[0], alice, to))
    for node in nodes[1:]:
        service.accept(service.pushed(node))


@PUSHES.must("7", says="A push goes to all services that the user's sessions enabled, whichever session it was.")
def test_each_session_enables_for_the_account(service: Service, alice: Session, connect: Connect) -> None:
    account = connect.account()
    nodes = [new_id(), new_id()]
    for node in nodes:
        session = user(connect, account)
        enable(session, service, node)
        log_out(session)
    service.accept(pushed_for(service, nodes[0], alice, account.jid))
    service.accept(service.pushed(nodes[1]))


# --- §6: disabling


@PUSHES.must_not("6", says="Nothing is published for a user who enabled nothing.")
def test_nothing_is_pushed_that_was_not_enabled(service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    log_out(session)
    nothing_pushed(connect, service, node, alice, session.bare_jid)


@pytest.mark.parametrize("by", ["node", "service"])
@PUSHES.must_not("6", says="Nothing is published to a service that was disabled.")
def test_nothing_is_pushed_to_a_disabled_service(by: str, service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    enable(session, service, node)
    disable(session, service, node if by == "node" else None)
    log_out(session)
    nothing_pushed(connect, service, node, alice, session.bare_jid)


@PUSHES.should("6", says="Disabling a node leaves the others of that service enabled.")
def test_disabling_a_node_leaves_the_others(service: Service, alice: Session, connect: Connect) -> None:
    session, nodes = user(connect), [new_id() for _ in range(3)]
    for node in nodes:
        enable(session, service, node)
    disable(session, service, nodes[1])
    log_out(session)
    service.accept(pushed_for(service, nodes[0], alice, session.bare_jid))
    service.accept(service.pushed(nodes[2]))
    nothing_pushed(connect, service, nodes[1], alice, session.bare_jid)


@PUSHES.should("6", says="Disabling a service without a node disables all of its nodes.")
def test_disabling_a_service_disables_all_nodes(service: Service, alice: Session, connect: Connect) -> None:
    session, nodes = user(connect), [new_id() for _ in range(3)]
    for node in nodes:
        enable(session, service, node)
    disable(session, service)
    log_out(session)
    for node in nodes:
        nothing_pushed(connect, service, node, alice, session.bare_jid)


@PUSHES.should("6", says="What one session enabled is disabled by another one of the account, later.")
def test_another_session_disables(service: Service, alice: Session, connect: Connect) -> None:
    account, node = connect.account(), new_id()
    session = user(connect, account)
    enable(session, service, node)
    log_out(session)
    later = user(connect, account, label="later")
    disable(later, service, node)
    log_out(later)
    nothing_pushed(connect, service, node, alice, account.jid)


@PUSHES.must("6", "5", says="A service that was disabled is enabled again when a client asks for it.")
def test_disabled_service_is_enabled_again(service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    enable(session, service, node)
    disable(session, service, node)
    enable(session, service, node)
    log_out(session)
    service.accept(pushed_for(service, node, alice, session.bare_jid))


@PUSHES.should("6", says="Who disables a service does so for the own account: others' pushes to the same node go on.")
def test_disabling_is_of_one_account(service: Service, alice: Session, connect: Connect) -> None:
    node = new_id()
    to = away(connect, service, node)
    other = user(connect, label="other")
    ask(other, "disable", service.jid, node)
    ask(other, "disable", service.jid, node, to=to)
    service.accept(pushed_for(service, node, alice, to))


@PUSHES.should("6", says="A request to disable that does not say which service is refused.")
def test_disabling_needs_a_service(service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    enable(session, service, node)
    require_error(session.iq("set", f"<disable xmlns='{PUSH}' node='{node}'/>"))
    log_out(session)
    service.accept(pushed_for(service, node, alice, session.bare_jid))
