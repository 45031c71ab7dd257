#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the build and the tests need and is not there, with the system's
# package manager, and says what it installs. Does nothing when nothing is missing.
set -eu

say() { echo "deps: $*" >&2; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

if command -v apt-get >/dev/null 2>&1; then
	packages="gcc make clang llvm pkg-config libbpf-dev libcurl4-openssl-dev libcjson-dev libsqlite3-dev
		zlib1g-dev libbrotli-dev libzstd-dev libnghttp2-dev libelf-dev libssl-dev libcapstone-dev libyaml-dev libcriterion-dev linux-libc-dev
		bpftool python3 python3-venv openssl curl nghttp2-client nghttp2-server procps iproute2 util-linux zstd ca-certificates"
	# The fuzzers' runtime comes by clang's version, which only the lists know.
	# What is wrong with getting them is said once, when something is installed.
	[ -n "$(apt-cache show clang 2>/dev/null)" ] || as_root apt-get update -qq 2>/dev/null || true
	version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1)
	[ -z "$version" ] || packages="$packages libclang-rt-$version-dev"
	installed() {
		dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ||
			{ [ "$1" = bpftool ] && [ -x /usr/sbin/bpftool ]; }
	}
	# Ubuntu ships bpftool with its kernel's tools: the name is virtual there.
	is_real() { apt-cache policy "$1" | grep -q 'Candidate: [^(]'; }
	install_all() {
		as_root apt-get update -qq
		is_real bpftool || set -- $(echo "$@" | sed 's/\<bpftool\>/linux-tools-common linux-tools-generic/')
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
	}
elif command -v dnf >/dev/null 2>&1; then
	packages="gcc make clang llvm pkgconf-pkg-config libbpf-devel libcurl-devel cjson-devel sqlite-devel
		zlib-devel brotli-devel libzstd-devel libnghttp2-devel elfutils-libelf-devel openssl-devel capstone-devel libyaml-devel criterion-devel kernel-headers
		bpftool python3 openssl curl nghttp2 procps-ng iproute util-linux zstd ca-certificates"
	installed() { rpm -q --whatprovides "$1" >/dev/null 2>&1; }
	install_all() { as_root dnf install -y -q "$@"; }
else
	say "no apt-get and no dnf here: install the packages named in tools/deps.sh by hand"
	exit 0
fi

missing=""
for package in $packages; do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
	say "missing:$missing"
	say "installing them needs root, and there is no sudo here: run make deps as root"
	exit 1
fi
say "installing:$missing"
# shellcheck disable=SC2086
install_all $missing
