#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Becomes a vLLM server of the tiny model, on loopback: the process that starts
# this is the parent of the server's top process, whose pid is this script's.
# SIGTERM ends it and all its children.
#
# usage: serve.sh PORT [more options of `vllm serve`]
#        GENTAP_VLLM_DIR   where install.sh put it (default build/vllm)
set -euo pipefail

dir=$(cd "${GENTAP_VLLM_DIR:-build/vllm}" && pwd)
port=$1
shift

# Nothing is looked up on the network, nothing reported to anyone.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
# One GiB of key-value cache and one thread: the model is small, the machine may be.
export VLLM_CPU_KVCACHE_SPACE=1 OMP_NUM_THREADS=1
# Seconds that an idle connection lives (5 by default): one is made before gentap
# attaches and used after.
export VLLM_HTTP_TIMEOUT_KEEP_ALIVE=120
export VLLM_CONFIG_ROOT=$dir/config VLLM_CACHE_ROOT=$dir/cache

# Eager: compiling this model takes longer than all its answers. The two request
# options put cached tokens into `usage`, and the client's request id into the
# answer's header and id.
exec "$dir/venv/bin/vllm" serve "$dir/tiny" --served-model-name tiny \
	--host 127.0.0.1 --port "$port" --dtype bfloat16 --enforce-eager \
	--max-model-len 2048 --max-num-seqs 32 \
	--enable-prompt-tokens-details --enable-request-id-headers "$@"
