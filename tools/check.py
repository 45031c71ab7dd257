#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test suite, part by part, and closes with one line for all of it.

usage: check.py BUILD [lint|unit|cases|starve|sanitized|fuzz|live|live-sanitized]...   (all of them by default)

A part is a command whose output is shown as it comes; its result is read from
the closing line of its kind. A part that ends without one has failed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRITERION = re.compile(r"Tested: .*?(\d+) \| Passing: .*?(\d+) \| Failing: .*?(\d+) \| Crashing")
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
SKIP = re.compile(r"^\[SKIP\]", re.M)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
UNIT_SECONDS, CASES_SECONDS, FUZZ_SECONDS, LIVE_SECONDS = 300, 300, 60, 1500
UBSAN = {"UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
STRESSING = "mid stream|mid request|in flight|mega|bad answers|retries|every kind|requests|uvicorn server|langfuse"


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(command, seconds, env=None):
    """Output (both streams) and exit code; None for a code when time ran out."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=seconds)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return output, None


def check_lint(build, totals):
    lints = {"lint of layers": ["tools/lint_layers.py"],
             "the README's table of dialects": ["tools/readme.py", str(build), "--check"]}
    for name, command in lints.items():
        output, code = run([sys.executable, *command], 60)
        print(output, end="")
        totals.add(int(code == 0), int(code != 0))
        print(f"{'ok  ' if code == 0 else 'FAIL'}  {name}")


def run_criterion(test, totals, env):
    start = time.monotonic()
    output, code = run([str(test)], UNIT_SECONDS, env)
    output = ANSI.sub("", output)
    found = CRITERION.search(output)
    name = f"{test.parent.name}/{test.name}"
    if not found or (code != 0 and int(found[3]) == 0):
        totals.add(0, 1)
        print(f"FAIL  {name}: ended with {code} and without a result\n{output[-4000:]}")
        return
    tested, passing, failing = (int(found[i]) for i in range(1, 4))
    skipped = len(SKIP.findall(output))
    totals.add(passing, failing, skipped)  # Criterion counts a crash as failing, too
    if failing or skipped:
        print(output[-12000:])
    verdict = "FAIL" if failing else "ok  "
    print(f"{verdict}  {name}: {passing} of {tested} ({time.monotonic() - start:.1f} s)", flush=True)


def unit_tests(build):
    sources = sorted((ROOT / "tests/unit").glob("*/test_*.c"))
    return [build / source.relative_to(ROOT).with_suffix("") for source in sources]


def check_unit(build, totals, env=None):
    for test in unit_tests(build):
        run_criterion(test, totals, env)


def check_cases(build, totals, arguments=(), env=None):
    """Golden cases in every variant: one verdict for each case and family of variants."""
    output, _ = run([str(build / "tests/cases/run"), *arguments], CASES_SECONDS, env)
    print(PLAIN.sub("", output), end="")
    found = PLAIN.findall(output)
    if not found:
        totals.add(0, 1)
        print("FAIL  cases: ended without a result")
        return
    totals.add(int(found[-1][0]), int(found[-1][1]))
    if not env:
        check_coverage(build, totals)
    check_runner(build, totals)
    check_scrubbed(build, totals, env)
    check_replays(build, totals, env)


def check_coverage(build, totals):
    """Every dialect of the table has at least five cases, an error and a cut one among them."""
    table, _ = run([str(build / "tools/dialects")], 60)
    dialects = re.findall(r"^\| `([a-z0-9_.]+)` \|", table, re.M)
    poor = []
    for dialect in dialects:
        cases = [case.read_text() for case in (ROOT / "tests/cases" / dialect).glob("*.case")]
        errors, cuts = sum('"level": "ERROR"' in case for case in cases), sum("\n@ cut by " in case for case in cases)
        if len(cases) < 5 or not errors or not cuts:
            poor.append(f"{dialect} ({len(cases)} cases, {errors} of an error, {cuts} cut)")
    totals.add(int(bool(dialects) and not poor), int(not dialects or bool(poor)))
    print(f"FAIL  too few cases: {', '.join(poor) or 'no dialects'}" if poor or not dialects
          else f"ok    {len(dialects)} of {len(dialects)} dialects have their cases")


def check_runner(build, totals):
    """The runner fails a case whose line is not what comes out, in every family of variants."""
    text = (ROOT / "tests/cases/openai.chat/stream.case").read_text()
    wrong = {"another line": text.replace('"chunks":3', '"chunks":4'),
             "no such line": text[:text.rindex("@ line")] + "@ no line\n",
             "no word of what comes out": text[:text.rindex("@ line")]}
    for name, case in wrong.items():
        path = build / "wrong.case"
        path.write_text(case)
        output, code = run([str(build / "tests/cases/run"), str(path)], CASES_SECONDS)
        found = PLAIN.findall(output)
        has_failed = code == 1 and case != text and found and int(found[-1][1]) >= (1 if "word" in name else 6)
        totals.add(int(bool(has_failed)), int(not has_failed))
        print(f"{'ok  ' if has_failed else 'FAIL'}  the runner fails a case with {name}")


def check_scrubbed(build, totals, env=None):
    """The same lines come of what `gentap record --scrub` would have written."""
    output, code = run([str(build / "tests/cases/run"), "--scrub", "--cuts", "100", "--gaps", "20"], CASES_SECONDS, env)
    totals.add(int(code == 0), int(code != 0))
    print("ok    cases, scrubbed" if code == 0 else f"FAIL  cases, scrubbed\n{output}")


def replay(gentap, capture, env):
    """None when the capture's generations are the lines that the case wants, byte for byte; else what is wrong."""
    process = subprocess.run([str(gentap), "replay", str(capture), "--json", "--no-store"], env=env, timeout=60,
                             stdin=subprocess.DEVNULL, capture_output=True)
    if process.returncode:
        return f"exit code {process.returncode}: {process.stderr.decode(errors='replace')}"
    want = capture.with_suffix(".jsonl").read_bytes()
    return None if process.stdout == want else f"got\n{process.stdout.decode()}not\n{want.decode()}"


def check_replays(build, totals, env=None):
    """Each case as a capture file, replayed by gentap itself."""
    folder = build / "cases"
    shutil.rmtree(folder, ignore_errors=True)
    output, code = run([str(build / "tests/cases/run"), "--gtcap", str(folder)], CASES_SECONDS)
    captures = sorted(folder.glob("*.gtcap"))
    if code != 0 or not captures:
        totals.add(0, 1)
        print(f"FAIL  captures of the cases\n{output}")
        return
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANGFUSE_", "GENTAP_"))}
    wrong = {capture.stem: replay(build / "gentap", capture, {**clean, **(env or {})}) for capture in captures}
    for name, what in wrong.items():
        if what:
            print(f"FAIL  replay of {name}: {what}")
    failed = sum(map(bool, wrong.values()))
    totals.add(len(wrong) - failed, failed)
    print(f"{'FAIL' if failed else 'ok  '}  {len(wrong) - failed} of {len(wrong)} captures replay to their lines")


def check_starve(build, totals):
    """Every allocation fails in turn, in each case; one verdict a case."""
    output, _ = run([str(build / "tests/starve/starve")], CASES_SECONDS)
    print(PLAIN.sub("", output), end="")
    found = PLAIN.findall(output)
    totals.add(*(int(count) for count in found[-1][:2]) if found else (0, 1))


def make_sanitized(build, totals, *goals):
    """The folder of the build with AddressSanitizer and UBSan; None if it failed."""
    sanitized = build / "sanitized"
    output, code = run(["make", "--no-print-directory", f"-j{os.cpu_count()}", f"BUILD={sanitized}",
                        "SAN=address,undefined", *goals], 900)
    if code == 0:
        return sanitized
    totals.add(0, 1)
    print(f"FAIL  sanitized build\n{output[-4000:]}")
    return None


def check_sanitized(build, totals):
    """The same unit tests and cases; a leak that ASan finds fails a Criterion run only if it aborts."""
    sanitized = make_sanitized(build, totals, "all", "unit-tests", "cases")
    env = {"ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1", **UBSAN}
    if sanitized:
        check_unit(sanitized, totals, env)
        check_cases(sanitized, totals, ["--cuts", "100", "--gaps", "20"], env)


def check_fuzz(build, totals):
    """Every fuzzer for its share of a minute; its kept inputs always."""
    output, _ = run([sys.executable, "tools/fuzz.py", str(build), str(FUZZ_SECONDS)], 1200)
    print(PLAIN.sub("", output), end="")
    found = PLAIN.findall(output)
    totals.add(*(int(count) for count in found[-1][:2]) if found else (0, 1))


def check_live_sanitized(build, totals):
    """The live tests that stress the collector, with a gentap that dies of a leak or a bad access."""
    sanitized = make_sanitized(build, totals, "all")
    if sanitized:
        check_live(sanitized, totals, STRESSING, {"ASAN_OPTIONS": "detect_leaks=1", **UBSAN})


def check_live(build, totals, pattern="", env=None):
    """Real programs under real probes; prints as it goes."""
    process = subprocess.Popen([sys.executable, "tests/live/run.py", "-k", pattern], cwd=ROOT, text=True,
                               errors="replace", env={**os.environ, "GENTAP": str(build / "gentap"), **(env or {})},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline, output = time.monotonic() + LIVE_SECONDS, []
    for line in process.stdout:
        output.append(line)
        # The line of the whole suite comes at the end, once.
        if not PLAIN.match(line):
            print(line, end="", flush=True)
        if time.monotonic() > deadline:
            process.kill()
            break
    process.wait()
    found = PLAIN.findall("".join(output))
    if not found:
        totals.add(0, 1)
        print("FAIL  live tests: ended without a result")
        return
    passed, failed, skipped = found[-1]
    totals.add(int(passed), int(failed), int(skipped or 0))


PARTS = {"lint": check_lint, "unit": check_unit, "cases": check_cases, "starve": check_starve, "sanitized": check_sanitized,
         "fuzz": check_fuzz, "live": check_live, "live-sanitized": check_live_sanitized}


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    totals = Totals()
    for part in sys.argv[2:] or PARTS:
        print(f"--- {part}", flush=True)
        PARTS[part](build, totals)
    print(totals.line())
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
