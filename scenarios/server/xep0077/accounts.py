"""XEP-0077 §3.1, §3.2, §3.3, §10: what somebody who has an account is told of it, how it is cancelled, and how its
password is changed."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

import pytest

from lab.cell import Account
from lab.plugin import Connect, impossible, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import NS, PING, REGISTER, ROSTER
from lab.wire.session import Session, StreamEnded, StreamFailed, show, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server._contacts import appear, befriend
from scenarios.server._discovery import advertises
from scenarios.server.xep0077._registering import FIELDS, XEP, ask, fill, fresh, may_log_in, named, names, simple

REFUSED = {"not-allowed", "not-authorized", "forbidden", "service-unavailable", "feature-not-implemented"}
"""What is answered where a server does not let accounts be changed in-band."""
TO = pytest.mark.parametrize("to", ["server", "nobody"])


def _at(session: Session, to: str) -> str | None:
    return session.domain if to == "server" else None


def _owner(connect: Connect) -> tuple[Account, Session]:
    """An account of its own, and a session of it: whoever cancels it harms nobody."""
    account = connect.account()
    return account, connect(account=account, label="alice")


# --- what is on file


def _on_file(session: Session, to: str = "server") -> Element:
    """What the server has of the session's account; `unsupported` where it tells nobody."""
    reply = ask(session, _at(session, to))
    if stanza_error_condition(reply) in REFUSED:
        unsupported("in-band registration after login")
    require_result(reply)
    query = reply.find("register:query", NS)
    require(query is not None, "<query/>", reply)
    return reply if query is None else query


@XEP.should("10", says="Who supports in-band registration says so in disco#info.")
def test_support_is_advertised(alice: Session) -> None:
    query = _on_file(alice)
    require(advertises(alice, alice.domain, REGISTER), f"the feature {REGISTER}", show(query))


@XEP.must("3.1", says="Who is registered and asks is told so, by an empty <registered/>.")
def test_registered_is_told(alice: Session) -> None:
    query = _on_file(alice)
    found = query.find("register:registered", NS)
    require(found is not None and not len(found) and not (found.text or "").strip(), "<registered/>", query)


@XEP.should("3.1", says="Who is registered and asks is told what is on file: the name above all.")
def test_name_on_file_is_told(alice: Session) -> None:
    query = _on_file(alice)
    told = query.findtext("register:username", "", NS)
    require_equal(told, alice.bare_jid.partition("@")[0], "username")


@XEP.should("3.1", says="Who is registered and asks is given instructions.")
def test_instructions_are_given(alice: Session) -> None:
    query = _on_file(alice)
    require(query.find("register:instructions", NS) is not None, "<instructions/>", query)


@XEP.must_not("4", says="What is told of an account has only the fields that are defined.")
def test_no_field_is_added_to_an_account(alice: Session) -> None:
    query = _on_file(alice)
    require({*names(query)} <= FIELDS, "only fields that are defined", query)


# --- cancelling


def _cancel(session: Session, to: str = "nobody", *beside: str) -> Element | None:
    """Ask for the account to be removed. Answers the reply; None where the stream ended in its place."""
    try:
        reply = fill(session, "<remove/>", *beside, to=_at(session, to))
    except (StreamFailed, StreamEnded, ConnectionLost):
        return None
    if not beside and stanza_error_condition(reply) in REFUSED:
        unsupported("cancelling in-band")
    return reply


@XEP.must("3.2", says="Who cancels the registration has no account any more: the login is refused.")
@TO
def test_cancelled_account_is_gone(to: str, connect: Connect) -> None:
    account, session = _owner(connect)
    reply = _cancel(session, to)
    require(reply is None or reply.get("type") == "result", "a result, or the end of the stream", _shown(reply))
    require(not may_log_in(connect, account), "a login that is refused", "it is taken")


@XEP.must("3.2", says="Only the account is cancelled whose session asked.")
def test_other_accounts_stay(connect: Connect) -> None:
    other = connect.account()
    _, session = _owner(connect)
    _cancel(session)
    require(may_log_in(connect, other), "a login of another account", "it is refused")


@XEP.must("3.2", "3.1", says="The name of a cancelled account can be registered again, by another password.")
def test_cancelled_name_is_free(connect: Connect) -> None:
    account, session = _owner(connect)
    _cancel(session)
    again = Account(account.localpart, account.domain, fresh(account.domain).password)
    registrar = simple(connect).session
    reply = fill(registrar, *named(again), to=registrar.domain)
    if stanza_error_condition(reply) == "conflict":
        impossible("the server gives a name that somebody had to nobody else")
    require_result(reply)
    require(may_log_in(connect, again), "a login by the new password", "it is refused")
    require(not may_log_in(connect, account), "a login by the old one refused", "it is taken")


@XEP.should("3.2", says="Behind the cancelling, the stream is ended by the error not-authorized.")
def test_cancelling_ends_the_stream(connect: Connect) -> None:
    _, session = _owner(connect)
    session.send(f"<iq type='set' id='gone'><query xmlns='{REGISTER}'><remove/></query></iq>")
    session.expect_stream_error("not-authorized")


@XEP.should("3.2", says="Behind the cancelling, no session of the account goes on.")
def test_cancelling_ends_all_sessions(connect: Connect, bob: Session) -> None:
    account, session = _owner(connect)
    other = connect(account=account, label="phone")
    _cancel(session)
    _is_ended(other)
    # Nobody is there any more who could answer (RFC 6121 §8.5.1).
    require_error(bob.iq("get", f"<ping xmlns='{PING}'/>", to=other.jid))


