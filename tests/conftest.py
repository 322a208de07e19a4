"""Settings of the lab's own tests."""

from __future__ import annotations

import signal

# A shell that runs the tests in the background has them ignore SIGINT, and their children with them: with a handler
# here, children get the default again, and Ctrl-C can be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
