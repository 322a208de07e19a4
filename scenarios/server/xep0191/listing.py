"""XEP-0191 §3.1 to §3.5: the block list, the commands that change it, and who is told."""

from __future__ import annotations

import pytest

from lab.plugin import (
    Connect,
    Specification,
    impossible,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.wire.namespaces import BLOCKING as NAMESPACE
from lab.wire.namespaces import NS
from lab.wire.session import Session, new_id, show
from scenarios.server._contacts import appear
from scenarios.server._discovery import advertises, answered
from scenarios.server.xep0191._blocking import (
    ask_to_block,
    block,
    block_list,
    items,
    pushed,
    unblock,
    user,
)

BLOCKING = Specification("XEP-0191")

ROMEO, IAGO, PARIS = "romeo@montague.example", "iago@venice.example", "paris@verona.example"


@BLOCKING.must("3.1", says="A server that keeps block lists says so: disco#info lists urn:xmpp:blocking.")
def test_support_is_advertised(connect: Connect) -> None:
    session = connect(label="alice")
    reply = answered(lambda: session.iq("get", f"<blocklist xmlns='{NAMESPACE}'/>"))
    if reply.get("type") != "result":
        unsupported("block lists")
    listed = advertises(session, session.domain, NAMESPACE)
    require(listed, f"the feature {NAMESPACE}", "it is not listed, though block lists are kept")


# --- the list


@BLOCKING.must("3.2", says="Where nobody is blocked, the list is there and empty.")
def test_list_is_empty_at_first(connect: Connect) -> None:
    require_equal(block_list(user(connect)), [], "the list")


@BLOCKING.must("3.2", "3.3", says="Each blocked JID is on the list, once.")
def test_blocked_jids_are_listed(connect: Connect) -> None:
    alice = user(connect)
    block(alice, ROMEO)
    require_equal(block_list(alice), [ROMEO], "the list")
    block(alice, IAGO, PARIS)
    require_equal(sorted(block_list(alice)), sorted([ROMEO, IAGO, PARIS]), "the list")


@BLOCKING.must("3.2", says="A JID that is blocked once more is listed once, and the command succeeds.")
def test_jid_is_listed_once(connect: Connect) -> None:
    alice = user(connect)
    block(alice, ROMEO)
    block(alice, ROMEO)
    block(alice, ROMEO, IAGO)
    require_equal(sorted(block_list(alice)), sorted([ROMEO, IAGO]), "the list")


@BLOCKING.may("3.3", says="A command may have many items: all of them are blocked.")
def test_many_jids_are_blocked_at_once(connect: Connect) -> None:
    alice = user(connect)
    many = [f"user{number}@montague.example" for number in range(200)]
    block(alice, *many)
    require_equal(sorted(block_list(alice)), sorted(many), "the list")


FORMS = {
    "bare": ("romeo@montague.example",),
    "full": ("romeo@montague.example/orchard",),
    "domain": ("montague.example",),
    "domain-resource": ("montague.example/orchard",),
    # The same JID, whatever of it is mapped to lower case.
    "capitals": (
        "Romeo@Montague.EXAMPLE",
        "romeo@montague.example",
        "romeo@Montague.EXAMPLE",
        "Romeo@montague.example",
    ),
    "spaces-in-resource": ("romeo@montague.example/the orchard",),
    "escaped": ("ro\\20meo@montague.example",),
    "no-jid": ("a@b@c",),
    "empty-local": ("@montague.example",),
    "empty-resource": ("romeo@montague.example/",),
}


@pytest.mark.parametrize("spellings", FORMS.values(), ids=list(FORMS))
@BLOCKING.must("3.3", "3.2", says="A JID that the server agrees to block is on the list, and no other is.")
def test_jid_of_each_form_is_listed(spellings: tuple[str, ...], connect: Connect) -> None:
    alice = user(connect)
    reply = ask_to_block(alice, spellings[0])
    listed = block_list(alice)
    if reply.get("type") == "error":
        require_error(reply)
        require_equal(listed, [], "the list")
    else:
        require_result(reply)
        require(len(listed) == 1 and listed[0] in spellings, f"a list of {spellings[0]}", str(listed))


@BLOCKING.should("6", says="A JID is blocked in the four forms that a JID has.")
def test_all_forms_are_accepted(connect: Connect) -> None:
    alice = user(connect)
    forms = [FORMS[form][0] for form in ("bare", "full", "domain", "domain-resource")]
    for jid in forms:
        block(alice, jid)
    require_equal(sorted(block_list(alice)), sorted(forms), "the list")


@BLOCKING.must("3.3", says="A command without any item is a bad request.")
def test_block_without_items_is_a_bad_request(connect: Connect) -> None:
    alice = user(connect)
    block(alice, ROMEO)
    require_error(ask_to_block(alice), "bad-request")
    require_equal(block_list(alice), [ROMEO], "the list")


@BLOCKING.must("3.4", says="Unblocking takes the JID off the list, and no other.")
def test_unblocked_jid_is_not_listed(connect: Connect) -> None:
    alice = user(connect)
    block(alice, ROMEO, IAGO, PARIS)
    unblock(alice, IAGO)
    require_equal(sorted(block_list(alice)), sorted([ROMEO, PARIS]), "the list")
    unblock(alice, ROMEO, PARIS)
    require_equal(block_list(alice), [], "the list")


@BLOCKING.must("3.4", "3.2", says="Unblocking one form of a JID leaves the others that are blocked.")
def test_unblocking_is_of_one_form(connect: Connect) -> None:
    alice = user(connect)
    forms = [FORMS[form][0] for form in ("bare", "full", "domain")]
    block(alice, *forms)
    unblock(alice, forms[0])
    require_equal(sorted(block_list(alice)), sorted(forms[1:]), "the list")


@BLOCKING.must("3.4", "3.2", says="Unblocking whom nobody blocked is answered, and changes nothing.")
def test_unblocking_a_stranger_changes_nothing(connect: Connect) -> None:
    alice = user(connect)
    block(alice, ROMEO)
    alice.iq("set", f"<unblock xmlns='{NAMESPACE}'>{items(IAGO)}</unblock>")
    require_equal(block_list(alice), [ROMEO], "the list")


@pytest.mark.parametrize("count", [0, 1, 3])
@BLOCKING.must("3.5", says="Unblocking all empties the list, and succeeds where it was empty already.")
def test_all_are_unblocked(count: int, connect: Connect) -> None:
    alice = user(connect)
    if count:
        block(alice, *[ROMEO, IAGO, PARIS][:count])
    unblock(alice)
    require_equal(block_list(alice), [], "the list")


@BLOCKING.must("3.3", says="A block applies across sessions: the list is there at the next login.")
def test_list_outlives_the_session(connect: Connect) -> None:
    account = connect.account()
    alice = user(connect, account=account)
    block(alice, ROMEO, IAGO)
    alice.close(farewell=alice.patience)
    later = connect(account=account, label="later")
    require_equal(sorted(block_list(later)), sorted([ROMEO, IAGO]), "the list")


# --- somebody else's


@BLOCKING.must_not("3.2", says="The list of another account is not shown to anybody.")
def test_list_of_another_is_not_shown(connect: Connect) -> None:
    alice, bob = user(connect), connect(label="bob")
    block(alice, ROMEO)
    reply = bob.iq("get", f"<blocklist xmlns='{NAMESPACE}'/>", to=alice.bare_jid)
    require_error(reply)
    require(ROMEO not in show(reply), "nothing of the list", reply)


@pytest.mark.parametrize("command", ["block", "unblock", "unblock-all"])
@BLOCKING.must_not("3.3", "3.4", "3.5", says="The list of another account is not changed by anybody.")
def test_list_of_another_is_not_changed(command: str, connect: Connect) -> None:
    alice, bob = user(connect), connect(label="bob")
    block(alice, ROMEO)
    name, content = command.partition("-")[0], {"block": items(IAGO), "unblock": items(ROMEO)}.get(command, "")
    reply = bob.iq("set", f"<{name} xmlns='{NAMESPACE}'>{content}</{name}>", to=alice.bare_jid)
    require_error(reply)
    require_equal(block_list(alice), [ROMEO], "the list")
    require_equal(block_list(bob), [], "the other list")


# --- pushes


def _change(session: Session, command: str) -> None:
    match command:
        case "block":
            block(session, ROMEO, IAGO)
        case "unblock":
            unblock(session, ROMEO, IAGO)
        case "unblock-all":
            unblock(session)


COMMANDS = {
    "block": "3.3",
    "unblock": "3.4",
    "unblock-all": "3.5",
}
every_command = pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            name,
            marks=BLOCKING.must(where, says="Each resource that asked for the list is told of a change."),
        )
        for name, where in COMMANDS.items()
    ],
)


