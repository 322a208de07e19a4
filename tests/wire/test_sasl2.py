"""SASL2 as we play it: scramp's server side behind it, servers that lie or break off, and hashed tokens."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from uuid import UUID

import pytest
from lxml import etree
from scramp import ScramMechanism

from lab.cell import Account
from lab.errors import PeerError, UsageError
from lab.plugin import Connect, Stage
from lab.wire import sasl, sasl2
from lab.wire.namespaces import NS, SASL, SASL2
from lab.wire.sasl2 import Login, Sasl2Failed, UserAgent
from lab.wire.session import parse
from lab.wire.stream import Element

ACCOUNT = Account("user", "a.test", "pencil")
AGENT = UserAgent("d4565fa7-4d72-4749-b3d3-740edbf87770", "A & B", "a <machine>")


def said(xml: str) -> Element:
    return etree.fromstring(xml)


def initial(xml: str) -> bytes:
    return b64decode(said(xml).findtext("sasl2:initial-response", "", NS))


def success(jid: str, data: bytes | None = None, more: str = "") -> Element:
    proof = f"<additional-data>{sasl2.encode(data)}</additional-data>" if data is not None else ""
    identity = f"<authorization-identifier>{jid}</authorization-identifier>"
    return parse(f"<success xmlns='{SASL2}'>{proof}{identity}{more}</success>")


def test_what_is_sent_first() -> None:
    first = said(Login(sasl.Plain(ACCOUNT), agent=AGENT, inline="<bind xmlns='urn:xmpp:bind:0'/>").begin())
    assert first.tag == f"{{{SASL2}}}authenticate"
    assert first.get("mechanism") == "PLAIN"
    assert [etree.QName(child).localname for child in first] == ["initial-response", "user-agent", "bind"]
    agent = first.find("sasl2:user-agent", NS)
    assert agent is not None
    assert agent.get("id") == AGENT.id
    assert [child.text for child in agent] == ["A & B", "a <machine>"]
    assert first.find("bind2:bind", NS) is not None


def test_an_empty_initial_response_is_there_and_none_is_not() -> None:
    assert "<initial-response></initial-response>" in Login(sasl.External()).begin()
    assert "initial-response" not in sasl2.authenticate("CRAM-MD5", None)


def test_every_installation_has_an_id_of_its_own() -> None:
    ids = {UserAgent.new().id for _ in range(10)}
    assert len(ids) == 10
    assert {UUID(one).version for one in ids} == {4}


@pytest.mark.parametrize("jid", ["user@a.test", "user@a.test/balcony"])
def test_scram_to_its_end(jid: str) -> None:
    mechanism = ScramMechanism("SCRAM-SHA-1")
    info = mechanism.make_auth_info(ACCOUNT.password)
    server = mechanism.make_server(lambda _: info)
    login = Login(sasl.mechanism("SCRAM-SHA-1", ACCOUNT), agent=AGENT)
    server.set_client_first(initial(login.begin()).decode())
    challenge = sasl2.encode(str(server.get_server_first()).encode())
    response = login.take(parse(f"<challenge xmlns='{SASL2}'>{challenge}</challenge>"))
    assert response is not None
    server.set_client_final(b64decode(said(response).text or "").decode())
    answer = success(jid, str(server.get_server_final()).encode())
    assert login.take(answer) is None
    assert login.success is answer
    assert login.jid == jid


@pytest.mark.parametrize("data", [None, b"", b"v=AAAA"])
def test_a_server_without_the_right_proof_is_refused(data: bytes | None) -> None:
    login = Login(sasl.mechanism("SCRAM-SHA-1", ACCOUNT))
    login.begin()
    with pytest.raises(PeerError):
        login.take(success("user@a.test", data))
    assert login.success is None


def test_a_failure_tells_its_condition() -> None:
    failure = parse(f"<failure xmlns='{SASL2}'><text>no</text><not-authorized xmlns='{SASL}'/></failure>")
    with pytest.raises(Sasl2Failed) as caught:
        Login(sasl.Plain(ACCOUNT)).take(failure)
    assert caught.value.condition == "not-authorized"
    assert "not-authorized" in caught.value.seen


def test_a_failure_without_a_condition_of_sasl_has_none() -> None:
    failure = parse(f"<failure xmlns='{SASL2}'><not-authorized/></failure>")
    with pytest.raises(Sasl2Failed) as caught:
        Login(sasl.Plain(ACCOUNT)).take(failure)
    assert caught.value.condition == ""


@pytest.mark.parametrize(
    "answer",
    [
        f"<continue xmlns='{SASL2}'><tasks><task>TOTP</task></tasks></continue>",
        f"<success xmlns='{SASL}'/>",
        f"<challenge xmlns='{SASL2}'>!!!</challenge>",
        f"<challenge xmlns='{SASL2}'>bm9uc2Vuc2U=</challenge>",
    ],
)
def test_what_is_no_answer_of_sasl2(answer: str) -> None:
    login = Login(sasl.mechanism("SCRAM-SHA-1", ACCOUNT))
    login.begin()
    with pytest.raises(PeerError):
        login.take(parse(answer))


# --- hashed tokens


def mac(token: str, text: bytes) -> bytes:
    return hmac.new(token.encode(), text, hashlib.sha256).digest()


@pytest.mark.parametrize("binding", [b"", b"channel"])
def test_a_token_proves_both_sides(binding: bytes) -> None:
    token = sasl.HashedToken("HT-SHA-256-ENDP", "user", "secret", binding=binding)
    login = Login(token, agent=AGENT)
    assert initial(login.begin()) == b"user\0" + mac("secret", b"Initiator" + binding)
    assert login.take(success("user@a.test", mac("secret", b"Responder" + binding))) is None


@pytest.mark.parametrize("proof", [None, b"", mac("other", b"Responder"), mac("secret", b"Initiator")])
def test_a_server_that_does_not_know_the_token_is_refused(proof: bytes | None) -> None:
    login = Login(sasl.HashedToken("HT-SHA-256-NONE", "user", "secret"))
    login.begin()
    with pytest.raises(PeerError, match="no proof"):
        login.take(success("user@a.test", proof))


def test_a_token_has_no_challenge() -> None:
    with pytest.raises(PeerError, match="no challenge"):
        sasl.HashedToken("HT-SHA-256-NONE", "user", "secret").respond(b"what")


def test_the_binding_is_in_the_name() -> None:
    assert sasl.token_binding("HT-SHA-256-NONE") == ""
    assert sasl.token_binding("HT-SHA-256-UNIQ") == "tls-unique"
    for name in ("HT-SHA-256-ELSE", "HT-SHA-512-NONE", "SCRAM-SHA-1"):
        with pytest.raises(UsageError):
            sasl.token_binding(name)


# --- who we say to be


def test_only_headers_under_tls_say_who_we_are(connect: Connect) -> None:
    account = connect.account()
    session = connect(Stage.AUTHENTICATED, account=account, sender=account.jid, label="alice")
    sent = [e.text for e in connect.trace.entries if e.session == session.label and e.direction == "sent"]
    headers = [text for text in sent if "<stream:stream" in text]
    assert [f"from='{account.jid}'" in text for text in headers] == [False, True, True]


def test_tokens_bind_to_the_connection(connect: Connect) -> None:
    account = connect.account()
    tls = connect(Stage.SECURED).transport.secured()
    bound = sasl.hashed_token("HT-SHA-256-ENDP", account, "secret", tls=tls)
    free = sasl.hashed_token("HT-SHA-256-NONE", account, "secret", tls=tls)
    assert bound.initial() != free.initial()
    with pytest.raises(UsageError, match="cannot bind"):
        sasl.hashed_token("HT-SHA-256-EXPR", account, "secret", tls=tls)
