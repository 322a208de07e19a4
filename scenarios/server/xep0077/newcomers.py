"""XEP-0077 §3.1, §4, §6, §8, §11: how somebody who has no account gets one from a server."""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Stage, impossible, require, require_equal, require_error, require_result, unsupported
from lab.wire import negotiation
from lab.wire.namespaces import NS, REGISTER, SERVER
from lab.wire.session import Session, StreamFailed, show, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost, Transport
from scenarios.server._caps import form_type
from scenarios.server.xep0077._registering import (
    FEATURE,
    FIELDS,
    XEP,
    Asked,
    ask,
    fill,
    fresh,
    may_log_in,
    named,
    names,
    newcomer,
    simple,
    submitted,
)

# --- what is asked for


@XEP.must("3.1", "3.1.1", says="Who has no account and asks is told which fields are to be filled in.")
@pytest.mark.parametrize("to", ["server", "nobody"])
def test_fields_are_told(to: str, connect: Connect) -> None:
    asked = newcomer(connect)
    reply = ask(asked.session, asked.session.domain if to == "server" else None)
    require_result(reply)
    query = reply.find("register:query", NS)
    told = query is not None and {*names(query)} == {*names(asked.query)}
    require(told, f"the fields {', '.join(sorted(asked.fields))}", reply)


@XEP.should("3.1.1", "3.1", says="Who has not authenticated is taken for somebody who is not registered.")
def test_newcomer_is_not_registered(connect: Connect) -> None:
    query = newcomer(connect).query
    require("registered" not in names(query), "no <registered/>", query)


@XEP.must_not("4", says="The namespace of registration has only the fields that are defined in it.")
def test_no_field_is_added(connect: Connect) -> None:
    query = newcomer(connect).query
    require({*names(query)} <= FIELDS, "only fields that are defined", query)


def _form(connect: Connect) -> tuple[Asked, Element]:
    asked = newcomer(connect)
    if asked.form is None:
        unsupported("a form in the answer")
    return asked, asked.form


def _vars(form: Element, *, required: bool = False) -> set[str]:
    found = form.iterfind("x:field", NS)
    return {f.get("var", "") for f in found if not required or f.find("x:required", NS) is not None}


@XEP.should("4", says="A form has the fields that are asked for beside it, too.")
def test_form_has_all_fields(connect: Connect) -> None:
    asked, form = _form(connect)
    require(asked.fields <= _vars(form), f"the fields {', '.join(sorted(asked.fields))} in the form", form)


@XEP.should("4", says="A form names its kind by a hidden FORM_TYPE.")
def test_form_has_its_type(connect: Connect) -> None:
    _, form = _form(connect)
    require_equal(form_type(form), REGISTER, "FORM_TYPE")


@XEP.should_not("6", says="Fields stand beside a form only where they are enough for all that it requires.")
def test_fields_beside_a_form_are_enough(connect: Connect) -> None:
    asked, form = _form(connect)
    more = _vars(form, required=True) - asked.fields
    require(not asked.fields or not more, "fields for all that the form requires", show(asked.query))


# --- registering


@XEP.must("3.1", says="Who fills in all that is asked for is told that it is done, and can log in with it at once.")
def test_registered_account_can_log_in(connect: Connect) -> None:
    newcomer_ = simple(connect).session
    account = fresh(newcomer_.domain)
    require_result(fill(newcomer_, *named(account), to=newcomer_.domain))
    _is_there(connect, account)
    require(not may_log_in(connect, _other_password(account)), "another password refused", "it logged in with it")


@XEP.should("3.1.1", "3.1", says="Who has registered can go on and authenticate on the same stream.")
def test_registration_goes_on_with_login(connect: Connect) -> None:
    session = simple(connect).session
    account = fresh(session.domain)
    require_result(fill(session, *named(account), to=session.domain))
    negotiation.authenticate(session, account)
    negotiation.open_stream(session)
    bound = negotiation.bind(session)
    require(bound.startswith(f"{account.jid}/"), f"a resource of {account.jid}", bound)


@XEP.must("4", "3.1", says="A form that is offered may be submitted in place of the fields.")
def test_form_registers(connect: Connect) -> None:
    asked, form = _form(connect)
    more = _vars(form, required=True) - {"username", "password"}
    if more:
        impossible(f"the form requires {', '.join(sorted(more))}")
    account = fresh(asked.session.domain)
    require_result(fill(asked.session, submitted(account), to=asked.session.domain))
    _is_there(connect, account)


@XEP.may("3.1.1", says="A second registration on a stream is done or refused, and what is said of it is true.")
def test_second_registration(connect: Connect) -> None:
    session = simple(connect).session
    first, second = fresh(session.domain), fresh(session.domain)
    require_result(fill(session, *named(first), to=session.domain))
    try:
        reply = fill(session, *named(second), to=session.domain)
    except StreamFailed as error:
        require_equal(error.condition, "not-authorized", "stream error")
        made = False
    else:
        made = reply.get("type") == "result"
        if not made:
            require_error(reply)
    require_equal(may_log_in(connect, second), made, "the second account is there:")
    _is_there(connect, first)


# --- refused


