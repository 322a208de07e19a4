"""Accounts made by an administrator's command (XEP-0133 §4.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.accounts import Accounts
from lab.cell import Account, AccountMaking, Cell
from lab.errors import PeerError
from lab.fakes import FakeServer
from lab.plugin import Connect
from lab.wire import administration, negotiation
from lab.wire.negotiation import Stage
from lab.wire.session import Session, parse


@pytest.fixture
def admin(cell: Cell, connect: Connect) -> Session:
    return connect(account=cell.admin)


def test_an_account_that_the_administrator_adds_can_log_in(cell: Cell, admin: Session, connect: Connect) -> None:
    account = Account("carol", cell.domain, "se<c>&r'et\"")
    administration.add_user(admin, account)
    assert connect(account=account).bare_jid == account.jid


def test_an_account_that_is_there_is_not_added(cell: Cell, admin: Session) -> None:
    account = Account("carol", cell.domain, "secret")
    administration.add_user(admin, account)
    with pytest.raises(PeerError, match="no account could be made") as caught:
        administration.add_user(admin, account)
    assert "It is there." in caught.value.seen


def test_nobody_else_adds_accounts(cell: Cell, connect: Connect) -> None:
    with pytest.raises(PeerError) as caught:
        administration.add_user(connect(), Account("carol", cell.domain, "secret"))
    assert caught.value.seen == "forbidden"
    assert "admin" in caught.value.hint


def test_a_field_that_nobody_can_know_is_said() -> None:
    field = parse("<field xmlns='jabber:x:data' var='shoe-size'><required/></field>")
    with pytest.raises(PeerError) as caught:
        administration._answer(field, Account("carol", "a.test", "secret"))
    assert "shoe-size" in caught.value.seen


def test_one_session_of_the_administrator_makes_many_accounts_and_is_opened_again(cell: Cell) -> None:
    accounts = Accounts(replace(cell, accounts=AccountMaking("ad-hoc")))
    made = {accounts.fresh().jid, accounts.fresh().jid}
    registrar = accounts._registrar
    assert registrar is not None
    assert registrar.bare_jid == f"admin@{cell.domain}"
    registrar.transport.close()
    made.add(accounts.fresh().jid)
    assert len(made) == 3
    accounts.close()


def test_an_administrator_who_cannot_log_in_is_said() -> None:
    with FakeServer() as cell:
        wrong = replace(cell, admin=Account("admin", cell.domain, "wrong"), accounts=AccountMaking("ad-hoc"))
        with pytest.raises(PeerError):
            Accounts(wrong).fresh()
        with pytest.raises(PeerError):
            negotiation.connect(wrong, Stage.BOUND, account=wrong.admin)
