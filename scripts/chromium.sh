#!/bin/sh
# Makes sure that there is a Chromium for the tests of the report pages.
set -eu
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium with apt-get (the report pages are tested in a real browser)"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >"$log" 2>&1 && exit 0
    cat "$log" >&2
fi
echo "error: no Chromium. Install the package chromium: the report pages are tested in a real browser." >&2
exit 3
