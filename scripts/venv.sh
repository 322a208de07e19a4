#!/bin/sh
# Builds the virtual environment: scripts/venv.sh FOLDER EXTRA (EXTRA: empty, or "dev").
# Says what it does in a line each; shows pip's output only when it fails.
set -eu
venv=$1
extra=${2:-}
python=${PYTHON:-python3}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

command -v "$python" >/dev/null || { echo "error: no $python. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)." >&2; exit 3; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $("$python" --version) is too old: the lab needs 3.11 or newer (PYTHON=… names another)." >&2; exit 3; }

if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing python3-venv with apt-get"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } >"$log" 2>&1 || { cat "$log" >&2; exit 3; }
    else
        echo "error: $python cannot make virtual environments. Install python3-venv (or your system's like)." >&2
        exit 3
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "installing the lab${extra:+ and its development tools} into $venv"
# uv installs in a third of pip's time. It does not read pip's settings: what they say is handed over, and where
# it fails all the same, pip has its turn.
what=".${extra:+[$extra]}"
: "${SSL_CERT_FILE:=${PIP_CERT:-}}" "${UV_DEFAULT_INDEX:=${PIP_INDEX_URL:-}}"
[ -z "$SSL_CERT_FILE" ] || export SSL_CERT_FILE
[ -z "$UV_DEFAULT_INDEX" ] || export UV_DEFAULT_INDEX
{
    "$venv/bin/pip" install --disable-pip-version-check --quiet --constraint constraints.txt uv &&
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --constraint constraints.txt --editable "$what"
} >"$log" 2>&1 ||
    "$venv/bin/pip" install --disable-pip-version-check --quiet --constraint constraints.txt --editable "$what" >>"$log" 2>&1 || {
    cat "$log" >&2
    echo "error: the lab could not be installed (the output is above). Is a package index reachable?" >&2
    exit 3
}
