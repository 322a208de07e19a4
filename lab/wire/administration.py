"""What an administrator does by ad-hoc commands (XEP-0050, XEP-0133). Forms are filled in as a server wrote them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from lab.cell import Account
from lab.errors import PeerError
from lab.wire.namespaces import COMMANDS, DATA_FORM, NS
from lab.wire.session import Session, show, stanza_error_condition
from lab.wire.stream import Element

ADD_USER = "http://jabber.org/protocol/admin#add-user"


def add_user(session: Session, account: Account) -> None:
    """Make an account, as the administrator whose session this is (XEP-0133 §4.1).

    Raises PeerError where the server refuses, or asks for more than address and password.
    """
    asked = _command(session, account.domain, "action='execute'", "")
    form = asked.find("x:x", NS)
    if form is None:
        raise _failed("a form that asks for an address and a password", asked)
    filled = f"<x xmlns='{DATA_FORM}' type='submit'>{''.join(_answer(field, account) for field in _fields(form))}</x>"
    done = _command(session, account.domain, f"sessionid={quoteattr(asked.get('sessionid', ''))}", filled)
    errors = [note for note in done.iterfind("cmd:note", NS) if note.get("type") == "error"]
    if done.get("status") != "completed" or errors:
        raise _failed("a command that is completed, without an error", done)


def _command(session: Session, domain: str, attributes: str, payload: str) -> Element:
    """The `command` that answers one."""
    sent = f"<command xmlns='{COMMANDS}' node='{ADD_USER}' {attributes}>{payload}</command>"
    answer = session.iq("set", sent, to=domain)
    command = answer.find("cmd:command", NS)
    if answer.get("type") != "result" or command is None:
        raise _failed("a result with a command", answer)
    return command


def _fields(form: Element) -> list[Element]:
    return [field for field in form.iterfind("x:field", NS) if field.get("type") != "fixed"]


def _answer(field: Element, account: Account) -> str:
    """A field, filled in; empty for one that may be left out."""
    name = field.get("var", "")
    values = {"accountjid": account.jid, "password": account.password, "password-verify": account.password}
    if name in values:
        value = values[name]
    elif field.get("type") == "hidden":
        value = field.findtext("x:value", "", NS)
    elif field.find("x:required", NS) is not None:
        raise _failed("a form that asks for an address and a password", field)
    else:
        return ""
    return f"<field var={quoteattr(name)}><value>{escape(value)}</value></field>"


def _failed(expected: str, seen: Element) -> PeerError:
    return PeerError(
        "no account could be made by an administrator's command",
        expected=expected,
        seen=stanza_error_condition(seen) or show(seen),
        hint="see that `admin` of the cell file is an administrator, and that the server has XEP-0133's Add User",
    )
