"""XEP-0045 §17.4: IQs to a room, and from one occupant to another."""

from __future__ import annotations

import pytest

from lab.plugin import Connect, Specification, premise, require, require_equal, require_error, require_result
from lab.wire.namespaces import LAB, NS, PING
from lab.wire.session import Session, localname, new_id, show
from lab.wire.stream import Element
from scenarios.server.xep0045._configuration import Value
from scenarios.server.xep0045._occupant import Occupant, of_the_room, settle
from scenarios.server.xep0045._rooms import gather

XEP = Specification("XEP-0045")
HIDDEN: dict[str, Value] = {"whois": "moderators"}
PAYLOAD = f"<note xmlns='{LAB}'>a question</note>"


def _asks(session: Session, to: str, kind: str = "get") -> str:
    """Ask something of ours. Answers the iq's id."""
    identifier = new_id()
    session.send(f"<iq type='{kind}' id='{identifier}' to='{to}'>{PAYLOAD}</iq>")
    return identifier


def _is_question(element: Element) -> bool:
    asked = localname(element) == "iq" and element.get("type") in {"get", "set"}
    return asked and element.find("lab:note", NS) is not None


def _asked(recipient: Occupant) -> Element:
    return recipient.session.expect(_is_question, "the request of another occupant")


def _passed_on(recipient: Occupant) -> Element:
    """As `_asked`; to pass requests on at all is SHOULD (§17.4)."""
    return premise(lambda: _asked(recipient), "no request is passed on; another check says whether that is a fault")


def _answers(recipient: Occupant, request: Element, *, error: bool = False) -> None:
    kind, payload = "result", f"<note xmlns='{LAB}'>an answer</note>"
    if error:
        kind, payload = "error", f"<error type='cancel'><conflict xmlns='{NS['stanzas']}'/></error>"
    recipient.session.send(f"<iq type='{kind}' id='{request.get('id')}' to='{request.get('from')}'>{payload}</iq>")


def _answer(session: Session, identifier: str) -> Element:
    return session.expect(
        lambda e: localname(e) == "iq" and e.get("id") == identifier and e.get("type") in {"result", "error"},
        f"an answer to the iq {identifier!r}",
    )


def _hides(stanza: Element, who: Occupant) -> None:
    require(who.session.bare_jid not in show(stanza), f"nothing of {who.session.bare_jid}", stanza)


# --- to the room


@XEP.must("17.4", says="An IQ to the room is answered by the room, and passed on to nobody.")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_iq_to_the_room_stays_there(connect: Connect, kind: str) -> None:
    owner, guest, other = gather(connect, "none", "none")
    reply = guest.session.iq(kind, PAYLOAD, to=guest.room)
    require_error(reply)
    of_the_room(reply, guest.room)
    for occupant in (owner, other):
        occupant.is_spared(
            f"<iq type='{kind}' from='{guest.jid}' to='{occupant.session.jid}' id='q'>{PAYLOAD}</iq>",
            _is_question,
            "IQ that was for the room",
        )


# --- to an occupant


@XEP.should(
    "17.4", "6.6", says="An IQ to an occupant JID is passed on to the occupant, from the asker's occupant JID."
)
@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize(
    ("asker", "asked"),
    [
        pytest.param("none", "member", id="participant-to-member"),
        pytest.param("member", "none", id="member-to-participant"),
        pytest.param("none", "owner", id="participant-to-owner"),
        pytest.param("admin", "none", id="admin-to-participant"),
    ],
)
def test_iq_is_passed_on(connect: Connect, asker: str, asked: str, kind: str) -> None:
    _owner, one, other = gather(connect, asker, asked, **HIDDEN)
    _asks(one.session, other.jid, kind)
    request = _asked(other)
    require_equal(request.get("from"), one.jid, "from")
    require_equal(request.get("type"), kind, "type")
    require_equal(request.findtext("lab:note", None, NS), "a question", "what was asked")


@XEP.should("17.4", says="The answer of an occupant, a result or an error, comes back from the occupant JID.")
@pytest.mark.parametrize("error", [False, True], ids=["result", "error"])
def test_answer_comes_back(connect: Connect, error: bool) -> None:
    _owner, one, other = gather(connect, "none", "none", **HIDDEN)
    identifier = _asks(one.session, other.jid)
    _answers(other, _asked(other), error=error)
    answer = _answer(one.session, identifier)
    require_equal(answer.get("from"), other.jid, "from")
    if error:
        require_error(answer, "conflict")
    else:
        require_result(answer)
        require_equal(answer.findtext("lab:note", None, NS), "an answer", "what was answered")


@XEP.must_not("17.4", says="In a semi-anonymous room an IQ does not tell the asked who asks.")
def test_iq_hides_who_asks(connect: Connect) -> None:
    _owner, one, other = gather(connect, "none", "none", **HIDDEN)
    _asks(one.session, other.jid)
    request = _passed_on(other)
    require_equal(request.get("from"), one.jid, "from")
    _hides(request, one)


@XEP.must_not(
    "17.4", says="In a semi-anonymous room an answer, a result or an error, does not tell the asker who was asked."
)
@pytest.mark.parametrize("error", [False, True], ids=["result", "error"])
def test_answer_hides_who_was_asked(connect: Connect, error: bool) -> None:
    _owner, one, other = gather(connect, "none", "none", **HIDDEN)
    identifier = _asks(one.session, other.jid)
    _answers(other, _passed_on(other), error=error)
    answer = premise(
        lambda: _answer(one.session, identifier), "no answer comes back; another check says whether that is a fault"
    )
    require_equal(answer.get("from"), other.jid, "from")
    _hides(answer, other)


@XEP.must("17.4", says="An IQ to a nickname that nobody has is answered by an error.")
def test_iq_to_nobody(connect: Connect) -> None:
    (owner,) = gather(connect)
    reply = owner.session.iq("get", f"<ping xmlns='{PING}'/>", to=f"{owner.room}/nobody")
    require_error(reply)
    of_the_room(reply, owner.room)


@XEP.must("17.4", "6.6", says="An IQ of one who is not in the room is refused, and not passed on.")
@pytest.mark.parametrize("kind", ["stranger", "left"])
def test_iq_from_outside_is_not_passed_on(connect: Connect, kind: str) -> None:
    owner, guest = gather(connect, "none", **HIDDEN)
    session = guest.session
    if kind == "stranger":
        session = connect(label="stranger")
    else:
        guest.leaves()
        guest.sees(guest.jid, "unavailable")
    require_error(session.iq("get", PAYLOAD, to=owner.jid))
    settle(owner.room, session)
    owner.is_spared(
        f"<iq type='get' from='{session.jid}' to='{owner.session.jid}' id='q'>{PAYLOAD}</iq>",
        _is_question,
        "IQ of one who is not in the room",
    )
