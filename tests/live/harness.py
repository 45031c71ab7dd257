# SPDX-License-Identifier: Apache-2.0
"""Processes of the live tests: the model servers, the client programs, gentap.

A Test owns a directory and every process it starts; all of them are ended by
pid when it is over, whatever happened. Every wait has a limit.
"""

import asyncio
import glob
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIVE = os.environ.get("GT_LIVE", os.path.join(ROOT, "build", "live"))
GENTAP = os.path.abspath(os.environ.get("GENTAP", os.path.join(ROOT, "build", "gentap")))
CANARY = b"GTCANARY"
LIMIT_S = 60


class Skip(Exception):
    """The machine lacks what the test needs; the text says what."""


def fail(text, *details):
    raise AssertionError("\n".join((text,) + tuple(str(d) for d in details)))


def check(claim, text, *details):
    if not claim:
        fail(text, *details)


def equal(got, want, what):
    check(got == want, "%s: got %r, want %r" % (what, got, want))


def wait_until(claim, what, limit_s=LIMIT_S):
    """Polls claim() until it is true and returns what it gave."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        value = claim()
        if value:
            return value
        time.sleep(0.01)
    return fail("waited %d s for %s" % (limit_s, what))


def tool(name):
    """The path of a program of the system, or Skip."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Skip("no %s here" % name)
    return found


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def json_lines(path):
    if not os.path.exists(path):
        return []
    return [json.loads(line) for line in read_text(path).splitlines()]


