#!/bin/sh
# Sees to a real Redis for the fault campaign. Debian's package is unpacked beside the build, not installed: installed
# it would start a service. Without it the campaign leaves Redis out and says so.
set -eu

directory=build/redis
packages="redis-server redis-tools libjemalloc2 liblzf1 libatomic1"

if command -v redis-server >/dev/null || [ -x "$directory/usr/bin/redis-server" ]; then exit 0; fi

fetch() {
	mkdir -p "$directory"
	(cd "$directory" && apt-get download -q $packages && for package in *.deb; do dpkg-deb -x "$package" .; done &&
		rm -f ./*.deb)
}

if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
	if fetch 2>/dev/null; then exit 0; fi
	if [ "$(id -u)" = 0 ] && apt-get update -q && fetch; then exit 0; fi
fi
echo "redis-server can't be had from apt: the campaign leaves Redis out" >&2
