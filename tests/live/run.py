#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The live tests: real programs under real probes. Needs root.

usage: run.py [-k PATTERN] [--keep]

Every function test_* of the tests_*.py files is a test. One line each: ok, FAIL
or skip, its name, its seconds, why; the last line counts them. GENTAP names
another binary, GT_LIVE another folder for what setup.sh makes.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import traceback

import harness
import tests_clients
import tests_codings
import tests_doctor
import tests_equality
import tests_equality_responses
import tests_faults
import tests_http2
import tests_kernel
import tests_langfuse
import tests_record
import tests_sdks
import tests_server

MODULES = (tests_clients, tests_codings, tests_server, tests_faults, tests_kernel, tests_langfuse,
           tests_equality, tests_equality_responses, tests_doctor, tests_sdks, tests_record, tests_http2)
LIMIT_S = 120


class TooLong(Exception):
    pass


def on_alarm(*_):
    raise TooLong("the test took longer than %d s" % LIMIT_S)


def all_tests():
    for module in MODULES:
        for name, function in vars(module).items():
            if name.startswith("test_") and function.__module__ == module.__name__:
                yield name[len("test_"):].replace("_", " "), function


def run_one(function):
    """('ok' | 'FAIL' | 'skip', why)"""
    test = harness.Test(function.__name__)
    signal.alarm(LIMIT_S)
    try:
        function(test)
        test.check_outputs()
        return "ok", "", test
    except harness.Skip as reason:
        return "skip", str(reason), test
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)
        lines = ["%s:%d" % (os.path.basename(frame.filename), frame.lineno) for frame in where[1:]]
        return "FAIL", "%s\n(%s)\n%s" % (error, " > ".join(lines), test.story()), test
    except Exception:   # a broken test is a failed test, and the next ones still run
        return "FAIL", "%s\n%s" % (traceback.format_exc(), test.story()), test
    finally:
        signal.alarm(0)
        test.close()


def why_not():
    """What keeps every test from running, or None."""
    if os.geteuid() != 0:
        return "live tests attach probes: run as root (sudo make check)"
    if not os.access(harness.GENTAP, os.X_OK):
        return "no program at the path that GENTAP names; run make first"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="", help="only tests that match (regex)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of failed tests")
    options = parser.parse_args()
    chosen = [(name, function) for name, function in all_tests() if re.search(options.k, name)]
    reason = why_not()
    if not reason and subprocess.run([os.path.join(harness.HERE, "setup.sh"), harness.LIVE],
                                     check=False, timeout=600).returncode:
        reason = "setup.sh failed"
    if reason:
        print("FAIL  live tests: " + reason)
        print("0 passed, %d failed, 0 skipped" % len(chosen))
        return 1
    signal.signal(signal.SIGALRM, on_alarm)
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name, function in chosen:
        started = time.monotonic()
        result, why, test = run_one(function)
        counts[result] += 1
        print("%-4s  %s (%.1f s) %s" % (result, name, time.monotonic() - started, why), flush=True)
        if result == "FAIL" and options.keep:
            print("      kept: " + test.dir)
        else:
            test.remove()
    print("%d passed, %d failed, %d skipped" % (counts["ok"], counts["FAIL"], counts["skip"]))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
