#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the live tests run on, made once under build/live (or $1): a virtual
# environment for the system's Python and for up to two other CPython minors,
# one for the official client libraries, those of Node, and a certificate for
# localhost. Quiet and quick when all of it is there.
#
# Leaves build/live/interpreters: one line "MINOR PYTHON" for each environment,
# the system's first. `setup.sh DIR main` makes the first one only (the demo).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/../../build/live}
what=${2:-all}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

minor_of() {
	"$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# make_venv PYTHON NAME REQUIREMENTS: fills $dir/NAME unless the same list did.
make_venv() {
	if cmp -s "$3" "$dir/$2/installed.txt"; then
		return 0
	fi
	echo "live tests: installing $(grep -vc '^#' "$3") packages and what they need for $1"
	rm -rf "${dir:?}/$2"
	if ! "$1" -m venv "$dir/$2" > "$dir/venv.log" 2>&1; then
		cat "$dir/venv.log" >&2
		echo "live tests: '$1 -m venv' failed; install python3-venv (make deps)" >&2
		return 1
	fi
	"$dir/$2/bin/python3" -m pip install -q --disable-pip-version-check -r "$3"
	cp "$3" "$dir/$2/installed.txt"
}

# Other interpreters in the usual places, as "MINOR PYTHON", newest first.
other_minors() {
	for python in /usr/bin/python3.[0-9]* /usr/local/bin/python3.[0-9]* \
		      "${HOME:-/root}"/.pyenv/versions/*/bin/python3; do
		case $python in *-config) continue ;; esac
		[ -x "$python" ] || continue
		echo "$(minor_of "$python") $python"
	done | sort -t. -k2,2nr -u | awk -v own="$1" '
		{ split($1, v, ".") } $1 != own && v[2] >= 10 && !seen[$1]++'
}

# The same of npm packages, without their scripts, where there is npm at all.
make_node_modules() {
	if ! command -v npm > /dev/null || cmp -s "$1" "$dir/npm/installed.json"; then
		return 0
	fi
	echo "live tests: installing the client libraries of $1"
	rm -rf "${dir:?}/npm"
	mkdir -p "$dir/npm"
	cp "$1" "$dir/npm/package.json"
	# Says what the engines are, which is no failure: the test says whether it runs.
	(cd "$dir/npm" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error) \
		> "$dir/npm.log" 2>&1 || {
		cat "$dir/npm.log" >&2
		return 1
	}
	cp "$1" "$dir/npm/installed.json"
}

make_certificate() {
	[ -s "$dir/server.pem" ] && openssl x509 -checkend 3600 -noout -in "$dir/server.pem" \
		> "$dir/openssl.log" 2>&1 && return 0
	(
		cd "$dir"
		umask 077
		openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem \
			-subj "/CN=gentap test CA" -addext "keyUsage=critical,keyCertSign"
		openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr \
			-subj "/CN=localhost"
		printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' \
			> server.ext
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
			-days 30 -extfile server.ext -out server.pem
	) > "$dir/openssl.log" 2>&1 || {
		cat "$dir/openssl.log" >&2
		return 1
	}
	# Also read by test programs that are not root.
	chmod 755 "$dir"
	chmod 644 "$dir/ca.pem" "$dir/server.pem"
}

system=/usr/bin/python3
[ -x "$system" ] || system=$(command -v python3) || {
	echo "live tests: no python3; run make deps" >&2
	exit 1
}
make_venv "$system" main "$here/requirements.txt"
make_certificate
[ "$what" = all ] || exit 0

own=$(minor_of "$system")
case $own in
3.[0-9]|3.10) ;;	# the drop-in needs 3.11
*) make_venv "$system" equality "$here/requirements-equality.txt" ;;
esac
make_venv "$system" codings "$here/requirements-codings.txt"
make_venv "$system" http2 "$here/requirements-http2.txt"
make_venv "$system" sdks "$here/requirements-sdks.txt"
make_node_modules "$here/package-sdks.json"
echo "$own $dir/main/bin/python3" > "$dir/interpreters.tmp"
# The newest and the oldest differ most.
other_minors "$own" | sed -n '1p;$p' | uniq | while read -r minor python; do
	make_venv "$python" "python$minor" "$here/requirements-minor.txt"
	echo "$minor $dir/python$minor/bin/python3" >> "$dir/interpreters.tmp"
done
mv "$dir/interpreters.tmp" "$dir/interpreters"
