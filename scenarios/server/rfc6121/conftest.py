"""Fixtures of the checks of RFC 6121: a contact whose side of a subscription the lab plays itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.plugin import Connect
from lab.wire.session import Session, new_id
from scenarios.server._contacts import leave


@pytest.fixture
def contact(connect: Connect) -> Iterator[Session]:
    """The lab's component, as the bare JID of a contact of its own domain that nobody has heard of.

    No server stands between, so whatever is routed to the contact is seen, and the contact can send what no server
    would. Behind the check the users' sessions end first: their last presence must not meet the next check's contact.
    """
    session = connect.component()
    session.jid = f"contact-{new_id()}@{session.jid}"
    yield session
    for ended in [*(s for s in connect.open if s is not session), session]:
        leave(ended)
