# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: peers that leave, processes that die, bad input, no privilege,
no room. A clear error or a marked generation; never a crash, a hang or a lie."""

import glob
import json
import os
import shutil
import signal
import stat
import subprocess
import time

from harness import GENTAP, Program, Skip, check, equal, read_text, tool, wait_until
from truth import call, compare, many_plan, texts_of, user_text_of


def only(generations):
    equal(len(generations), 1, "number of generations")
    return generations[0]


def check_cut(generation, exchange, *reasons):
    """Marked as cut for one of @reasons, its text what had come until then."""
    found = set(generation["evidence"]["reasons"]) & set(reasons)
    check(found, "not marked as any of %s" % (reasons,), generation)
    equal(generation["level"], "WARNING", "level of a call that was cut")
    equal(generation["evidence"]["complete"], False, "completeness of a call that was cut")
    text = texts_of(generation.get("output"))[0]
    check(text and exchange["texts"][0].startswith(text), "the text is not what had come", text)
    return text


# --- someone leaves ------------------------------------------------------------

def client_leaves(test, server, role, is_tls):
    plan = [dict(call("the client leaves", "gt-slow", stream=True), abort_after=6)]
    client = test.client("requests_client.py", server.url(is_tls), plan)
    gentap = test.attach(client if role == "client" else server, options=())
    client.calls()
    exchange, = server.wait_truth(1)
    check_cut(only(gentap.stop()), exchange, "cut_by_client")
    client.end()


def test_client_leaves_in_mid_stream_over_tls(test):
    client_leaves(test, test.llm(), "client", is_tls=True)


def test_client_leaves_in_mid_stream_plain(test):
    client_leaves(test, test.llm(), "client", is_tls=False)


def test_client_leaves_a_traced_server_in_mid_stream(test):
    client_leaves(test, test.uvicorn("asyncio", "h11"), "server", is_tls=False)


def server_cuts(test, is_tls):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls),
                         [call("the server leaves", "gt-cut", stream=True)])
    gentap = test.attach(client, options=())
    client.calls()
    exchange, = llm.wait_truth(1)
    equal(check_cut(only(gentap.stop()), exchange, "cut_by_server"), exchange["sent"], "text")
    client.end()


def test_server_cuts_in_mid_stream_over_tls(test):
    server_cuts(test, is_tls=True)


def test_server_cuts_in_mid_stream_plain(test):
    server_cuts(test, is_tls=False)


def test_error_event_in_mid_stream(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("it dies", "gt-error-midstream", stream=True)])
    gentap = test.attach(client)
    client.calls()
    generation = only(gentap.stop())
    equal(generation["level"], "ERROR", "level")
    check("the engine died" in generation["statusMessage"], "the error's text", generation)
    client.end()


def test_target_killed_in_mid_request(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("killed", "gt-slow", stream=True)])
    gentap = test.attach(client, options=())
    client.tell()
    time.sleep(1)
    client.signal(signal.SIGKILL)
    exchange, = llm.wait_truth(1)
    generation = only(gentap.end())     # its last target is gone: it ends by itself
    check_cut(generation, exchange, "target_exited", "cut_by_client")


def test_gentap_killed_leaves_no_probe_and_the_target_goes_on(test):
    llm = test.llm()
    service = test.service(llm.url(is_tls=True))
    gentap = test.attach(service)
    service.ask(many_plan(4))
    gentap.signal(signal.SIGKILL)
    gentap.wait()
    wait_until(lambda: not test.links_left(), "the probes to go with gentap", 5)
    reports = service.ask(many_plan(20))
    equal([report["error"] for report in reports], [None] * 20, "errors of the target afterwards")
    service.stop()


def test_attach_again_after_gentap_was_killed(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(5))
    first = test.attach(client)
    first.signal(signal.SIGKILL)
    first.wait()
    second = test.attach(client)
    client.calls()
    compare(second.stop(), llm.truth())
    client.end()


def test_sigterm_detaches_and_flushes(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(5))
    gentap = test.attach(client)
    client.calls()
    compare(gentap.stop(signal.SIGTERM), llm.truth())
    client.end()


def test_ctrl_c_in_mid_stream_marks_the_call_detached(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("still running", "gt-slow", stream=True)])
    gentap = test.attach(client, options=())
    client.tell()
    time.sleep(1)
    generations = gentap.stop()
    client.line()
    exchange, = llm.wait_truth(1)
    check_cut(only(generations), exchange, "detached")
    client.end()


# --- options and exit codes --------------------------------------------------------

def test_for_ends_by_itself(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(3))
    gentap = test.attach(client, options=("--for", "3s"))
    client.calls()
    compare(gentap.end(), llm.truth())
    client.end()


def test_count_ends_after_that_many_generations(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(6))
    gentap = test.attach(client, options=("--count", "3"))
    client.calls()
    check(len(gentap.end()) >= 3, "ended with fewer than three")
    client.end()


def test_strict_fails_when_content_was_cut(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("a long story", "gt-long", stream=True)])
    gentap = test.attach(client, options=("--strict", "--max-content", "1000"))
    client.calls()
    generation = only(gentap.stop(code=5))
    check("content_truncated" in generation["evidence"]["reasons"], "not marked", generation)
    text = texts_of(generation["output"])[0]
    check(0 < len(text.encode()) <= 1100, "%d bytes kept of 1000" % len(text.encode()))
    client.end()


def refused(test, code, *arguments, **popen):
    """gentap refuses with @code; what it says."""
    gentap = test.gentap(*arguments, **popen)
    equal(gentap.wait(15), code, "exit code of gentap %s" % " ".join(arguments))
    check(gentap.errors().strip(), "it refused without a word")
    equal(gentap.rest_of_stdout(), b"", "stdout of a refusal")
    return gentap.errors()


def test_doctor_names_what_it_would_see_in_a_process(test):
    client = test.client("requests_client.py", "http://localhost:1/v1", [])
    done = subprocess.run([GENTAP, "doctor", "--pid", str(client.pid)], env=test.env, timeout=30,
                          capture_output=True, check=False)
    equal(done.returncode, 0, "exit code of doctor")
    said = (done.stdout + done.stderr).decode()
    for word in (str(client.pid), "libssl.so.3", "SSL_read", "SSL_write"):
        check(word in said, "doctor does not name %s" % word, said)


def test_dead_pid_is_exit_3(test):
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    check(str(dead.pid) in refused(test, 3, "attach", "--pid", str(dead.pid), "--no-store"),
          "the text does not name the pid")


def test_no_target_is_exit_2(test):
    refused(test, 2, "attach", "--no-store")
    refused(test, 2, "attach", "--pid", "banana")
    refused(test, 2, "attack")


def test_without_privilege_is_exit_4_and_says_the_cure(test):
    setpriv = tool("setpriv")
    binary = test.path("gt-copy")
    shutil.copy(GENTAP, binary)
    os.chmod(binary, 0o755)
    sleeper = Program(test, "sleeper", ["sleep", "60"])
    words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", binary,
             "attach", "--pid", str(sleeper.pid), "--no-store"]
    said = refused(test, 4, *words, binary=setpriv)
    check("CAP_" in said or "sudo" in said, "no capability and no command named", said)


# --- store and files -----------------------------------------------------------------

def run_with_store(test, plan, store):
    """(gentap, truth) after @plan was captured with a store at @store."""
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), plan)
    gentap = test.gentap("attach", "--pid", str(client.pid), "--to", "jsonl:OUT",
                         env=dict(test.env, GENTAP_STORE=store))
    gentap.wait_attached(client.pid)
    client.calls()
    return gentap, llm.truth()


def tmpfs(test, options):
    mount, umount = tool("mount"), tool("umount")
    folder = test.path("mnt")
    os.mkdir(folder)
    if subprocess.run([mount, "-t", "tmpfs", "-o", options, "gentap-live", folder],
                      check=False, capture_output=True).returncode:
        raise Skip("cannot mount a tmpfs here")
    test.undo.append(lambda: subprocess.run([umount, folder], check=False))
    return folder


def test_store_holds_every_generation_and_ls_and_show_read_it(test):
    store = test.path("store/gentap.db")
    gentap, truth = run_with_store(test, many_plan(10), store)
    generations = gentap.stop()
    compare(generations, truth)
    env = dict(test.env, GENTAP_STORE=store)
    listed = subprocess.run([GENTAP, "ls", "--json"], env=env, capture_output=True, timeout=20,
                            check=True).stdout.decode()
    ids = {json.loads(line)["id"] for line in listed.splitlines()}
    equal(ids, {one["id"] for one in generations}, "ids that ls lists")
    shown = subprocess.run([GENTAP, "show", generations[0]["id"], "--json"], env=env, timeout=20,
                           capture_output=True, check=True).stdout.decode()
    equal(json.loads(shown), generations[0], "what show shows")


def test_files_are_readable_by_their_owner_only(test):
    old = os.umask(0)
    test.undo.append(lambda: os.umask(old))
    gentap, _ = run_with_store(test, many_plan(3), test.path("store/gentap.db"))
    files = glob.glob(test.path("store/*")) + [gentap.out]
    check(len(files) >= 2, "files", files)
    for path in files:
        equal(oct(stat.S_IMODE(os.stat(path).st_mode)), oct(0o600), "mode of %s" % path)
    gentap.stop()


def test_read_only_store_is_a_clear_error(test):
    folder = tmpfs(test, "ro,size=64k")
    client = test.client("requests_client.py", "http://localhost:1/v1", [])
    said = refused(test, 1, "attach", "--pid", str(client.pid), "--to", "jsonl:OUT",
                   env=dict(test.env, GENTAP_STORE=folder + "/gentap.db"))
    check(folder in said, "the store's path is not named", said)


def test_full_disk_is_counted_and_the_other_sink_goes_on(test):
    folder = tmpfs(test, "size=320k")
    gentap, truth = run_with_store(test, many_plan(150), folder + "/gentap.db")
    compare(gentap.stop(), truth)
    check("store_failed" in gentap.errors(), "the summary does not count it", gentap.errors())


# --- bad input ---------------------------------------------------------------------------

def test_request_of_100_megabytes(test):
    llm = test.llm()
    big = dict(call("0123456789" * 10, stream=True), repeat=1024 * 1024)
    client = test.client("requests_client.py", llm.url(is_tls=False), [big, call("a small one")])
    gentap = test.attach(client, options=())
    client.calls()
    status = read_text("/proc/%d/status" % gentap.pid)
    generations = gentap.stop()
    resident = int(status.split("VmRSS:")[1].split()[0])
    check(resident < 150 * 1024, "gentap holds %d KiB" % resident)
    large, small = llm.truth()
    equal(len(generations), 2, "number of generations")
    one = [g for g in generations if g["metadata"].get("gentap.responseId") == large["id"]][0]
    check({"content_truncated", "body_limit"} & set(one["evidence"]["reasons"]), "not marked",
          one["evidence"])
    check(one["http"]["requestBytes"] > 100 * 1024 * 1024, "bytes counted", one["http"])
    check(len(json.dumps(one)) < 1024 * 1024, "more than --max-content was kept")
    equal(texts_of(one["output"]), large["texts"], "the answer's text")
    compare([g for g in generations if g is not one], [small])
    client.end()


def bad_answers(test, is_tls):
    """What no server should send; the good calls before and after are whole."""
    llm = test.llm()
    bad = ["gt-raw-garbage", "gt-raw-headbomb", "gt-raw-badchunk", "gt-raw-deepjson", "gt-raw-nul"]
    plan = [call("before")] + [call("bad", model) for model in bad] + [call("after", stream=True)]
    client = test.client("requests_client.py", llm.url(is_tls), plan)
    gentap = test.attach(client, options=())
    client.calls()
    generations = gentap.stop()
    truth = llm.truth()
    equal(len(truth), len(plan), "exchanges at the server")
    good = {exchange["id"]: exchange for exchange in truth if exchange["end"] == "whole"}
    of_good = [g for g in generations if g["metadata"].get("gentap.responseId") in good]
    compare(of_good, list(good.values()), is_tls=is_tls)
    for one in generations:
        if one not in of_good:
            equal(user_text_of(one["input"]), "bad", "the question of a generation")
            check(one["evidence"]["reasons"], "a bad answer is not marked", one)
    client.end()


def test_bad_answers_over_tls(test):
    bad_answers(test, is_tls=True)


def test_bad_answers_plain(test):
    bad_answers(test, is_tls=False)


def test_control_characters_do_not_reach_the_terminal(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("\x1b]0;owned\x07 \x1b[31mred\x9b31m \r\nline", "\x1b[1mevil")])
    gentap = test.attach(client, sink="terminal", options=())
    client.calls()
    gentap.stop()
    shown = gentap.rest_of_stdout().decode()
    check(len(shown) > 20, "nothing was shown", shown)
    bad = [c for c in shown if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    equal(bad, [], "control characters in what was shown")
    client.end()


# --- what must not come out ------------------------------------------------------------

def test_content_metadata_keeps_texts_in(test):
    llm = test.llm()
    plan = [call("TEXTMARK one"), call("TEXTMARK two", stream=True, tools=1),
            call("TEXTMARK three", path="embeddings"), call("TEXTMARK four", "gt-400")]
    client = test.client("requests_client.py", llm.url(is_tls=True), plan)
    gentap = test.attach(client, options=("--content", "metadata"))
    client.calls()
    generations = gentap.stop()
    equal(len(generations), len(plan), "number of generations")
    check("TEXTMARK" not in read_text(gentap.out) + gentap.errors(), "a prompt came out")
    for one in generations:
        check("input" not in one and "output" not in one, "content came out", one)
    totals = sorted(one["usageDetails"]["total"] for one in generations if one.get("usageDetails"))
    equal(totals, sorted(e["usage"]["total_tokens"] for e in llm.truth() if e["usage"]), "tokens")
    client.end()


def test_retries_of_the_sdk_are_calls_of_their_own(test):
    llm = test.llm()
    client = test.client("sync_openai.py", llm.url(is_tls=True),
                         [call("try again", "gt-429-once"), call("try again too", "gt-429-once")])
    gentap = test.attach(client)
    reports = client.calls()
    equal([report["error"] for report in reports], [None, None], "errors of the SDK")
    truth = llm.truth()
    equal([exchange["status"] for exchange in truth], [429, 200, 429, 200], "attempts")
    compare(gentap.stop(), truth, is_tls=True)
    client.end()
