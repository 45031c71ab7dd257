# SPDX-License-Identifier: Apache-2.0
"""Amazon Bedrock: Converse and InvokeModel (Anthropic's body), whole and as AWS event stream.
Source of the forms: the Bedrock Runtime API reference; smithy.io for the event stream."""

import base64
import re
import struct
import zlib
from urllib.parse import unquote

from dialects.anthropic import Anthropic
from dialects.said import Said, dumps

FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use",
          "refuse": "content_filtered"}
ERROR = {400: "ValidationException", 401: "AccessDeniedException", 429: "ThrottlingException",
         500: "InternalServerException"}
STREAM = "application/vnd.amazon.eventstream"
PADDING = "abcdefghijklmnopqrstuvwxyz"


def message(kind, name, payload):
    """One message: prelude, its CRC, headers of type string, payload, CRC of all."""
    headers = b""
    for key, value in ((":%s-type" % kind, name), (":content-type", "application/json"),
                       (":message-type", kind)):
        headers += struct.pack("!B%dsBH" % len(key), len(key), key.encode(), 7, len(value))
        headers += value.encode()
    data = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    data += struct.pack("!I", zlib.crc32(data)) + headers + payload
    return data + struct.pack("!I", zlib.crc32(data))


class Aws:
    """What both operations share; the model stands in the path."""

    STREAM_TYPE = STREAM
    REQUEST_ID = "x-amzn-requestid"

    def read_model(self):
        found = re.search(r"/model/(.+)/(converse|invoke)(-.*)?$", unquote(self.path))
        return found.group(1), bool(found.group(3))

    def failure(self):
        return {"message": self.error}

    def extra_headers(self):
        if self.status < 400:
            return {}
        return {"x-amzn-errortype": ERROR[self.status] + ":http://internal.amazon.com/"}


class Converse(Aws, Said):
    ROUTES = ((r"/model/.+/converse(-stream)?$", "bedrock.converse"),)
    NAMES_MODEL = False

    def read(self):
        self.model, self.is_stream = self.read_model()
        self.text = "".join(part.get("text", "")
                            for part in self.request["messages"][-1]["content"])
        self.tool_names = [tool["toolSpec"]["name"] for tool in
                           self.request.get("toolConfig", {}).get("tools", [])]

    @property
    def counts(self):
        count = super().counts
        return dict(count, output=count["output"] + count["reasoning"], reasoning=0)

    def finish_name(self):
        return FINISH[self.finish]

    def usage(self):
        count = self.counts
        usage = {"inputTokens": count["new"], "outputTokens": count["output"],
                 "totalTokens": count["new"] + count["cached"] + count["written"]
                 + count["output"],
                 "cacheReadInputTokens": count["cached"],
                 "cacheWriteInputTokens": count["written"]}
        if count["written"]:
            usage["cacheDetails"] = [{"ttl": "5m", "inputTokens": count["written"] - 2},
                                     {"ttl": "1h", "inputTokens": 2}]
        return usage

    def buckets(self):
        count = self.counts
        own = {"input": count["new"], "input_cached_tokens": count["cached"],
               "output": count["output"]}
        if count["written"]:
            own.update(input_cache_creation_5m=count["written"] - 2, input_cache_creation_1h=2)
        return dict(own, total=sum(own.values()))

    def body(self):
        content = []
        if self.reasoning:
            content.append({"reasoningContent": {"reasoningText": {
                "text": "".join(self.reasoning), "signature": "GTSIGNATURE"}}})
        content.append({"text": self.whole_text})
        content += [{"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}
                    for call_id, name, arguments in self.tools]
        return {"output": {"message": {"role": "assistant", "content": content}},
                "stopReason": self.finish_name(), "usage": self.usage(),
                "metrics": {"latencyMs": 42}}

    def events(self):
        for number, (name, payload, content) in enumerate(self.objects()):
            kind = "exception" if name.endswith("Exception") else "event"
            if kind == "event":
                payload = dict(payload, p=PADDING[:number % 26])
            yield message(kind, name, dumps(payload, number).encode()), content

    def objects(self):
        yield "messageStart", {"role": "assistant"}, None
        blocks = [(None, [({"reasoningContent": {"text": piece}}, "")
                          for piece in self.reasoning]
                   + [({"reasoningContent": {"signature": "GTSIGNATURE"}}, None)])] if (
                       self.reasoning) else []
        blocks.append((None, [({"text": piece}, piece) for piece in self.spoken]))
        for call_id, name, arguments in self.tools:
            blocks.append(({"toolUse": {"toolUseId": call_id, "name": name}},
                           [({"toolUse": {"input": part}}, "")
                            for part in self.argument_parts(arguments)]))
        for index, (start, deltas) in enumerate(blocks):
            if start:
                # The name of a tool is content.
                yield "contentBlockStart", {"contentBlockIndex": index, "start": start}, ""
            for delta, content in deltas:
                yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}, content
            if self.case == "midstream":
                yield "modelStreamErrorException", {"message": self.error,
                                                    "originalStatusCode": 500}, None
                return
            yield "contentBlockStop", {"contentBlockIndex": index}, None
        yield "messageStop", {"stopReason": self.finish_name()}, None
        yield "metadata", {"usage": self.usage(), "metrics": {"latencyMs": 42}}, None


class Invoke(Aws, Anthropic):
    ROUTES = ((r"/model/.+/invoke(-with-response-stream)?$", "bedrock.invoke"),)

    def read(self):
        super().read()
        self.model, self.is_stream = self.read_model()

    def extra_headers(self):
        count = self.counts
        return dict(super().extra_headers(), **{
            "x-amzn-bedrock-input-token-count": str(count["new"]),
            "x-amzn-bedrock-output-token-count": str(count["output"]),
            "x-amzn-bedrock-invocation-latency": "42"})

    def events(self):
        for number, (event, content) in enumerate(self.objects()):
            if event["type"] == "error":
                yield message("exception", "modelStreamErrorException",
                              dumps({"message": self.error}).encode()), None
                return
            if event["type"] == "message_stop":
                event["amazon-bedrock-invocationMetrics"] = {
                    "inputTokenCount": self.counts["new"],
                    "outputTokenCount": self.usage()["output_tokens"],
                    "invocationLatency": 42, "firstByteLatency": 7}
            inner = base64.b64encode(dumps(event, number).encode()).decode()
            payload = dumps({"bytes": inner, "p": PADDING[:number % 26]}).encode()
            yield message("event", "chunk", payload), content
