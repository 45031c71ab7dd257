# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with real clients and servers, from the connection's first byte and joined
in the middle of it: what the client saw is the generation."""

import json
import os
import socket
import time

from harness import Program, Server, check, check_shape, equal, shape, tool, wait_until
from truth import (call, check_output, check_usage, compare, compare_client_times, compare_reports,
                   many_plan, mixed_plan, pair, user_text_of)

# What a call on a connection that is older than gentap may say, whole as it is.
LATE = {"head_unknown", "resync_bytes"}


# --- servers ----------------------------------------------------------------------

def hypercorn(test, is_tls):
    argv = [test.live("http2/bin/python3"), os.path.join(os.path.dirname(__file__), "hypercorn_server.py")]
    if is_tls:
        argv += ["--cert", test.live("server.pem"), "--key", test.live("server.key")]
    server = Server(test, "hypercorn", argv)
    server.ports *= 2       # one port, plain or TLS
    return server


class NodeServer(Program):
    """Node's http2 before an llm server, whose truth it has."""

    def __init__(self, test, is_tls):
        self.llm = test.llm()
        argv = [tool("node"), os.path.join(os.path.dirname(__file__), "node_http2_server.mjs"),
                str(self.llm.ports[0])]
        if is_tls:
            argv += [test.live("server.pem"), test.live("server.key")]
        super().__init__(test, "node_server", argv)
        self.port = int(self.line().split()[1])
        self.truth, self.wait_truth = self.llm.truth, self.llm.wait_truth

    def url(self, is_tls):
        return "%s://localhost:%d/v1" % ("https" if is_tls else "http", self.port)


def httpx(test, server, is_tls, plan, **env):
    return test.client("httpx_http2.py", server.url(is_tls), plan, test.live("http2/bin/python3"), **env)


def node(test, server, is_tls, plan, **env):
    return test.client("node_http2.mjs", server.url(is_tls), plan, **env)


def of_role(generations, role):
    return [one for one in generations if one["role"] == role]


def check_version(generations):
    for one in generations:
        equal(one["http"]["version"], "2", "HTTP version")


# --- clients ----------------------------------------------------------------------

def watch(test, start, is_tls):
    """A client makes every kind of call under gentap, four at a time on one connection."""
    server = hypercorn(test, is_tls)
    plan = mixed_plan() + many_plan(40)
    client = start(test, server, is_tls, plan)
    before = shape(client.pid)
    gentap = test.attach(client)
    check_shape(before, client.pid, "while gentap is attached")
    reports = client.calls()
    truth = server.wait_truth(len(plan))
    generations = gentap.stop()
    client.end()
    compare_reports(reports, truth)
    compare_client_times(compare(generations, truth, is_tls=is_tls, pids={client.pid}), reports)
    check_version(generations)
    equal(len({one["connection"]["id"] for one in generations}), 1, "connections")


def test_httpx_over_http2_and_tls(test):
    watch(test, httpx, is_tls=True)


def test_httpx_over_http2_with_prior_knowledge(test):
    watch(test, httpx, is_tls=False)


def test_node_http2_over_tls(test):
    watch(test, node, is_tls=True)


def test_node_http2_with_prior_knowledge(test):
    watch(test, node, is_tls=False)


SHELL_PLAN = [call("it speaks"), call("it streams", stream=True),
              call("with tools", "gt-parallel", stream=True, tools=2),
              call("it embeds", path="embeddings"), call("it is refused", "gt-429")]


def watch_children(test, script, is_tls, version="2", **env):
    """One process a call: children of a shell that gentap watches."""
    tool(script.split(".")[0])
    server = hypercorn(test, is_tls)
    shell = test.client(script, server.url(is_tls), SHELL_PLAN, PAUSE="0.15", **env)
    gentap = test.attach(shell, options=())
    equal(shell.calls(), len(SHELL_PLAN), "calls of %s" % script)
    generations = gentap.stop()
    shell.end()
    compare(generations, server.truth(), is_tls=is_tls)
    for one in generations:
        equal(one["http"]["version"], version, "HTTP version")


def test_curl_over_http2_and_tls(test):
    watch_children(test, "curl.sh", True, CURL_OPTIONS="--http2")


def test_curl_over_http2_with_prior_knowledge(test):
    watch_children(test, "curl.sh", False, CURL_OPTIONS="--http2-prior-knowledge")


def test_nghttp_over_tls(test):
    watch_children(test, "nghttp.sh", True)


def test_nghttp_with_prior_knowledge(test):
    watch_children(test, "nghttp.sh", False)


def test_nghttp_upgrades_from_http1(test):
    """It asks OPTIONS to upgrade, which is stream 1, and then makes its call."""
    watch_children(test, "nghttp.sh", False, NGHTTP_OPTIONS="--upgrade")


# --- servers as targets --------------------------------------------------------------

def watch_server(test, start, server, is_tls):
    plan = mixed_plan() + many_plan(40)
    client = start(test, server, is_tls, plan)
    gentap = test.attach(server)
    reports = client.calls()
    truth = server.wait_truth(len(plan))
    generations = of_role(gentap.stop(), "server")
    client.end()
    compare_reports(reports, truth)
    compare(generations, truth, role="server", is_tls=is_tls, pids={server.pid})
    check_version(generations)


def test_hypercorn_over_tls(test):
    watch_server(test, httpx, hypercorn(test, is_tls=True), is_tls=True)


def test_hypercorn_with_prior_knowledge(test):
    watch_server(test, httpx, hypercorn(test, is_tls=False), is_tls=False)


def test_node_server_over_tls(test):
    watch_server(test, node, NodeServer(test, is_tls=True), is_tls=True)


