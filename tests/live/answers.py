# SPDX-License-Identifier: Apache-2.0
"""What the test model says: a pure function of the request.

Both servers (llm_server.py, uvicorn_server.py) answer with it, so that a test
knows every byte of text, usage and tool call before the call is made. The name
of the model selects the case; the last user message seeds the words.
"""

import base64
import hashlib
import itertools
import json
import os
import struct
import time

WORDS = ("the of kernel probe größe token stream 日本語 ring page socket naïve answer "
         "latency café byte queue Привет thread span 🙂 event branch \"quoted\" back\\slash "
         "new\nline tab\there counter offset").split(" ")
CREATED = 1795324782
MAX_LOGGED = 100000     # characters of the user's text in the truth log
SCRIPT = {}             # question -> the answer to it, instead of words
_counter = itertools.count(1)

# model -> (words, milliseconds between events)
SHAPES = {"gt-long": (400, 0), "gt-slow": (40, 100), "gt-late": (6, 0), "gt-hang": (2, 0)}
# model -> (status, error type, code)
ERRORS = {
    "gt-400": (400, "invalid_request_error", "context_length_exceeded"),
    "gt-401": (401, "invalid_request_error", "invalid_api_key"),
    "gt-429": (429, "requests", "rate_limit_exceeded"),
    "demo-model-busy": (429, "requests", "rate_limit_exceeded"),
    "gt-500": (500, "server_error", None),
}
# Milliseconds before the first token.
LATE_MS = {"gt-late": 300, "gt-hang": 30000}


def words(seed, count):
    """@count words that follow from the text @seed."""
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    state = int.from_bytes(digest[:8], "big")
    picked = []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        picked.append(WORDS[(state >> 33) % len(WORDS)])
    return picked


