"""XEP-0388 §2.6.3: <continue/> and its tasks, shown by the one task that there is: SCRAM upgrades (XEP-0480 0.2.0).

Its client asks for it, proves its password, and then hands over what a newer SCRAM needs to be stored.
"""

from __future__ import annotations

import hashlib

import pytest

from lab.cell import Account
from lab.errors import PeerError
from lab.plugin import Connect, Specification, require, require_equal, unsupported
from lab.wire import sasl2
from lab.wire.namespaces import BIND2, NS, PING, SASL2
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session, StreamEnded, StreamFailed
from lab.wire.stream import Element
from lab.wire.transport import ConnectionLost
from scenarios.server._sasl2 import (
    authenticate,
    features_behind,
    is_sasl2,
    message_of_plain,
    require_failure,
    require_success,
    secured,
)

SASL2_PROFILE = Specification("XEP-0388")

UPGRADE = "urn:xmpp:sasl:upgrade:0"
SCRAM_UPGRADE = "urn:xmpp:scram-upgrade:0"
TASK, HASH = "UPGR-SCRAM-SHA-256", "sha256"
AGENT = UserAgent.new().xml()


def _continued(connect: Connect, inline: str = "") -> tuple[Session, Account, Element]:
    """A stream on which a right password is not enough, who proved it, and <continue/>."""
    account = connect.account()
    session = secured(connect, account, "PLAIN")
    offer = sasl2.offered(session.features) if session.features is not None else None
    if offer is None or TASK not in [u.text for u in offer.iterfind(f"{{{UPGRADE}}}upgrade")]:
        unsupported(f"a task: {TASK} (XEP-0480)")
    wish = f"{AGENT}<upgrade xmlns='{UPGRADE}'>{TASK}</upgrade>{inline}"
    answer = authenticate(session, "PLAIN", message_of_plain(account), wish)
    if is_sasl2(answer, "success"):
        unsupported("a task that comes before success")
    require(is_sasl2(answer, "continue"), "<continue/>", answer)
    return session, account, answer


def _begun(session: Session) -> tuple[bytes, int]:
    """Begin the task: the salt and the iterations for the password."""
    session.send(f"<next xmlns='{SASL2}' task='{TASK}'/>")
    answer = session.receive()
    salt = answer.find(f"{{{SCRAM_UPGRADE}}}salt")
    fits = is_sasl2(answer, "task-data") and salt is not None and salt.get("iterations", "").isdecimal()
    require(fits, "<task-data/> with a salt and iterations", answer)
    return (sasl2.decode(salt), int(salt.get("iterations", "0"))) if salt is not None else (b"", 0)


def _hand_over(session: Session, content: str) -> Element:
    session.send(f"<task-data xmlns='{SASL2}'>{content}</task-data>")
    return session.receive()


def _finished(session: Session, account: Account) -> Element:
    """Do the task; the answer to it."""
    salt, iterations = _begun(session)
    salted = hashlib.pbkdf2_hmac(HASH, account.password.encode(), salt, iterations)
    return _hand_over(session, f"<hash xmlns='{SCRAM_UPGRADE}'>{sasl2.encode(salted)}</hash>")


@SASL2_PROFILE.must("2.6.3", says="<continue/> lists the tasks that are due, in <tasks/>, and says no identity yet.")
def test_continue_lists_tasks(connect: Connect) -> None:
    _, _, answer = _continued(connect)
    tasks = [(t.text or "").strip() for t in answer.iterfind("sasl2:tasks/sasl2:task", NS)]
    require_equal(tasks, [TASK], "tasks")
    require(answer.find("sasl2:authorization-identifier", NS) is None, "no authorization identifier", answer)


@SASL2_PROFILE.must("2.6.3", says="The last task that is done ends in <success/>, with features behind it.")
def test_task_ends_in_success(connect: Connect) -> None:
    session, account, _ = _continued(connect)
    answer = _finished(session, account)
    require_equal(require_success(answer), account.jid, "the authorization identifier")
    features_behind(session)


@SASL2_PROFILE.must("2.6.3", says="What was asked for inline is done once the last task is, and not before.")
def test_bind_waits_for_the_task(connect: Connect) -> None:
    session, account, answer = _continued(connect, f"<bind xmlns='{BIND2}'><tag>task</tag></bind>")
    require(answer.find("bind2:bound", NS) is None, "no <bound/> in <continue/>", answer)
    success = _finished(session, account)
    jid = require_success(success)
    require(jid.startswith(f"{account.jid}/"), f"a full JID of {account.jid}", success)
    require(success.find("bind2:bound", NS) is not None, "<bound/>", success)


@SASL2_PROFILE.must("2.6.3", says="A task that fails ends in <failure/>.")
@pytest.mark.parametrize(
    "content",
    [pytest.param("", id="nothing"), pytest.param("<lab xmlns='urn:stanzalab:0'/>", id="something-else")],
)
def test_failed_task_ends_in_failure(connect: Connect, content: str) -> None:
    session, _, _ = _continued(connect)
    _begun(session)
    require_failure(_hand_over(session, content))


@SASL2_PROFILE.should("2.6.3", says="A task that was not offered lets nobody in, and the client is told.")
def test_task_not_offered_fails(connect: Connect) -> None:
    session, _, _ = _continued(connect)
    session.send(f"<next xmlns='{SASL2}' task='STANZALAB-1'/>")
    try:
        answer = session.receive()
    except (StreamFailed, StreamEnded):
        return
    require_failure(answer)


@SASL2_PROFILE.must("2.6.3", says="Before its tasks are done a client is nobody yet: its stanzas are not served.")
def test_nothing_is_served_before_the_task(connect: Connect) -> None:
    session, _, _ = _continued(connect)
    session.send(f"<iq type='get' id='early' to='{session.domain}'><ping xmlns='{PING}'/></iq>")
    try:
        answer = session.receive()
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    raise PeerError("the server goes on", expected="the end of the stream", seen=str(answer.tag))
