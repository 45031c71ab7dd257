# SPDX-License-Identifier: Apache-2.0
"""What vLLM says of its requests: the histograms of /metrics, before and after.

No figure there names a request. But a histogram's sum, over a time in which its
count grew by one, grew by that one request's value.
"""
import re
import time

# vLLM's clocks, as its source has them (vllm/v1/metrics/stats.py). In the API
# process, by the wall clock: `ttft` and `e2e`, from the request's arrival (it is
# read and parsed) to the handling of the engine's first and last output. In the
# engine, by the monotonic clock: queue | prefill | decode, which adjoin; `decode`
# is the sum of the gaps between its tokens.
HISTOGRAMS = {
    "ttft": "vllm:time_to_first_token_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
    "queue": "vllm:request_queue_time_seconds",
    "prefill": "vllm:request_prefill_time_seconds",
    "decode": "vllm:request_decode_time_seconds",
    "gap": "vllm:inter_token_latency_seconds",
    "prompt_tokens": "vllm:request_prompt_tokens",
    "output_tokens": "vllm:request_generation_tokens",
}
LINE = re.compile(r"^(vllm:\w+?)_(sum|count)\{[^}]*\} (\S+)$", re.M)
SETTLE_SECONDS = 10


def snapshot(server):
    """{(histogram, "sum" or "count"): value}, over all engines."""
    values = {}
    for name, part, value in LINE.findall(server.get("/metrics")):
        values[name, part] = values.get((name, part), 0.0) + float(value)
    return values


def since(server, before, requests):
    """What vLLM added for that many requests since `before`: sums, in
    milliseconds where they are times, and the number of gaps as `gaps`. It
    counts a request some time after its last byte: waits for that."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        now = snapshot(server)
        grown = {key: value - before.get(key, 0.0) for key, value in now.items()}
        counted = grown.get((HISTOGRAMS["e2e"], "count"), 0)
        if counted == requests:
            break
        if counted > requests or time.monotonic() > deadline:
            raise RuntimeError(f"vLLM counted {counted:.0f} requests where {requests} were made")
        time.sleep(0.02)

    figures = {key: grown.get((name, "sum"), 0.0) * (1000 if name.endswith("_seconds") else 1)
               for key, name in HISTOGRAMS.items()}
    figures["gaps"] = round(grown.get((HISTOGRAMS["gap"], "count"), 0))
    return figures
