# SPDX-License-Identifier: Apache-2.0
"""Cohere's v2: chat in typed events, counts as floats; embed and rerank.
Source of the forms: docs.cohere.com, API v2."""

from dialects.said import Said, dumps, sse

FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tools": "TOOL_CALL", "refuse": "ERROR"}


class Cohere(Said):
    ROUTES = ((r"/v2/chat$", "cohere.chat"), (r"/v2/embed$", "cohere.embed"),
              (r"/v2/rerank$", "rerank"))
    REQUEST_ID = "x-debug-trace-id"
    NAMES_MODEL = False

    def read(self):
        self.model = self.request.get("model", "")
        if self.kind == "embed":
            self.inputs = self.request["texts"]
            self.text = self.inputs[0]
        elif self.kind == "rerank":
            self.text = self.request["query"]
        else:
            self.text = self.request["messages"][-1]["content"]
            self.is_stream = bool(self.request.get("stream"))
            self.tool_names = [tool["function"]["name"]
                               for tool in self.request.get("tools") or []]

    @property
    def counts(self):
        count = super().counts
        return dict(count, output=count["output"] + count["reasoning"], reasoning=0)

    def finish_name(self):
        return FINISH[self.finish] if self.kind == "chat" else None

    def usage(self):
        count = self.counts
        tokens = {"input_tokens": float(count["new"] + count["cached"]),
                  "output_tokens": float(count["output"])}
        return {"billed_units": {"input_tokens": float(count["new"]),
                                 "output_tokens": float(count["output"])},
                "tokens": tokens, "cached_tokens": float(count["cached"])}

    def buckets(self):
        count = self.counts
        if self.kind == "embed":
            return {"input": count["new"], "total": count["new"]}
        if self.kind == "rerank":
            return None
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "output": count["output"],
                "total": count["new"] + count["cached"] + count["output"]}

    def body(self):
        if self.kind == "embed":
            return {"id": self.id, "response_type": "embeddings_by_type", "texts": self.inputs,
                    "embeddings": {"float": self.vectors(self.inputs)},
                    "meta": {"api_version": {"version": "2"},
                             "billed_units": {"input_tokens": float(self.counts["new"])}}}
        if self.kind == "rerank":
            return {"id": self.id, "results": self.results(),
                    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}}
        message = {"role": "assistant"}
        content = [{"type": "thinking", "thinking": "".join(self.reasoning)}] if (
            self.reasoning) else []
        if self.tools:
            message["tool_plan"] = self.whole_text
            message["tool_calls"] = [self.tool(*tool) for tool in self.tools]
        else:
            message["content"] = content + [{"type": "text", "text": self.whole_text}]
        return {"id": self.id, "message": message, "finish_reason": self.finish_name(),
                "usage": self.usage()}

    def results(self):
        count = len(self.request["documents"])
        return [{"index": count - 1 - index, "relevance_score": 0.5 / (index + 1)}
                for index in range(min(count, self.request.get("top_n") or count))]

    def exchange(self, end):
        said = super().exchange(end)
        if self.kind == "rerank":
            return dict(said, ranks=[[one["index"], one["relevance_score"]]
                                     for one in self.results()])
        # What the model means to do with its tools is thought, not answer.
        return dict(said, text="", reasoning=said["text"]) if said["tools"] else said

    @staticmethod
    def tool(call_id, name, arguments):
        return {"id": call_id, "type": "function",
                "function": {"name": name, "arguments": dumps(arguments)}}

    def failure(self):
        return {"id": self.id, "message": self.error}

    def events(self):
        for number, (event, content) in enumerate(self.objects()):
            yield sse(event, number, event["type"]), content
        yield b"data: [DONE]\n\n", None

    def objects(self):
        yield {"type": "message-start", "id": self.id, "delta": {"message": {
            "role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}}}, None
        if self.tools:
            for piece in self.pieces:
                yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}, piece
            for index, tool in enumerate(self.tools):
                yield from self.tool_events(index, *tool)
        else:
            if self.reasoning:
                yield from self.block(0, "thinking", self.reasoning)
            yield from self.block(int(bool(self.reasoning)), "text", self.spoken)
        delta = {"finish_reason": self.finish_name(), "usage": self.usage()}
        if self.case == "midstream":
            delta = {"finish_reason": "ERROR", "error": self.error}
        yield {"type": "message-end", "delta": delta}, None

    @staticmethod
    def block(index, kind, pieces):
        yield {"type": "content-start", "index": index, "delta": {"message": {"content": {
            "type": kind, kind: ""}}}}, None
        for piece in pieces:
            yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {
                kind: piece}}}}, piece if kind == "text" else ""
        yield {"type": "content-end", "index": index}, None

    def tool_events(self, index, call_id, name, arguments):
        started = {"id": call_id, "type": "function",
                   "function": {"name": name, "arguments": ""}}
        yield {"type": "tool-call-start", "index": index,
               "delta": {"message": {"tool_calls": started}}}, ""
        for part in self.argument_parts(arguments):
            yield {"type": "tool-call-delta", "index": index, "delta": {"message": {
                "tool_calls": {"function": {"arguments": part}}}}}, ""
        yield {"type": "tool-call-end", "index": index}, None
