"""RFC 6120 §7: several resources of one account, conflicts between them, retries and limits."""

from __future__ import annotations

from lab.cell import Account
from lab.plugin import (
    Connect,
    Specification,
    Stage,
    impossible,
    on_every_transport,
    require,
    require_equal,
    require_error,
)
from lab.wire.session import (
    Session,
    StreamEnded,
    StreamFailed,
    new_id,
    show,
)
from lab.wire.transport import ConnectionLost
from scenarios.server.rfc6120._binding import bind_iq, bound_jid, resource_of

RFC = Specification("RFC 6120")

MANY = 52  # connected resources; the lab sets limits below that where a server has one


def appear(session: Session) -> None:
    """Make a resource available, and wait until the server has taken note."""
    session.send("<presence/>")
    session.sentinel()


@RFC.should("7.1", says="An account can have several connected resources at once, and each gets its own stanzas.")
@on_every_transport
def test_several_resources_at_once(connect: Connect) -> None:
    account = connect.account()
    one = connect(account=account, resource="one", label="one")
    two = connect(account=account, resource="two", label="two")
    require(one.jid != two.jid, "two full JIDs", one.jid)
    appear(one)
    appear(two)
    for recipient, sender in ((one, two), (two, one)):
        mark = new_id()
        sender.send(f"<message to='{recipient.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
        message = recipient.expect(mark)
        require_equal(message.get("from"), sender.jid, "the sender")
        require_equal(message.findtext("{*}body"), mark, "the body")


@RFC.must(
    "7.7.2.2",
    "7.5",
    says="A resourcepart in use is overridden, refused by <conflict/>, or taken over: <conflict/> ends its holder.",
)
def test_conflict_follows_one_of_three_policies(connect: Connect) -> None:
    account = connect.account()
    holder = connect(account=account, resource="balcony", label="holder")
    newcomer = connect(Stage.AUTHENTICATED, account=account, label="newcomer")
    answer = bind_iq(newcomer, "balcony")
    if answer.get("type") == "error":
        require_error(answer, "conflict")
        require(
            resource_of(bind_iq(newcomer, "orchard"), account) != "balcony",
            "a resourcepart of its own",
            answer,
        )
        holder.sentinel()
    elif bound_jid(answer) != holder.jid:
        resource_of(answer, account)
        holder.sentinel()
    else:
        holder.expect_stream_error("conflict")
        newcomer.jid = bound_jid(answer)
        newcomer.sentinel()


@RFC.must(
    "7.7.2.2",
    "7.5",
    says="Whatever becomes of a conflict, no two streams hold one full JID: one gets its messages.",
)
def test_full_jid_belongs_to_one_stream(connect: Connect) -> None:
    account = connect.account()
    holder = connect(account=account, resource="balcony", label="holder")
    newcomer = connect(Stage.AUTHENTICATED, account=account, label="newcomer")
    answer = bind_iq(newcomer, "balcony")
    owner = newcomer if answer.get("type") == "result" and bound_jid(answer) == holder.jid else holder
    owner.jid = holder.jid
    appear(owner)
    other = connect(label="other")
    mark = new_id()
    other.send(f"<message to='{owner.jid}' id='{mark}' type='chat'><body>{mark}</body></message>")
    message = owner.expect(mark)
    require_equal((message.get("from"), message.findtext("{*}body")), (other.jid, mark), "sender and body")


def refusing(connect: Connect) -> tuple[Session, Account, str]:
    """An authenticated stream, and a resourcepart that it was just refused; `impossible` where none is refused."""
    account = connect.account()
    connect(account=account, resource="balcony", label="holder")
    for resource in ("balcony", "x" * 1024):
        session = connect(Stage.AUTHENTICATED, account=account, label="alice")
        if bind_iq(session, resource).get("type") == "error":
            return session, account, resource
    return impossible("the server accepts or overrides every resourcepart, so that there is nothing to retry")


def retry(session: Session, resource: str, limit: int) -> int:
    """How many retries in a row are refused, `limit` at the most. Raises what ends the stream before that."""
    for refused in range(limit):
        if bind_iq(session, resource).get("type") != "error":
            return refused
    return limit


@RFC.should("7.7.3", says="At least five retries are allowed after a resourcepart was refused.")
def test_five_retries_to_bind_are_allowed(connect: Connect) -> None:
    session, account, resource = refusing(connect)
    require_equal(retry(session, resource, 4), 4, "the number of refused retries")
    resource_of(bind_iq(session, "fit"), account)


@RFC.should("7.7.3", says="No more than ten retries are allowed after a resourcepart was refused.")
def test_no_more_than_ten_retries_to_bind_are_allowed(connect: Connect) -> None:
    session, _, resource = refusing(connect)
    try:
        refused = retry(session, resource, 11)
    except (StreamFailed, StreamEnded, ConnectionLost):
        return
    require(False, "the end of the stream by the eleventh retry", f"{refused} retries were answered")


@RFC.must("7.7.3", says="Retries to bind beyond the server's limit end the stream with <policy-violation/>.")
def test_too_many_retries_to_bind_are_a_policy_violation(connect: Connect) -> None:
    session, _, resource = refusing(connect)
    try:
        retry(session, resource, 40)
    except StreamFailed as error:
        require_equal(error.condition, "policy-violation", "the stream error")
        return
    except (StreamEnded, ConnectionLost) as error:
        error.expected = "the stream error policy-violation"
        raise
    impossible("no limit is reached with 40 retries: see rfc-6120/no-more-than-ten-retries-to-bind-are-allowed")


@RFC.must(
    "7.6.2.1",
    says="An account at its limit of connected resources is refused another: <resource-constraint/>.",
)
def test_limit_of_resources_is_a_resource_constraint(connect: Connect) -> None:
    account = connect.account()
    sessions: list[Session] = []
    for number in range(MANY):
        session = connect(Stage.AUTHENTICATED, account=account, label=f"r{number}")
        answer = bind_iq(session)
        if answer.get("type") == "error":
            require_error(answer, "resource-constraint")
            return
        session.jid = bound_jid(answer)
        sessions.append(session)
    ended = first_ended(sessions)
    if ended is not None:
        # Nothing says that a server may not make room first: then the account never is at its limit.
        impossible(f"the server makes room, and refuses nobody: the oldest session ended: {ended}")
    impossible(f"no limit is reached with {MANY} connected resources")


def first_ended(sessions: list[Session]) -> str | None:
    """How the first of the sessions ended, None where the oldest still lives."""
    try:
        sessions[0].sentinel()
    except StreamFailed as error:
        return show(error.element)
    except (StreamEnded, ConnectionLost) as error:
        return error.message
    else:
        return None
