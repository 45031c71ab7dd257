# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages API: typed events, usage in two of them, thinking, tool use.
Source of the forms: docs.anthropic.com, Messages and Streaming Messages."""

from dialects.said import Said, sse

FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "refuse": "refusal"}
ERROR = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error",
         500: "api_error"}


class Anthropic(Said):
    ROUTES = ((r"/v1/messages$", "anthropic.messages"),)
    REQUEST_ID = "request-id"
    OVERLOADED = "overloaded_error"

    def read(self):
        self.model = self.request.get("model", "")
        self.is_stream = bool(self.request.get("stream"))
        self.tool_names = [tool["name"] for tool in self.request.get("tools") or []]
        content = self.request["messages"][-1]["content"]
        self.text = content if isinstance(content, str) else "".join(
            part.get("text", "") for part in content)

    def finish_name(self):
        return FINISH[self.finish]

    def usage(self):
        count = self.counts
        usage = {"input_tokens": count["new"], "cache_read_input_tokens": count["cached"],
                 "cache_creation_input_tokens": count["written"],
                 "output_tokens": count["output"] + count["reasoning"], "service_tier": "standard"}
        if count["written"]:
            usage["cache_creation"] = {"ephemeral_5m_input_tokens": count["written"] - 2,
                                       "ephemeral_1h_input_tokens": 2}
        if count["reasoning"]:
            usage["output_tokens_details"] = {"thinking_tokens": count["reasoning"]}
        return usage

    def buckets(self):
        count = self.counts
        own = {"input": count["new"], "input_cached_tokens": count["cached"],
               "output": count["output"] + count["reasoning"]}
        if count["written"]:
            own.update(input_cache_creation_5m=count["written"] - 2, input_cache_creation_1h=2)
        return dict(own, total=sum(own.values()))

    def message(self, content, finish, usage):
        return {"id": "msg_" + self.id, "type": "message", "role": "assistant",
                "model": self.response_model, "content": content, "stop_reason": finish,
                "stop_sequence": None, "usage": usage}

    def body(self):
        content = []
        if self.reasoning:
            content.append({"type": "thinking", "thinking": "".join(self.reasoning),
                            "signature": "GTSIGNATURE"})
        content.append({"type": "text", "text": self.whole_text})
        content += [{"type": "tool_use", "id": call_id, "name": name, "input": arguments}
                    for call_id, name, arguments in self.tools]
        return self.message(content, self.finish_name(), self.usage())

    def failure(self):
        return {"type": "error", "error": {"type": ERROR[self.status], "message": self.error},
                "request_id": "req_" + self.id}

    def events(self):
        for number, (event, content) in enumerate(self.objects()):
            yield sse(event, number, event["type"]), content

    def objects(self):
        # The output count of the start is a guess; the input side stays as it is.
        usage = {name: count for name, count in self.usage().items()
                 if name != "output_tokens_details"}
        yield {"type": "message_start",
               "message": self.message([], None, dict(usage, output_tokens=1))}, None
        blocks = [self.thinking_block()] if self.reasoning else []
        blocks += [self.text_block()] + [self.tool_block(tool) for tool in self.tools]
        for index, (start, deltas) in enumerate(blocks):
            # The name of a tool is content.
            yield ({"type": "content_block_start", "index": index, "content_block": start},
                   "" if "name" in start else None)
            if index == 0:
                yield {"type": "ping"}, None
            for delta, content in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}, content
            if self.case == "midstream":
                yield {"type": "error", "error": {"type": self.OVERLOADED,
                                                  "message": self.error}}, None
                return
            yield {"type": "content_block_stop", "index": index}, None
        last = {"output_tokens": self.usage()["output_tokens"]}
        if self.reasoning:
            last["output_tokens_details"] = self.usage()["output_tokens_details"]
        yield {"type": "message_delta", "usage": last,
               "delta": {"stop_reason": self.finish_name(), "stop_sequence": None}}, None
        yield {"type": "message_stop"}, None

    def thinking_block(self):
        deltas = [({"type": "thinking_delta", "thinking": piece}, "") for piece in self.reasoning]
        deltas.append(({"type": "signature_delta", "signature": "GTSIGNATURE"}, None))
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas

    def text_block(self):
        return {"type": "text", "text": ""}, [({"type": "text_delta", "text": piece}, piece)
                                              for piece in self.spoken]

    def tool_block(self, tool):
        call_id, name, arguments = tool
        return ({"type": "tool_use", "id": call_id, "name": name, "input": {}},
                [({"type": "input_json_delta", "partial_json": ""}, None)]
                + [({"type": "input_json_delta", "partial_json": part}, "")
                   for part in self.argument_parts(arguments)])
