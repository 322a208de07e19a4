"""XEP-0114 §3: stanzas between users and a component, and addresses that it must not use."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, require, require_equal, require_result
from lab.wire.namespaces import CLIENT, COMPONENT, NS
from lab.wire.session import Session, StreamFailed, new_id, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server.rfc6120._stanzas import (
    UNKNOWN,
    become_available,
    deliver,
    identifier,
    require_delivered,
    require_no_copy,
    stanza,
)
from scenarios.server.xep0114._component import every_kind

XEP = Specification("XEP-0114")
RFC = Specification("RFC 6120")

pytestmark = pytest.mark.xdist_group("component")


def _require_refusal_or_silence(session: Session, asked: str) -> None:
    """The check fails where a stanza that a component must not send is served.

    The server may end the stream with an error, return the stanza as an error, or drop it without a word.
    """
    try:
        session.expect_nothing(
            f"<iq type='result' id='{asked}' from='{session.domain}' to='{session.jid}'/>",
            lambda e: e.get("id") == asked and not stanza_error_condition(e),
            "a result for a stanza that a component must not send",
        )
    except StreamFailed as error:
        refusals = {"improper-addressing", "invalid-from", "bad-format", "invalid-xml", "not-authorized"}
        require(error.condition in refusals, f"a stream error: {', '.join(sorted(refusals))}", error.seen)


# --- from users to the component


@every_kind
@XEP.must("3", says="Stanzas of users reach the component unmodified, from the full JID of the user.")
def test_stanza_of_a_user_reaches_the_component(kind: str, alice: Session, component_session: Session) -> None:
    sent = stanza(kind, component_session.jid)
    got = deliver(alice, component_session, sent)
    require_delivered(got, sent, alice.jid, namespace=COMPONENT)


@pytest.mark.parametrize(
    "address",
    ["{user}@{domain}", "{user}@{domain}/r/with space", "{domain}/only-a-resource"],
    ids=["bare", "full", "domain-and-resource"],
)
@every_kind
@XEP.must("3", says="Stanzas to any address at the component's name reach the component.")
def test_any_address_of_the_component_is_routed(
    kind: str, address: str, alice: Session, component_session: Session
) -> None:
    target = address.format(user=f"ghost-{new_id()}", domain=component_session.jid)
    sent = stanza(kind, target)
    got = deliver(alice, component_session, sent)
    require_delivered(got, sent, alice.jid, namespace=COMPONENT)


@XEP.must("3", says="Many stanzas of a user reach the component in their order, each once.")
def test_stanzas_reach_the_component_in_order(alice: Session, component_session: Session) -> None:
    sent = [stanza(("message", "presence", "iq")[n % 3], f"u{n % 5}@{component_session.jid}") for n in range(45)]
    ids = [identifier(xml) for xml in sent]
    alice.send("".join(sent))
    alice.sentinel(component_session)
    got = [e for e in component_session.inbox if e.get("id") in ids]  # the server may ask the component, too
    require_equal([e.get("id") for e in got], ids, "ids")
    for element, xml in zip(got, sent, strict=True):
        require_delivered(element, xml, alice.jid, namespace=COMPONENT)


# --- from the component to users


@every_kind
@pytest.mark.parametrize("sender", ["{domain}", "ghost@{domain}", "ghost@{domain}/r"], ids=["domain", "bare", "full"])
@XEP.must("3", says="Stanzas from any address at the component's name reach users, as jabber:client has them.")
def test_stanza_of_the_component_reaches_the_user(
    sender: str, kind: str, bob: Session, component_session: Session
) -> None:
    address = sender.format(domain=component_session.jid)
    sent = stanza(kind, bob.jid, f"from='{address}'")
    become_available(bob)
    component_session.send(sent)
    got = bob.expect(identifier(sent))
    require_delivered(got, sent, address, namespace=CLIENT)
    require_no_copy(component_session, bob, got)


@XEP.must("3", says="An iq of the component to the server is answered to the address that it was sent from.")
def test_iq_of_the_component_is_answered(component_session: Session) -> None:
    asked = new_id()
    sender = f"ghost@{component_session.jid}/r"
    domain = component_session.domain
    component_session.send(
        f"<iq type='get' id='{asked}' from='{sender}' to='{domain}'><query xmlns='{NS['disco']}'/></iq>"
    )
    reply = component_session.expect(asked)
    require(reply.tag == f"{{{COMPONENT}}}iq", "an iq in the component's namespace", reply)
    require_result(reply)
    require(reply.get("from") == domain, f"'from' is {domain}", reply)
    require(reply.get("to") == sender, f"'to' is {sender}", reply)
    require(reply.find("disco:query/disco:identity", NS) is not None, "the server's identity", reply)


@XEP.must("3", says="A request of a user and the component's result or error for it pass each once, unmodified.")
@pytest.mark.parametrize("answer", ["result", "error"])
def test_component_answers_a_user(answer: str, alice: Session, component_session: Session) -> None:
    request = stanza("iq", component_session.jid)
    got = deliver(alice, component_session, request)
    require_delivered(got, request, alice.jid, namespace=COMPONENT)
    content = UNKNOWN
    if answer == "error":
        content += (
            f"<error type='wait'><resource-constraint xmlns='{NS['stanzas']}'/>"
            f"<text xmlns='{NS['stanzas']}' xml:lang='eo'>Ne nun</text></error>"
        )
    response = (
        f"<iq type='{answer}' id='{got.get('id')}' from='{component_session.jid}' to='{alice.jid}'>{content}</iq>"
    )
    component_session.send(response)
    reply = alice.expect(identifier(request))
    require_delivered(reply, response, component_session.jid)
    require_no_copy(component_session, alice, reply)


# --- addresses that a component must not use


@every_kind
@pytest.mark.parametrize("forged", ["user", "server", "another-domain", "subdomain", "missing"])
@XEP.must("3", says="What a component sends bears a 'from' at its own name: no other reaches a user.")
def test_from_of_another_domain_does_not_arrive(
    forged: str, kind: str, bob: Session, component_session: Session, connect: Connect
) -> None:
    domain, server = component_session.jid, component_session.domain
    carol = connect(label="carol")
    address = {
        "user": f"from='{carol.jid}'",
        "server": f"from='{server}'",
        "another-domain": "from='mallory@forged.example/r'",
        "subdomain": f"from='mallory@sub.{domain}'",
        "missing": "",
    }[forged]
    sent = stanza(kind, bob.jid, address)
    component_session.send(sent)
    _require_refusal_or_silence(component_session, identifier(sent))

    def from_elsewhere(element: Element) -> bool:
        # A server that puts the component's own name where 'from' is missing lets no forgery through.
        claimed = (element.get("from") or "").partition("/")[0].rpartition("@")[2]
        return element.get("id") == identifier(sent) and claimed != domain

    bob.expect_nothing(sent, from_elsewhere, "a stanza from an address that is not the component's", after=carol)


@XEP.must("3", says="What a component sends bears a 'to': a request without one is not served.")
def test_request_without_to_is_not_served(component_session: Session) -> None:
    asked = new_id()
    component_session.send(f"<iq type='get' id='{asked}' from='{component_session.jid}'>{UNKNOWN}</iq>")
    _require_refusal_or_silence(component_session, asked)