def _is_ended(session: Session) -> None:
    try:
        while True:
            session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return


@XEP.should("3.2", says="Behind the cancelling, contacts are subscribed to the account's presence no more.")
def test_cancelling_ends_subscriptions(connect: Connect, bob: Session) -> None:
    account, session = _owner(connect)
    befriend(session, bob)
    bob.iq("get", f"<query xmlns='{ROSTER}'/>")
    appear(bob)
    _cancel(session)
    kinds = {"unsubscribe", "unsubscribed"}
    bob.expect(
        lambda e: e.get("type") in kinds and (e.get("from") or "").partition("/")[0] == account.jid,
        f"the end of a subscription, from {account.jid}",
    )


@XEP.must("3.2", says="Who is meant is known by the session alone: nobody cancels a registration by another's name.")
@pytest.mark.parametrize("with_", ["name", "name-and-wrong-password"])
def test_nobody_cancels_another(with_: str, connect: Connect) -> None:
    victim = connect.account()
    _, session = _owner(connect)
    wrong = Account(victim.localpart, victim.domain, f"{victim.password}-not")
    beside = named(wrong) if "password" in with_ else named(wrong)[:1]
    reply = _cancel(session, "server", *beside)
    require(may_log_in(connect, victim), "the other account's login", f"it is refused, behind {_shown(reply)}")


@XEP.should("3.2", says="Where <remove/> is not the only child, the cancelling is answered bad-request.")
def test_more_than_remove_is_a_bad_request(connect: Connect) -> None:
    account, session = _owner(connect)
    reply = _cancel(session, "nobody", "<email>nobody@nowhere.example</email>")
    require(reply is not None, "an error", "the end of the stream")
    if reply is not None:
        require_error(reply, "bad-request")
    require(may_log_in(connect, account), "the account's login", "it is refused")


# --- the password


def _change(session: Session, *content: str, to: str = "server") -> Element:
    return fill(session, *content, to=_at(session, to))


def _changed(connect: Connect, to: str = "server") -> tuple[Account, Account, Session]:
    """An account as it was and as it is, behind a change of its password; `unsupported` where there is none."""
    account, session = _owner(connect)
    new = Account(account.localpart, account.domain, fresh(account.domain).password)
    reply = _change(session, *named(new), to=to)
    if stanza_error_condition(reply) in REFUSED:
        unsupported("changing a password in-band")
    require_result(reply)
    return account, new, session


@XEP.must("3.3", says="A password that was changed is the one that lets in, and the old one is not.")
@TO
def test_changed_password_lets_in(to: str, connect: Connect) -> None:
    old, new, _ = _changed(connect, to)
    require(may_log_in(connect, new), "a login by the new password", "it is refused")
    require(not may_log_in(connect, old), "a login by the old password refused", "it is taken")


ODD = {"space": "two words", "unicode": "ünïcödé", "xml": "<&>\"'"}


@XEP.must("3.3", says="A password is what it was set to, whatever characters it has.")
@pytest.mark.parametrize("characters", ODD)
def test_password_of_odd_characters(characters: str, connect: Connect) -> None:
    _changed(connect)
    account, session = _owner(connect)
    odd = Account(account.localpart, account.domain, ODD[characters])
    content = f"<username>{odd.localpart}</username><password>{escape(odd.password)}</password>"
    require_result(_change(session, content))
    require(may_log_in(connect, odd), "a login by it", "it is refused")


EMPTY = {
    "element": "<username>{0}</username><password/>",
    "text": "<username>{0}</username><password></password>",
    "missing": "<username>{0}</username>",
}


@XEP.must_not("3.3", says="An empty password is never set: the one that is there stays.")
@pytest.mark.parametrize("what", EMPTY)
def test_empty_password_is_not_set(what: str, connect: Connect) -> None:
    _changed(connect)
    account, session = _owner(connect)
    reply = _change(session, EMPTY[what].format(account.localpart))
    require(reply.get("type") == "error" or what != "missing", "an error", reply)
    require(may_log_in(connect, account), "a login by the old password", f"it is refused, behind {show(reply)}")
    nothing = Account(account.localpart, account.domain, "")
    require(not may_log_in(connect, nothing), "no login without a password", "it is taken")


@XEP.must("3.3", says="Nobody changes the password of somebody else's account.")
@TO
def test_nobody_changes_anothers_password(to: str, connect: Connect) -> None:
    _changed(connect)
    victim = connect.account()
    _, session = _owner(connect)
    wanted = Account(victim.localpart, victim.domain, fresh(victim.domain).password)
    reply = _change(session, *named(wanted), to=to)
    require(not may_log_in(connect, wanted), "the new password refused", f"it lets in, behind {show(reply)}")
    require(may_log_in(connect, victim), "a login by the old password", f"it is refused, behind {show(reply)}")


@XEP.should_not("3.3", says="An error does not bring back the password that was sent.")
def test_error_holds_no_password(connect: Connect) -> None:
    _changed(connect)
    victim = connect.account()
    _, session = _owner(connect)
    wanted = Account(victim.localpart, victim.domain, fresh(victim.domain).password)
    reply = _change(session, *named(wanted))
    require_error(reply)
    if stanza_error_condition(reply) == "conflict":
        unsupported("refusing to change another's password: the request is taken for a registration")
    require(wanted.password not in set(_texts(reply)), "no password in the error", reply)


def _texts(reply: Element) -> Iterator[str]:
    return (str(text) for text in reply.itertext())


def _shown(reply: Element | None) -> str:
    return "the end of the stream" if reply is None else show(reply)
