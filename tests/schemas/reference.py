"""Where the reference texts stand on a developer's machine, beside the repository. Absent anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"


def shared(name: str) -> Path:
    """A file or folder of ../shared; the test is skipped, saying so, where there is none."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is not on this machine")
    return path
