"""How long does `make lab SERVER=prosody` take with images built, and where does the time go?

With --client, that client's cell is timed. Prints JSON: wall time, checks, checks per second, the sum of the checks'
own times over wall time, wall time over what that sum takes on so many workers, and the bytes of the record.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="prosody")
    parser.add_argument("--client")
    parser.add_argument("--row", default="core")
    parser.add_argument("--workers", default="4")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "stanzalab"), "run", "--server", options.server]
        command += ["--fuzz", "0", "--row", options.row, "--workers", options.workers, "--out", folder]
        command += ["--client", options.client] if options.client else []
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        wall = time.perf_counter() - start
        seen = record.read(Path(folder) / "run.ndjson")
        size = (Path(folder) / "run.ndjson").stat().st_size
    own = sum(result.duration for result in seen.results)
    print(
        json.dumps(
            {
                "bench": "lab run",
                "server": options.server,
                "client": options.client,
                "wall_s": round(wall, 2),
                "checks": len(seen.results),
                "checks_per_s": round(len(seen.results) / wall, 1),
                "checking_s": round(seen.footer.duration if seen.footer else 0.0, 2),
                "sum_of_checks_over_wall": round(own / wall, 2),
                "wall_over_own_time": round(wall * int(options.workers) / own, 2) if own else None,
                "record_bytes": size,
                "round_trip_ms": round(seen.header.round_trip * 1000, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
