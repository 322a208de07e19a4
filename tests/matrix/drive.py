"""The lab's command line, with the fake lab in the cells: `python -m tests.matrix.drive matrix …`."""

from __future__ import annotations

import sys

from lab import cli
from lab.matrix import plan
from tests.matrix.subjects import FAKE

plan.STANZALAB = FAKE
sys.argv[0] = "stanzalab"
cli.main()