def _taken(connect: Connect, how: str) -> tuple[Account, Account, Element]:
    """Who has an account, who wants one of that name, and what the latter is answered."""
    session = simple(connect).session
    owner = connect.account()
    name = owner.localpart.upper() if how == "in-capitals" else owner.localpart
    thief = Account(name, owner.domain, fresh(owner.domain).password)
    return owner, thief, fill(session, *named(thief), to=session.domain)


TAKEN = pytest.mark.parametrize("how", ["as-it-is", "in-capitals"])
"""Names differ by more than their case (RFC 7622 §3.3)."""


@XEP.must("3.1", says="A name that somebody has is given to nobody else, and its owner's password stays.")
@TAKEN
def test_taken_name_is_refused(how: str, connect: Connect) -> None:
    owner, thief, reply = _taken(connect, how)
    require_error(reply)
    _is_there(connect, owner)
    intruder = Account(owner.localpart, owner.domain, thief.password)
    require(not may_log_in(connect, intruder), "the owner's password alone", "the other one's password was taken")


@XEP.should("3.1", says="That a name is taken is said by the error conflict.")
@TAKEN
def test_taken_name_is_a_conflict(how: str, connect: Connect) -> None:
    require_error(_taken(connect, how)[2], "conflict")


INCOMPLETE = {
    "no-password": "<username>{0}</username>",
    "empty-password": "<username>{0}</username><password/>",
    "password-without-text": "<username>{0}</username><password></password>",
    "no-username": "<password>{1}</password>",
    "empty-username": "<username/><password>{1}</password>",
    "nothing": "",
}


@XEP.must("3.1", says="Who leaves out something that is asked for, or an empty password, is answered not-acceptable.")
@pytest.mark.parametrize("what", INCOMPLETE)
def test_incomplete_registration_is_not_acceptable(what: str, connect: Connect) -> None:
    session = simple(connect).session
    account = fresh(session.domain)
    content = INCOMPLETE[what].format(account.localpart, account.password)
    # An empty name is one that is left out, or one that is no localpart.
    conditions = ("not-acceptable", *(("jid-malformed", "bad-request") if what == "empty-username" else ()))
    require_error(fill(session, content, to=session.domain), *conditions)


@XEP.must("3.1", says="What was refused has made no account: the name is there for who asks for it rightly.")
@pytest.mark.parametrize("what", ["no-password", "empty-password", "password-without-text"])
def test_refused_registration_makes_no_account(what: str, connect: Connect) -> None:
    session = simple(connect).session
    account = fresh(session.domain)
    content = INCOMPLETE[what].format(account.localpart, account.password)
    require_error(fill(session, content, to=session.domain))
    again = simple(connect, "another").session
    require_result(fill(again, *named(account), to=again.domain))
    _is_there(connect, account)


@XEP.must("3.2", says="Who has no account, and has not logged in, cancels nothing.")
def test_newcomer_cancels_nothing(connect: Connect) -> None:
    session = simple(connect).session
    try:
        reply = fill(session, "<remove/>", to=session.domain)
    except StreamFailed:
        return
    require_error(reply)  # which, depends on what the server takes the sender for


# --- the stream feature, and the channel


@XEP.must("3.1", "8", says="Whose stream features have registration is told what to fill in.")
def test_feature_is_true(connect: Connect) -> None:
    session = connect(Stage.SECURED, label="newcomer")
    if session.features is None or session.features.find(FEATURE) is None:
        unsupported(FEATURE)
    reply = ask(session, session.domain)
    require_result(reply)
    require(reply.find("register:query", NS) is not None, "<query/>", reply)


@XEP.should_not("11", says="Nobody is registered over a channel that is not secured.")
def test_nobody_is_registered_in_clear(connect: Connect) -> None:
    simple(connect)
    session = connect(Stage.OPENED, label="in-clear")
    offered = session.features is not None and session.features.find(FEATURE) is not None
    require(not offered, "no registration among the features before TLS", session.features)
    account = fresh(session.domain)
    try:
        reply = fill(session, *named(account), to=session.domain)
    except (StreamFailed, ConnectionLost):
        return
    require(stanza_error_condition(reply), "an error", reply)
    require(not may_log_in(connect, account), "no account", "it was registered all the same")


@XEP.should_not("8", says="Registration is not among the features that another server is told.")
def test_other_servers_are_not_told(connect: Connect) -> None:
    endpoint = connect.cell.endpoint("s2s")
    if endpoint is None:
        impossible("the cell has no s2s port")
    newcomer(connect)
    session = connect.adopt(
        Session(
            Transport.connect(endpoint.host, endpoint.port, timeout=connect.cell.patience),
            domain=connect.cell.domain,
            patience=connect.cell.patience,
            trace=connect.trace,
            label="peer",
            namespace=SERVER,
        )
    )
    try:
        features = negotiation.open_stream(session)
    except PeerError as error:
        impossible(f"no stream between servers could be opened: {error.message}")
    require(features.find(FEATURE) is None, "no registration among the features", features)


# --- what holds in all of them


def _is_there(connect: Connect, account: Account) -> None:
    require(may_log_in(connect, account), f"a login as {account.localpart}", "it is refused")


def _other_password(account: Account) -> Account:
    return Account(account.localpart, account.domain, f"{account.password}-not")
