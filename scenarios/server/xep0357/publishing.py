"""XEP-0357 §7: what is published, with which options, and what becomes of a service that answers with errors."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire.namespaces import NS, PUSH_SUMMARY
from lab.wire.session import Session, new_id, parse
from lab.wire.stream import Element
from scenarios.server._contacts import log_out
from scenarios.server.xep0357._service import (
    Service,
    away,
    enable,
    nothing_pushed,
    options_form,
    publishes_to,
    pushed_for,
    send_message,
    user,
)

PUSHES = Specification("XEP-0357")

pytestmark = pytest.mark.xdist_group("component")

# --- §7: publishing


@PUSHES.must("7", says="What is published is a <notification/> in an item, in the name of the server or the account.")
def test_push_is_a_publication(service: Service, alice: Session, connect: Connect) -> None:
    node = new_id()
    to = away(connect, service, node)
    push = pushed_for(service, node, alice, to)
    service.accept(push)
    require_equal(push.get("type"), "set", "the type")
    require(push.get("from") in {service.session.domain, to}, f"'from' {service.session.domain}, or {to}", push)
    require_equal(push.get("to"), service.jid, "'to'")
    payload = push.find("pubsub:pubsub/pubsub:publish/pubsub:item/push:notification", NS)
    require(payload is not None, "<notification/> in the item", push)


def _summary(push: Element) -> Element:
    """The summary in a push; `unsupported` where there is none."""
    form = push.find("pubsub:pubsub/pubsub:publish/pubsub:item/push:notification/x:x", NS)
    if form is None:
        unsupported("a summary in pushes")
    return form


@PUSHES.may("7", says="A summary in the push is a form of its type, whose count of messages is a number.")
def test_summary_is_a_form_of_its_type(service: Service, alice: Session, connect: Connect) -> None:
    node = new_id()
    to = away(connect, service, node)
    push = pushed_for(service, node, alice, to)
    service.accept(push)
    form = _summary(push)
    kind = form.findtext("x:field[@var='FORM_TYPE']/x:value", "", NS)
    require_equal(kind, PUSH_SUMMARY, "FORM_TYPE")
    count = form.findtext("x:field[@var='message-count']/x:value", None, NS)
    require(count is None or (count.isdecimal() and int(count) > 0), "a number of messages", push)
    sender = form.findtext("x:field[@var='last-message-sender']/x:value", None, NS)
    require(sender in {None, alice.jid, alice.bare_jid}, "the sender's JID, if any", push)


OPTIONS = {
    "none": None,
    "secret": {"secret": "eruio234vzxc2kla-91"},
    "several": {"secret": "a&amp;b &lt;c&gt;", "environment": "sandbox", "pubsub#access_model": "open"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
@PUSHES.should("7", "5", says="What a client gave as publish options, enabling a service, is in each publication.")
def test_options_are_passed_on(
    options: Mapping[str, str] | None, service: Service, alice: Session, connect: Connect
) -> None:
    session, node = user(connect), new_id()
    enable(session, service, node, options)
    log_out(session)
    for _ in range(2):
        push = pushed_for(service, node, alice, session.bare_jid)
        service.accept(push)
        _require_options(push, options)


def _require_options(push: Element, options: Mapping[str, str] | None) -> None:
    """The push has these options, each with its value, and no others."""
    form = push.find("pubsub:pubsub/pubsub:publish-options/x:x", NS)
    if options is None:
        require(form is None, "no publish options", push)
        return
    require(form is not None, "publish options", push)
    if form is None:
        return
    given = parse(options_form(options))
    fields = {f.get("var"): f.findtext("x:value", "", NS) for f in form.iterfind("x:field", NS)}
    require_equal(fields, {f.get("var"): f.findtext("x:value", "", NS) for f in given}, "fields of the options")


@PUSHES.should("5", says="When a service and node are enabled once more, the options of the last request are used.")
def test_last_options_are_used(service: Service, alice: Session, connect: Connect) -> None:
    session, node = user(connect), new_id()
    enable(session, service, node, {"secret": "old"})
    enable(session, service, node, {"secret": "new"})
    log_out(session)
    push = pushed_for(service, node, alice, session.bare_jid)
    service.accept(push)
    _require_options(push, {"secret": "new"})


@PUSHES.should("7", "5", says="Each node has the options that were given for it.")
def test_options_are_of_a_node(service: Service, alice: Session, connect: Connect) -> None:
    session, nodes = user(connect), [new_id(), new_id()]
    for node in nodes:
        enable(session, service, node, {"secret": f"of-{node}"})
    log_out(session)
    pushes = [pushed_for(service, nodes[0], alice, session.bare_jid), service.pushed(nodes[1])]
    for node, push in zip(nodes, pushes, strict=True):
        service.accept(push)
        _require_options(push, {"secret": f"of-{node}"})


# --- §7.1: errors

ROUNDS = 40
"""Rounds of two messages, and so of two errors: more in a row than any server takes for transient."""


def _disabled_by_errors(connect: Connect, service: Service, node: str, alice: Session, to: str) -> bool:
    """Refuse each push to a node until none comes any more; False where that goes on for all the rounds.

    Somebody else's push, for a message that is sent behind the others, shows that there is none for those.
    """
    other = new_id()
    control = away(connect, service, other, label="control")
    service.refuse(pushed_for(service, node, alice, to))
    for _ in range(ROUNDS):
        for _ in range(2):
            send_message(alice, to)
        service.accept(pushed_for(service, other, alice, control))
        service.session.sentinel()
        refused = [e for e in service.session.inbox if publishes_to(node)(e)]
        service.session.inbox[:] = [e for e in service.session.inbox if e not in refused]
        for push in refused:
            service.refuse(push)
        if not refused:
            return True
        service.session.sentinel()
    return False


def _is_disabled(connect: Connect, service: Service, node: str, alice: Session, to: str) -> None:
    disabled = _disabled_by_errors(connect, service, node, alice, to)
    require(
        disabled, "a node that is disabled once it has answered with errors", f"pushes behind {2 * ROUNDS} errors"
    )


@PUSHES.should("7.1", says="A service and node that answer with errors are disabled, at once or after some in a row.")
def test_errors_disable_a_service(service: Service, alice: Session, connect: Connect) -> None:
    node = new_id()
    to = away(connect, service, node)
    _is_disabled(connect, service, node, alice, to)
    nothing_pushed(connect, service, node, alice, to)


@PUSHES.should("7.1", says="An error of one node disables that one alone.")
def test_errors_disable_one_node_alone(service: Service, alice: Session, connect: Connect) -> None:
    bad, good = new_id(), new_id()
    to = away(connect, service, bad, good)
    if not _disabled_by_errors(connect, service, bad, alice, to):
        unsupported("disabling services that answer with errors")
    service.session.inbox.clear()
    service.accept(pushed_for(service, good, alice, to))


@PUSHES.must("5", "7.1", says="A service that errors disabled is enabled again when a client asks for it.")
def test_service_is_enabled_again_behind_errors(service: Service, alice: Session, connect: Connect) -> None:
    account, node = connect.account(), new_id()
    session = user(connect, account)
    enable(session, service, node)
    log_out(session)
    if not _disabled_by_errors(connect, service, node, alice, account.jid):
        unsupported("disabling services that answer with errors")
    again = user(connect, account, label="again")
    enable(again, service, node)
    log_out(again)
    service.accept(pushed_for(service, node, alice, account.jid))
