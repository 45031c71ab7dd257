# SPDX-License-Identifier: Apache-2.0
"""Programs that call a model, running before gentap attaches: every call equal."""

import json
import os
import re
import shutil
import signal

from harness import (Busy, Service, Skip, check, check_shape, equal, read_text, shape, tool,
                     wait_until)
from truth import call, compare, compare_client_times, compare_reports, many_plan, mixed_plan


def watch(test, program, plan, is_tls, interpreter=None, before_attach=None, **options):
    """A client makes @plan under gentap; both must agree with the server."""
    llm = test.llm()
    client = test.client(program, llm.url(is_tls), plan, interpreter, **options)
    if before_attach:
        before_attach()
    before = shape(client.pid)
    gentap = test.attach(client)
    check_shape(before, client.pid, "while gentap is attached")
    reports = client.calls()
    idle = shape(client.pid)
    generations = gentap.stop()
    check_shape(idle, client.pid, "after gentap")
    client.end()
    compare_reports(reports, llm.truth())
    pairs = compare(generations, llm.truth(), is_tls=is_tls, pids={client.pid})
    compare_client_times(pairs, reports)


def test_sync_openai_over_tls_with_ssl_imported_after_attach(test):
    watch(test, "sync_openai.py", mixed_plan(), is_tls=True)


def test_sync_openai_plain(test):
    watch(test, "sync_openai.py", mixed_plan(), is_tls=False)


def test_requests_over_tls(test):
    watch(test, "requests_client.py", mixed_plan(), is_tls=True)


def test_requests_plain(test):
    watch(test, "requests_client.py", mixed_plan(), is_tls=False)


def test_aiohttp_over_tls(test):
    watch(test, "aiohttp_client.py", mixed_plan(), is_tls=True)


def test_aiohttp_plain(test):
    watch(test, "aiohttp_client.py", mixed_plan(), is_tls=False)


def test_node_fetch_over_tls(test):
    watch(test, "node_fetch.mjs", mixed_plan(), is_tls=True)


def test_node_fetch_plain(test):
    watch(test, "node_fetch.mjs", mixed_plan(), is_tls=False)


def other_minor(test, which):
    """The interpreter of another CPython minor: the newest (0) or the oldest (1)."""
    with open(test.live("interpreters"), encoding="utf-8") as file:
        others = [line.split() for line in file.read().splitlines()[1:]]
    if len(others) <= which:
        raise Skip("needs %d CPython minors (3.10 or later) beside the system's; found %s"
                   % (which + 1, [minor for minor, _ in others] or "none"))
    return others[which][1]


def test_sync_openai_on_another_cpython(test):
    watch(test, "sync_openai.py", mixed_plan(), True, other_minor(test, 0))


def test_sync_openai_on_a_third_cpython(test):
    watch(test, "sync_openai.py", mixed_plan(), True, other_minor(test, 1))


def test_sync_openai_in_twenty_threads(test):
    watch(test, "sync_openai.py", many_plan(100), is_tls=True, GT_THREADS="20")


# --- where the TLS library is ------------------------------------------------------

def libssl():
    """The system's libssl.so.3, as the test's own processes map it."""
    import ssl      # maps it; not needed otherwise
    for line in read_text("/proc/self/maps").splitlines():
        if ssl.OPENSSL_VERSION_INFO[0] == 3 and "/libssl.so.3" in line:
            return line.split()[-1]
    raise Skip("no libssl.so.3 in /usr/bin/python3")


def check_maps(pid, what):
    check(what in read_text("/proc/%d/maps" % pid), "the client does not map %s" % what)


def test_tls_library_deleted_on_disk(test):
    copy = test.path("libssl.so.3")
    shutil.copy(libssl(), copy)

    def delete():
        client = test.programs[-1]
        check_maps(client.pid, copy)
        os.unlink(copy)

    watch(test, "requests_client.py", many_plan(10), is_tls=True, before_attach=delete,
          LD_LIBRARY_PATH=test.dir)


