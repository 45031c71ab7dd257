# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Responses: typed events without [DONE]; the last one repeats the whole answer.
Source of the forms: OpenAI's API reference, Responses and its streaming events."""

from dialects.openai_chat import error_object, is_split
from dialects.said import CREATED, Said, dumps, sse


class Responses(Said):
    ROUTES = ((r"/responses$", "openai.responses"),)

    def read(self):
        self.model = self.request.get("model", "")
        self.is_stream = bool(self.request.get("stream"))
        given = self.request.get("input", "")
        self.text = given if isinstance(given, str) else "".join(
            part["text"] for part in given[-1]["content"]) if isinstance(
                given[-1]["content"], list) else given[-1]["content"]
        self.tool_names = [tool["name"] for tool in self.request.get("tools") or []]

    @property
    def last_status(self):
        return "incomplete" if self.finish == "length" else "completed"

    def finish_name(self):
        return "max_output_tokens" if self.finish == "length" else "completed"

    def usage(self):
        count = self.counts
        total = sum(count.values())
        return {"input_tokens": count["new"] + count["cached"] + count["written"],
                "input_tokens_details": {"cached_tokens": count["cached"],
                                         "cache_write_tokens": count["written"],
                                         "cache_write_tokens_details": {"ttl_30m_tokens": 0}},
                "output_tokens": count["output"] + count["reasoning"],
                "output_tokens_details": {"reasoning_tokens": count["reasoning"]},
                "total_tokens": total}

    def buckets(self):
        count = self.counts
        reasoning = count["reasoning"] if is_split(self.model) else 0
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "input_cache_creation": count["written"],
                "output": count["output"] + count["reasoning"] - reasoning,
                "output_reasoning_tokens": reasoning, "total": sum(count.values())}

    # --- items of the output ---

    def items(self):
        items = []
        if self.reasoning:
            items.append({"id": "rs_" + self.id, "type": "reasoning", "status": "completed",
                          "summary": [{"type": "summary_text", "text": "".join(self.reasoning)}]})
        items.append({"id": "msg_" + self.id, "type": "message", "role": "assistant",
                      "status": "completed", "content": [self.part()]})
        items += [{"id": "fc_" + call_id, "type": "function_call", "status": "completed",
                   "call_id": call_id, "name": name,
                   "arguments": dumps(arguments, self.number)}
                  for call_id, name, arguments in self.tools]
        return items

    def part(self, text=None):
        if self.finish == "refuse":
            return {"type": "refusal", "refusal": self.whole_text if text is None else text}
        return {"type": "output_text", "annotations": [], "logprobs": [],
                "text": self.whole_text if text is None else text}

    def response(self, status, items=(), usage=None, error=None):
        return {"id": "resp_" + self.id, "object": "response", "created_at": CREATED,
                "status": status, "background": False, "error": error,
                "incomplete_details": {"reason": "max_output_tokens"}
                if status == "incomplete" else None,
                "instructions": None, "metadata": {}, "model": self.response_model,
                "output": list(items), "parallel_tool_calls": True, "previous_response_id": None,
                "reasoning": {"effort": None, "summary": None}, "store": True,
                "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
                "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage}

    def body(self):
        return self.response(self.last_status, self.items(), self.usage())

    def failure(self):
        return error_object(self)

    # --- its stream ---

    def events(self):
        for number, (event, content) in enumerate(self.numbered()):
            yield sse(event, number, event["type"]), content

    def numbered(self):
        for number, (event, content) in enumerate(self.objects()):
            yield dict(event, sequence_number=number), content

    def objects(self):
        yield self.whole("response.created", "in_progress"), None
        yield self.whole("response.in_progress", "in_progress"), None
        for index, item in enumerate(self.items()):
            place = {"output_index": index, "item_id": item["id"]}
            empty = {key: [] if key in ("content", "summary") else "" if key == "arguments"
                     else value for key, value in item.items()}
            yield {"type": "response.output_item.added", "output_index": index,
                   "item": dict(empty, status="in_progress")}, None
            yield from {"reasoning": self.reasoning_events, "message": self.message_events,
                        "function_call": self.tool_events}[item["type"]](place, item)
            if self.case == "midstream" and item["type"] == "message":
                yield self.whole("response.failed", "failed", error={
                    "code": "server_error", "message": self.error}), None
                return
            yield {"type": "response.output_item.done", "output_index": index, "item": item}, None
        yield self.whole("response." + self.last_status, self.last_status, self.items(),
                         self.usage()), None

    def whole(self, kind, *fields, **more):
        return {"type": kind, "response": self.response(*fields, **more)}

    def reasoning_events(self, place, item):
        place = dict(place, summary_index=0)
        empty = {"type": "summary_text", "text": ""}
        yield dict(place, type="response.reasoning_summary_part.added", part=empty), None
        for piece in self.reasoning:
            yield dict(place, type="response.reasoning_summary_text.delta", delta=piece), ""
        text = item["summary"][0]["text"]
        yield dict(place, type="response.reasoning_summary_text.done", text=text), None
        yield dict(place, type="response.reasoning_summary_part.done",
                   part=item["summary"][0]), None

    def message_events(self, place, item):
        place = dict(place, content_index=0)
        kind = "refusal" if self.finish == "refuse" else "output_text"
        more = {} if kind == "refusal" else {"logprobs": []}
        yield dict(place, type="response.content_part.added", part=self.part("")), None
        for number, piece in enumerate(self.spoken):
            yield dict(place, type="response.%s.delta" % kind, delta=piece,
                       obfuscation="x" * (number % 9), **more), piece
        if self.case == "midstream":
            return
        name = "refusal" if kind == "refusal" else "text"
        yield dict(place, type="response.%s.done" % kind, **{name: self.whole_text}, **more), None
        yield dict(place, type="response.content_part.done", part=item["content"][0]), None

    def tool_events(self, place, item):
        call = next(tool for tool in self.tools if tool[0] == item["call_id"])
        for part in self.argument_parts(call[2]):
            yield dict(place, type="response.function_call_arguments.delta", delta=part), ""
        yield dict(place, type="response.function_call_arguments.done", name=item["name"],
                   arguments=item["arguments"]), None

    def exchange(self, end):
        said = super().exchange(end)
        if self.finish == "refuse":
            said.update(refusal=said["text"], text="")
        return dict(said, id="resp_" + self.id)
