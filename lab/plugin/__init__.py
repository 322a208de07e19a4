"""What a scenario module needs: requirements, judgements, fixtures. The pytest hooks stand in `lab.plugin.hooks`."""

from lab.plugin.connections import Connect
from lab.plugin.judge import (
    impossible,
    premise,
    require,
    require_equal,
    require_error,
    require_result,
    unsupported,
)
from lab.plugin.requirement import Specification, on_every_transport, proved_by
from lab.wire.negotiation import Stage

__all__ = [
    "Connect",
    "Specification",
    "Stage",
    "impossible",
    "on_every_transport",
    "premise",
    "proved_by",
    "require",
    "require_equal",
    "require_error",
    "require_result",
    "unsupported",
]