def test_tls_library_in_another_mount_namespace(test):
    folder = test.path("inside")
    os.mkdir(folder)
    inside = 'mount -t tmpfs gentap-live "$0" && cp "$1" "$0" && shift && exec "$@"'
    wrap = [tool("unshare"), "--mount", "--propagation", "private", "sh", "-c", inside, folder,
            libssl()]

    def is_hidden():
        check_maps(test.programs[-1].pid, folder + "/libssl.so.3")
        equal(os.listdir(folder), [], "files outside of the namespace")

    watch(test, "requests_client.py", many_plan(10), is_tls=True, before_attach=is_hidden,
          wrap=wrap, LD_LIBRARY_PATH=folder)


# --- curl ------------------------------------------------------------------------

CURL_PLAN = [call("curl speaks"), call("curl streams", stream=True),
             call("curl and tools", "gt-parallel", stream=True, tools=2),
             call("curl embeds", path="embeddings"), call("curl is refused", "gt-429")]


def curl_children(test, is_tls, pause):
    """The shell, gentap once it has ended, and what it saw of the shell's children."""
    tool("curl")
    llm = test.llm()
    shell = test.client("curl.sh", llm.url(is_tls), CURL_PLAN, PAUSE=str(pause))
    gentap = test.attach(shell, options=())
    equal(shell.calls(), len(CURL_PLAN), "calls of curl")
    generations = gentap.stop()
    shell.end()
    return llm, gentap, generations


def test_curl_children_of_an_attached_shell_over_tls(test):
    llm, _, generations = curl_children(test, is_tls=True, pause=0.15)
    compare(generations, llm.truth(), is_tls=True)


def test_curl_children_of_an_attached_shell_plain(test):
    llm, _, generations = curl_children(test, is_tls=False, pause=0)
    compare(generations, llm.truth(), is_tls=False)


def test_a_tls_child_too_fast_for_probes_is_counted(test):
    """What a curl does in the 20 ms that the kernel takes for a probe is missed, and said."""
    _, gentap, generations = curl_children(test, is_tls=True, pause=0)
    said = re.findall(r"(?:tls_unseen|joined_late|orphan_response) (\d+)", gentap.errors())
    equal(len(generations) + sum(map(int, said)), len(CURL_PLAN), "calls seen or said to be unseen")


def test_run_starts_curl_and_sees_its_call(test):
    llm, curl = test.llm(), tool("curl")
    request = call("gentap run")
    gentap = test.gentap("run", "--to", "jsonl:OUT", "--no-store", "--strict", "--", curl, "-sS",
                         "-o", "/dev/null", "-H", "content-type: application/json", "--json",
                         '{"model":"gt-small","messages":[{"role":"user","content":"gentap run"}]}',
                         llm.url(is_tls=True) + "/" + request["path"])
    compare(gentap.end(), llm.truth(), is_tls=True)


# --- uvicorn + FastAPI + AsyncOpenAI ------------------------------------------------

def watch_service(test, loop, is_tls, plan):
    llm = test.llm()
    service = test.service(llm.url(is_tls), loop)
    before = shape(service.pid)
    gentap = test.attach(service)
    check_shape(before, service.pid, "while gentap is attached")
    reports = service.ask(plan)
    idle = shape(service.pid)
    generations = gentap.stop()
    check_shape(idle, service.pid, "after gentap")
    compare_reports(reports, llm.truth())
    pairs = compare(generations, llm.truth(), is_tls=is_tls, pids={service.pid})
    compare_client_times(pairs, reports)
    service.stop()


def test_fastapi_on_asyncio_200_concurrent_calls_over_tls(test):
    watch_service(test, "asyncio", True, many_plan(200))


def test_fastapi_on_asyncio_200_concurrent_calls_plain(test):
    watch_service(test, "asyncio", False, many_plan(200))


def test_fastapi_on_uvloop_200_concurrent_calls_over_tls(test):
    watch_service(test, "uvloop", True, many_plan(200))


def test_fastapi_on_uvloop_200_concurrent_calls_plain(test):
    watch_service(test, "uvloop", False, many_plan(200))


def test_fastapi_with_every_kind_of_call_over_tls(test):
    watch_service(test, "asyncio", True, mixed_plan())


