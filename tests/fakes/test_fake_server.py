"""The fake that behaves: what an honest client, and a component, get from it; what a wrong one gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cell as cells
from lab.cell import Account
from lab.errors import PeerError
from lab.fakes import FakeServer
from lab.plugin import Connect, Stage
from lab.wire import negotiation
from lab.wire.namespaces import DISCO_INFO, DISCO_ITEMS, NS, SASL, TLS
from lab.wire.negotiation import authenticate, channel_bindings, header, mechanisms, open_stream
from lab.wire.session import StreamFailed, show, stanza_error_condition
from lab.wire.transport import ConnectionRefused, client_context
from tests.fakes.connecting import connecting

MECHANISMS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]


@pytest.fixture
def connect() -> Iterator[Connect]:
    with FakeServer(patience=2.0) as cell, connecting(cell) as connector:
        yield connector


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("over", ["c2s", "c2s-direct-tls"])
def test_a_login_with_each_mechanism(connect: Connect, mechanism: str, over: cells.Transport) -> None:
    account = connect.account()
    session = connect(account=account, mechanism=mechanism, over=over)
    assert session.bare_jid == account.jid
    session.sentinel()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_refused_and_the_right_one_still_taken(connect: Connect, mechanism: str) -> None:
    account = connect.account()
    session = connect(Stage.SECURED)
    with pytest.raises(PeerError) as caught:
        authenticate(session, Account(account.localpart, account.domain, "wrong"), mechanism)
    assert "<not-authorized" in caught.value.seen
    authenticate(session, account, mechanism)


def test_features_before_and_over_tls(connect: Connect) -> None:
    plain = connect(Stage.OPENED).features
    assert plain is not None
    assert [child.tag for child in plain] == [f"{{{TLS}}}starttls"]
    secured = connect(Stage.SECURED).features
    assert secured is not None
    assert mechanisms(secured) == MECHANISMS
    assert channel_bindings(secured) == ["tls-server-end-point"]


def test_too_many_failures_end_the_stream(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    for _ in range(4):
        session.send(f"<auth xmlns='{SASL}' mechanism='NONE'/>")
        assert "invalid-mechanism" in show(session.receive())
    session.expect_stream_error("policy-violation")
    session.expect_closed()


@pytest.mark.parametrize(
    ("auth", "condition"),
    [
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>!!</auth>", "incorrect-encoding"),
        (f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGE=</auth>", "malformed-request"),
        (f"<auth xmlns='{SASL}'/>", "invalid-mechanism"),
        (f"<abort xmlns='{SASL}'/>", "aborted"),
        (f"<response xmlns='{SASL}'/>", "malformed-request"),
        (f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>bixhPW0sbj11LHI9cg==</auth>", "invalid-authzid"),
    ],
)
def test_sasl_failures(connect: Connect, auth: str, condition: str) -> None:
    session = connect(Stage.SECURED)
    session.send(auth)
    assert session.receive()[0].tag == f"{{{SASL}}}{condition}"


def test_sasl_needs_tls(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>")
    assert session.receive()[0].tag == f"{{{SASL}}}encryption-required"


def test_what_is_injected_in_plain_is_forgotten(connect: Connect) -> None:
    session = connect(Stage.OPENED)
    session.send(f"<starttls xmlns='{TLS}'/><auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>")
    assert session.receive().tag == f"{{{TLS}}}proceed"
    negotiation.begin_tls(session, client_context(connect.cell.ca))
    open_stream(session)
    assert session.inbox == []
    assert session.stream.next_event() is None


def test_resources_wanted_made_and_in_conflict(connect: Connect) -> None:
    account = connect.account()
    first = connect(account=account, resource="here")
    second = connect(account=account, resource="here")
    assert first.resource == "here"
    assert second.resource not in {"", "here"}
    assert connect(account=account).resource != connect(account=account).resource
    assert stanza_error_condition(first.iq("set", f"<bind xmlns='{NS['bind']}'/>")) == "not-allowed"


def test_registration_of_several_accounts_on_one_stream(connect: Connect) -> None:
    session = connect(Stage.SECURED)
    made = Account("one", connect.cell.domain, "secret")
    negotiation.register(session, made)
    negotiation.register(session, Account("two", connect.cell.domain, "secret"))
    with pytest.raises(PeerError) as caught:
        negotiation.register(session, made)
    assert caught.value.seen == "conflict"


def test_stanzas_are_routed_in_order_and_stamped(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    for number in range(20):
        alice.send(f"<message to='{bob.jid}' id='m{number}'><body>\"xmlns='jabber:client'\"</body></message>")
    alice.sentinel(bob)
    assert [m.get("id") for m in bob.inbox] == [f"m{n}" for n in range(20)]
    assert {m.get("from") for m in bob.inbox} == {alice.jid}
    bob.inbox.clear()
    alice.send(f"<iq type='get' id='q' to='{bob.jid}'><x xmlns='urn:x'/></iq>")
    request = bob.expect("q")
    bob.send(f"<iq type='result' id='q' to='{request.get('from')}'/>")
    assert alice.expect("q").get("from") == bob.jid


def test_messages_to_an_account_go_to_its_available_resources(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    alice.send(f"<message to='{bob.bare_jid}' id='early'/>")
    assert stanza_error_condition(alice.expect("early")) == "service-unavailable"
    bob.send("<presence/>")
    assert bob.receive().get("from") == bob.jid
    alice.send(f"<message to='{bob.bare_jid}' id='late'/>")
    assert bob.expect("late").get("to") == bob.bare_jid


def test_errors_to_an_account_go_nowhere(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    bob.send("<presence/>")
    bob.receive()
    for name in ("message", "presence"):
        alice.send(f"<{name} to='{bob.bare_jid}' type='error' id='e'/>")
    alice.sentinel(bob)
    alice.sentinel()
    assert bob.inbox == alice.inbox == []


@pytest.mark.parametrize("priority", ["", "x", "-+1", "9" * 5000, "٣", "-128"])
def test_any_priority_is_survived(connect: Connect, priority: str) -> None:
    session = connect()
    session.send(f"<presence><priority>{priority}</priority></presence>")
    assert session.receive().get("from") == session.jid
    session.sentinel()


def test_an_undefined_type_of_presence_is_refused(connect: Connect) -> None:
    session = connect()
    for to in ("", f" to='{session.jid}'"):
        session.send(f"<presence type='asleep' id='p'{to}/>")
        assert stanza_error_condition(session.expect("p")) == "bad-request"


def test_a_resource_may_have_any_character(connect: Connect) -> None:
    session = connect(resource="&lt;'&amp;&quot;&gt;")
    assert session.resource == "<'&\">"
    session.send("<presence/>")
    assert session.receive().get("from") == session.jid
    session.send("</stream:stream>")
    session.expect_closed()


def test_a_stream_error_of_the_client_closes_the_stream(connect: Connect) -> None:
    session = connect()
    session.send(f"<stream:error><reset xmlns='{NS['streams']}'/></stream:error>")
    session.expect_closed()


@pytest.mark.parametrize("braces", ["x}message}x", "urn:x|y", "a\tb", "{"])
def test_a_namespace_may_have_any_name(connect: Connect, braces: str) -> None:
    alice, bob = connect(label="alice"), connect.component()
    alice.send(f"<message to='{alice.jid}' id='own'><x xmlns='{braces}' xmlns:y='{braces}' y:z='1'/></message>")
    alice.expect("own")
    alice.send(f"<message to='component.fake.test' id='m' xmlns:y='{braces}' y:z='1'><x xmlns='{braces}'/></message>")
    assert len(bob.expect("m")) == 1
    alice.send(f"<message xmlns='{braces}'/>")
    alice.expect_stream_error("unsupported-stanza-type")


def test_presence_of_who_goes_away(connect: Connect) -> None:
    alice, bob = connect(label="alice"), connect(label="bob")
    alice.send(f"<presence to='{bob.jid}'/>")
    assert bob.receive().get("type") is None
    alice.send("</stream:stream>")
    alice.expect_closed()
    gone = bob.receive()
    assert (gone.get("type"), gone.get("from")) == ("unavailable", alice.jid)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<iq type='get' id='x' to='fake.test'><y xmlns='urn:y'/></iq>", "service-unavailable"),
        ("<iq type='get' id='x' to='nobody@fake.test'><y xmlns='urn:y'/></iq>", "service-unavailable"),
        ("<iq type='get' id='x'/>", "bad-request"),
        ("<iq type='fetch' id='x'><y xmlns='urn:y'/></iq>", "bad-request"),
        ("<message id='x' to='@fake.test'/>", "jid-malformed"),
        ("<message id='x' to='a@elsewhere.test'/>", "remote-server-not-found"),
        ("<message id='x' to='component.fake.test'/>", "service-unavailable"),
        (f"<iq type='get' id='x' to='fake.test'><query xmlns='{DISCO_INFO}' node='n'/></iq>", "item-not-found"),
    ],
)
def test_stanza_errors(connect: Connect, stanza: str, condition: str) -> None:
    session = connect()
    session.send(stanza)
    assert stanza_error_condition(session.expect("x")) == condition


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        ("<message from='somebody@fake.test'/>", "invalid-from"),
        ("<stanza/>", "unsupported-stanza-type"),
        ("<message><!-- --></message>", "restricted-xml"),
        ("<message>&unknown;</message>", "restricted-xml"),
        ("<message></presence>", "not-well-formed"),
        ("<x:message/>", "bad-namespace-prefix"),
        ("<message xmlns:x=''/>", "not-well-formed"),
        ("<message xmlns:xmlns='urn:x'/>", "not-well-formed"),
        ("<message type='a\" id='b'><body/></message>", "not-well-formed"),
        (f"<message><body>{'x' * 600_000}</body></message>", "policy-violation"),
    ],
)
def test_stream_errors(connect: Connect, sent: str, condition: str) -> None:
    session = connect()
    session.send(sent)
    session.expect_stream_error(condition)
    session.expect_closed()


def test_what_stands_before_a_fault_is_answered_and_nothing_behind_it(connect: Connect) -> None:
    session = connect()
    ping = f"<ping xmlns='{NS['ping']}'/>"
    session.send(f"<iq type='get' id='a'>{ping}</iq><iq xmlns:x='' type='get' id='b'>{ping}</iq>")
    assert session.expect("a").get("type") == "result"
    session.expect_stream_error("not-well-formed")
    assert session.inbox == []


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (header(to="elsewhere.test"), "host-unknown"),
        (header(to="fake.test", namespace="jabber:other"), "invalid-namespace"),
        (header(to="fake.test", version=None), "unsupported-version"),
        ("<!DOCTYPE x>", "restricted-xml"),
        ("<stream/>", "invalid-namespace"),
    ],
)
def test_a_header_comes_before_a_stream_error(connect: Connect, sent: str, condition: str) -> None:
    session = connect(Stage.CONNECTED)
    session.send(sent)
    assert negotiation.expect_header(session).get("id")
    session.expect_stream_error(condition)
    session.expect_closed()


def test_nothing_goes_before_bind(connect: Connect) -> None:
    session = connect(Stage.AUTHENTICATED)
    session.send("<presence/>")
    session.expect_stream_error("not-authorized")


def test_disco(connect: Connect) -> None:
    session = connect()
    info = session.iq("get", f"<query xmlns='{DISCO_INFO}'/>", to="fake.test")
    assert info.find("disco:query/disco:identity[@category='server']", NS) is not None
    connect.component()
    items = session.iq("get", f"<query xmlns='{DISCO_ITEMS}'/>", to="fake.test")
    listed = [i.get("jid") for i in items.iterfind("items:query/items:item", NS)]
    assert listed == ["upload.fake.test", "component.fake.test"]


def test_the_component_has_its_addresses(connect: Connect) -> None:
    alice, component = connect(label="alice"), connect.component()
    alice.send("<message to='x@component.fake.test' id='there'><body/></message>")
    assert component.expect("there").get("from") == alice.jid
    component.send(f"<message from='x@component.fake.test' to='{alice.jid}' id='back'/>")
    assert alice.expect("back").get("from") == "x@component.fake.test"
    component.send(f"<message from='{alice.jid}' to='{alice.jid}'/>")
    component.expect_stream_error("invalid-from")


def test_one_component_at_a_time(connect: Connect) -> None:
    connect.component()
    with pytest.raises(StreamFailed) as caught:
        connect.component()
    assert caught.value.condition == "conflict"


def test_the_cell_file_and_the_log(tmp_path: Path) -> None:
    threads = threading.active_count()
    with FakeServer(run_dir=tmp_path) as cell, connecting(cell) as connect:
        assert cells.read(tmp_path / "cell.json") == cell
        connect().sentinel()
        log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "<proceed" in log
    assert "error:" not in log
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefused):
        negotiation.connect(cell, Stage.CONNECTED)
