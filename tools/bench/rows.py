# SPDX-License-Identifier: Apache-2.0
"""What is measured, and how. Each function yields Rows."""

import contextlib
import re
import sys
import time

from programs import HERE, MEASURED, BenchError, Gentap, Naive, Program
from stats import Spread, against_neighbours, trimmed_mean

STREAM_CHUNKS = 500  # as in bench.h
STREAM_INTERVAL_US = 360
LOAD_STREAMS = 1000


class Row:
    """One line of the table. A row with a target says whether it is met."""

    def __init__(self, text, unit, values, target=None, note=""):
        self.text, self.unit, self.target, self.note = text, unit, target, note
        self.spread = Spread(values)

    def verdict(self):
        if self.target is None:
            return ""
        return "meets" if self.spread.median <= self.target else "misses"

    def as_json(self):
        made = {"row": self.text, "unit": self.unit, **self.spread.as_json()}
        if self.target is not None:
            made.update(target=self.target, meets=self.verdict() == "meets")
        if self.note:
            made["note"] = self.note
        return made


def seen_note(name, seen, wanted, lost=None):
    """Says beside a figure whether the work was done; a tracer that sees nothing is cheap."""
    note = "%s %d of %d" % (name, seen, wanted)
    if lost is None:
        return note
    return "; ".join([note, *(sorted(set(lost)) or ["nothing lost"])])


def losses_of(summary):
    """What a summary line of gentap says was lost: "lost: ring_full 3"."""
    return re.findall(r"lost: [^;]*?(?=, detached|;)", summary)


# --- a TLS stream ----------------------------------------------------------------

class StreamPair:
    """Two clients that take their chunks in turn from one server."""

    def __init__(self, stack, pem, folder, argv, streams):
        self.streams = streams
        server = stack.enter_context(Program([folder / "stream_server", pem, STREAM_INTERVAL_US]))
        port = server.line().split()[1]
        # Both at once: the server shakes hands with one after the other.
        self.clients = [stack.enter_context(Program([*argv, port], cpus=MEASURED)) for _ in range(2)]
        for client in self.clients:
            client.line()
        self.take()  # warm both up

    def take(self):
        """CPU of each client for one stream, ms."""
        for client in self.clients:
            client.tell(str(self.streams))
        return [trimmed_mean(client.numbers()) * STREAM_CHUNKS / 1e6 for client in self.clients]


class StreamRounds:
    """What the rounds gave, as differences between the two clients."""

    def __init__(self):
        self.base, self.calm, self.gentap, self.naive, self.bystander = [], [], [], [], []
        self.generations = self.records = 0
        self.lost = []

    def add_round(self, pair, functions):
        """The tracer sits on the first client, then on the second: half the difference
        of the differences is its cost, and what sets the two clients apart falls out."""
        calm, gentap, naive, bystander = [], [], [], []
        for side, client in enumerate(pair.clients):
            other = 1 - side
            untraced = pair.take()
            with Gentap(client.pid) as tracer:
                traced = pair.take()
                generations, summary = tracer.stop()
            with Naive(client.pid, functions) as tracer:
                sniffed = pair.take()
                self.records += tracer.stop()
            self.base.append(untraced[side])
            calm.append(untraced[0] - untraced[1])
            gentap.append(traced[side] - traced[other])
            naive.append(sniffed[side] - sniffed[other])
            # The naive sniffer's probes are of one process: beside it, nothing is traced.
            bystander.append(traced[other] - (untraced[other] + sniffed[other]) / 2)
            self.generations += generations
            self.lost += losses_of(summary)
        self.calm.append((calm[0] - calm[1]) / 2)
        for series, sides in ((self.gentap, gentap), (self.naive, naive), (self.bystander, bystander)):
            series.append(sum(sides) / 2)


def stream_rows(pem, folder, what, argv, functions, rounds, streams):
    result = StreamRounds()
    with contextlib.ExitStack() as stack:
        pair = StreamPair(stack, pem, folder, argv, streams)
        for _ in range(rounds):
            result.add_round(pair, functions)
    calls = 2 * rounds * streams
    yield Row("%s: a stream untraced" % what, "ms", result.base)
    yield Row("%s: A/A" % what, "ms", result.calm)
    yield Row("%s: gentap adds" % what, "ms", result.gentap, target=3.0,
              note=seen_note("generations", result.generations, calls, result.lost))
    # A request, a head, the chunks, an end.
    yield Row("%s: a naive attach adds" % what, "ms", result.naive,
              note=seen_note("records", result.records, calls * (STREAM_CHUNKS + 3)))
    yield Row("%s: naive, in gentaps" % what, "x",
              [naive / gentap for naive, gentap in zip(result.naive, result.gentap)],
              note="does not depend on the host as ms do")
    yield Row("%s: a like client, not a target, pays" % what, "ms", result.bystander)


def c_stream_rows(pem, folder, rounds=6, streams=4):
    yield from stream_rows(pem, folder, "C client", [folder / "stream_client"],
                           ["SSL_read", "SSL_write"], rounds, streams)


