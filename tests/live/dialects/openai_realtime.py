# SPDX-License-Identifier: Apache-2.0
"""OpenAI over WebSocket: Responses in lanes, and text through Realtime.
Source of the forms: OpenAI's API reference, Realtime events and Responses over WebSocket."""

import asyncio
import json
from urllib.parse import parse_qs

from dialects.openai_responses import Responses
from dialects.said import PAUSE_S, Said, dumps
from dialects.websocket import WebSocket


class Realtime(Said):
    ROUTES = ((r"/v1/realtime$", "openai.realtime"),)
    NAMES_MODEL = False

    def read(self):
        self.model, self.is_stream = self.request["model"], True
        self.text = self.request["item"]["content"][0]["text"]
        self.tool_names = [tool["name"] for tool in self.request.get("tools") or []]

    def finish_name(self):
        return "incomplete" if self.finish == "length" else "completed"

    def usage(self):
        count = self.counts
        return {"total_tokens": sum(count.values()), "input_tokens": count["new"] + count["cached"],
                "output_tokens": count["output"] + count["reasoning"],
                "input_token_details": {"text_tokens": count["new"] + count["cached"],
                                        "audio_tokens": 0, "image_tokens": 0,
                                        "cached_tokens": count["cached"],
                                        "cached_tokens_details": {
                                            "text_tokens": count["cached"], "audio_tokens": 0}},
                "output_token_details": {"text_tokens": count["output"] + count["reasoning"],
                                         "audio_tokens": 0}}

    def buckets(self):
        count = self.counts
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "output": count["output"] + count["reasoning"], "total": sum(count.values())}

    def items(self):
        items = [{"id": "item_" + self.id, "object": "realtime.item", "type": "message",
                  "status": "completed", "role": "assistant",
                  "content": [{"type": "output_text", "text": self.whole_text}]}]
        return items + [{"id": "item_" + call_id, "object": "realtime.item",
                         "type": "function_call", "status": "completed", "call_id": call_id,
                         "name": name, "arguments": dumps(arguments, self.number)}
                        for call_id, name, arguments in self.tools]

    def response(self, status, items=(), usage=None, error=None):
        details = {"type": "failed", "error": {"type": "server_error", "code": None,
                                               "message": error}} if error else None
        return {"object": "realtime.response", "id": "resp_" + self.id, "status": status,
                "status_details": details, "output": list(items), "conversation_id": "conv_1",
                "output_modalities": ["text"], "max_output_tokens": "inf", "usage": usage,
                "metadata": None}

    def numbered(self):
        for number, (event, content) in enumerate(self.objects()):
            yield dict(event, event_id="event_%d_%d" % (self.number, number)), content

    def objects(self):
        yield {"type": "response.created", "response": self.response("in_progress")}, None
        if self.status >= 400:
            yield {"type": "response.done",
                   "response": self.response("failed", error=self.error)}, None
            return
        for index, item in enumerate(self.items()):
            place = {"response_id": "resp_" + self.id, "item_id": item["id"],
                     "output_index": index}
            yield dict({"type": "response.output_item.added"}, item=dict(
                item, status="in_progress", **({"content": []} if "content" in item
                                               else {"arguments": ""})), **place), None
            yield from (self.message_events(place) if item["type"] == "message"
                        else self.tool_events(place, item))
            yield dict(place, type="response.output_item.done", item=item), None
        yield {"type": "response.done", "response": self.response(
            self.finish_name(), self.items(), self.usage())}, None

    def message_events(self, place):
        place = dict(place, content_index=0)
        yield dict(place, type="response.content_part.added",
                   part={"type": "text", "text": ""}), None
        for piece in self.pieces:
            yield dict(place, type="response.output_text.delta", delta=piece), piece
        yield dict(place, type="response.output_text.done", text=self.whole_text), None
        yield dict(place, type="response.content_part.done",
                   part={"type": "text", "text": self.whole_text}), None

    def tool_events(self, place, item):
        place = dict(place, call_id=item["call_id"])
        call = next(tool for tool in self.tools if tool[0] == item["call_id"])
        for part in self.argument_parts(call[2]):
            yield dict(place, type="response.function_call_arguments.delta", delta=part), ""
        yield dict(place, type="response.function_call_arguments.done", name=item["name"],
                   arguments=item["arguments"]), None

    def exchange(self, end):
        # The status of a response is not that of HTTP.
        return dict(super().exchange(end), id="resp_" + self.id, status=101, stream=True)


class LaneOfResponses(Responses):
    """One response of several on a socket."""

    def read(self):
        super().read()
        self.is_stream = True

    def numbered(self):
        lane = {"stream_id": self.request["stream_id"]} if "stream_id" in self.request else {}
        if self.status >= 400:
            yield dict(self.failure(), type="error", status=self.status, **lane), None
            return
        for event, content in super().numbered():
            yield dict(event, **lane), content

    def exchange(self, end):
        named = self.model if self.status >= 400 else self.response_model
        return dict(super().exchange(end), status=101, stream=True, response_model=named)


class Session:
    """One socket: what the client says until it closes, and the answers to it."""

    def __init__(self, server, reader, writer, target, headers):
        self.server, self.headers = server, headers
        self.path, _, query = target.partition("?")
        self.model = parse_qs(query).get("model", [""])[0]
        self.socket = WebSocket(reader, writer, headers)
        self.session, self.item, self.gate = {}, None, asyncio.Lock()

    async def run(self):
        is_realtime = self.path.endswith("/realtime")
        if is_realtime:
            await self.say({"type": "session.created", "session": {"type": "realtime",
                                                                   "model": self.model}})
        answers = []
        while (text := await self.socket.message()) is not None:
            event = json.loads(text)
            if event["type"] == "session.update":
                self.session = event["session"]
            elif event["type"] == "conversation.item.create":
                self.item = event["item"]
                await self.say({"type": "conversation.item.added", "item": self.item})
            elif event["type"] == "response.create":
                request = dict(self.session, **event.get("response", {}), model=self.model,
                               item=self.item) if is_realtime else event
                answers.append(asyncio.ensure_future(self.answer(
                    (Realtime if is_realtime else LaneOfResponses)(self.path, request,
                                                                   self.headers))))
        await asyncio.gather(*answers)

    async def say(self, event, answer=None, content=None):
        async with self.gate:
            if answer:
                answer.on_event(content)
            await self.socket.send(dumps(event, self.socket.sent))

    async def answer(self, answer):
        await asyncio.sleep(answer.late_s)
        for event, content in answer.numbered():
            if content is not None:
                await asyncio.sleep(PAUSE_S)
            await self.say(event, answer, content)
        self.server.record(answer, "whole")
