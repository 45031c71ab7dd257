# SPDX-License-Identifier: Apache-2.0
"""What the programs around the official client libraries (sdk_*.py) share.

As client.py: READY, a line, all calls of the plan, one line with the reports,
a line. A call of the plan is in no provider's form: {"op", "model", "text",
"stream", "tools"}; a report says what the library's objects say, counts under
the library's own names. GT_ASYNC: the asynchronous client.
"""

import asyncio
import inspect
import json
import os
import time

from client import finish, start

KEY = "GTCANARY-key"
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}, "count": {"type": "integer"}},
          "required": ["q"]}


def tool_names(call):
    return ["tool_%d" % number for number in range(call.get("tools", 0))]


def plain(value):
    """A library's object as what JSON can hold."""
    for name in ("model_dump", "dict", "to_dict"):
        if hasattr(value, name) and not isinstance(value, type):
            return getattr(value, name)()
    return value


class Report:
    """What one call gave its caller."""

    def __init__(self, call):
        self.call = call
        self.fields = {"id": None, "model": None, "text": "", "reasoning": "", "refusal": "",
                       "tools": [], "finish": None, "usage": None, "error": None, "vectors": None,
                       "started": time.monotonic_ns(), "first": None, "ended": None}

    def set(self, **fields):
        """Keeps what is not None."""
        self.fields.update((name, plain(value)) for name, value in fields.items()
                           if value is not None)

    def add(self, text=None, reasoning=None, refusal=None):
        """Pieces, as they come."""
        for name, piece in (("text", text), ("reasoning", reasoning), ("refusal", refusal)):
            if piece:
                self.mark()
                self.fields[name] += piece

    def mark(self):
        """Something that bears content is here."""
        if self.call.get("stream"):
            self.fields["first"] = self.fields["first"] or time.monotonic_ns()

    def tool(self, call_id, name, arguments):
        self.mark()
        self.fields["tools"].append([call_id, name, arguments])

    def more_arguments(self, part, index=-1):
        self.fields["tools"][index][2] += part or ""

    def shape(self, vectors):
        self.fields["vectors"] = [len(vectors), len(vectors[0])]

    def failed(self, error):
        self.fields["error"] = {"class": type(error).__name__, "message": str(error)}

    def end(self):
        self.fields["ended"] = time.monotonic_ns()
        # Arguments may be text or already an object.
        for tool in self.fields["tools"]:
            if isinstance(tool[2], str):
                tool[2] = json.loads(tool[2] or "{}")
        return self


class Sdk:
    """Base of the programs: how to make a client and a call, and how to read what comes."""

    def open(self, base, is_async):
        raise NotImplementedError

    def start(self, client, call):
        """The call: an answer, or what becomes one when awaited."""
        raise NotImplementedError

    def event(self, report, event):
        """One event of a stream."""
        raise NotImplementedError

    def whole(self, report, answer):
        """An answer that is no stream."""
        raise NotImplementedError

    def last(self, report, stream):
        """A stream that ended, and what its object says then; may be a coroutine."""


def make(sdk, client, call):
    report = Report(call)
    try:
        answer = sdk.start(client, call)
        if not call.get("stream"):
            sdk.whole(report, answer)
        elif hasattr(answer, "__enter__"):
            with answer as stream:
                for event in stream:
                    sdk.event(report, event)
                sdk.last(report, stream)
        else:
            for event in answer:
                sdk.event(report, event)
    except Exception as error:  # each library has its own; the test says which it wants
        report.failed(error)
    return report.end()


async def make_async(sdk, client, call):
    report = Report(call)
    try:
        answer = sdk.start(client, call)
        if inspect.isawaitable(answer):
            answer = await answer
        if not call.get("stream"):
            sdk.whole(report, answer)
        elif hasattr(answer, "__aenter__"):
            async with answer as stream:
                async for event in stream:
                    sdk.event(report, event)
                said = sdk.last(report, stream)
                if inspect.isawaitable(said):
                    await said
        else:
            async for event in answer:
                sdk.event(report, event)
    except Exception as error:  # as above
        report.failed(error)
    return report.end()


async def make_all(sdk, base, plan):
    client = sdk.open(base, True)
    return [await make_async(sdk, client, call) for call in plan]


def main(sdk):
    base, plan = start()
    if os.environ.get("GT_ASYNC"):
        reports = asyncio.run(make_all(sdk, base, plan))
    else:
        client = sdk.open(base, False)
        reports = [make(sdk, client, call) for call in plan]
    finish(reports)