def test_node_server_with_prior_knowledge(test):
    watch_server(test, node, NodeServer(test, is_tls=False), is_tls=False)


ANSWER = {"id": "chatcmpl-nghttpd", "object": "chat.completion", "created": 1, "model": "gt-small-2026-11-01",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "from a file, größe"},
                       "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def watch_nghttpd(test, is_tls):
    """A server of files, one of which is an answer."""
    os.makedirs(test.path("files/v1/chat"))
    with open(test.path("files/v1/chat/completions"), "w", encoding="utf-8") as file:
        json.dump(ANSWER, file)
    port = free_port()
    argv = [tool("nghttpd"), "--address=127.0.0.1", "--htdocs=" + test.path("files")]
    argv += [str(port), test.live("server.key"), test.live("server.pem")] if is_tls else ["--no-tls", str(port)]
    server = Program(test, "nghttpd", argv)
    wait_until(lambda: can_connect(port), "nghttpd to listen")
    base = "%s://localhost:%d/v1" % ("https" if is_tls else "http", port)
    plan = [call("question %d" % number) for number in range(8)]
    client = test.client("httpx_http2.py", base, plan, test.live("http2/bin/python3"))
    gentap = test.attach(server)
    reports = client.calls()
    wait_until(lambda: len(gentap.generations()) == len(plan), "all generations")
    generations = gentap.stop()
    client.end()
    equal({user_text_of(one["input"]) for one in generations}, {"question %d" % n for n in range(8)}, "inputs")
    for report, one in zip(reports, generations):
        equal(report["text"], one["output"]["content"], "text")
        equal(report["finish"], one["finishReason"], "finish reason")
        equal(report["usage"]["total_tokens"], one["usageDetails"]["total"], "tokens")
        equal((one["role"], one["http"]["path"], one["evidence"]["reasons"]),
              ("server", "/v1/chat/completions", []), "role, path, reasons")
    check_version(generations)


def test_nghttpd_over_tls(test):
    watch_nghttpd(test, is_tls=True)


def test_nghttpd_with_prior_knowledge(test):
    watch_nghttpd(test, is_tls=False)


# --- joined in the middle of a connection ----------------------------------------------

def compare_late(generations, truth, role):
    """As compare(), but for what a head from before gentap may leave unknown."""
    for one, exchange in pair(generations, truth):
        name = exchange["user"]
        equal(one["role"], role, name + ", role")
        equal(one["model"], exchange["response_model"], name + ", model")
        equal(one["http"]["version"], "2", name + ", version")
        equal(user_text_of(one["input"]), exchange["user"], name + ", input")
        check_output(one, exchange, name)
        check_usage(one, exchange, name)
        equal(set(one["evidence"]["reasons"]) - LATE, set(), name + ", reasons")
        check(one["http"].get("path") in (None, "", exchange["path"]), name + ": path", one["http"])


def join_between_calls(test, start, server, is_tls, role):
    """A connection makes twelve calls before gentap comes, and twenty after."""
    plan = many_plan(32)
    client = start(test, server, is_tls, plan, GT_WARM="12")
    client.calls()
    before = len(server.wait_truth(12))
    gentap = test.attach(client if role == "client" else server, options=())
    client.calls()
    truth = server.wait_truth(32)[before:]
    generations = of_role(gentap.stop(), role)
    client.end()
    compare_late(generations, truth, role)


def test_httpx_joined_late_over_tls(test):
    join_between_calls(test, httpx, hypercorn(test, True), True, "client")


def test_httpx_joined_late_plain(test):
    join_between_calls(test, httpx, hypercorn(test, False), False, "client")


def test_node_joined_late_over_tls(test):
    join_between_calls(test, node, hypercorn(test, True), True, "client")


def test_node_joined_late_plain(test):
    join_between_calls(test, node, hypercorn(test, False), False, "client")


def test_hypercorn_joined_late_over_tls(test):
    join_between_calls(test, node, hypercorn(test, True), True, "server")


def test_hypercorn_joined_late_plain(test):
    join_between_calls(test, node, hypercorn(test, False), False, "server")


def test_node_server_joined_late_over_tls(test):
    join_between_calls(test, httpx, NodeServer(test, True), True, "server")


def test_node_server_joined_late_plain(test):
    join_between_calls(test, httpx, NodeServer(test, False), False, "server")


def join_in_a_stream(test, start, server, is_tls, role):
    """Attach while streams run: they are left out, whatever comes after is whole."""
    plan = [call("in flight %d" % number, "gt-slow", stream=True) for number in range(4)] + many_plan(8)
    client = start(test, server, is_tls, plan)
    client.tell()
    time.sleep(0.8)
    check(not server.truth(), "a call ended before the attach")
    gentap = test.attach(client if role == "client" else server, options=())
    check(not server.truth(), "a call ended before the probes were in")
    client.line()
    truth = server.wait_truth(12)
    generations = of_role(gentap.stop(), role)
    client.end()
    compare_late(generations, [one for one in truth if not one["user"].startswith("in flight")], role)


def test_httpx_joined_in_its_streams_over_tls(test):
    join_in_a_stream(test, httpx, hypercorn(test, True), True, "client")


def test_node_joined_in_its_streams_plain(test):
    join_in_a_stream(test, node, hypercorn(test, False), False, "client")


def test_hypercorn_joined_in_its_streams_over_tls(test):
    join_in_a_stream(test, node, hypercorn(test, True), True, "server")


def test_node_server_joined_in_its_streams_plain(test):
    join_in_a_stream(test, node, NodeServer(test, False), False, "server")
