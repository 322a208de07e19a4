"""How busy this machine is: whoever waits for an answer on it has to know."""

from __future__ import annotations

import os


def crowd() -> float:
    """How many programs wait for each processor; 1 where there is time for all.

    A server that shares its machine with others answers late now and then, however quick it is.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
