"""A component's stream before and behind its handshake, and its end (XEP-0114 §3)."""

from __future__ import annotations

import pytest

from lab.plugin import Connect
from lab.wire.component import open_component_stream
from lab.wire.session import Session

every_kind = pytest.mark.parametrize("kind", ["message", "presence", "iq"])


def secret(connect: Connect) -> str:
    return connect.cell.component.secret if connect.cell.component else ""


def salted(connect: Connect) -> tuple[Session, str]:
    """A component that has exchanged headers, and the stream id that it was given."""
    session = connect.component(ready=False)
    return session, open_component_stream(session)
