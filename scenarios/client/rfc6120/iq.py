"""RFC 6120 §8.2.3, §8.4: every iq of type get or set is answered, once, with its id."""

from __future__ import annotations

from lab.plugin.clients import ClientUnderTest
from lab.plugin.judge import require_error
from lab.plugin.requirement import Specification
from lab.wire.session import Session

RFC = Specification("RFC 6120")
UNKNOWN = "<lab xmlns='urn:stanzalab:0'/>"


@RFC.must("8.2.3", says="A client answers an iq get of a contact's by a result or an error with its id.")
def test_client_answers_iq_get(client: ClientUnderTest, bob: Session) -> None:
    require_error(client.answers("get", UNKNOWN, sender=bob.jid))


@RFC.must("8.2.3", says="A client answers an iq set of a contact's by a result or an error with its id.")
def test_client_answers_iq_set(client: ClientUnderTest, bob: Session) -> None:
    require_error(client.answers("set", UNKNOWN, sender=bob.jid))
