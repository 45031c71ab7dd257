# SPDX-License-Identifier: Apache-2.0
"""The paths of older kernels, and what passes the probes by: said, never silent."""

import json
import subprocess
import urllib.request

from harness import Program, check, equal, tool
from truth import compare, compare_reports, mixed_plan


def watch_with_links(test, kind, is_tls=True):
    """As the other clients, with the links that an older kernel gets."""
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls), mixed_plan())
    gentap = test.attach(client, options=("--strict", "-v"), env={**test.env, "GENTAP_LINKS": kind})
    reports = client.calls()
    generations = gentap.stop()
    client.end()
    check(kind in gentap.errors(), "no probe says that its link is '%s'" % kind)
    compare_reports(reports, llm.truth())
    compare(generations, llm.truth(), is_tls=is_tls)


def test_perf_links_of_kernels_before_6_6(test):
    watch_with_links(test, "perf")


def test_multi_links_of_kernels_before_6_13(test):
    watch_with_links(test, "multi")


def test_io_uring_on_a_socket_is_said(test):
    binary = test.path("io_uring")
    subprocess.run([tool("gcc"), "-Wall", "-o", binary, test.client_path("io_uring.c")], check=True)
    program = Program(test, "io_uring", [binary])
    equal(program.line(), "READY", "first word of the program")
    gentap = test.attach(program, options=())
    program.tell()
    equal(program.line(), "DONE", "second word of the program")
    gentap.stop()
    program.tell("end")
    check("uses io_uring" in gentap.errors(), "no warning", gentap.errors())
    check("io_uring 1" in gentap.errors(), "the summary does not count it", gentap.errors())


def test_sendfile_into_a_response_marks_the_generation(test):
    body = test.path("body.json")
    with open(body, "w", encoding="utf-8") as file:
        json.dump({"object": "chat.completion", "model": "m", "choices": []}, file)
    server = Program(test, "server", [test.python(), test.client_path("sendfile_server.py"), body])
    port = int(server.line().split()[1])
    gentap = test.attach(server, options=())
    request = urllib.request.Request("http://127.0.0.1:%d/v1/chat/completions" % port, method="POST",
                                     data=b'{"model":"m","messages":[]}')
    with urllib.request.urlopen(request, timeout=10) as response:
        equal(json.load(response)["model"], "m", "what the client got")
    generation, = gentap.stop()
    server.tell("end")
    equal(generation["evidence"]["complete"], False, "complete")
    check("sendfile" in generation["evidence"]["reasons"], "no reason 'sendfile'", generation["evidence"])
    check("sendfile 1" in gentap.errors(), "the summary does not count it", gentap.errors())
