"""The lab's component as a push service, and users who enabled it. `nothing_pushed` judges, for many forbid it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from lab.cell import Account
from lab.plugin import Connect, require_result, unsupported
from lab.wire.namespaces import DATA_FORM, NS, PUBSUB, PUSH
from lab.wire.session import Session, localname, new_id
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._contacts import log_out
from scenarios.server._discovery import advertises

PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"
ROUND = 0.5
"""Seconds in which a push comes, and a message is sent again where it does not."""


class Service:
    """The push service: the lab's component, which answers each publication."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.jid = session.jid

    def pushed(self, node: str, *, timeout: float | None = None) -> Element:
        """The next publication to a node, not answered yet."""
        return self.session.expect(publishes_to(node), f"a publication to the node {node}", timeout=timeout)

    def accept(self, push: Element) -> None:
        self._answer(push, "result", "")

    def refuse(self, push: Element, condition: str = "item-not-found", kind: str = "cancel") -> None:
        self._answer(push, "error", f"<error type='{kind}'><{condition} xmlns='{NS['stanzas']}'/></error>")

    def _answer(self, push: Element, kind: str, content: str) -> None:
        identifier, to = push.get("id"), push.get("from")
        self.session.send(f"<iq type='{kind}' id='{identifier}' from='{self.jid}' to='{to}'>{content}</iq>")


def publishes_to(node: str) -> Callable[[Element], bool]:
    """Matches publications to a node; an empty one stands for none."""

    def matches(element: Element) -> bool:
        found = element.find("pubsub:pubsub/pubsub:publish", NS)
        return localname(element) == "iq" and found is not None and found.get("node", "") == node

    return matches


# --- enabling


def user(connect: Connect, account: Account | None = None, label: str = "bob") -> Session:
    """A session of an account that says that it can push (§4.1), available; else the check is `unsupported`."""
    session = connect(account=account, label=label)
    if not advertises(session, session.bare_jid, PUSH):
        unsupported(PUSH)
    session.send("<presence/>")
    session.sentinel()
    return session


def options_form(fields: Mapping[str, str]) -> str:
    inside = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    return (
        f"<x xmlns='{DATA_FORM}' type='submit'>"
        f"<field var='FORM_TYPE'><value>{PUBLISH_OPTIONS}</value></field>{inside}</x>"
    )


def ask(
    session: Session, command: str, jid: str, node: str | None, content: str = "", to: str | None = None
) -> Element:
    at = f" node='{node}'" if node is not None else ""
    return session.iq("set", f"<{command} xmlns='{PUSH}' jid='{jid}'{at}>{content}</{command}>", to=to)


def enable(session: Session, service: Service, node: str, options: Mapping[str, str] | None = None) -> None:
    require_result(ask(session, "enable", service.jid, node, options_form(options) if options is not None else ""))


def disable(session: Session, service: Service, node: str | None = None) -> None:
    require_result(ask(session, "disable", service.jid, node))


def away(connect: Connect, service: Service, *nodes: str, label: str = "bob") -> str:
    """The bare JID of a user who enabled pushes to these nodes and is offline now."""
    session = user(connect, label=label)
    for node in nodes:
        enable(session, service, node)
    log_out(session)
    return session.bare_jid


# --- messages


def send_message(sender: Session, to: str) -> None:
    sender.send(f"<message type='chat' id='{new_id()}' to='{to}'><body>Hello</body></message>")


def pushed_for(service: Service, node: str, sender: Session, to: str) -> Element:
    """A message to somebody offline, and the publication that it brings; the message is sent again where none does.

    A server may still be about to log the user out, in whose place a resource would have had the message.
    """
    deadline = time.monotonic() + service.session.patience
    while True:
        send_message(sender, to)
        left = max(deadline - time.monotonic(), 0.0)
        try:
            return service.pushed(node, timeout=min(left, ROUND))
        except NoAnswer as error:
            if left <= ROUND:
                error.seen = f"none, for messages sent during {service.session.patience:.1f} s"
                raise


def nothing_pushed(connect: Connect, service: Service, node: str, sender: Session, to: str) -> None:
    """Messages to a user bring no publication to a node; those to somebody else, sent behind, show it."""
    other = f"control-{new_id()}"
    control = away(connect, service, other, label="control")
    service.session.inbox.clear()
    for _ in range(2):
        send_message(sender, to)
    sender.sentinel()
    for _ in range(2):
        service.accept(pushed_for(service, other, sender, control))
    service.session.sentinel()
    service.session.expect_nothing(
        f"<iq type='set' id='{new_id()}' from='{service.session.domain}' to='{service.jid}'><pubsub xmlns='{PUBSUB}'>"
        f"<publish node='{node}'><item><notification xmlns='{PUSH}'/></item></publish></pubsub></iq>",
        publishes_to(node),
        "publication to a service that is not enabled",
    )
