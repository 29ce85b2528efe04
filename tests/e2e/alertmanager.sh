#!/bin/sh
# Sees to Alertmanager for its test. Debian's package is unpacked beside the build, not installed: installed it would
# start a service. Without it the test is skipped and says so, so nothing here fails the others.
set -eu

directory=build/alertmanager
program=usr/bin/prometheus-alertmanager

if command -v prometheus-alertmanager >/dev/null || [ -x "$directory/$program" ]; then exit 0; fi

fetch() {
	mkdir -p "$directory"
	(cd "$directory" && apt-get download -q prometheus-alertmanager && dpkg-deb -x prometheus-alertmanager_*.deb . &&
		rm -f prometheus-alertmanager_*.deb)
}

if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
	if fetch 2>/dev/null; then exit 0; fi
	if [ "$(id -u)" = 0 ] && apt-get update -q && fetch; then exit 0; fi
fi
echo "prometheus-alertmanager can't be had from apt: tests/e2e/test_alertmanager.py will be skipped" >&2
