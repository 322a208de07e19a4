"""Binding a resource, and reading what was bound (RFC 6120 §7)."""

from __future__ import annotations

from lab.cell import Account
from lab.plugin import (
    Connect,
    Stage,
    require,
    require_equal,
    require_result,
)
from lab.wire.namespaces import BIND, NS
from lab.wire.session import (
    Session,
)
from lab.wire.stream import Element


def bind_iq(session: Session, resource: str | None = None) -> Element:
    """The answer to a request to bind; `resource` is put into <resource/> as written."""
    wanted = f"<resource>{resource}</resource>" if resource is not None else ""
    return session.iq("set", f"<bind xmlns='{BIND}'>{wanted}</bind>")


def bound_jid(answer: Element) -> str:
    """The JID that a result tells. The check fails where there is none (§7.6.1)."""
    require_result(answer)
    jid = answer.findtext("bind:bind/bind:jid", namespaces=NS) or ""
    require(len(answer) == 1 and jid, "<bind/> with <jid/> in the result", answer)
    require_equal(jid, jid.strip(), "the JID, without white space around it,")
    return jid


def resource_of(answer: Element, account: Account) -> str:
    """The resourcepart that was bound for an account."""
    bare, _, resource = bound_jid(answer).partition("/")
    require_equal(bare, account.jid, "the bare JID of the bound resource")
    require(resource, "a resourcepart that is not empty", answer)
    return resource


def authenticated(
    connect: Connect, account: Account | None = None, *, label: str = "alice"
) -> tuple[Session, Account]:
    account = account or connect.account()
    return connect(Stage.AUTHENTICATED, account=account, label=label), account
