"""The component's name is one: each check waits until its connections are gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.plugin import Connect
from lab.wire.namespaces import COMPONENT
from scenarios.server._contacts import leave


@pytest.fixture(autouse=True)
def _components_are_gone(connect: Connect) -> Iterator[None]:
    """Wait for the server to let the component's connections go: the next check takes the name again."""
    yield
    for session in connect.open:
        if session.namespace == COMPONENT:
            leave(session)