def python_stream_rows(pem, folder, rounds=6, streams=4):
    # CPython reads and writes with the _ex functions since 3.10.
    functions = ["SSL_read_ex", "SSL_write_ex"] if sys.version_info >= (3, 10) else ["SSL_read", "SSL_write"]
    yield from stream_rows(pem, folder, "Python client",
                           [sys.executable, HERE / "stream_client.py"], functions, rounds, streams)


# --- hot calls -------------------------------------------------------------------

# Who is asked for what, in how many bursts, and what the row is called; ns a call or
# pair. 50 bursts of chunks stay below the content that gentap keeps of one call.
HOT_ROWS = [
    ("target", "plain", 50, "send+recv of 200 B, captured", 1200),
    ("other", "plain", 50, "send+recv of 200 B, not a target", None),
    ("other", "getppid", 50, "getppid, not a target", None),
    ("other", "tls", 50, "SSL_write+SSL_read of 200 B, not a target", None),
]


def hot_rows(pem, folder, rounds=10):
    """gentap comes and goes; each value is held against those before and after it."""
    values = [[] for _ in HOT_ROWS]
    generations, lost = 0, []
    with contextlib.ExitStack() as stack:
        programs = {who: stack.enter_context(Program([folder / "hot", pem], cpus=MEASURED))
                    for who in ("target", "other")}
        for program in programs.values():
            program.line()
        for step in range(2 * rounds + 1):
            with contextlib.ExitStack() as traced:
                tracer = traced.enter_context(Gentap(programs["target"].pid)) if step % 2 else None
                for row, (who, command, bursts, _, _) in enumerate(HOT_ROWS):
                    programs[who].tell("%s %d" % (command, bursts))
                    values[row].append(trimmed_mean(programs[who].numbers(), drop=0.5))
                if tracer:
                    count, summary = tracer.stop()
                    generations += count
                    lost += losses_of(summary)
    # The target is both ends of its connection: the client of a call and its server.
    note = seen_note("generations", generations, 2 * rounds, lost)
    for series, (who, _, _, text, target) in zip(values, HOT_ROWS):
        untraced = series[::2]
        yield Row("%s: untraced" % text, "ns", untraced)
        yield Row("%s: A/A" % text, "ns", against_neighbours(untraced))
        yield Row("%s: gentap adds" % text, "ns", against_neighbours(series)[::2],
                  target=target, note=note if who == "target" else "")


# --- the collector ---------------------------------------------------------------

def load_rows(pem, folder, kind, chunks=80, interval_ms=100):
    with Program([folder / "load", kind, pem, LOAD_STREAMS, chunks, interval_ms]) as load:
        load.line()
        with Gentap(load.pid) as tracer:
            before_s, idle_mib = tracer.cpu_s(), tracer.memory_mib("VmRSS")
            complete = int(load.ask("go").split()[1])
            time.sleep(0.2)  # its last drain
            used_s = tracer.cpu_s() - before_s
            peak_mib, ring_mib = tracer.memory_mib("VmHWM"), tracer.ring_mib()
            generations, summary = tracer.stop()
    if complete != LOAD_STREAMS:
        raise BenchError("load: %d of %d streams came to their end" % (complete, LOAD_STREAMS))
    what = "%d %s streams" % (LOAD_STREAMS, {"tls": "TLS", "plain": "plain"}[kind])
    yield Row("%s: resident memory, at most" % what, "MiB", [peak_mib], target=50,
              note=seen_note("generations", generations, LOAD_STREAMS, losses_of(summary)))
    yield Row("%s: resident memory before them" % what, "MiB", [idle_mib])
    yield Row("%s: ring" % what, "MiB", [ring_mib], target=4)
    yield Row("%s: collector's CPU for %d chunks" % (what, LOAD_STREAMS * chunks), "s", [used_s],
              note="%.1f us a chunk" % (used_s * 1e6 / (LOAD_STREAMS * chunks)))


# --- coming and going ------------------------------------------------------------

GAP_MS = 600


def gap_ms(hot, action=None):
    """The longest that one pair of the hot loop took while the action ran."""
    hot.tell("gap %d" % GAP_MS)
    time.sleep(0.05)
    result = action() if action else None
    return float(hot.line()) / 1e6, result


def attach_rows(pem, folder, rounds=7):
    attach, detach, calm, at_attach, at_detach = [], [], [], [], []
    with Program([folder / "hot", pem], cpus=MEASURED) as hot:
        hot.line()
        for _ in range(rounds):
            calm.append(gap_ms(hot)[0])
            gap, tracer = gap_ms(hot, lambda: Gentap(hot.pid))
            with tracer:
                at_attach.append(gap)
                attach.append(tracer.attach_ms)
                at_detach.append(gap_ms(hot, tracer.stop)[0])
                detach.append(tracer.detach_ms)
    yield Row("from its start to the \"attached\" line", "ms", attach, target=100)
    yield Row("from Ctrl-C to the last probe gone (as gentap says)", "ms", detach, target=200)
    yield Row("longest pause of a hot thread: untraced", "ms", calm)
    yield Row("longest pause of a hot thread: while attaching", "ms", at_attach)
    yield Row("longest pause of a hot thread: while detaching", "ms", at_detach)
