# SPDX-License-Identifier: Apache-2.0
"""OpenAI's chat completions, text completions and embeddings, and what Mistral changes in them.
Source of the forms: OpenAI's API reference; docs.mistral.ai, API."""

import base64
import struct

from dialects.said import CREATED, Said, dumps, sse

FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls", "refuse": "stop"}
ERROR = {400: ("invalid_request_error", "context_length_exceeded"),
         401: ("invalid_request_error", "invalid_api_key"),
         429: ("requests", "rate_limit_exceeded"), 500: ("server_error", None)}


def is_split(model):
    """Whether the model has a price of its own for reasoning."""
    return model.startswith("gpt-5-")


def error_object(said):
    kind, code = ERROR[said.status]
    return {"error": {"message": said.error, "type": kind, "param": None, "code": code}}


class OpenAi(Said):
    ROUTES = ((r"/chat/completions$", "openai.chat"), (r"/fim/completions$", "mistral.fim"),
              (r"/completions$", "openai.completions"),
              (r"/embeddings$", "openai.embeddings"))

    def read(self):
        self.model = self.request.get("model", "")
        self.is_stream = bool(self.request.get("stream"))
        if self.kind == "embeddings":
            given = self.request.get("input", "")
            self.inputs = [given] if isinstance(given, str) else given
            self.text = self.inputs[0]
        elif self.kind in ("completions", "fim"):
            self.text = self.request["prompt"]
        else:
            self.text = self.request["messages"][-1]["content"]
        self.tool_names = [tool["function"]["name"] for tool in self.request.get("tools") or []]

    def finish_name(self):
        return FINISH[self.finish] if self.kind != "embeddings" else None

    @property
    def is_mistral(self):
        return "mistral" in self.headers.get("user-agent", "")

    def usage(self):
        count = self.counts
        prompt, answer = count["new"] + count["cached"], count["output"] + count["reasoning"]
        if self.kind == "embeddings":
            return {"prompt_tokens": prompt, "total_tokens": prompt}
        return {"prompt_tokens": prompt, "completion_tokens": answer,
                "total_tokens": prompt + answer,
                "prompt_tokens_details": {"cached_tokens": count["cached"]},
                "completion_tokens_details": {"reasoning_tokens": count["reasoning"]}}

    def buckets(self):
        count = self.counts
        prompt = count["new"] + count["cached"]
        if self.kind == "embeddings":
            return {"input": prompt, "total": prompt}
        reasoning = count["reasoning"] if is_split(self.model) else 0
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "output": count["output"] + count["reasoning"] - reasoning,
                "output_reasoning_tokens": reasoning,
                "total": prompt + count["output"] + count["reasoning"]}

    def tool_parts(self):
        return [{"id": call_id, "type": "function", "index": index,
                 "function": {"name": name, "arguments": dumps(arguments, self.number)}}
                for index, (call_id, name, arguments) in enumerate(self.tools)]

    def content(self):
        if self.is_mistral and self.reasoning:
            return [self.thinking("".join(self.reasoning)),
                    {"type": "text", "text": self.whole_text}]
        return self.whole_text

    @staticmethod
    def thinking(text):
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}

    def body(self):
        if self.kind == "embeddings":
            return self.embeddings()
        if self.kind == "completions":
            choice = {"index": 0, "text": self.whole_text, "logprobs": None}
        else:
            message = {"role": "assistant", "content": self.content(), "refusal": None}
            if self.reasoning and not self.is_mistral:
                message["reasoning_content"] = "".join(self.reasoning)
            if self.tools:
                message["tool_calls"] = self.tool_parts()
            choice = {"index": 0, "message": message, "logprobs": None}
        return {"id": self.id, "object": "chat.completion", "created": CREATED,
                "model": self.response_model, "usage": self.usage(),
                "choices": [dict(choice, finish_reason=self.finish_name())]}

    def embeddings(self):
        data = []
        for index, vector in enumerate(self.vectors(self.inputs)):
            if self.request.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack("<%df" % len(vector), *vector)).decode()
            data.append({"object": "embedding", "index": index, "embedding": vector})
        return {"object": "list", "id": self.id, "data": data, "model": self.response_model,
                "usage": self.usage()}

    def failure(self):
        return error_object(self)

    def events(self):
        for number, (event, content) in enumerate(self.objects()):
            yield sse(event, number), content
        yield b"data: [DONE]\n\n", None

    def chunk(self, delta, finish=None):
        choice = {"index": 0, "finish_reason": finish, "logprobs": None}
        if self.kind == "completions":
            choice["text"] = delta.get("content", "")
        else:
            choice["delta"] = delta
        return {"id": self.id, "object": "chat.completion.chunk", "created": CREATED,
                "model": self.response_model, "choices": [choice]}

    def objects(self):
        if self.kind == "chat":
            yield self.chunk({"role": "assistant", "content": ""}), None
        for piece in self.reasoning:
            yield self.chunk({"content": [self.thinking(piece)]} if self.is_mistral
                             else {"reasoning_content": piece}), ""
        for piece in self.spoken:
            yield self.chunk({"content": piece}), piece
        if self.case == "midstream":
            yield {"error": {"message": self.error, "type": "server_error", "param": None,
                             "code": "500"}}, None
            return
        if self.tools and self.is_mistral:
            yield self.chunk({"tool_calls": self.tool_parts()}), ""
        elif self.tools:
            yield from self.tool_events()
        last = self.chunk({"content": ""}, self.finish_name())
        if self.is_mistral:
            last["usage"] = self.usage()
        yield last, None
        if (self.request.get("stream_options") or {}).get("include_usage"):
            yield dict(self.chunk({}), choices=[], usage=self.usage()), None

    def tool_events(self):
        for index, (call_id, name, arguments) in enumerate(self.tools):
            yield self.chunk({"tool_calls": [{"index": index, "id": call_id, "type": "function",
                                              "function": {"name": name, "arguments": ""}}]}), ""
            for part in self.argument_parts(arguments):
                yield self.chunk({"tool_calls": [{"index": index,
                                                  "function": {"arguments": part}}]}), ""
