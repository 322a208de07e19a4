"""What our server does beyond the specifications, and what our users once complained about.

pytest --cell=cell.json            our server, running
pytest --server=prosody            any server of the lab, started for these tests
"""

from __future__ import annotations

from lab.plugin import Connect, require, require_error, require_result
from lab.wire.session import Session


def test_the_server_answers_a_ping(alice: Session) -> None:
    require_result(alice.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=alice.domain))


def test_a_message_keeps_what_it_carries(alice: Session, bob: Session) -> None:
    alice.send(f"<message to='{bob.jid}' id='m1'><order xmlns='urn:example:shop' number='7'/></message>")
    message = bob.expect("m1", "the message to bob")
    order = message.find("{urn:example:shop}order")
    require(order is not None and order.get("number") == "7", "the order that was sent", message)


def test_nobody_asks_another_account(alice: Session, connect: Connect) -> None:
    stranger = connect(label="stranger")
    reply = stranger.iq("get", "<query xmlns='urn:example:shop'/>", to=alice.bare_jid)
    require_error(reply, "service-unavailable")
