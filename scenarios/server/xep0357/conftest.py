"""Who takes part in each check of pushes: the service, which is the lab's component, and who sends the messages."""

from __future__ import annotations

import pytest

from lab.plugin import Connect
from lab.wire.session import Session
from scenarios.server.xep0357._service import Service


@pytest.fixture
def service(component_session: Session) -> Service:
    return Service(component_session)


@pytest.fixture
def alice(connect: Connect) -> Session:
    return connect(label="alice")