def user_text(request):
    """The last user message, prompt or input as one text."""
    messages = request.get("messages")
    if not messages:
        given = request.get("prompt", request.get("input", ""))
        return given if isinstance(given, str) else json.dumps(given)
    content = [m for m in messages if m.get("role") == "user"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


class Choice:
    """One of n answers, as text and as the pieces a stream sends."""

    def __init__(self, index):
        self.index = index
        self.pieces = []        # content, one a content-bearing event
        self.reasoning = []     # pieces of reasoning, sent before the content
        self.refusal = None
        self.tools = []         # (id, name, arguments)
        self.finish = "stop"

    @property
    def text(self):
        return "".join(self.pieces)


class Answer:
    """The whole answer to one request; exchange() is what the truth log holds."""

    def __init__(self, path, request):
        self.path, self.request = path, request
        self.kind = next((kind for kind in ("chat/completions", "completions", "embeddings")
                          if path.endswith(kind)), "unknown")
        self.model = request.get("model", "")
        self.is_stream = bool(request.get("stream")) and self.kind != "embeddings"
        self.text = user_text(request)
        prefix = {"chat/completions": "chatcmpl", "completions": "cmpl"}.get(self.kind, "embd")
        self.id = "%s-%d-%06d" % (prefix, os.getpid(), next(_counter))
        self.response_model = self.model + "-2026-11-01"
        self.status, self.error = 200, None
        self.delay_s = 0.02 if self.model.startswith("gt-as-") else \
            SHAPES.get(self.model, (12, 1))[1] / 1000
        self.late_s = LATE_MS.get(self.model, 0) / 1000
        self.choices = []
        self.tokens = 0
        self.times = {"arrived": time.monotonic_ns()}
        self.content_events = 0     # events that bear content and went out
        self.sent = ""              # the text in them
        self._fill()

    def _fill(self):
        if self.model in ERRORS:
            self.status, kind, code = ERRORS[self.model]
            self.error = {"message": "the model %s says no to: %s" % (self.model, self.text[:40]),
                          "type": kind, "param": None, "code": code}
        elif self.kind != "embeddings":
            self.choices = [self._choice(i) for i in range(self.request.get("n") or 1)]

    def _choice(self, index):
        choice = Choice(index)
        seed = "%s/%s/%d" % (self.model, self.text, index)
        tools = self.request.get("tools") or []
        if tools:
            wanted = tools if self.model == "gt-parallel" else tools[:1]
            for number, tool in enumerate(wanted):
                arguments = json.dumps({"q": " ".join(words(seed + str(number), 4))})
                choice.tools.append(("call_%s_%d_%d" % (self.id, index, number),
                                     tool["function"]["name"], arguments))
            choice.finish = "tool_calls"
            self.tokens += 7 * len(choice.tools)
        elif self.model == "gt-refuse":
            choice.refusal = "I will not " + " ".join(words(seed, 3))
            self.tokens += 5
        else:
            self._speak(choice, seed)
        return choice

    def _speak(self, choice, seed):
        said = (SCRIPT[self.text].split() if self.text in SCRIPT
                else words(seed, SHAPES.get(self.model, (12, 0))[0]))
        # Every fifth event holds three tokens, as servers that lag behind do.
        at = 0
        while at < len(said):
            take = 3 if len(choice.pieces) % 5 == 4 else 1
            choice.pieces.append("".join(word + " " for word in said[at:at + take]))
            at += take
        self.tokens += len(said)
        if self.model.endswith("gt-reason"):
            choice.reasoning = [word + " " for word in words("why " + seed, 8)]
        if self.request.get("max_tokens") == 12:
            choice.finish = "length"

    # --- what goes out -------------------------------------------------------

    @property
    def usage(self):
        prompt = 10 + len(self.text.split())
        usage = {"prompt_tokens": prompt, "total_tokens": prompt}
        if self.kind == "embeddings":
            return usage
        reasoning = sum(len(choice.reasoning) for choice in self.choices)
        usage["completion_tokens"] = self.tokens + reasoning
        usage["total_tokens"] += usage["completion_tokens"]
        usage["prompt_tokens_details"] = {"cached_tokens": prompt // 4}
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return usage

    @property
    def has_stream_usage(self):
        return bool((self.request.get("stream_options") or {}).get("include_usage"))

    def body(self):
        """The body of an answer that is no stream, as a dict."""
        if self.error:
            return {"error": self.error}
        if self.kind == "embeddings":
            return self._embeddings()
        is_chat = self.kind == "chat/completions"
        return {"id": self.id, "object": "chat.completion" if is_chat else "text_completion",
                "created": CREATED, "model": self.response_model,
                "choices": [self._whole(c) if is_chat else
                            {"index": c.index, "text": c.text, "finish_reason": c.finish,
                             "logprobs": None} for c in self.choices],
                "usage": self.usage, "system_fingerprint": "fp_gentap"}

    def _whole(self, choice):
        message = {"role": "assistant", "content": choice.text or None, "refusal": choice.refusal}
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if choice.tools:
            message["tool_calls"] = [{"id": i, "type": "function",
                                      "function": {"name": name, "arguments": arguments}}
                                     for i, name, arguments in choice.tools]
        return {"index": choice.index, "message": message, "finish_reason": choice.finish,
                "logprobs": None}

    def _embeddings(self):
        given = self.request.get("input", "")
        inputs = given if isinstance(given, list) else [given]
        dimensions = self.request.get("dimensions") or 8
        data = []
        for index, text in enumerate(inputs):
            vector = [len(word) / 8 for word in words(str(text), dimensions)]
            if self.request.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack("<%df" % dimensions, *vector)).decode()
            data.append({"object": "embedding", "index": index, "embedding": vector})
        return {"object": "list", "data": data, "model": self.response_model,
                "usage": self.usage, "id": self.id}

    def events(self):
        """(the event's object or None for [DONE], its content or None), in order."""
        if self.kind == "completions":
            yield from self._completion_events()
        else:
            for choice in self.choices:
                yield self._chunk(choice, {"role": "assistant", "content": ""}), None
            streams = [self._deltas(choice) for choice in self.choices]
            for row in itertools.zip_longest(*streams):
                yield from (event for event in row if event)
        if self.model == "gt-error-midstream":
            yield {"error": {"message": "the engine died", "type": "server_error",
                             "param": None, "code": 500}}, None
            return
        if self.has_stream_usage:
            usage = self._envelope([])
            usage["usage"] = self.usage
            yield usage, None
        yield None, None

    def _completion_events(self):
        for choice in self.choices:
            for piece in choice.pieces:
                yield self._envelope([{"index": choice.index, "text": piece, "logprobs": None,
                                       "finish_reason": None}]), piece
            yield self._envelope([{"index": choice.index, "text": "", "logprobs": None,
                                   "finish_reason": choice.finish}]), None

    def _deltas(self, choice):
        for piece in choice.reasoning:
            yield self._chunk(choice, {"reasoning_content": piece}), ""
        for piece in choice.pieces:
            yield self._chunk(choice, {"content": piece}), piece
        if choice.refusal:
            yield self._chunk(choice, {"refusal": choice.refusal}), ""
        for number, (call_id, name, arguments) in enumerate(choice.tools):
            first = {"index": number, "id": call_id, "type": "function",
                     "function": {"name": name, "arguments": ""}}
            yield self._chunk(choice, {"tool_calls": [first]}), ""
            for at in range(0, len(arguments), 9):
                part = {"index": number, "function": {"arguments": arguments[at:at + 9]}}
                yield self._chunk(choice, {"tool_calls": [part]}), ""
        if self.model != "gt-error-midstream":
            yield self._chunk(choice, {}, choice.finish), None

    def _envelope(self, choices):
        kind = "chat.completion.chunk" if self.kind == "chat/completions" else "text_completion"
        return {"id": self.id, "object": kind, "created": CREATED, "model": self.response_model,
                "choices": choices, "usage": None, "system_fingerprint": "fp_gentap"}

    def _chunk(self, choice, delta, finish=None):
        return self._envelope([{"index": choice.index, "delta": delta, "logprobs": None,
                                "finish_reason": finish}])

    # --- what is known afterwards --------------------------------------------

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
        return {
            "id": self.id, "path": self.path, "kind": self.kind, "model": self.model,
            "response_model": self.response_model, "status": self.status,
            "stream": self.is_stream, "user": self.text[:MAX_LOGGED],
            "texts": [c.text for c in self.choices],
            "reasoning": ["".join(c.reasoning) for c in self.choices],
            "refusal": [c.refusal for c in self.choices],
            "tools": [[list(tool) for tool in c.tools] for c in self.choices],
            "finish": [c.finish for c in self.choices],
            "usage": None if self.error or (self.is_stream and not self.has_stream_usage)
                     else self.usage,
            "error": self.error, "events": self.content_events, "sent": self.sent, "end": end, "times": self.times,
            "inputs": self._input_count(), "dimensions": self.request.get("dimensions") or 8,
        }

    def _input_count(self):
        given = self.request.get("input")
        return len(given) if isinstance(given, list) else 1


def encode_event(event, number):
    """The bytes of one server-sent event. Odd ones are ASCII with escapes."""
    if event is None:
        return b"data: [DONE]\n\n"
    text = json.dumps(event, ensure_ascii=number % 2 == 1, separators=(",", ":"))
    return b"data: " + text.encode() + b"\n\n"
