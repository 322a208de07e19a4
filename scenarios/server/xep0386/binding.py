"""XEP-0386 §3.1 and §3.2: Bind 2 as it is offered, the resource that it binds, and how that is called."""

from __future__ import annotations

import pytest

from lab.cell import Account
from lab.plugin import Connect, Specification, Stage, require, require_equal, unsupported
from lab.wire.namespaces import BIND2, NS
from lab.wire.sasl2 import UserAgent
from lab.wire.session import Session, new_id
from scenarios.server._sasl2 import (
    authenticate,
    enter,
    features_behind,
    message_of_plain,
    offered_inline,
    require_failure,
    require_success,
    secured,
)
from scenarios.server.rfc6120._streams import Where, before_header, expect_features, open_with
from scenarios.server.xep0386._bound import bound, offering, talks, wish

BIND = Specification("XEP-0386")

MOST_BYTES = 1023  # of a resource (RFC 7622 §3.1)


# --- the offer


def _told(connect: Connect, account: Account) -> Session:
    """A session whose header behind TLS says whose it is, to a server that offers Bind 2; its features come next."""
    offering(connect, account)
    session = before_header(connect, Where.AFTER_TLS)
    session.sender = account.jid
    open_with(session, session.opening())
    return session


@BIND.must("3.1", says="Bind 2 is offered inline in SASL2, with the features that go with it in <inline/>.")
def test_bind_is_offered_inline(connect: Connect) -> None:
    session = _told(connect, connect.account())
    features = expect_features(session)
    offer = offered_inline(session, "bind2:bind", "Bind 2")
    inline = offer.findall("bind2:inline", NS)
    if not inline:
        unsupported("any feature inline in Bind 2")
    require_equal(len(inline), 1, "number of <inline/>")
    listed = [f.get("var") for f in inline[0].iterfind("bind2:feature", NS)]
    require(listed and all(listed), "features, each with a 'var'", features)
    require_equal(sorted({str(var) for var in listed}), sorted(map(str, listed)), "features, each once")


@BIND.must_not("3.1", says="Without SASL2 there is no Bind 2: neither before TLS, nor outside of <authentication/>.")
def test_bind_is_offered_nowhere_else(connect: Connect) -> None:
    account = connect.account()
    session = _told(connect, account)
    features = expect_features(session)
    require(features.find("bind2:bind", NS) is None, "no Bind 2 among the stream features themselves", features)
    old = connect(Stage.AUTHENTICATED, account=account)
    require(old.features is not None and not list(old.features.iter(f"{{{BIND2}}}bind")), "no Bind 2", old.features)


# --- the bind


@BIND.must("3.2", says="Who asks is bound by the time of success: a full JID, <bound/>, and a stream that works.")
@pytest.mark.parametrize("tag", [pytest.param(None, id="no-tag"), pytest.param("Stanzalab", id="tag")])
def test_resource_is_bound(connect: Connect, tag: str | None) -> None:
    bob = connect(label="bob")
    alice = bound(connect, tag=tag, label="alice")
    require_equal(len(alice.success.findall("bind2:bound", NS)), 1, "number of <bound/>")
    features = alice.session.features
    require(features is not None and features.find("bind:bind", NS) is None, "no bind still to be had", features)
    talks(alice.session, bob)


@BIND.must("3.2", says="A client that asks for no resource gets none, and binds one as ever.")
def test_nothing_is_bound_unasked(connect: Connect) -> None:
    account = connect.account()
    session = offering(connect, account)
    alice = enter(session, account)
    require(alice.find("bind2:bound") is None, "no <bound/>", alice.success)
    require_equal(session.jid, account.jid, "the authorization identifier")
    features = session.features
    require(features is not None and features.find("bind:bind", NS) is not None, "bind still to be had", features)


@BIND.must_not("3.2", says="A bind along with an attempt that fails is ignored; the next one that succeeds counts.")
def test_bind_of_a_failed_attempt_is_ignored(connect: Connect) -> None:
    account, agent = connect.account(), UserAgent.new().xml()
    offering(connect, account)
    session = secured(connect, account, "PLAIN")
    wrong = message_of_plain(account, password="wrong")
    require_failure(authenticate(session, "PLAIN", wrong, f"{agent}{wish(tag='first')}"))
    answer = authenticate(session, "PLAIN", message_of_plain(account), f"{agent}{wish(tag='second')}")
    jid = require_success(answer)
    require("second" in jid and "first" not in jid, "a resource by the second wish", answer)
    features_behind(session)


@BIND.must("3.2", says="Two sessions of an account, each of its own client, have two resources, and both work.")
def test_two_clients_have_two_resources(connect: Connect) -> None:
    account = connect.account()
    one = bound(connect, account, tag="Stanzalab", label="one").session
    two = bound(connect, account, tag="Stanzalab", label="two").session
    require(one.jid != two.jid, "two full JIDs", f"twice {one.jid}")
    talks(one, two)


@BIND.must("3.2", says="What cannot be switched on, as nobody knows it, does not keep the resource from being bound.")
def test_unknown_feature_does_not_hinder(connect: Connect) -> None:
    bob = connect(label="bob")
    alice = bound(connect, inner="<enable xmlns='urn:stanzalab:0'/>", label="alice")
    talks(alice.session, bob)


# --- the identifier


