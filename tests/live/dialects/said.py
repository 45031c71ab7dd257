# SPDX-License-Identifier: Apache-2.0
"""What a model answers to one call, in no provider's form; the dialects put it into theirs.

A pure function of the request, as answers.py: what follows "gt-" in the name of
the model selects the case, the user's text seeds the words.
"""

import itertools
import json
import os
import re
import time

from answers import words

CREATED = 1795324782
LATE_S = {"late": 0.3}      # before the first token
PAUSE_S = 0.002             # before each content-bearing event
VECTOR = 8
# case -> status; each dialect has its own words for it
ERRORS = {"400": 400, "401": 401, "429": 429, "500": 500}
_counter = itertools.count(1)


def dumps(value, number=1):
    """JSON as APIs send it; of even numbers in ASCII with escapes."""
    return json.dumps(value, ensure_ascii=number % 2 == 0, separators=(",", ":"))


def sse(value, number, event=None, end="\n"):
    """One server-sent event."""
    head = "event: %s%s" % (event, end) if event else ""
    return ("%sdata: %s%s%s" % (head, dumps(value, number), end, end)).encode()


class Said:
    """Base of the dialects. A subclass has ROUTES, read() and what it needs of the
    rest: body(), events(), failure(), finish_name(), buckets()."""

    ROUTES = ()                             # (regex of the path, dialect as gentap names it)
    STREAM_TYPE = "text/event-stream; charset=utf-8"
    WHOLE_TYPE = "application/json"
    REQUEST_ID = "x-request-id"             # header of the answer; None: the API has none
    HAS_CACHE = True                        # the API tells cached input
    NAMES_MODEL = True                      # the answer does
    SILENT = ("embed", "embeddings", "rerank", "images", "speech", "decisions")     # answer no text

    @classmethod
    def route(cls, path):
        """The dialect's name, or None."""
        return next((name for pattern, name in cls.ROUTES if re.search(pattern, path)), None)

    def __init__(self, path, request, headers):
        self.path, self.request, self.headers = path, request, headers
        self.dialect = self.route(path)
        self.kind = self.dialect.rpartition(".")[2]
        self.model, self.text, self.is_stream, self.tool_names = "", "", False, []
        self.inputs = []            # of embeddings
        self.read()
        self.case = self.model.rpartition("gt-")[2]
        self.number = next(_counter)
        self.id = "gt-%d-%06d" % (os.getpid(), self.number)
        self.response_model = self.model + ("-2026-11" if self.NAMES_MODEL else "")
        self.status = ERRORS.get(self.case, 200)
        self.error = None
        if self.status >= 400:
            self.error = "the model %s says no to: %s" % (self.model, self.text[:40])
        elif self.case == "midstream":
            self.error = "the engine of %s died" % self.model
        self.late_s = LATE_S.get(self.case, 0)
        self.pieces, self.reasoning, self.tools, self.finish = [], [], [], "stop"
        self.times = {"arrived": time.monotonic_ns()}
        self.content_events, self.sent = 0, ""
        if self.kind not in self.SILENT:
            self._speak()

    def _speak(self):
        seed = "%s/%s" % (self.model, self.text)
        if self.case == "reason":
            self.reasoning = [word + " " for word in words("why " + seed, 8)]
        said = words(seed, 4 if self.tool_names else 12)
        # Every fifth event holds three tokens, as servers that lag behind do.
        at = 0
        while at < len(said):
            take = 3 if len(self.pieces) % 5 == 4 else 1
            self.pieces.append("".join(word + " " for word in said[at:at + take]))
            at += take
        for number, name in enumerate(self.tool_names if self.case == "parallel"
                                      else self.tool_names[:1]):
            arguments = {"q": " ".join(words(seed + str(number), 4)), "count": number,
                         "deep": {"list": [1, "zwei", None]}}
            self.tools.append(("call_%d_%d" % (self.number, number), name, arguments))
            self.finish = "tools"
        if self.case in ("length", "refuse"):
            self.finish = self.case

    # --- for the dialects --------------------------------------------------------

    def read(self):
        """Sets model, text, is_stream and tool_names from path and request."""
        raise NotImplementedError

    @property
    def whole_text(self):
        return "".join(self.pieces)

    @property
    def spoken(self):
        """The pieces that a stream brings before it breaks, if it does."""
        return self.pieces[:5] if self.case == "midstream" else self.pieces

    @property
    def counts(self):
        """Tokens, disjoint: new input, cached, written to the cache, output, reasoning."""
        count = {"new": 10 + len(self.text.split()), "cached": 4 if self.HAS_CACHE else 0,
                 "written": 6 if self.case == "cache" else 0,
                 "output": sum(len(piece.split(" ")) - 1 for piece in self.pieces)
                 + 7 * len(self.tools), "reasoning": len(self.reasoning)}
        return count

    def argument_parts(self, arguments):
        text = dumps(arguments, self.number)
        return [text[at:at + 9] for at in range(0, len(text), 9)]

    def vectors(self, inputs):
        return [[len(word) / 8 for word in words(str(text), VECTOR)] for text in inputs]

    def body(self):
        """The JSON (or the bytes) of an answer that is no stream."""
        raise NotImplementedError

    def failure(self):
        """The JSON of the error of a status."""
        return {"message": self.error}

    def extra_headers(self):
        return {}

    def events(self):
        """(bytes, content or None), in order."""
        raise NotImplementedError

    def finish_name(self):
        """As the API says it."""
        return self.finish

    def buckets(self):
        """gentap's usageDetails for this answer, zeros left out; None: none is sent."""
        return None

    # --- the truth -----------------------------------------------------------------

    def on_event(self, content):
        """To be called right before an event goes out."""
        if content is None:
            return
        self.times.setdefault("first", time.monotonic_ns())
        self.content_events += 1
        self.sent += content

    def exchange(self, end):
        """The line of the truth log: what went out, and how it ended."""
        self.times["end"] = time.monotonic_ns()
        is_whole = not self.error
        text = "" if self.status >= 400 else "".join(self.spoken if self.is_stream else self.pieces)
        return {
            "id": self.id, "dialect": self.dialect, "kind": self.kind, "path": self.path,
            "model": self.model, "response_model": self.response_model, "status": self.status,
            "stream": self.is_stream and self.status < 400, "user": self.text, "text": text,
            "reasoning": "".join(self.reasoning) if self.status < 400 else "",
            "tools": [list(tool) for tool in self.tools] if is_whole else [],
            "finish": self.finish_name() if is_whole else None, "case": self.case,
            "usage": {name: count for name, count in (self.buckets() or {}).items() if count}
                     if is_whole else None,
            "error": self.error, "events": self.content_events, "sent": self.sent, "end": end,
            "times": self.times,
            "vectors": [len(self.inputs), VECTOR] if self.inputs and is_whole else None,
        }
