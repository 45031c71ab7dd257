# SPDX-License-Identifier: Apache-2.0
"""The programs of the bench as children: started, spoken to by lines, ended by pid.

The measured ones share the last CPU; whatever serves or traces them runs on the
others.
"""

import os
import pathlib
import re
import selectors
import signal
import subprocess
import time

LIMIT_S = 60
HERE = pathlib.Path(__file__).resolve().parent
CPUS = sorted(os.sched_getaffinity(0))
MEASURED = {CPUS[-1]}
OTHERS = set(CPUS[:-1]) or MEASURED
ATTACHED = re.compile(r"^(gentap: )?attached \d+ ")
SUMMARY = re.compile(r"^gentap: (\d+) generations?\b.*detached in (\d+) ms")


class BenchError(Exception):
    """A program did not do its part; the text says which and what it said."""


class Program:
    """A child with pipes for stdin, stdout and stderr."""

    def __init__(self, argv, cpus=OTHERS, env=None):
        self.name = pathlib.Path(argv[0]).name
        try:
            self.process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=env, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        except OSError as error:
            raise BenchError("cannot start '%s': %s" % (argv[0], error.strerror)) from None
        self.pid = self.process.pid
        self.unread = {self.process.stdout: b"", self.process.stderr: b""}
        for pipe in self.unread:
            os.set_blocking(pipe.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, *self.unread):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def begin(self, wait):
        """Waits for its first words in a constructor: no `with` ends it yet."""
        try:
            wait()
        except BaseException:
            self.__exit__()
            raise

    def line(self, pipe=None, limit_s=LIMIT_S):
        """The next line of stdout (or of the pipe)."""
        pipe = pipe or self.process.stdout
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self.unread[pipe]:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise BenchError("%s said nothing for %d s" % (self.name, limit_s))
                data = pipe.read()
                if data == b"":
                    raise BenchError("%s ended early: %s" % (self.name, self.errors()))
                self.unread[pipe] += data or b""
        line, self.unread[pipe] = self.unread[pipe].split(b"\n", 1)
        return line.decode(errors="replace")

    def errors(self):
        pipe = self.process.stderr
        return (self.unread[pipe] + (pipe.read() or b"")).decode(errors="replace").strip()[-500:]

    def tell(self, text):
        self.process.stdin.write(b"%s\n" % text.encode())
        self.process.stdin.flush()

    def ask(self, text):
        self.tell(text)
        return self.line()

    def numbers(self):
        return [float(word) for word in self.line().split()]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def wait(self):
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise BenchError("%s did not end in %d s" % (self.name, LIMIT_S)) from None


class Gentap(Program):
    """gentap on one process, from its start to its "attached" line."""

    binary = None

    def __init__(self, pid):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("LANGFUSE_", "GENTAP_"))}
        start = time.monotonic()
        super().__init__([self.binary, "attach", "--pid", pid, "--no-children", "--to", "none",
                          "--no-store"], env=clean)
        self.begin(lambda: self.wait_attached(start))

    def wait_attached(self, start):
        while not ATTACHED.match(self.line(self.process.stderr)):
            pass
        self.attach_ms = (time.monotonic() - start) * 1000

    def stop(self):
        """Ctrl-C: returns how many generations it saw, and its summary line."""
        self.interrupt()
        found = None
        while not found:
            found = SUMMARY.match(self.line(self.process.stderr))
        self.wait()
        self.detach_ms = float(found[2])
        return int(found[1]), found.string

    def cpu_s(self):
        """CPU time of all its threads, from the scheduler's counters (ns)."""
        threads = pathlib.Path("/proc/%d/task" % self.pid).iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def memory_mib(self, field):
        """VmRSS (now) or VmHWM (the most so far)."""
        status = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(r"%s:\s+(\d+) kB" % field, status)[1]) / 1024

    def ring_mib(self):
        """The largest BPF ring that it holds (map type 27)."""
        sizes = [0]
        for info in pathlib.Path("/proc/%d/fdinfo" % self.pid).iterdir():
            fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
            if fields.get("map_type", "").strip() == "27":
                sizes.append(int(fields["max_entries"]))
        return max(sizes) / (1 << 20)


class Naive(Program):
    """The usual sniffer on one process."""

    folder = None

    def __init__(self, pid, functions):
        super().__init__([self.folder / "naive", self.folder / "naive.bpf.o", pid, *functions])
        self.begin(self.line)  # "attached"

    def stop(self):
        """Returns how many records it saw."""
        self.interrupt()
        records = int(self.line().split()[0])
        self.wait()
        return records