@BIND.should("3.2.1", says="The client's tag is in the resource, as it is.")
@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("AwesomeXMPP", id="word"),
        pytest.param("Stanzalab 2.0 (trial)", id="words"),
        pytest.param("R\u00f6hre \u2713", id="beyond-ascii"),
        pytest.param("a<b>&c", id="escaped"),
        pytest.param("a/b@c", id="separators"),
    ],
)
def test_tag_is_in_the_resource(connect: Connect, tag: str) -> None:
    bob = connect(label="bob")
    alice = bound(connect, tag=tag, label="alice")
    require(tag in alice.session.resource, f"a resource with {tag!r} in it", alice.success)
    identifier = new_id()
    alice.session.send(f"<message to='{bob.jid}' type='chat' id='{identifier}'><body>Hello</body></message>")
    require_equal(bob.expect(identifier).get("from"), alice.session.jid, "'from' as a contact sees it")


@BIND.should("3.2.1", says="The resource is the tag, and what the server makes up behind it.")
def test_tag_stands_first(connect: Connect) -> None:
    # A slash between them is the format that §3.2.1 recommends, a dot stands in its example.
    alice = bound(connect, tag="AwesomeXMPP")
    before, tag, behind = alice.session.resource.partition("AwesomeXMPP")
    require(tag and not before and len(behind) > 1, "AwesomeXMPP, a separator, and more", alice.success)


@BIND.should("3.2.1", says="What a tag makes of the resource is a valid one still.")
@pytest.mark.parametrize("tag", [pytest.param("", id="empty"), pytest.param("x" * 900, id="long")])
def test_resource_is_valid_whatever_the_tag(connect: Connect, tag: str) -> None:
    account, bob = connect.account(), connect(label="bob")
    session = offering(connect, account, label="alice")
    alice = enter(session, account, inline=wish(tag=tag))
    if alice.find("bind2:bound") is None or not session.resource:
        require_equal(session.jid, account.jid, "the authorization identifier where nothing is bound")
        return
    length = len(session.resource.encode())
    require(0 < length <= MOST_BYTES, f"a resource of up to {MOST_BYTES} bytes", f"{length} bytes")
    talks(session, bob)


@BIND.must_not("3.2.1", says="The id of the client's installation is not shown in its resource.")
@pytest.mark.parametrize("tag", [pytest.param(None, id="no-tag"), pytest.param("Stanzalab", id="tag")])
def test_id_of_the_client_is_not_in_the_resource(connect: Connect, tag: str | None) -> None:
    agent = UserAgent.new()
    alice = bound(connect, tag=tag, agent=agent)
    shown = alice.session.resource.lower()
    hidden = agent.id not in shown and agent.id.replace("-", "") not in shown
    require(hidden, "a resource without the id of the user agent", alice.success)


@BIND.should("3.2.1", says="Where a client that comes back gets its resource again, only tag and id count.")
def test_identifier_is_stable(connect: Connect) -> None:
    account, agent = connect.account(), UserAgent.new()
    jids = []
    for software in ("Stanzalab", "Stanzalab", "Stanzalab, updated"):
        again = UserAgent(agent.id, software, agent.device)
        session = bound(connect, account, tag="Stanzalab", agent=again).session
        jids.append(session.jid)
        session.close(farewell=session.patience)
    if jids[0] != jids[1]:
        unsupported("stable resource identifiers")
    require_equal(jids[2], jids[0], "the JID of the same tag and id")


@BIND.should("3.2.1", says="Without the same tag the resource is another one, which tells the new tag.")
def test_another_tag_is_another_resource(connect: Connect) -> None:
    account, agent = connect.account(), UserAgent.new()
    one = bound(connect, account, tag="Morning", agent=agent).session
    two = bound(connect, account, tag="Evening", agent=agent).session
    require("Evening" in two.resource and "Morning" not in two.resource, "a resource by the tag Evening", two.jid)
    require("Morning" in one.resource, "a resource by the tag Morning", one.jid)


# --- the earlier session of the same client


@BIND.should("3.2", says="A client that binds anew has its earlier session ended.")
@pytest.mark.parametrize("tag", [pytest.param(None, id="no-tag"), pytest.param("Stanzalab", id="tag")])
def test_earlier_session_is_ended(connect: Connect, tag: str | None) -> None:
    account, agent = connect.account(), UserAgent.new()
    earlier = bound(connect, account, tag=tag, agent=agent, label="earlier").session
    bound(connect, account, tag=tag, agent=agent, label="later").session.sentinel()
    earlier.expect_closed(stream=False)


@BIND.must_not("3.2", says="A session of another client of the account is not ended by that.")
@pytest.mark.parametrize("tag", [pytest.param(None, id="no-tag"), pytest.param("Stanzalab", id="tag")])
def test_session_of_another_client_stays(connect: Connect, tag: str | None) -> None:
    account = connect.account()
    earlier = bound(connect, account, tag=tag, label="earlier").session
    later = bound(connect, account, tag=tag, label="later").session
    talks(later, earlier)


@BIND.must_not("3.2", says="A login that fails does not end the session of the client that it says to be.")
def test_failed_login_ends_no_session(connect: Connect) -> None:
    account, agent = connect.account(), UserAgent.new()
    earlier = bound(connect, account, tag="Stanzalab", agent=agent, label="earlier").session
    session = secured(connect, account, "PLAIN")
    wrong = message_of_plain(account, password="wrong")
    require_failure(authenticate(session, "PLAIN", wrong, f"{agent.xml()}{wish(tag='Stanzalab')}"))
    talks(earlier, connect(label="bob"))
