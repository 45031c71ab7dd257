# SPDX-License-Identifier: Apache-2.0
"""`gentap record` and `gentap replay`: what was recorded gives the same generations
again, anywhere; the file has no secret, and survives a crash and a full disk."""

import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import time

from harness import CANARY, GENTAP, check, equal, json_lines, read_text, tool, wait_until
from tests_faults import tmpfs
from tests_http2 import httpx, hypercorn, node
from truth import call, compare, many_plan, mixed_plan

PREAMBLE, HEADER, BLOCK = struct.Struct("<8sHHI"), 472, struct.Struct("<IIII")


def record(test, target, *options, path=None):
    """gentap recording a Program, its probes in; the file's path."""
    path = path or test.path("out.gtcap")
    gentap = test.gentap("record", "--pid", str(target.pid), "-o", path, *options)
    gentap.wait_attached(target.pid)
    return gentap, path


def replay(test, path, *options, code=0):
    """(lines on stdout, what it said), by a user without any privilege."""
    binary, copy = test.path("gt-copy"), test.path("copy.gtcap")
    shutil.copy(GENTAP, binary)
    os.chmod(binary, 0o755)
    shutil.copy(path, copy)
    os.chown(copy, 65534, 65534)
    done = subprocess.run([tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                           binary, "replay", copy, "--json", *options],
                          env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=60, check=False)
    os.unlink(copy)
    equal(done.returncode, code, "exit code of replay\n%s" % done.stderr.decode())
    return done.stdout, done.stderr.decode()


def content(path):
    """Everything in the file, decompressed."""
    with open(path, "rb") as file:
        data = file.read()
    _, _, _, header = PREAMBLE.unpack_from(data)
    equal(header, HEADER, "length of the header")
    at, frames = PREAMBLE.size + header + 4, b""
    while at < len(data):
        _, stored, _, _ = BLOCK.unpack_from(data, at)
        frames += data[at + BLOCK.size:at + BLOCK.size + stored]
        at += BLOCK.size + stored
    return subprocess.run([tool("zstd"), "-dc"], input=frames, capture_output=True, check=True).stdout


def check_file(path):
    equal(oct(stat.S_IMODE(os.stat(path).st_mode)), oct(0o600), "mode of the file")
    inside = content(path)
    check(b"/v1/chat/completions" in inside, "no request in the file")
    check(CANARY not in inside, "a secret in the file", inside[max(0, inside.find(CANARY) - 200):][:400])


def recorded_again(test, server, client, target, role, is_tls):
    """Record, and replay twice: the live lines, byte for byte."""
    gentap, path = record(test, target, "--to", "jsonl:OUT", "--strict")
    client.calls()
    generations = gentap.stop()
    compare(generations, server.truth(), role=role, is_tls=is_tls)
    check_file(path)
    lines, said = replay(test, path, "--strict")
    with open(gentap.out, "rb") as file:
        equal(lines.decode(), file.read().decode(), "lines of the replay")
    equal(replay(test, path)[0], lines, "lines of another replay")
    check("%d generations, nothing lost" % len(generations) in said, "the closing line", said)
    client.end()


def test_recorded_client_over_tls_replays_to_the_same_lines(test):
    llm = test.llm()
    client = test.client("sync_openai.py", llm.url(is_tls=True), mixed_plan())
    recorded_again(test, llm, client, client, "client", is_tls=True)


def test_recorded_client_plain_replays_to_the_same_lines(test):
    llm = test.llm()
    client = test.client("aiohttp_client.py", llm.url(is_tls=False), many_plan(100))
    recorded_again(test, llm, client, client, "client", is_tls=False)


def test_recorded_uvicorn_server_replays_to_the_same_lines(test):
    server = test.uvicorn("uvloop", "httptools")
    client = test.client("requests_client.py", server.url(is_tls=False), mixed_plan())
    recorded_again(test, server, client, server, "server", is_tls=False)


