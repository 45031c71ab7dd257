#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every fuzzer for its share of the time, from the cases' seeds and the kept inputs.

usage: fuzz.py BUILD SECONDS [NAME]...    prints a line each and one for all; exits 1 on a finding

A finding is kept in BUILD/fuzz/findings; once understood and mended, it belongs into
tests/fuzz/regressions/NAME/, which every run begins with.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUZZ_SAN = "address,undefined,fuzzer-no-link"
# Folders of `run --seeds` for each fuzzer.
SEEDS = {
    "stream": ("sse", "ndjson", "json", "json-array", "eventstream", "multipart"),
    "coding": ("gzip", "deflate", "deflate-raw", "br", "zstd"),
    "http1": ("http1",), "http2": ("http2",), "json": ("json",), "dialect": ("calls",),
    "websocket": ("websocket",), "lanes": ("lanes",), "pipeline": ("events",), "gtcap": ("gtcap",),
    "scrub": ("wires",), "conn": ("wires",), "h2conn": ("h2conn",),
}
SHORT_S = 10  # so short a share is a check, which is to give the same each time
OPTIONS = ["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=16384"]
ENOUGH = 100  # executions; fewer, and the fuzzer itself is broken


def build(folder):
    """The fuzzers, by name."""
    made = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count()}", f"BUILD={folder}", "CC=clang",
                           f"SAN={FUZZ_SAN}", "fuzzers"], cwd=ROOT, capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"fuzz: building failed\n{(made.stdout + made.stderr)[-4000:]}")
    return {path.name[len("fuzz_"):]: path for path in sorted((folder / "tests/fuzz").glob("fuzz_*"))
            if path.is_file() and os.access(path, os.X_OK) and not path.suffix}


def seed(build_folder, seeds):
    made = subprocess.run([build_folder / "tests/cases/run", "--seeds", seeds], cwd=ROOT, capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"fuzz: the cases gave no seeds\n{(made.stdout + made.stderr)[-2000:]}")
    # And those that no case gives: a line of hexadecimal each.
    for path in (ROOT / "tests/fuzz").glob("*.seeds"):
        (seeds / path.stem).mkdir(exist_ok=True)
        for number, line in enumerate(path.read_text().splitlines()):
            if not line.startswith("#"):
                (seeds / path.stem / str(number)).write_bytes(bytes.fromhex(line))


def run(name, program, folder, seconds):
    """(executions, edges covered, None or what was found)"""
    corpus, findings = folder / "corpus" / name, folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    kept = ROOT / "tests/fuzz/regressions" / name
    inputs = [folder / "seeds" / seed for seed in SEEDS.get(name, ())] + [kept]
    before = set(findings.iterdir())
    process = subprocess.run(
        [program, corpus, *(path for path in inputs if path.is_dir()), f"-max_total_time={seconds}",
         f"-artifact_prefix={findings}/{name}-", *OPTIONS, *(["-seed=1"] if seconds <= SHORT_S else [])], cwd=ROOT, capture_output=True, text=True,
        errors="replace", env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
    log = process.stderr
    executions = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log) or re.findall(r"^#(\d+)", log, re.M)
    edges = re.findall(r"cov: (\d+)", log)
    new = sorted(set(findings.iterdir()) - before)
    executions, edges = (int(numbers[-1]) if numbers else 0 for numbers in (executions, edges))
    found = None
    if process.returncode or new:
        found = f"{log[-6000:]}\nfuzz: again with: {program} {new[0] if new else ''}"
    elif executions < ENOUGH:
        found = f"{log[-2000:]}\nfuzz: only {executions} executions: a fuzzer that does not work, or far too slow"
    return executions, edges, found


def main():
    build_folder, seconds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    folder = build_folder / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    programs = build(folder / "build")
    seed(build_folder, folder / "seeds")
    chosen = sys.argv[3:] or sorted(programs)
    share = max(1, seconds // len(chosen))
    total, failed = 0, 0
    for name in chosen:
        executions, edges, found = run(name, programs[name], folder, share)
        total += executions
        failed += found is not None
        print(f"{'FAIL' if found else 'ok  '}  fuzz {name}: {executions} executions, {edges} edges covered", flush=True)
        if found:
            print(found)
    print(f"fuzz: {total} executions in {share * len(chosen)} s, {failed} of {len(chosen)} with findings")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
