#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows gentap on a running FastAPI service; see demo.sh. usage: demo.py BUILD"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT_S = 20

ANSWERS = {
    "Which bridge in Prague should I walk?":
        "Charles Bridge, at sunrise: by ten in the morning you will share it with everyone.",
    "How do I get from Vienna to Graz?":
        "Take the train over the Semmering: about two and a half hours, and the view is the "
        "oldest mountain railway in the world. Sit on the left side.",
    "What should I eat in Ljubljana?":
        "Štruklji on the market square, then a potica with your coffee. ☕",
}
# What the service is asked: (endpoint, question, further parameters).
REQUESTS = [
    ("answer", "Which bridge in Prague should I walk?", {}),
    ("stream", "How do I get from Vienna to Graz?", {}),
    ("stream", "What should I eat in Ljubljana?", {}),
    ("plan", "Will it rain in Trieste tomorrow?", {}),
    ("similar", "quiet towns by the sea", {}),
    ("answer", "Book everything at once, please", {"name": "demo-model-busy"}),
]


class Demo:
    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        self.seen = self.folder / "seen.jsonl"
        self.children = []

    def start(self, argv, **popen):
        child = subprocess.Popen([str(word) for word in argv], cwd=ROOT, **popen)
        self.children.append(child)
        return child

    def start_ready(self, argv, **popen):
        """A child that says "READY <port>…" once it listens: (child, words)."""
        child = self.start(argv, stdout=subprocess.PIPE, text=True, **popen)
        words = child.stdout.readline().split()
        if not words or words[0] != "READY":
            sys.exit("demo: %s did not start" % pathlib.Path(argv[1]).name)
        return child, words

    def start_model(self):
        """The TLS port of the model server."""
        script = self.folder / "answers.json"
        script.write_text(json.dumps(ANSWERS), encoding="utf-8")
        live = self.build / "live"
        _, words = self.start_ready([
            sys.executable, "tests/live/llm_server.py", "--log", self.folder / "served.jsonl",
            "--script", script, "--cert", live / "server.pem", "--key", live / "server.key"])
        return int(words[2])

    def start_service(self, model_port):
        environment = dict(os.environ, SSL_CERT_FILE=str(self.build / "live" / "ca.pem"))
        service, words = self.start_ready(
            [sys.executable, "tools/demo_service.py", "https://127.0.0.1:%d/v1" % model_port],
            env=environment)
        return service, int(words[1])

    def attach(self, service):
        """gentap on the running service; returns when it says that it is attached."""
        gentap = self.start([self.build / "gentap", "attach", "--pid", service.pid, "--to",
                             "terminal", "--to", "jsonl:%s" % self.seen, "--no-store"],
                            stderr=subprocess.PIPE, text=True)
        attached = threading.Event()

        def pass_on():
            for line in gentap.stderr:
                sys.stderr.write(line)
                sys.stderr.flush()
                if line.startswith("attached "):
                    attached.set()

        threading.Thread(target=pass_on, daemon=True).start()
        deadline = time.monotonic() + LIMIT_S
        while not attached.wait(0.05):
            if gentap.poll() is not None or time.monotonic() > deadline:
                sys.exit("demo: gentap did not attach; `%s doctor` says what is missing"
                         % (self.build / "gentap"))
        return gentap

    def end(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def ask(port, endpoint, question, parameters):
    query = urllib.parse.urlencode(dict(parameters, question=question))
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d/%s?%s" % (port, endpoint, query),
                                    timeout=LIMIT_S) as answer:
            answer.read()
    except urllib.error.HTTPError:
        pass    # the last request fails on purpose


def show(demo):
    service, port = demo.start_service(demo.start_model())
    print("A FastAPI service runs as pid %d. Attaching to it, as it is:\n" % service.pid, flush=True)
    gentap = demo.attach(service)
    for request in REQUESTS:
        ask(port, *request)
    gentap.send_signal(signal.SIGINT)
    code = gentap.wait(LIMIT_S)
    if code:
        sys.exit("demo: gentap ended with %d" % code)
    seen = len(demo.seen.read_text(encoding="utf-8").splitlines())
    if seen != len(REQUESTS):
        sys.exit("demo: %d generations of %d requests; `%s doctor` may say why"
                 % (seen, len(REQUESTS), demo.build / "gentap"))
    binary = os.path.relpath(demo.build / "gentap")
    print("""
The same on a process of yours, until Ctrl-C; then with Langfuse:

  sudo %s attach --pid PID
  sudo env LANGFUSE_HOST=… LANGFUSE_PUBLIC_KEY=… LANGFUSE_SECRET_KEY=… %s attach --pid PID
""" % (binary, binary))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="gentap-demo-") as folder:
        demo = Demo(pathlib.Path(sys.argv[1]).resolve(), folder)
        try:
            show(demo)
        except KeyboardInterrupt:
            return 130
        finally:
            demo.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
