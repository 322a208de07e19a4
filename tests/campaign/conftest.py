"""The command line, typed in this process: a new one would take a second or two to begin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import cli


class Said(NamedTuple):
    """What a person gets who types a command."""

    code: int
    out: str
    err: str


Typed = Callable[..., Said]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Typed:
    """Types a command of `stanzalab`, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def type_(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["stanzalab", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return type_
