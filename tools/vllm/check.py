#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds gentap against a real vLLM: `make check-vllm`.

usage: check.py GENTAP [SERVERS[+tls]]...
       as root, after install.sh; by default 1, 2, 1+tls and 2+tls, where SERVERS
       is the number of vLLM's API servers. GENTAP_VLLM_DIR as in install.sh.

For each of these a server is started and warmed up, gentap is attached to the
running server, and chat calls are made. Each generation that gentap writes is
held against what the client got, and its times against those that the client
and vLLM itself took (metrics.py). The calls whose times are compared go one by
one, as vLLM's figures can be had for one call only when it is alone.
"""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

import client
import judge
import metrics
from server import Server
from tracer import Tracer

CONFIGURATIONS = ["1", "2", "1+tls", "2+tls"]
STREAMED, PLAIN, CONCURRENT = 16, 8, 32
# Long enough for vLLM to find it in its cache of prefixes from the second call on.
SYSTEM = "You are a terse assistant. " * 40


def body_of(number, is_stream):
    """The body of call `number`: lengths, seeds and ends differ from call to call."""
    body = {"model": "tiny", "max_tokens": 16 + 8 * (number % 5), "seed": number,
            "messages": [{"role": "system", "content": SYSTEM},
                         {"role": "user", "content": f"call {number}: Prüfung \"1\"\n\t≥ 2"}]}
    if number % 4 == 3:         # ends with "stop", yet not before there are some tokens
        body.update(stop=["e"], min_tokens=8)
    else:                       # ends with "length"
        body.update(ignore_eos=True)
    if is_stream:
        body.update(stream=True, stream_options={"include_usage": True})
    return body


def call_alone(server, connection, name, body):
    """One call with nothing beside it: what the client got, what vLLM says of it."""
    before = metrics.snapshot(server)
    answer = client.chat(connection, name, body)
    return judge.Call(answer, metrics.since(server, before, requests=1))


def call_on_new_connection(server, name, body):
    connection = client.connect(server)
    try:
        return client.chat(connection, name, body)
    finally:
        connection.close()


def calls_alone(server, kept):
    """Plain calls on a connection that was there before gentap, each stream on its own."""
    calls = [call_alone(server, kept, f"plain-{n}", body_of(n, is_stream=False))
             for n in range(PLAIN)]
    for number in range(STREAMED):
        connection = client.connect(server)
        calls.append(call_alone(server, connection, f"stream-{number}",
                                body_of(number, is_stream=True)))
        connection.close()
    return calls


def calls_at_once(server, prefix, count):
    """Streams, all of them together."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(call_on_new_connection, server, f"{prefix}-{n}",
                               body_of(n, is_stream=True)) for n in range(count)]
        return [future.result() for future in futures]


def warm_up(server):
    """The first calls import and compile. Leaves a connection behind that has served."""
    calls_at_once(server, "warm", 16)
    connection = client.connect(server)
    client.chat(connection, "warm-plain", body_of(0, is_stream=False))
    return connection


def check_configuration(report, gentap, server, directory):
    print(f"  ready after {server.wait_ready():.0f} s", flush=True)
    kept = warm_up(server)
    api_pids = server.api_pids()

    tracer = Tracer(gentap, server.pid, directory)
    try:
        print(f"  attached after {tracer.wait_attached(api_pids):.2f} s to {len(api_pids)} API "
              "server(s)", flush=True)
        alone = calls_alone(server, kept)
        before = metrics.snapshot(server)
        at_once = calls_at_once(server, "concurrent", CONCURRENT)
        figures_at_once = metrics.since(server, before, CONCURRENT)
    finally:
        code = tracer.stop()

    judge.ends(report, code, tracer.said())
    judge.serves_on(report, call_on_new_connection(server, "after", body_of(0, is_stream=True)))
    generations = judge.match(report, alone, at_once, tracer.generations())
    judge.contents(report, alone, at_once, generations)
    judge.places(report, generations, api_pids, is_tls=server.context is not None)
    judge.times(report, [call for call in alone if call.name in generations], generations)
    judge.times_at_once(report, at_once, figures_at_once, generations)


def check(report, gentap, name, directory, certificate):
    count, _, tls = name.partition("+")
    print(f"\n{name}: {count} API server(s), {'TLS' if tls else 'plain'}; starting vLLM", flush=True)
    directory.mkdir(parents=True, exist_ok=True)
    report.configuration = name
    server = Server(directory / "vllm.log", int(count), certificate if tls else None)
    try:
        check_configuration(report, gentap, server, directory)
    except Exception:           # whatever it was, the other configurations are still to be checked
        report.claim("the check runs to its end", traceback.format_exc().splitlines())
    finally:
        report.claim("the server ends when told to", [] if server.stop() else ["it was killed"])


def make_certificate(directory):
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=gentap check",
                    "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    return key, certificate


def parse(arguments):
    """(gentap, configurations); ends the program on wrong usage."""
    if not arguments or not set(arguments[1:]) <= set(CONFIGURATIONS):
        sys.exit(__doc__)
    gentap = pathlib.Path(arguments[0]).resolve()
    if not os.access(gentap, os.X_OK):
        sys.exit(f"check.py: there is no program '{gentap}'; build it with `make`")
    if os.geteuid() != 0:
        sys.exit("check.py: attaching needs root; use sudo")
    return gentap, arguments[1:] or CONFIGURATIONS


def main():
    gentap, configurations = parse(sys.argv[1:])
    directory = pathlib.Path(os.environ.get("GENTAP_VLLM_DIR", "build/vllm")).resolve()
    if not (directory / "tiny").is_dir():
        sys.exit(f"check.py: no vLLM in '{directory}'; run tools/vllm/install.sh")
    # So that SIGTERM, too, ends what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    started = time.monotonic()
    runs = directory / "runs"
    runs.mkdir(exist_ok=True)
    certificate = make_certificate(runs)
    report = judge.Report()
    for name in configurations:
        check(report, gentap, name, runs / name, certificate)
    print(f"\n{time.monotonic() - started:.0f} s; logs and lines are in {runs}")
    report.close()
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
