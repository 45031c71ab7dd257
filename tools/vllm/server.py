# SPDX-License-Identifier: Apache-2.0
"""A vLLM server as a child of the check: starts it, knows its processes, ends it."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
# Three or four processes import torch one after the other: 30 s each on a busy machine.
READY_SECONDS = 600
STOP_SECONDS = 60


def free_port():
    """A port nobody has now. Somebody may take it before vLLM does; then it says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def parent_and_name(pid):
    stat = pathlib.Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return int(rest.split()[1]), name


def children(pid):
    """{pid: comm} of a process's own children."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent, name = parent_and_name(entry.name)
        except OSError:         # it ended between the listing and the reading
            continue
        if parent == pid:
            found[int(entry.name)] = name
    return found


class Server:
    """One server; `certificate` is (key file, certificate file) for TLS, or None."""

    def __init__(self, log, api_servers, certificate):
        self.port = free_port()
        self.context = None
        options = ["--api-server-count", str(api_servers)]
        if certificate:
            key, cert = map(str, certificate)
            options += ["--ssl-keyfile", key, "--ssl-certfile", cert]
            self.context = ssl.create_default_context(cafile=cert)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.log = log
        with open(log, "wb") as output:
            # A group of its own, so that the end can be seen and, if need be, forced.
            self.process = subprocess.Popen(
                [HERE / "serve.sh", str(self.port), *options], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10, context=self.context) as answer:
            return answer.read().decode()

    def wait_ready(self):
        """Seconds that it took to become ready."""
        started = time.monotonic()
        while time.monotonic() - started < READY_SECONDS:
            if self.process.poll() is not None:
                raise RuntimeError(f"vLLM ended with {self.process.returncode}; see {self.log}")
            try:
                self.get("/health")
                return time.monotonic() - started
            except OSError:        # URLError is one
                time.sleep(0.5)
        raise RuntimeError(f"vLLM was not ready after {READY_SECONDS} s; see {self.log}")

    def api_pids(self):
        """The processes that answer: children of their own if there are several of
        them, and then the top process serves nothing; else the top process."""
        servers = {pid for pid, name in children(self.pid).items()
                   if name == "VLLM::APIServer"}
        return servers or {self.pid}

    def _is_gone(self):
        self.process.poll()     # reaps it: a zombie would keep the group alive
        try:
            os.killpg(self.pid, 0)
            return False
        except ProcessLookupError:
            return True

    def stop(self):
        """Ends the server and all that it started; False if that took force."""
        deadline = time.monotonic() + STOP_SECONDS
        if self.process.poll() is None:
            self.process.terminate()
        while not self._is_gone():
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()
                return False
            time.sleep(0.1)
        return True
