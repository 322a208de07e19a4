"""A lab of a few lines that runs one subject until it is interrupted: the tests send it real signals."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from lab.engines import choose
from lab.subjects import find
from tests.engines.fakes import Remembered

folder, run_dir = sys.argv[1:]
subject = find(folder)
print("starting", flush=True)
with choose(subject).start(subject, domain="lab.test", run_dir=Path(run_dir), progress=Remembered()):
    print("ready", flush=True)
    while True:
        signal.pause()