def test_200_concurrent_calls_over_tls_while_every_core_is_busy(test):
    with Busy(test):
        watch_service(test, "asyncio", True, many_plan(200))


def test_200_concurrent_calls_plain_while_every_core_is_busy(test):
    with Busy(test):
        watch_service(test, "uvloop", False, many_plan(200))


# --- workers, ports, names -----------------------------------------------------------

def gunicorn(test, llm, workers):
    """A gunicorn master with so many workers; its port is in a file of its log."""
    service = Service(test, "gunicorn", [
        test.python(), "-W", "ignore", "-m", "gunicorn", "fastapi_app:app", "--bind", "127.0.0.1:0",
        "--workers", str(workers), "--worker-class", "uvicorn.workers.UvicornWorker",
        "--graceful-timeout", "5"], env=dict(test.env, GT_BASE_URL=llm.url(is_tls=True)))

    def port():
        for line in service.errors().splitlines():
            if "Listening at: " in line:
                return int(line.split("127.0.0.1:")[1].split()[0])
        return None

    service.port = wait_until(port, "gunicorn to listen")
    return service


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def booted(service, count):
    return service.errors().count("Application startup complete") >= count


def test_gunicorn_workers_forked_after_attach(test):
    llm = test.llm()
    service = gunicorn(test, llm, workers=2)
    wait_until(lambda: booted(service, 2), "the first workers")
    first = set(children(service.pid))
    gentap = test.attach(service)
    # HUP replaces both: all that answer now were forked under gentap.
    service.signal(signal.SIGHUP)
    wait_until(lambda: booted(service, 4), "two new workers")
    wait_until(lambda: not first & set(children(service.pid)), "the old workers to end")
    workers = set(children(service.pid))
    equal(len(workers), 2, "workers")
    reports = service.ask(many_plan(60), concurrency=20)
    generations = gentap.stop()
    compare_reports(reports, llm.truth())
    compare(generations, llm.truth(), is_tls=True, pids=workers)
    service.stop()


def test_port_finds_the_process_that_listens(test):
    llm = test.llm()
    service = test.service(llm.url(is_tls=True))
    gentap = test.gentap("attach", "--port", str(service.port), "--to", "jsonl:OUT", "--no-store")
    gentap.wait_attached(service.pid)
    service.ask(many_plan(4))
    compare(gentap.stop(), llm.truth(), pids={service.pid})
    service.stop()


def test_name_finds_a_script_that_starts_later(test):
    llm = test.llm()
    gentap = test.gentap("attach", "--name", "requests_client.py", "--to", "jsonl:OUT", "--no-store")
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(4))
    gentap.wait_attached(client.pid)
    client.calls()
    compare(gentap.stop(), llm.truth(), pids={client.pid})
    client.end()


def test_json_lines_on_stdout(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(4))
    gentap = test.attach(client, sink="json")
    client.calls()
    gentap.stop()
    lines = [json.loads(line) for line in gentap.rest_of_stdout().splitlines()]
    compare(lines, llm.truth())
    client.end()


def test_two_targets_at_once(test):
    llm = test.llm()
    first = test.client("requests_client.py", llm.url(is_tls=True), many_plan(6))
    second = test.client("aiohttp_client.py", llm.url(is_tls=False), many_plan(6))
    gentap = test.attach(first, second)
    first.tell()
    second.tell()
    first.line()
    second.line()
    compare(gentap.stop(), llm.truth(), pids={first.pid, second.pid})
    first.end()
    second.end()


def test_another_process_is_left_alone(test):
    """The same program, not a target, makes calls meanwhile: nothing of it is seen."""
    llm, other = test.llm(), None
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(3))
    gentap = test.attach(client)
    other = test.client("requests_client.py", llm.url(is_tls=True), many_plan(3))
    other.calls()
    ignored = len(llm.truth())
    client.calls()
    compare(gentap.stop(), llm.truth()[ignored:], pids={client.pid})
    check(os.path.exists("/proc/%d" % other.pid), "the other program still runs")
    client.end()
    other.end()
