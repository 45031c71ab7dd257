# SPDX-License-Identifier: Apache-2.0
"""The pipeline alone, without a kernel before it or a sink behind it: its speed and memory."""

import json
import subprocess

from programs import BenchError
from rows import Row

ROUNDS = 3
LIVE_STREAMS, LIVE_SECONDS = 10000, 10


def run(folder, program, *words):
    """What the program printed, as JSON."""
    done = subprocess.run([folder / program, *map(str, words)], capture_output=True, text=True, timeout=300)
    if not done.stdout:
        raise BenchError("%s: %s" % (program, done.stderr.strip() or "ended with %d" % done.returncode))
    return json.loads(done.stdout)


def us_per_chunk(folder, kind, streams, chunks, chunk_bytes=200):
    """Values of a few rounds, and what was lost."""
    rounds = [run(folder, "decode", kind, streams, chunks, chunk_bytes) for _ in range(ROUNDS)]
    lost = sum(one["lost"] for one in rounds) + sum(streams - one["generations"] for one in rounds)
    return [1e6 / one["chunks_per_s"] for one in rounds], "lost %d" % lost if lost else "nothing lost"


def decode_rows(_pem, folder):
    plain, note = us_per_chunk(folder, "h1", 300, 1000)
    yield Row("HTTP/1.1: a chunk of OpenAI chat", "us", plain, target=1.0, note="%.2f M chunks/s; %s" % (1 / min(plain), note))
    h2, note = us_per_chunk(folder, "h2", 300, 1000)
    yield Row("HTTP/2: the same", "us", h2, target=2.0, note="%.2f M chunks/s; %s" % (1 / min(h2), note))
    for coding in ("gzip", "br", "zstd"):
        coded, note = us_per_chunk(folder, coding, 300, 1000)
        yield Row("HTTP/1.1 with %s: times HTTP/1.1" % coding, "x", [value / min(plain) for value in coded],
                  target=3.0, note=note)
    for factor in (1, 10, 100):
        values, note = us_per_chunk(folder, "h1", 10, 1000 * factor)
        yield Row("%d-fold body: a chunk" % factor, "us", values, note=note)
    for factor in (1, 10, 100):
        values, note = us_per_chunk(folder, "h1", 10 * factor, 1000)
        yield Row("%d-fold number of streams: a chunk" % factor, "us", values, note=note)
    for factor in (1, 10, 50):
        values, note = us_per_chunk(folder, "h1", 10, 1000, 200 * factor)
        yield Row("%d-fold chunk: 200 B of it" % factor, "us", [value / factor for value in values], note=note)


def live_rows(_pem, folder):
    live = run(folder, "live", "h1", LIVE_STREAMS, LIVE_SECONDS)
    note = "generations %d of %d; lost %d; at most %.0f ms late" % (live["generations"], LIVE_STREAMS, live["lost"],
                                                                  live["late_ms"])
    yield Row("CPU, of one core", "%", [live["cpu"]], target=100, note=note)
    yield Row("memory added while they run", "MiB", [live["rss_kib"] / 1024],
              target=(50e6 + LIVE_STREAMS * 8192) / 2**20, note="%d B a stream" % live["bytes_per_stream"])
