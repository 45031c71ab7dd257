# SPDX-License-Identifier: Apache-2.0
"""What the client programs share: the protocol with the runner, and the report.

A client is started with a base URL and a plan (a JSON file: a list of
{"path", "body", "abort_after"?, "repeat"?}), says READY, waits for a line on stdin so that
gentap can attach to the running process, makes the calls, prints one line of
JSON with what it received, and ends on the next line.
"""

import json
import os
import sys
import time

# Must occur in nothing that gentap writes; the runner looks for GTCANARY.
HEADERS = {"x-api-key": "GTCANARY-xkey", "api-key": "GTCANARY-apikey",
           "cookie": "session=GTCANARY-cookie"}
API_KEY = "GTCANARY-key"


def ca_file():
    return os.environ["SSL_CERT_FILE"]


def start():
    """(base URL, plan) once the runner says go."""
    base, path = sys.argv[1:3]
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    for call in plan:
        if "repeat" in call:
            call["body"]["messages"][-1]["content"] *= call["repeat"]
    print("READY", flush=True)
    sys.stdin.readline()
    return base, plan


def finish(reports):
    print(json.dumps([report.fields for report in reports]), flush=True)
    sys.stdin.readline()


class Report:
    """What one call gave its caller; add_*() take the provider's objects as dicts."""

    def __init__(self):
        self.fields = {"id": None, "model": None, "text": "", "usage": None, "finish": None,
                       "tools": [], "error": None, "started": time.monotonic_ns(),
                       "first": None, "ended": None}

    def add_event(self, event):
        self._common(event)
        for choice in event.get("choices") or []:
            delta = choice.get("delta") or {"content": choice.get("text")}
            if (delta.get("content") or delta.get("tool_calls") or delta.get("refusal")
                    or delta.get("reasoning_content")):
                self.fields["first"] = self.fields["first"] or time.monotonic_ns()
            if choice["index"] == 0:
                self._delta(choice, delta)

    def _delta(self, choice, delta):
        self.fields["text"] += delta.get("content") or ""
        self.fields["finish"] = choice.get("finish_reason") or self.fields["finish"]
        for part in delta.get("tool_calls") or []:
            if part["index"] == len(self.fields["tools"]):
                self.fields["tools"].append([part["id"], part["function"]["name"], ""])
            self.fields["tools"][part["index"]][2] += part["function"]["arguments"] or ""

    def add_body(self, body):
        self._common(body)
        if body.get("error"):
            self.fields["error"] = body["error"]["message"]
        for choice in (body.get("choices") or [])[:1]:
            message = choice.get("message") or {"content": choice.get("text")}
            self.fields["text"] = message.get("content") or ""
            self.fields["finish"] = choice["finish_reason"]
            self.fields["tools"] = [[t["id"], t["function"]["name"], t["function"]["arguments"]]
                                    for t in message.get("tool_calls") or []]

    def _common(self, received):
        for field in ("id", "model", "usage"):
            self.fields[field] = received.get(field) or self.fields[field]

    def add_error(self, error):
        self.fields["error"] = str(error)

    def end(self):
        self.fields["ended"] = time.monotonic_ns()
        return self


def events(lines):
    """The objects of a server-sent event stream, from its lines."""
    for line in lines:
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[len("data: "):])
