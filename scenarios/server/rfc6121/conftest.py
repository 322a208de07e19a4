"""Fixtures of the checks of RFC 6121: a contact whose side of a subscription the lab plays itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.plugin import Connect
from lab.plugin.federation import Remotes
from lab.verdict import OVER_S2S
from lab.wire.session import Session, new_id
from scenarios.server._contacts import leave

REMOTE = pytest.param(OVER_S2S, id=OVER_S2S)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Checks with a contact are run twice: it is one of the component's (of which there is one), or remote.

    So are those with a stranger, who is a user of the same server, or of a remote one.
    """
    if "contact" in metafunc.fixturenames:
        component = pytest.param("component", id=pytest.HIDDEN_PARAM, marks=pytest.mark.xdist_group("component"))
        metafunc.parametrize("contact", [component, REMOTE], indirect=True)
    if "stranger" in metafunc.fixturenames:
        metafunc.parametrize("stranger", [pytest.param("local", id=pytest.HIDDEN_PARAM), REMOTE], indirect=True)


@pytest.fixture
def contact(request: pytest.FixtureRequest, connect: Connect) -> Iterator[Session]:
    """A contact that nobody has heard of, as a bare JID of the lab's component, or of a remote server of the lab's.

    No server but the user's stands between, so whatever is routed to the contact is seen, and the contact can send
    what no server would.
    """
    if request.param == OVER_S2S:
        remotes: Remotes = request.getfixturevalue("remotes")
        yield remotes().user(f"contact-{new_id()}")
        return
    session = connect.component()
    session.jid = f"contact-{new_id()}@{session.jid}"
    yield session
    # The users' sessions end first: their last presence must not meet the next check's contact.
    for ended in [*(s for s in connect.open if s is not session), session]:
        leave(ended)


@pytest.fixture
def stranger(request: pytest.FixtureRequest, connect: Connect) -> Session:
    """Somebody of whom nobody has heard, and who is not available."""
    if request.param == OVER_S2S:
        remotes: Remotes = request.getfixturevalue("remotes")
        return remotes().user("stranger", resource=new_id())
    return connect(label="stranger")
