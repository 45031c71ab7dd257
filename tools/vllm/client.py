# SPDX-License-Identifier: Apache-2.0
"""A chat client that takes its times as close to the socket as Python allows."""
import dataclasses
import http.client
import json
import time
import urllib.parse

CALL_SECONDS = 120
READ_BYTES = 65536


@dataclasses.dataclass
class Answer:
    """What came back. Times are CLOCK_MONOTONIC nanoseconds."""
    request_id: str
    messages: list
    is_stream: bool
    status: int = 0
    id: str = None
    model: str = None
    text: str = ""
    finish_reason: str = None
    usage: dict = None
    sent_ns: int = 0            # just before the request goes out
    chunks_ns: list = dataclasses.field(default_factory=list)  # events that carry text
    last_has_text: bool = False # the event that says why the answer ended has text too
    end_ns: int = 0             # "[DONE]", or the whole body

    @property
    def ttft_ms(self):
        return (self.chunks_ns[0] - self.sent_ns) / 1e6

    @property
    def last_ms(self):
        return (self.chunks_ns[-1] - self.sent_ns) / 1e6

    @property
    def end_ms(self):
        return (self.end_ns - self.sent_ns) / 1e6


def connect(server):
    """An open connection. TCP and TLS are through before a call's clock starts."""
    host = urllib.parse.urlsplit(server.url).hostname
    if server.context:
        connection = http.client.HTTPSConnection(host, server.port, timeout=CALL_SECONDS,
                                                 context=server.context)
    else:
        connection = http.client.HTTPConnection(host, server.port, timeout=CALL_SECONDS)
    connection.connect()
    return connection


def take_event(answer, data, now_ns):
    """Adds one event's data."""
    if data == b"[DONE]":
        answer.end_ns = now_ns
        return
    event = json.loads(data)
    answer.id, answer.model = event["id"], event["model"]
    answer.usage = event.get("usage") or answer.usage
    for choice in event["choices"]:
        text = choice["delta"].get("content")
        if text:                # the first event has a role and "" only
            answer.text += text
            answer.chunks_ns.append(now_ns)
        if choice["finish_reason"]:
            answer.finish_reason = choice["finish_reason"]
            answer.last_has_text = bool(text)


def read_stream(response, answer):
    pending = b""
    # One HTTP chunk at a time, as it arrives: the clock is read before the parser runs.
    while received := response.read1(READ_BYTES):
        now_ns = time.monotonic_ns()
        *events, pending = (pending + received).split(b"\n\n")
        for event in events:
            take_event(answer, event.removeprefix(b"data: "), now_ns)


def read_plain(response, answer):
    body = response.read()
    answer.end_ns = time.monotonic_ns()
    fields = json.loads(body)
    choice = fields["choices"][0]
    answer.id, answer.model, answer.usage = fields["id"], fields["model"], fields["usage"]
    answer.text, answer.finish_reason = choice["message"]["content"], choice["finish_reason"]


def chat(connection, request_id, body):
    """Makes one chat call on an open connection."""
    answer = Answer(request_id, body["messages"], is_stream=body.get("stream", False))
    payload = json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer sk-check",
               "x-request-id": request_id}

    answer.sent_ns = time.monotonic_ns()
    connection.request("POST", "/v1/chat/completions", payload, headers)
    response = connection.getresponse()
    answer.status = response.status
    if response.status != 200:
        raise RuntimeError(f"{request_id}: vLLM answered {response.status}: {response.read(400)!r}")
    (read_stream if answer.is_stream else read_plain)(response, answer)
    return answer
