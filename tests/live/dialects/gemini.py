# SPDX-License-Identifier: Apache-2.0
"""Gemini: generateContent and its stream (SSE with CRLF, usage on each chunk), embeddings.
Source of the forms: ai.google.dev, API reference."""

import json
import re
from urllib.parse import unquote

from dialects.said import Said, sse

FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "refuse": "SAFETY"}
ERROR = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED",
         500: "INTERNAL"}


class Gemini(Said):
    ROUTES = ((r"/models/[^/]+:(stream)?[gG]enerateContent$", "gemini.generate"),
              (r"/models/[^/]+:(batchE|e)mbedContents?$", "gemini.embed"))
    REQUEST_ID = None

    def read(self):
        found = re.search(r"/models/([^/]+):(\w+)$", unquote(self.path))
        self.model = found.group(1)
        self.is_stream = found.group(2).startswith("stream")
        if self.kind == "embed":
            self.NAMES_MODEL = False
            requests = self.request.get("requests") or [self.request]
            self.inputs = ["".join(part["text"] for part in one["content"]["parts"])
                           for one in requests]
            self.text = self.inputs[0]
            return
        self.text = "".join(part.get("text", "")
                            for part in self.request["contents"][-1]["parts"])
        self.tool_names = [declared["name"] for tool in self.request.get("tools") or []
                           for declared in tool.get("functionDeclarations", [])]

    def finish_name(self):
        return FINISH[self.finish] if self.kind == "generate" else None

    def usage(self, output=None):
        count = self.counts
        output = count["output"] if output is None else output
        prompt = count["new"] + count["cached"]
        usage = {"promptTokenCount": prompt, "cachedContentTokenCount": count["cached"],
                 "candidatesTokenCount": output, "thoughtsTokenCount": count["reasoning"],
                 "totalTokenCount": prompt + output + count["reasoning"],
                 "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]}
        return {name: number for name, number in usage.items() if number}   # as proto3

    def buckets(self):
        if self.kind == "embed":
            return None
        count = self.counts
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "output": count["output"], "output_reasoning_tokens": count["reasoning"],
                "total": self.usage()["totalTokenCount"]}

    def chunk(self, parts, finish=None, output=None):
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": self.usage(output),
                "modelVersion": self.response_model, "responseId": self.id}

    def call_parts(self):
        return [{"functionCall": {"id": call_id, "name": name, "args": arguments}}
                for call_id, name, arguments in self.tools]

    def body(self):
        if self.kind == "embed":
            vectors = [{"values": vector} for vector in self.vectors(self.inputs)]
            return {"embeddings": vectors} if "requests" in self.request else {
                "embedding": vectors[0]}
        parts = [{"text": "".join(self.reasoning), "thought": True}] if self.reasoning else []
        return self.chunk(parts + [{"text": self.whole_text}] + self.call_parts(),
                          self.finish_name())

    def failure(self):
        return {"error": {"code": self.status, "message": self.error,
                          "status": ERROR[self.status]}}

    def events(self):
        for number, (event, content) in enumerate(self.objects()):
            if "error" in event:
                # No event at all but a pretty object, as the service sends it.
                yield (json.dumps(event, indent=2) + "\n").encode(), None
            else:
                yield sse(event, number, end="\r\n"), content

    def objects(self):
        output = 0
        for piece in self.reasoning:
            yield self.chunk([{"text": piece, "thought": True}], output=0), ""
        for piece in self.spoken:
            output += len(piece.split(" ")) - 1
            yield self.chunk([{"text": piece}], output=output), piece
        if self.case == "midstream":
            yield {"error": {"code": 503, "message": self.error, "status": "UNAVAILABLE"}}, None
            return
        for part in self.call_parts():
            yield self.chunk([part]), ""
        last = self.chunk([{"text": ""}], self.finish_name())
        yield last, None
