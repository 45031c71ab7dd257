#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the build and the tests need and is not there, with the system's
# package manager, and says what it installs. Does nothing when nothing is missing.
set -eu

say() { echo "deps: $*" >&2; }

if command -v apt-get >/dev/null 2>&1; then
	packages="gcc make clang llvm pkg-config libbpf-dev libcurl4-openssl-dev libcjson-dev libsqlite3-dev
		zlib1g-dev libelf-dev libssl-dev libcapstone-dev libyaml-dev libcriterion-dev linux-libc-dev
		bpftool python3 python3-venv openssl curl procps iproute2 util-linux ca-certificates"
	installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
	install_all() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
	# Ubuntu ships bpftool with its kernel's tools.
	if ! installed bpftool && ! apt-cache show bpftool >/dev/null 2>&1; then
		apt-get update -qq 2>/dev/null || true
		apt-cache show bpftool >/dev/null 2>&1 ||
			packages=$(echo "$packages" | sed 's/ bpftool/ linux-tools-common linux-tools-generic/')
	fi
elif command -v dnf >/dev/null 2>&1; then
	packages="gcc make clang llvm pkgconf-pkg-config libbpf-devel libcurl-devel cjson-devel sqlite-devel
		zlib-devel elfutils-libelf-devel openssl-devel capstone-devel libyaml-devel criterion-devel kernel-headers
		bpftool python3 openssl curl procps-ng iproute util-linux ca-certificates"
	installed() { rpm -q "$1" >/dev/null 2>&1; }
	install_all() { dnf install -y -q "$@"; }
else
	say "no apt-get and no dnf here: install the packages named in tools/deps.sh by hand"
	exit 0
fi

missing=""
for package in $packages; do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

say "installing:$missing"
if [ "$(id -u)" -ne 0 ]; then
	say "that needs root: run 'sudo make deps'"
	exit 1
fi
# shellcheck disable=SC2086
install_all $missing
