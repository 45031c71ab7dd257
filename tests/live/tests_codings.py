# SPDX-License-Identifier: Apache-2.0
"""Compressed bodies of real clients and servers: every coding, streamed and whole,
in requests too. What gentap reads is equal, and its chunks have the times that the
server gave them."""

import os

from harness import HERE, Program, Server, check, equal, tool
from truth import call, compare, compare_client_times, compare_reports

PYTHON_CODINGS = ("gzip", "deflate", "raw", "br", "zstd", "gzip,br", "zstd,deflate,gzip")
NODE_CODINGS = ("gzip", "deflate", "br")
CURL_CODINGS = ("gzip", "deflate", "br", "zstd", "gzip,br")
DELAY_MS = 20       # answers.py, of all these models


def coded_plan(names):
    return [call("%s as %s, größe 日本" % ("streamed" if stream else "plain", name), "gt-as-" + name,
                 stream=stream) for name in names for stream in (True, False)]


def python_of(test):
    return test.live("codings/bin/python3")


def coded_llm(test):
    return Server(test, "llm", [python_of(test), os.path.join(HERE, "llm_server.py"), "--cert",
                                test.live("server.pem"), "--key", test.live("server.key")])


def check_chunk_times(generations):
    """The server rests between two events: so does the wire, whatever the coding."""
    for generation in generations:
        timing = generation.get("timing")
        if not timing:
            continue
        what = "%s, %s" % (generation["input"], timing)
        check(timing["chunks"] > 5, "too few chunks: " + what)
        check(timing["itlP50Ms"] > DELAY_MS / 2, "chunks came in one: " + what)


def watch(test, program, plan, is_tls, is_server=False, **options):
    llm = coded_llm(test)
    client = test.client(program, llm.url(is_tls), plan, python_of(test), **options)
    target = llm if is_server else client
    gentap = test.attach(target)
    reports = client.calls()
    llm.wait_truth(len(plan))
    generations = gentap.stop()
    client.end()
    compare_reports(reports, llm.truth())
    equal([report["error"] for report in reports], [None] * len(plan), "errors of the client")
    pairs = compare(generations, llm.truth(), "server" if is_server else "client", is_tls, {target.pid})
    check_chunk_times(generations)
    if not is_server:
        compare_client_times(pairs, reports)


def test_codings_of_requests_over_tls(test):
    watch(test, "requests_client.py", coded_plan(PYTHON_CODINGS), is_tls=True)


def test_codings_of_requests_plain(test):
    watch(test, "requests_client.py", coded_plan(PYTHON_CODINGS), is_tls=False)


def test_codings_of_sync_openai_over_tls(test):
    watch(test, "sync_openai.py", coded_plan(PYTHON_CODINGS), is_tls=True)


def test_codings_of_node_fetch_over_tls(test):
    watch(test, "node_fetch.mjs", coded_plan(NODE_CODINGS), is_tls=True)


def test_codings_of_request_bodies_into_a_server(test):
    plan = [dict(entry, coding=name) for name in PYTHON_CODINGS[:5]
            for entry in coded_plan([name])]
    watch(test, "requests_client.py", plan, is_tls=True, is_server=True)


def test_codings_of_request_bodies_out_of_a_client(test):
    plan = [dict(entry, coding=name) for name in PYTHON_CODINGS[:5]
            for entry in coded_plan([name])]
    watch(test, "requests_client.py", plan, is_tls=False)


def test_codings_of_curl(test):
    plan = coded_plan(CURL_CODINGS)
    llm = coded_llm(test)
    client = test.client("curl.sh", llm.url(True), plan, PAUSE="0.1", CURL_OPTIONS="--compressed")
    gentap = test.attach(client)
    equal(client.calls(), len(plan), "calls that curl made")
    truth = llm.wait_truth(len(plan))
    generations = gentap.stop()
    client.end()
    compare(generations, truth, is_tls=True)
    check_chunk_times(generations)


def test_codings_of_a_node_server(test):
    """A server in Node that passes answers on, compressed by its zlib."""
    llm = coded_llm(test)
    zipper = Program(test, "zipper", [tool("node"), os.path.join(HERE, "clients", "node_zipper.mjs"),
                                      llm.url(False)])
    port, codings = zipper.line().split()
    plan = [dict(entry, headers={"x-coding": name}) for name in codings.split(",")
            for entry in coded_plan(["identity"])]
    client = test.client("requests_client.py", "http://localhost:%s/v1" % port, plan, python_of(test))
    gentap = test.attach(zipper)
    reports = client.calls()
    truth = llm.wait_truth(len(plan))
    generations = gentap.stop()
    client.end()
    compare_reports(reports, truth)
    # Each is seen twice: as Node's server answers it, and as its client got it.
    for role in ("server", "client"):
        of_role = [one for one in generations if one["role"] == role]
        compare(of_role, truth, role=role, is_tls=False, pids={zipper.pid})
        check_chunk_times(of_role)


def test_codings_that_are_unknown_are_named(test):
    """An answer in a coding that nobody knows: the call is there, its reason is named."""
    llm = coded_llm(test)
    client = test.client("requests_client.py", llm.url(False), [call("odd", "gt-odd-coding")], python_of(test))
    gentap = test.attach(client, options=())
    client.calls()
    llm.wait_truth(1)
    generations = gentap.stop()
    client.end()
    equal(len(generations), 1, "generations")
    equal(generations[0]["evidence"]["reasons"], ["unsupported_encoding", "unsupported_encoding:x-odd"], "reasons")
    equal(generations[0]["evidence"]["complete"], False, "completeness")