def _resources(connect: Connect) -> list[Session]:
    """Three of one account: two available, one not; all of them asked for the list."""
    account = connect.account()
    sessions = [user(connect, account=account, label=f"resource {number}") for number in range(3)]
    for session in sessions[:2]:
        appear(session)
    for session in sessions:
        block_list(session)
    return sessions


@every_command
def test_change_is_pushed(command: str, connect: Connect) -> None:
    sessions = _resources(connect)
    if command != "block":
        block(sessions[0], ROMEO, IAGO, PARIS)
        for session in sessions:
            pushed(session, "block")
    _change(sessions[0], command)
    name = command.partition("-")[0]
    expected = [] if command == "unblock-all" else sorted([ROMEO, IAGO])
    for session in sessions:
        push = pushed(session, name)
        require(push.get("from") in {None, session.bare_jid}, "'from' absent, or the account", push)
        require(push.get("to") in {None, session.jid}, f"'to' {session.jid}", push)
        told = [item.get("jid", "") for item in push.iterfind(f"blocking:{name}/blocking:item", NS)]
        require_equal(sorted(told), expected, "items in the push")


@BLOCKING.must("3.3", says="A change is pushed once to each resource.")
def test_change_is_pushed_once(connect: Connect) -> None:
    sessions = _resources(connect)
    block(sessions[0], ROMEO)
    for session in sessions:
        pushed(session, "block")
        sessions[0].sentinel(session)
        session.expect_nothing(
            f"<iq type='set' id='{new_id()}'><block xmlns='{NAMESPACE}'>{items(ROMEO)}</block></iq>",
            lambda e: e.find("blocking:block", NS) is not None,
            "second push",
        )


