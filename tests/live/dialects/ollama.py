# SPDX-License-Identifier: Apache-2.0
"""Ollama's own API: lines of JSON, arguments of tools as objects, counts in the last line.
Source of the forms: ollama's docs/api.md."""

from dialects.said import Said, dumps

FINISH = {"stop": "stop", "length": "length", "tools": "stop", "refuse": "stop"}


class Ollama(Said):
    ROUTES = ((r"/api/chat$", "ollama.chat"), (r"/api/generate$", "ollama.generate"),
              (r"/api/embed$", "ollama.embed"))
    STREAM_TYPE = "application/x-ndjson"
    WHOLE_TYPE = "application/json; charset=utf-8"
    REQUEST_ID = None
    HAS_CACHE = False

    def read(self):
        self.model = self.request.get("model", "")
        if self.kind == "embed":
            given = self.request.get("input", "")
            self.inputs = [given] if isinstance(given, str) else given
            self.text = self.inputs[0]
            return
        self.is_stream = self.request.get("stream", True)
        self.text = (self.request.get("prompt") if self.kind == "generate"
                     else self.request["messages"][-1]["content"])
        self.tool_names = [tool["function"]["name"] for tool in self.request.get("tools") or []]

    @property
    def counts(self):
        count = super().counts
        return dict(count, output=count["output"] + count["reasoning"], reasoning=0)

    def finish_name(self):
        return FINISH[self.finish] if self.kind != "embed" else None

    def buckets(self):
        count = self.counts
        if self.kind == "embed":
            return {"input": count["new"], "total": count["new"]}
        return {"input": count["new"], "output": count["output"],
                "total": count["new"] + count["output"]}

    def line(self, text="", thinking="", tools=(), is_last=False):
        line = {"model": self.response_model, "created_at": "2026-11-22T10:00:00.123456789Z"}
        if self.kind == "generate":
            line["response"] = text
            line.update({"thinking": thinking} if thinking else {})
        else:
            line["message"] = {"role": "assistant", "content": text}
            line["message"].update({"thinking": thinking} if thinking else {})
            if tools:
                line["message"]["tool_calls"] = [
                    {"id": call_id, "function": {"index": index, "name": name,
                                                 "arguments": arguments}}
                    for index, (call_id, name, arguments) in enumerate(tools)]
        line["done"] = is_last
        if is_last:
            line.update(done_reason=self.finish_name(), total_duration=5100000000,
                        load_duration=1000000, prompt_eval_count=self.counts["new"],
                        prompt_eval_duration=130000000, eval_count=self.counts["output"],
                        eval_duration=4800000000)
        return line

    def body(self):
        if self.kind == "embed":
            return {"model": self.response_model, "embeddings": self.vectors(self.inputs),
                    "total_duration": 14143917, "load_duration": 1019500,
                    "prompt_eval_count": self.counts["new"]}
        return self.line(self.whole_text, "".join(self.reasoning), self.tools, is_last=True)

    def failure(self):
        return {"error": self.error}

    def events(self):
        for number, (line, content) in enumerate(self.objects()):
            yield dumps(line, number).encode() + b"\n", content

    def objects(self):
        for piece in self.reasoning:
            yield self.line(thinking=piece), ""
        for piece in self.spoken:
            yield self.line(piece), piece
        if self.case == "midstream":
            yield {"error": self.error}, None
            return
        if self.tools:
            yield self.line(tools=self.tools), ""
        yield self.line(is_last=True), None