class Program:
    """A child with pipes for stdin and stdout and a file for stderr."""

    def __init__(self, test, name, argv, env=None, **popen):
        self.name = name
        self.stderr = test.path(name + ".stderr")
        self.rest = b""
        with open(self.stderr, "wb") as errors:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, env=env or test.env, cwd=test.dir,
                                            **popen)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.pid = self.process.pid
        test.programs.append(self)

    def line(self, limit_s=LIMIT_S):
        """The next line of stdout."""
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                left = deadline - time.monotonic()
                if left <= 0:
                    fail("%s said nothing for %d s" % (self.name, limit_s), self.errors())
                if selector.select(left):
                    data = self.process.stdout.read()
                    if data == b"":
                        fail("%s ended early" % self.name, self.errors())
                    self.rest += data or b""
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def rest_of_stdout(self):
        """What is left once the process has ended."""
        os.set_blocking(self.process.stdout.fileno(), True)
        return self.rest + self.process.stdout.read()

    def tell(self, text="go"):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def errors(self):
        return read_text(self.stderr)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit_s=LIMIT_S):
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return fail("%s did not end in %d s" % (self.name, limit_s), self.errors())

    def is_alive(self):
        return self.process.poll() is None

    def close(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Server(Program):
    """A model server, with its truth."""

    def __init__(self, test, name, argv, **popen):
        self.log = test.path(name + ".truth")
        super().__init__(test, name, argv + ["--log", self.log], **popen)
        self.ports = [int(word) for word in self.line().split()[1:]]

    def truth(self):
        return json_lines(self.log)

    def wait_truth(self, count):
        wait_until(lambda: len(self.truth()) >= count, "%d exchanges at %s" % (count, self.name))
        return self.truth()

    def url(self, is_tls):
        return "%s://localhost:%d/v1" % ("https" if is_tls else "http", self.ports[bool(is_tls)])


class Client(Program):
    """A client program: READY, go, reports, end."""

    def calls(self, limit_s=LIMIT_S):
        self.tell()
        return json.loads(self.line(limit_s))

    def end(self):
        self.tell()
        equal(self.wait(), 0, "exit code of %s" % self.name)


class Service(Program):
    """The FastAPI service under uvicorn or gunicorn; asked over HTTP."""

    def ask(self, plan, concurrency=200):
        return asyncio.run(post_all(self.port, "/ask", plan, concurrency))

    def stop(self):
        self.signal(signal.SIGTERM)
        self.wait()


async def post(port, path, body, context=None):
    """One POST on a connection of its own; the decoded JSON, or the raw bytes."""
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    data = json.dumps(body).encode()
    head = ("POST %s HTTP/1.1\r\nhost: localhost:%d\r\ncontent-type: application/json\r\n"
            "authorization: Bearer GTCANARY-load\r\nconnection: close\r\n"
            "content-length: %d\r\n\r\n" % (path, port, len(data)))
    writer.write(head.encode() + data)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        return json.loads(body)
    except ValueError:
        return answer


async def post_all(port, path, bodies, concurrency, context=None):
    gate = asyncio.Semaphore(concurrency)

    async def one(body):
        async with gate:
            return await asyncio.wait_for(post(port, path, body, context), LIMIT_S)

    return await asyncio.gather(*(one(body) for body in bodies))


class Gentap(Program):
    """gentap with a jsonl sink in the test's directory, unless told otherwise."""

    def __init__(self, test, arguments, env=None, binary=GENTAP, **popen):
        self.test = test
        number = sum(isinstance(program, Gentap) for program in test.programs)
        self.out = test.path("out%d.jsonl" % number)
        arguments = [word.replace("OUT", self.out) if word == "jsonl:OUT" else word
                     for word in arguments]
        super().__init__(test, "gentap%d" % number, [binary] + arguments, env=env, **popen)

    def wait_attached(self, pid=None, limit_s=20):
        """Until it says that the probes of @pid (or of anything) are in."""
        pattern = re.compile(r"^attached %s\b.*" % (pid if pid else r"\d+"), re.MULTILINE)

        def is_attached():
            found = pattern.search(self.errors())
            if not found and not self.is_alive():
                fail("gentap ended with %d before it attached" % self.process.returncode)
            return found

        return wait_until(is_attached, "gentap to attach", limit_s).group(0)

    def stop(self, number=signal.SIGINT, code=0, limit_s=15):
        """Ctrl-C; its generations."""
        self.signal(number)
        return self.end(code, limit_s)

    def end(self, code=0, limit_s=15):
        equal(self.wait(limit_s), code, "exit code of gentap")
        return self.generations()

    def lines(self):
        return json_lines(self.out)

    def generations(self):
        return [line for line in self.lines() if line["type"] in ("generation", "embedding")]


class Busy:
    """Keeps every core busy with programs of normal priority while it lasts."""

    def __init__(self, test):
        self.test = test

    def __enter__(self):
        loop = [sys.executable, "-c",
                "import time\nend = time.time() + 60\nwhile time.time() < end: pass"]
        self.programs = [Program(self.test, "busy%d" % number, loop)
                         for number in range(2 * os.cpu_count())]

    def __exit__(self, *_):
        for program in self.programs:
            program.close()
            self.test.programs.remove(program)


class Test:
    """What one test may use. After the test, check_and_close()."""

    def __init__(self, name):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="gentap-live-")
        os.chmod(self.dir, 0o755)
        self.programs = []
        self.undo = []
        self.links = bpf_links()
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith(("LANGFUSE_", "OTEL_", "GENTAP_", "OPENAI_"))
                     and not key.lower().endswith("_proxy")}
        self.env = dict(inherited, GENTAP_STORE=self.path("store/gentap.db"),
                        SSL_CERT_FILE=self.live("ca.pem"), CURL_CA_BUNDLE=self.live("ca.pem"),
                        REQUESTS_CA_BUNDLE=self.live("ca.pem"),
                        NODE_EXTRA_CA_CERTS=self.live("ca.pem"), PYTHONDONTWRITEBYTECODE="1",
                        PYTHONPATH=HERE + ":" + os.path.join(HERE, "clients"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def live(self, name):
        return os.path.join(LIVE, name)

    def python(self, minor=None):
        if not minor:
            return self.live("main/bin/python3")
        for line in read_text(self.live("interpreters")).splitlines()[1:]:
            if line.split()[0] == minor:
                return line.split()[1]
        raise Skip("no CPython %s here" % minor)

    # --- servers ---

    def llm(self, program="llm_server.py"):
        return Server(self, "llm", [self.python(), os.path.join(HERE, program),
                                    "--cert", self.live("server.pem"),
                                    "--key", self.live("server.key")])

    def uvicorn(self, loop, http, is_tls=False):
        argv = [self.python(), os.path.join(HERE, "uvicorn_server.py"), "--loop", loop,
                "--http", http]
        if is_tls:
            argv += ["--cert", self.live("server.pem"), "--key", self.live("server.key")]
        server = Server(self, "uvicorn", argv)
        server.ports *= 2       # one port, plain or TLS
        return server

    # --- clients ---

    def client(self, program, base, plan, interpreter=None, wrap=(), **env):
        """A started client program that waits for go; @wrap: words before its own."""
        path = self.path("plan%d" % len(self.programs))
        with open(path, "w", encoding="utf-8") as file:
            if program.endswith(".sh"):
                file.writelines("%s\t%s\n" % (call["path"], json.dumps(call["body"]))
                                for call in plan)
            else:
                json.dump(plan, file)
        argv = {"py": [interpreter or self.python()], "sh": ["/bin/sh"], "mjs": ["node"]}
        if program.endswith(".mjs"):
            tool("node")
        client = Client(self, program, list(wrap) + argv[program.split(".")[1]]
                        + [os.path.join(HERE, "clients", program), base, path],
                        env=dict(self.env, **env))
        equal(client.line(), "READY", "first line of %s" % program)
        return client

    def client_path(self, name):
        return os.path.join(HERE, "clients", name)

    def service(self, base, loop="asyncio"):
        """The FastAPI service under uvicorn."""
        service = Service(self, "fastapi", [self.python(),
                                            os.path.join(HERE, "clients", "fastapi_app.py"), loop],
                          env=dict(self.env, GT_BASE_URL=base))
        service.port = int(service.line().split()[1])
        return service

    def gentap(self, *arguments, **popen):
        return Gentap(self, list(arguments), **popen)

    def attach(self, *targets, options=("--strict",), sink="jsonl:OUT", **popen):
        """gentap attached to Programs, its probes in."""
        words = ["--pid", ",".join(str(target.pid) for target in targets)]
        gentap = self.gentap("attach", *words, "--to", sink, "--no-store", *options, **popen)
        for target in targets:
            gentap.wait_attached(target.pid)
        return gentap

    # --- the end ---

    def check_outputs(self):
        """No key or cookie in anything gentap wrote; no link of its left."""
        for program in self.programs:
            if isinstance(program, Gentap):
                check(not program.is_alive(), "the test left gentap running")
        for folder, _, names in os.walk(self.dir):
            for name in names:
                if name.startswith(("gentap", "out", "store", "fake")) or "/store" in folder:
                    with open(os.path.join(folder, name), "rb") as file:
                        check(CANARY not in file.read(), "a secret stands in %s" % name)
        wait_until(lambda: not self.links_left(), "the last BPF link to go", 5)

    def links_left(self):
        """BPF links that came with this test and that no other program holds."""
        left = bpf_links() - self.links
        return left and left - links_of_strangers({program.pid for program in self.programs})

    def close(self):
        for program in reversed(self.programs):
            program.close()
        for action in reversed(self.undo):
            action()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def story(self):
        """stderr of everything, for a failure."""
        return "\n".join("--- stderr of %s (pid %d)\n%s" % (p.name, p.pid, p.errors()[-4000:])
                         for p in self.programs if p.errors())


def bpf_links():
    """The ids of the kernel's BPF links; nothing where there is no bpftool."""
    bpftool = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not bpftool:
        return set()
    shown = subprocess.run([bpftool, "-j", "link", "show"], capture_output=True, timeout=20,
                           check=False).stdout
    return {link["id"] for link in json.loads(shown or b"[]")}


def links_of(pid):
    """The ids of the BPF links that a process holds; bpftool names holders only
    where its own program loads."""
    held = set()
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        try:
            found = re.search(r"^link_id:\s*(\d+)", read_text(path), re.MULTILINE)
        except OSError:
            continue    # closed meanwhile
        if found:
            held.add(int(found.group(1)))
    return held


def links_of_strangers(own):
    """Links of other living tracers, which are none of this test's business."""
    held = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        if int(name) not in own and int(name) != os.getpid():
            held |= links_of(int(name))
    return held


def shape(pid):
    """(thread count, mappings less the kernel's [uprobes] page) of a process."""
    threads = len(os.listdir("/proc/%d/task" % pid))
    maps = [line for line in read_text("/proc/%d/maps" % pid).splitlines()
            if not line.endswith("[uprobes]")]
    return threads, maps


def of_files(maps):
    return [line for line in maps if "/" in line]


def check_shape(before, pid, what):
    """As it was; Node's heap and JIT change by themselves, so there only its files."""
    threads, maps = shape(pid)
    before_threads, before_maps = before
    if os.path.basename(os.readlink("/proc/%d/exe" % pid)) == "node":
        maps, before_maps = of_files(maps), of_files(before_maps)
    # Those of its own that idle may end meanwhile.
    check(threads <= before_threads, "threads of the target %s: got %r, had %r" % (what, threads, before_threads))
    check(maps == before_maps, "the mappings of the target changed %s" % what,
          "gone: %s" % sorted(set(before_maps) - set(maps)),
          "new: %s" % sorted(set(maps) - set(before_maps)))
