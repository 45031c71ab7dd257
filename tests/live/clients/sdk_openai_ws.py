# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI client over WebSocket: Responses, two lanes at a time on one
socket, and Realtime, in text. GT_DEFLATE: offers permessage-deflate."""

import asyncio
import os

from openai import AsyncOpenAI, OpenAI

from client import finish, start
from sdk import KEY, SCHEMA, Report, tool_names
from sdk_openai import OpenAiSdk

OPTIONS = {"websocket_connection_options": {"compression": "deflate"}} if (
    os.environ.get("GT_DEFLATE")) else {}


def tools_of(call):
    tools = [{"type": "function", "name": name, "parameters": SCHEMA}
             for name in tool_names(call)]
    return {"tools": tools} if tools else {}


class Lanes:
    """The calls of one socket that are on the way."""

    def __init__(self, calls):
        self.reports = [Report(call) for call in calls]
        self.open = len(calls)

    def requests(self):
        for lane, report in enumerate(self.reports):
            call = report.call
            yield dict(tools_of(call), type="response.create", model=call["model"],
                       input=call["text"], stream_id="lane_%d" % lane)

    def take(self, event):
        """True when all are answered."""
        lane = int(event.to_dict()["stream_id"][len("lane_"):])
        report = self.reports[lane]
        if event.type == "error":
            error = event.to_dict().get("error") or {}
            report.fields["error"] = {"class": None,
                                      "message": error.get("message") or event.message}
        else:
            OpenAiSdk().event_responses(report, event)
        if event.type in ("error", "response.completed", "response.incomplete",
                          "response.failed"):
            report.end()
            self.open -= 1
        return self.open == 0


def ask_responses(client, plan):
    reports = []
    with client.responses.connect(**OPTIONS) as socket:
        for at in range(0, len(plan), 2):
            lanes = Lanes(plan[at:at + 2])
            for request in lanes.requests():
                socket.send(request)
            while not lanes.take(socket.recv()):
                pass
            reports += lanes.reports
    return reports


async def ask_responses_async(client, plan):
    reports = []
    async with client.responses.connect(**OPTIONS) as socket:
        for at in range(0, len(plan), 2):
            lanes = Lanes(plan[at:at + 2])
            for request in lanes.requests():
                await socket.send(request)
            while not lanes.take(await socket.recv()):
                pass
            reports += lanes.reports
    return reports


# --- Realtime -------------------------------------------------------------------------

def realtime_events(call):
    yield {"type": "session.update", "session": dict(
        {"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."},
        **tools_of(call))}
    yield {"type": "conversation.item.create", "item": {
        "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": call["text"]}]}}
    yield {"type": "response.create"}


def take_realtime(report, event):
    """True when the response is over."""
    if event.type.endswith(".delta"):
        report.mark()
    if event.type != "response.done":
        return False
    answer = event.response
    report.set(id=answer.id, usage=answer.usage, finish=answer.status)
    if answer.status == "failed":
        report.fields["error"] = {"class": None,
                                  "message": answer.to_dict()["status_details"]["error"]["message"]}
    for item in answer.output:
        if item.type == "message":
            report.fields["text"] += "".join(part.text for part in item.content)
        else:
            report.fields["tools"].append([item.call_id, item.name, item.arguments])
    return True


def ask_realtime(client, plan):
    reports = []
    for call in plan:
        reports.append(Report(call))
        with client.realtime.connect(model=call["model"], **OPTIONS) as socket:
            for event in realtime_events(call):
                socket.send(event)
            while not take_realtime(reports[-1], socket.recv()):
                pass
        reports[-1].end()
    return reports


async def ask_realtime_async(client, plan):
    reports = []
    for call in plan:
        reports.append(Report(call))
        async with client.realtime.connect(model=call["model"], **OPTIONS) as socket:
            for event in realtime_events(call):
                await socket.send(event)
            while not take_realtime(reports[-1], await socket.recv()):
                pass
        reports[-1].end()
    return reports


def split(plan):
    return ([call for call in plan if call["op"] == "responses"],
            [call for call in plan if call["op"] == "realtime"])


async def ask_all_async(options, plan):
    client = AsyncOpenAI(**options)
    responses, realtime = split(plan)
    return ((await ask_responses_async(client, responses) if responses else [])
            + await ask_realtime_async(client, realtime))


def main():
    base, plan = start()
    options = {"base_url": base + "/v1", "api_key": KEY, "max_retries": 0}
    if os.environ.get("GT_ASYNC"):
        return finish(asyncio.run(ask_all_async(options, plan)))
    client = OpenAI(**options)
    responses, realtime = split(plan)
    return finish((ask_responses(client, responses) if responses else [])
                  + ask_realtime(client, realtime))


if __name__ == "__main__":
    main()
