"""Starts pyjabber with what it has no settings for: the lab's certificate, and loopback alone.

Runs in pyjabber's own venv, not in the lab's. Its first argument is the folder of the certificate; it hands the
others to pyjabber.
"""

import shutil
import sys
from pathlib import Path

from pyjabber import server  # type: ignore[import-not-found]  # the venv is its own
from pyjabber.__main__ import main  # type: ignore[import-not-found]  # same

certificates, arguments = Path(sys.argv[1]), sys.argv[2:]
host = arguments[arguments.index("--host") + 1]
shutil.copy(certificates / "key.pem", f"{host}_key.pem")
shutil.copy(certificates / "chain.pem", f"{host}_cert.pem")
# Left alone, it listens on this machine's outward address too, where it lets everybody register.
server.setup_query_local_ip = lambda: "127.0.0.1"
main(arguments)