def recorded_http2(test, start, target_of):
    """Header blocks are scrubbed in place, and every later one still decodes."""
    server = hypercorn(test, is_tls=True)
    client = start(test, server, True, mixed_plan())
    gentap, path = record(test, target_of(client, server), "--to", "jsonl:OUT", "--strict")
    client.calls()
    server.wait_truth(len(mixed_plan()))
    generations = gentap.stop()
    equal({one["http"]["version"] for one in generations}, {"2"}, "HTTP versions")
    equal(len(generations), len(mixed_plan()), "number of generations")
    inside = content(path)
    check(b"one tool" in inside and CANARY not in inside, "a secret in the file, or no request")
    # '*' in HPACK's Huffman code; tests/unit/source decodes what is left.
    check(b"\xf9" * 8 in inside, "no value of a header block was overwritten")
    with open(gentap.out, "rb") as file:
        equal(replay(test, path, "--strict")[0].decode(), file.read().decode(), "lines of the replay")
    client.end()


def test_recorded_httpx_over_http2_replays_to_the_same_lines(test):
    recorded_http2(test, httpx, lambda client, server: client)


def test_recorded_node_over_http2_replays_to_the_same_lines(test):
    recorded_http2(test, node, lambda client, server: client)


def test_recorded_hypercorn_over_http2_replays_to_the_same_lines(test):
    recorded_http2(test, httpx, lambda client, server: server)


def test_recorder_killed_leaves_a_file_that_replays(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(30))
    gentap, path = record(test, client)
    client.calls()
    time.sleep(1)       # what is promised: within a second
    gentap.signal(signal.SIGKILL)
    gentap.wait()
    lines, said = replay(test, path)
    with open(test.path("replayed"), "wb") as file:
        file.write(lines)
    compare(json_lines(test.path("replayed")), llm.truth())
    check("capture_truncated 1" in said, "the closing line says nothing", said)
    replay(test, path, "--strict", code=5)
    check_file(path)
    wait_until(lambda: not test.links_left(), "the probes to go with gentap", 5)
    client.end()


def test_recording_on_a_full_disk_is_a_clear_error_and_what_fits_replays(test):
    path = tmpfs(test, "size=64k") + "/out.gtcap"
    llm = test.llm()
    plan = [dict(call("%d" % number, "gt-long", stream=True)) for number in range(60)]
    client = test.client("requests_client.py", llm.url(is_tls=False), plan)
    gentap, _ = record(test, client, path=path)
    client.calls()
    equal(gentap.wait(30), 1, "exit code of gentap")
    check(re.search(r"writing '.*' failed: No space left on device", gentap.errors()), "the error", gentap.errors())
    lines, said = replay(test, path)
    check(lines.count(b"\n") > 0 and "capture_truncated 1" in said, "nothing of it replays", said)
    client.end()


def test_recording_refuses_a_file_that_is_there_and_overwrites_when_told(test):
    path = test.path("out.gtcap")
    with open(path, "w", encoding="utf-8") as file:
        file.write("mine")
    os.chmod(path, 0o644)
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=False), many_plan(3))
    refused = test.gentap("record", "--pid", str(client.pid), "-o", path)
    equal(refused.wait(15), 1, "exit code of gentap")
    check("--force" in refused.errors(), "no word of --force", refused.errors())
    equal(read_text(path), "mine", "what was in the file")
    gentap, _ = record(test, client, "--force")
    client.calls()
    gentap.stop()
    check_file(path)
    client.end()


def test_recording_of_nothing_leaves_no_file(test):
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    path = test.path("out.gtcap")
    gentap = test.gentap("record", "--pid", str(dead.pid), "-o", path)
    equal(gentap.wait(15), 3, "exit code of gentap")
    check(not os.path.exists(path), "an empty file was left")


def test_recording_without_scrubbing_has_the_keys(test):
    """So that the other tests would see them."""
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(3))
    gentap, path = record(test, client, "--no-scrub", path=test.path("raw.gtcap"))
    client.calls()
    gentap.stop()
    check(CANARY in content(path), "no key in a file that was not scrubbed")
    compare_lines = replay(test, path)[0]
    equal(compare_lines.count(b"\n"), 3, "generations of the replay")
    check(CANARY not in compare_lines, "a key came out of the replay")
    client.end()
