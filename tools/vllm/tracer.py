# SPDX-License-Identifier: Apache-2.0
"""gentap, attached to a running process, and the lines that it wrote."""
import datetime
import json
import pathlib
import re
import signal
import subprocess
import time

ATTACH_SECONDS = 60
DETACH_SECONDS = 60


def nanoseconds(text):
    """Of a time such as 2026-11-18T11:06:40.310000000Z: datetime has only microseconds."""
    seconds, fraction = re.fullmatch(r"([^.]+)\.(\d{9})Z", text).groups()
    moment = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 10**9 + int(fraction)


class Generation:
    """One line, with its times as milliseconds since its start."""

    def __init__(self, line):
        self.line = line
        self.request_id = line["http"].get("requestId")
        self.timing = line.get("timing", {})
        start_ns = nanoseconds(line["startTime"])
        self.end_ms = (nanoseconds(line["endTime"]) - start_ns) / 1e6
        self.ttft_ms = None
        if "completionStartTime" in line:
            self.ttft_ms = (nanoseconds(line["completionStartTime"]) - start_ns) / 1e6


class Tracer:
    """`gentap attach` to a process and its descendants. Its lines go to DIR/lines.jsonl,
    what it says to DIR/gentap.log."""

    def __init__(self, gentap, pid, directory):
        self.lines = directory / "lines.jsonl"
        self.log = directory / "gentap.log"
        self.lines.unlink(missing_ok=True)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [gentap, "attach", "--pid", str(pid), "--to", f"jsonl:{self.lines}",
                 "--no-store", "--strict"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_attached(self, pids):
        """Seconds until gentap said of each of them that its probes are in."""
        started = time.monotonic()
        while time.monotonic() - started < ATTACH_SECONDS:
            attached = {int(pid) for pid in re.findall(r"^attached (\d+) ", self.said(), re.M)}
            if pids <= attached:
                return time.monotonic() - started
            if self.process.poll() is not None:
                raise RuntimeError(f"gentap ended with {self.process.returncode}: {self.said()}")
            time.sleep(0.02)
        raise RuntimeError(f"gentap attached to {attached} in {ATTACH_SECONDS} s, not to {pids}")

    def stop(self):
        """Its exit code; None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(DETACH_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def generations(self):
        if not pathlib.Path(self.lines).exists():
            return []
        return [Generation(json.loads(line)) for line in self.lines.read_text().splitlines()]
