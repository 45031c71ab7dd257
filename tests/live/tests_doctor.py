# SPDX-License-Identifier: Apache-2.0
"""Doctor's self-test: it proves capture where it is possible, says what keeps
it from being so where it is not, and leaves nothing behind."""

import glob
import json
import os
import shutil
import subprocess

from harness import GENTAP, Busy, Program, check, equal, tool


def doctor(test, *arguments, wrap=(), binary=GENTAP):
    """(exit code, its JSON) of a doctor in a session of its own, and that nobody
    of that session is left."""
    process = subprocess.Popen([*wrap, binary, "doctor", "--json", *arguments], env=test.env,
                               stdout=subprocess.PIPE, start_new_session=True)
    said, _ = process.communicate(timeout=30)
    left = [path for path in glob.glob("/proc/[0-9]*/stat") if session_of(path) == process.pid]
    check(not left, "doctor left a process behind", left)
    return process.returncode, json.loads(said)


def session_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[3])
    except OSError:
        return None     # ended meanwhile


def proofs(said):
    return {row["what"]: (row["verdict"], row["text"]) for row in said["selfTest"]}


def test_doctor_proves_that_both_paths_are_captured(test):
    code, said = doctor(test)
    rows = proofs(said)
    equal(code, 0, "exit code of doctor")
    equal(said["isPossible"], True, "isPossible")
    equal({what: verdict for what, (verdict, _) in rows.items()}, {"sockets": "ok", "TLS": "ok"},
          "the self-test")
    check("libssl.so" in rows["TLS"][1], "the library is not named", rows)


def test_doctor_proves_it_with_every_core_busy(test):
    with Busy(test):
        code, said = doctor(test)
    equal(code, 0, "exit code of doctor")
    equal([verdict for verdict, _ in proofs(said).values()], ["ok", "ok"], "the self-test")


def test_doctor_without_privilege_skips_the_self_test_and_says_so(test):
    binary = test.path("gt-copy")
    shutil.copy(GENTAP, binary)
    os.chmod(binary, 0o755)
    code, said = doctor(test, binary=binary, wrap=(
        tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"))
    verdict, text = proofs(said)["self-test"]
    equal(code, 4, "exit code of doctor")
    equal((verdict, said["isPossible"]), ("note", False), "verdict and isPossible")
    check(text.startswith("skipped"), "it does not say that it skipped", text)


def test_doctor_says_when_what_looks_possible_is_not(test):
    """Every feature is there, but too few descriptors for the programs."""
    code, said = doctor(test, wrap=(tool("prlimit"), "--nofile=16"))
    verdict, text = proofs(said)["self-test"]
    equal([row["verdict"] for row in said["kernel"]].count("no"), 0, "features that are missing")
    equal((code, verdict, said["isPossible"]), (4, "no", False), "code, verdict and isPossible")
    check(os.strerror(24) in text, "it does not say why", text)


NAMES_ITSELF = r"""
import ctypes, sys
ctypes.CDLL(None).prctl(15, b'a\xff\x1b[31m"b', 0, 0, 0)
print("READY", flush=True)
sys.stdin.readline()
"""


def test_doctor_speaks_json_of_a_process_with_a_hostile_name(test):
    program = Program(test, "hostile", [test.python(), "-c", NAMES_ITSELF])
    equal(program.line(), "READY", "first word of the program")
    code, said = doctor(test, "--pid", str(program.pid))
    program.tell("end")
    equal(code, 0, "exit code of doctor")
    check("a\ufffd" in json.dumps(said, ensure_ascii=False), "the name is not there", said)
