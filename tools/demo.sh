#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make demo`: a FastAPI service that runs already, a model server over TLS, and
# gentap attached to the service. All on loopback; nothing stays behind but the
# virtual environment in the build folder, which the tests use too.
#
# usage: demo.sh BUILD
set -eu

cd "$(dirname "$0")/.."
build=${1:-build}

if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo > /dev/null; then
		echo "demo: gentap needs root to place probes, and there is no sudo here: run make demo as root" >&2
		exit 4
	fi
	echo "demo: gentap needs root to place probes; asking sudo"
	exec sudo -- "$0" "$build"
fi
if [ ! -x "$build/gentap" ]; then
	echo "demo: there is no $build/gentap: run make" >&2
	exit 1
fi
tests/live/setup.sh "$build/live" main
exec "$build/live/main/bin/python3" tools/demo.py "$build"
