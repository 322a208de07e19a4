"""A server of a few lines that misbehaves in one named way. Runs as the subject of the local engine, in its own venv.

It answers HELLO with READY and does what else it is told: DIE, CRASH. How it starts is its second argument.
"""

import os
import signal
import socket
import subprocess
import sys

port, way = int(sys.argv[1]), sys.argv[2]
print(f"a fake server, {way}")

if way == "exits":
    print("no such setting: frobnicate", file=sys.stderr)
    sys.exit(3)
if way == "talks-and-exits":
    for number in range(100):
        print(f"line {number}")
    sys.exit(0)
if way == "never-listens":
    while True:
        signal.pause()
if way == "ignores-term":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if way == "has-a-child":
    # The child leaves the session and will not go when asked to.
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()

listener = socket.create_server(("127.0.0.1", port))
refusals = 5 if way == "proxy-first" else 0
while True:
    connection, _ = listener.accept()
    if way == "closes" or refusals > 0:
        refusals -= 1
        connection.close()
        continue
    data = connection.recv(100)
    if data == b"HELLO":
        connection.sendall(b"READY")
    elif data == b"DIE":
        print("told to die")
        os._exit(7)
    elif data == b"CRASH":
        os.kill(os.getpid(), signal.SIGSEGV)
    connection.close()
