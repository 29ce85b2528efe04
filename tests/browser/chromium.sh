#!/bin/sh
# Sees to a browser for the tests. The headless shell is Chromium without windows: a page costs half the CPU time. Root
# installs it (as in a container or CI); any other user keeps the browser there is, and is asked by sudo for one if none.
set -eu

has() { command -v "$1" >/dev/null; }

found=
for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
	if has "$name"; then found=$name; break; fi
done

case "$found:$(id -u)" in
chromium-headless-shell:*) exit 0 ;;
*:0) run= ;;
:*) run=sudo ;;
*) exit 0 ;;
esac

if has apt-get && { [ -z "$run" ] || has sudo; } && $run apt-get update -q; then
	for package in chromium-headless-shell chromium; do
		if $run apt-get install -q -y --no-install-recommends $package; then exit 0; fi
		if [ -n "$found" ]; then exit 0; fi
	done
fi
if [ -z "$found" ]; then
	echo "The browser tests need Chromium or Google Chrome; install one of them" >&2
	exit 1
fi
