# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI client as Langfuse's drop-in traces it, one call at a time.

GT_ASYNC: AsyncOpenAI instead of OpenAI. Beside a body a call of the plan may
have "abort_after" (events), "timeout" (seconds) and "parse" (the answer goes
through parse(), with a class as response format).
"""

import asyncio
import gc
import os
import time

from langfuse import get_client
from langfuse.openai import AsyncOpenAI, OpenAI, openai
from pydantic import BaseModel

from client import API_KEY, HEADERS, Report, finish, start


class Verdict(BaseModel):
    is_right: bool
    why: str


def method_of(client, call):
    """What to call, and with which arguments."""
    resource = {"chat/completions": client.chat.completions, "completions": client.completions,
                "embeddings": client.embeddings, "responses": client.responses}[call["path"]]
    arguments = dict(call["body"])
    if "timeout" in call:
        arguments["timeout"] = call["timeout"]
    if call.get("parse"):
        return resource.parse, dict(arguments, response_format=Verdict)
    return resource.create, arguments


class Stream:
    """What a stream brings the caller, and when."""

    def __init__(self, report, call):
        self.report = report
        self.left = call.get("abort_after", 0)
        report.fields["first_ns"] = None

    def take(self, event):
        """True when the caller has had enough."""
        self.report.add_event(event.model_dump())
        # Of a response's events.
        if getattr(event, "delta", None):
            self.report.fields["first"] = self.report.fields["first"] or time.monotonic_ns()
        if self.report.fields["first"] and not self.report.fields["first_ns"]:
            self.report.fields["first_ns"] = time.time_ns()
        self.left -= 1
        return self.left == 0


def make(client, call):
    report = Report()
    try:
        method, arguments = method_of(client, call)
        answer = method(**arguments)
        if call["body"].get("stream"):
            stream = Stream(report, call)
            for event in answer:
                if stream.take(event):
                    answer.close()
                    break
    except openai.OpenAIError as error:
        report.add_error(error)
    return report.end()


async def make_async(client, call):
    report = Report()
    try:
        method, arguments = method_of(client, call)
        answer = await method(**arguments)
        if call["body"].get("stream"):
            stream = Stream(report, call)
            async for event in answer:
                if stream.take(event):
                    await answer.close()
                    break
    except openai.OpenAIError as error:
        report.add_error(error)
    return report.end()


async def make_all(client, plan):
    reports = []
    for call in plan:
        reports.append(await make_async(client, call))
        if "abort_after" in call or "timeout" in call:
            await free_connections()
    return reports


async def free_connections():
    """The SSL object of a call that was left is freed with its reference cycles;
    what their generators still do on the way keeps it for another round."""
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.01)


def main():
    base, plan = start()
    options = {"base_url": base, "api_key": API_KEY, "default_headers": HEADERS, "max_retries": 0}
    if os.environ.get("GT_ASYNC"):
        reports = asyncio.run(make_all(AsyncOpenAI(**options), plan))
    else:
        client = OpenAI(**options)
        reports = [make(client, call) for call in plan]
    get_client().flush()
    finish(reports)


main()