@BLOCKING.must("3.3", "3.4", says="Pushes bring a resource to the same list that the server has.")
def test_pushes_tell_the_whole_story(connect: Connect) -> None:
    one, other, told = _resources(connect)
    known: set[str] = set()
    for session, name, jids in (
        (one, "block", (ROMEO,)),
        (other, "block", (IAGO, PARIS)),
        (told, "unblock", (ROMEO, IAGO)),
        (one, "block", (ROMEO,)),
    ):
        (unblock if name == "unblock" else block)(session, *jids)
        push = pushed(told, name)
        changed = {item.get("jid", "") for item in push.iterfind(f"blocking:{name}/blocking:item", NS)}
        known = known - changed if name == "unblock" else known | changed
    require_equal(sorted(known), sorted(block_list(one)), "the list by the pushes")


@BLOCKING.must_not("3.3", says="A command that failed is pushed to nobody.")
def test_failure_is_not_pushed(connect: Connect) -> None:
    sessions = _resources(connect)
    reply = ask_to_block(sessions[0])
    if reply.get("type") != "error":
        impossible("to block nobody did not fail; another check says whether that is a fault")
    require_error(reply)
    for session in sessions:
        session.expect_nothing(
            f"<iq type='set' id='{new_id()}' to='{session.jid}'><block xmlns='{NAMESPACE}'/></iq>",
            lambda e: e.find("blocking:block", NS) is not None,
            "push of a command that failed",
            after=sessions[0],
        )
