#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What gentap costs on this machine. usage: bench.py GENTAP PROGRAMS [--json]

Every figure is a paired difference within this run; the A/A rows are the same
measurement with nothing attached, so a figure smaller than them is noise.
Needs root. Takes about four minutes, uses loopback only, fails on no figure.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time

import pipeline_rows
import rows
from programs import CPUS, BenchError, Gentap, Naive

SECTIONS = [
    ("c-stream", "A TLS stream of 500 chunks of 200 B, 0.36 ms apart: CPU of the client",
     "Two equal clients take their chunks in turn; the tracer sits on one, then on the other. Thread CPU "
     "time of each turn, slowest 5 % dropped; difference of the two, mean of both sides. What the system "
     "call tracepoints cost every process is in neither: the last row has it, in time and not paired.",
     rows.c_stream_rows),
    ("python-stream", "The same into a Python client (asyncio, ssl.MemoryBIO)", "Measured in the same way.", rows.python_stream_rows),
    ("hot", "Hot calls: CPU a call or pair, of the target and of a process that is none",
     "gentap comes and goes; bursts with pauses; each value less the mean of those before and after it.",
     rows.hot_rows),
    ("tls-load", "The collector under 1 000 concurrent TLS streams of 80 chunks, 10 000 chunks/s",
     "Its own /proc entries; one run.", lambda pem, folder: rows.load_rows(pem, folder, "tls")),
    ("plain-load", "The collector under 1 000 concurrent plain streams", "The same.",
     lambda pem, folder: rows.load_rows(pem, folder, "plain")),
    ("decode", "The pipeline alone: from events to generations, one core",
     "Events made beforehand, nothing captured or sent; best of three. Chunks are of 200 B before compression.",
     pipeline_rows.decode_rows),
    ("live", "The pipeline with 10 000 live streams of 50 chunks/s each, replayed at their real rate", "One run.", pipeline_rows.live_rows),
    ("attach", "Coming and going",
     "A thread of the target does SSL_write+SSL_read without a pause meanwhile.", rows.attach_rows),
]


def other_tracers():
    """BPF programs of others at tracepoints and probes: they cost too, and come and go.
    None when there is no bpftool to ask."""
    tool = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    shown = subprocess.run([tool, "-j", "link", "show"], capture_output=True) if tool else None
    if not shown or shown.returncode:
        return None
    kinds = ("tracing", "raw_tracepoint", "perf_event", "uprobe_multi", "kprobe_multi")
    return sum(link["type"] in kinds or isinstance(link["type"], int) for link in json.loads(shown.stdout))


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"model name\s*:\s*(.*)", info)
    flags = re.search(r"flags\s*:.*\bhypervisor\b", info)
    return {
        "kernel": platform.release(),
        "cpu": "%s, %d%s" % (cpu[1] if cpu else platform.machine(), len(CPUS), ", virtual" if flags else ""),
        "openssl": ssl.OPENSSL_VERSION,
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "other_tracers": other_tracers(),
    }


def make_certificate(folder):
    key, cert, both = (pathlib.Path(folder) / name for name in ("key.pem", "cert.pem", "both.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=bench"],
                   check=True, capture_output=True)
    both.write_text(key.read_text() + cert.read_text())
    return both


def print_row(row):
    spread = row.spread
    middle = "[%.2f .. %.2f]" % (spread.low, spread.high) if spread.count > 1 else ""
    target = "target %g: %s" % (row.target, row.verdict()) if row.target is not None else ""
    print("  %-58s %9.2f %-3s %-20s %s" % (row.text, spread.median, row.unit, middle,
                                            "; ".join(filter(None, (target, row.note)))), flush=True)


def run_section(name, title, method, measure, pem, folder, is_json):
    """Prints a section as it goes; its rows for the JSON."""
    if not is_json:
        print("\n%s\n  (%s)" % (title, method), flush=True)
    made = []
    try:
        for row in measure(pem, folder):
            made.append(row.as_json())
            if not is_json:
                print_row(row)
    except BenchError as error:
        print("bench: %s: %s" % (name, error), file=sys.stderr)
        return {"section": name, "title": title, "method": method, "error": str(error)}
    return {"section": name, "title": title, "method": method, "rows": made}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gentap", type=pathlib.Path)
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--only", choices=[section[0] for section in SECTIONS], help="one section")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: gentap needs root here: try `sudo make bench`")

    Gentap.binary, Naive.folder = arguments.gentap.resolve(), arguments.programs.resolve()
    start = time.monotonic()
    report = {"machine": machine(), "sections": []}
    if not arguments.json:
        print("gentap bench: kernel %(kernel)s; %(cpu)s; %(openssl)s; Python %(python)s; load %(load)s; "
              "other tracers: %(other_tracers)s" % report["machine"])
        print("medians [middle half of the rounds]; differences are paired; A/A is the noise")
    with tempfile.TemporaryDirectory(prefix="gentap-bench-") as folder:
        pem = make_certificate(folder)
        for section in SECTIONS:
            if arguments.only in (None, section[0]):
                report["sections"].append(run_section(*section, pem, Naive.folder, arguments.json))
    report["seconds"] = round(time.monotonic() - start)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        print("\ntook %d s" % report["seconds"])
    return 1 if any("error" in section for section in report["sections"]) else 0


if __name__ == "__main__":
    sys.exit(main())
