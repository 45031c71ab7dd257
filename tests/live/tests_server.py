# SPDX-License-Identifier: Apache-2.0
"""The traced process is the model server: role `server`, inbound calls."""

import asyncio
import ssl
import time

from harness import check, check_shape, equal, post_all, shape
from truth import call, compare, many_plan, mixed_plan


def watch_server(test, loop, http, is_tls):
    """One of every kind, then 200 at once, into a uvicorn that ran before."""
    server = test.uvicorn(loop, http, is_tls)
    client = test.client("requests_client.py", server.url(is_tls), mixed_plan())
    before = shape(server.pid)
    gentap = test.attach(server)
    check_shape(before, server.pid, "while gentap is attached")
    client.calls()
    plan = many_plan(200)
    context = ssl.create_default_context(cafile=test.live("ca.pem")) if is_tls else None
    for path in sorted({entry["path"] for entry in plan}):
        bodies = [entry["body"] for entry in plan if entry["path"] == path]
        asyncio.run(post_all(server.ports[0], "/v1/" + path, bodies, 200, context))
    truth = server.wait_truth(len(mixed_plan()) + 200)
    idle = shape(server.pid)
    generations = gentap.stop()
    check_shape(idle, server.pid, "after gentap")
    compare(generations, truth, role="server", is_tls=is_tls, pids={server.pid})
    client.end()


def test_uvicorn_server_on_asyncio_and_h11_plain(test):
    watch_server(test, "asyncio", "h11", is_tls=False)


def test_uvicorn_server_on_asyncio_and_h11_over_tls(test):
    watch_server(test, "asyncio", "h11", is_tls=True)


def test_uvicorn_server_on_uvloop_and_httptools_plain(test):
    watch_server(test, "uvloop", "httptools", is_tls=False)


def test_uvicorn_server_on_uvloop_and_httptools_over_tls(test):
    watch_server(test, "uvloop", "httptools", is_tls=True)


def join_late(test, server, is_tls, role):
    """Attach in the middle of a stream; the next call on that connection is whole."""
    plan = [call("in flight at the attach", "gt-slow", stream=True), call("the next one", stream=True),
            call("and a plain one")]
    client = test.client("requests_client.py", server.url(is_tls), plan)
    client.tell()
    time.sleep(0.8)
    check(not server.truth(), "the first call ended before the attach")
    gentap = test.attach(client if role == "client" else server, options=())
    check(not server.truth(), "the first call ended before the probes were in")
    client.line()
    generations = gentap.stop()
    late, *whole = server.wait_truth(3)
    of_late = [one for one in generations if late["id"] in (
        one["metadata"].get("gentap.responseId"), one["http"].get("requestId", "")[len("req_"):])]
    check(len(of_late) <= 1, "two generations of the late call", of_late)
    for one in of_late:
        check("joined_late" in one["evidence"]["reasons"], "the late call is not marked", one)
        equal(one["evidence"]["complete"], False, "completeness of the late call")
    # The bytes skipped before it are said of the next call, which is whole.
    compare([one for one in generations if one not in of_late], whole, role=role, is_tls=is_tls,
            harmless=("resync_bytes",))
    client.end()


def test_client_call_in_flight_at_attach_over_tls(test):
    join_late(test, test.llm(), True, "client")


def test_client_call_in_flight_at_attach_plain(test):
    join_late(test, test.llm(), False, "client")


def test_server_call_in_flight_at_attach_over_tls(test):
    join_late(test, test.uvicorn("asyncio", "h11", is_tls=True), True, "server")


def test_server_call_in_flight_at_attach_plain(test):
    join_late(test, test.uvicorn("uvloop", "httptools"), False, "server")
