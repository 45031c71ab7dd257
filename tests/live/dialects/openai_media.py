# SPDX-License-Identifier: Apache-2.0
"""OpenAI's images, speech, transcription and decisions.
Source of the forms: OpenAI's API reference."""

import base64
import hashlib
import re

from dialects.openai_chat import error_object
from dialects.said import CREATED, Said, sse

AUDIO = b"ID3\x04\x00" + bytes(range(256)) * 40
IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30).decode()


class Images(Said):
    ROUTES = ((r"/images/generations$", "openai.images"),)
    NAMES_MODEL = False

    def read(self):
        self.model, self.text = self.request.get("model", ""), self.request["prompt"]
        self.is_stream = bool(self.request.get("stream"))

    def finish_name(self):
        return None

    def usage(self):
        count = self.counts
        return {"input_tokens": count["new"], "output_tokens": 272,
                "total_tokens": count["new"] + 272,
                "input_tokens_details": {"text_tokens": count["new"], "image_tokens": 0}}

    def buckets(self):
        return {"input": self.counts["new"], "output": 272, "total": self.counts["new"] + 272}

    def body(self):
        return {"created": CREATED, "size": "1024x1024", "quality": "low",
                "output_format": "png", "background": "opaque", "usage": self.usage(),
                "data": [{"b64_json": IMAGE}] * (self.request.get("n") or 1)}

    def failure(self):
        return error_object(self)

    def events(self):
        image = {"b64_json": IMAGE, "created_at": CREATED, "size": "1024x1024", "quality": "low",
                 "background": "opaque", "output_format": "png"}
        for index in range(self.request.get("partial_images") or 0):
            kind = "image_generation.partial_image"
            yield sse(dict(image, type=kind, partial_image_index=index), index, kind), ""
        kind = "image_generation.completed"
        yield sse(dict(image, type=kind, usage=self.usage()), 0, kind), ""

    def exchange(self, end):
        return dict(super().exchange(end), images=self.request.get("n") or 1)


class Speech(Said):
    ROUTES = ((r"/audio/speech$", "openai.speech"),)
    NAMES_MODEL = False
    WHOLE_TYPE = "audio/mpeg"

    def read(self):
        self.model, self.text = self.request.get("model", ""), self.request["input"]
        self.is_stream = self.request.get("stream_format") == "sse"

    def finish_name(self):
        return None

    def buckets(self):
        if not self.is_stream:
            return None
        return {"input": self.counts["new"], "output": 101, "total": self.counts["new"] + 101}

    def body(self):
        return AUDIO

    def failure(self):
        return error_object(self)

    def events(self):
        for number, at in enumerate(range(0, len(AUDIO), 3000)):
            yield sse({"type": "speech.audio.delta",
                       "audio": base64.b64encode(AUDIO[at:at + 3000]).decode()}, number), ""
        yield sse({"type": "speech.audio.done", "usage": {
            "input_tokens": self.counts["new"], "output_tokens": 101,
            "total_tokens": self.counts["new"] + 101}}, 0), None

    def exchange(self, end):
        return dict(super().exchange(end), audio={"bytes": len(AUDIO),
                                                  "sha256": hashlib.sha256(AUDIO).hexdigest()})


def form_fields(body, content_type):
    """{name: text} of a multipart form; of a file its length."""
    boundary = re.search(r'boundary="?([^";]+)', content_type).group(1).encode()
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head).group(1).decode()
        content = content[:-2]
        fields[name] = len(content) if b"filename=" in head else content.decode()
    return fields


class Transcription(Said):
    ROUTES = ((r"/audio/transcriptions$", "openai.transcription"),)
    NAMES_MODEL = False
    IS_FORM = True

    def read(self):
        self.model = self.request.get("model", "")
        self.text = self.request.get("prompt", "")
        self.is_stream = self.request.get("stream") == "true"

    def finish_name(self):
        return None

    def usage(self):
        return {"type": "tokens", "input_tokens": 57, "output_tokens": self.counts["output"],
                "total_tokens": 57 + self.counts["output"],
                "input_token_details": {"text_tokens": 7, "audio_tokens": 50}}

    def buckets(self):
        return {"input": 7, "input_audio_tokens": 50, "output": self.counts["output"],
                "total": 57 + self.counts["output"]}

    def body(self):
        return {"text": self.whole_text, "usage": self.usage()}

    def failure(self):
        return error_object(self)

    def events(self):
        for number, piece in enumerate(self.pieces):
            yield sse({"type": "transcript.text.delta", "delta": piece}, number), piece
        yield sse({"type": "transcript.text.done", "text": self.whole_text,
                   "usage": self.usage()}, 0), None

    def exchange(self, end):
        return dict(super().exchange(end), file=self.request.get("file"))


class Decisions(Said):
    ROUTES = ((r"/v1/decisions$", "openai.decisions"),)

    def read(self):
        self.model, self.text = self.request.get("model", ""), self.request["input"]

    def finish_name(self):
        return None

    def usage(self):
        count = self.counts
        return {"input_tokens": count["new"] + count["cached"] + count["written"],
                "input_tokens_details": {"cached_tokens": count["cached"],
                                         "cache_write_tokens": count["written"]},
                "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": count["new"] + count["cached"] + count["written"] + 3}

    def buckets(self):
        count = self.counts
        return {"input": count["new"], "input_cached_tokens": count["cached"],
                "input_cache_creation": count["written"], "output": 3,
                "total": self.usage()["total_tokens"]}

    def answers(self):
        kinds = {"predicate": {"probability": 0.25},
                 "choice": {"choice": "a", "confidence": 0.75,
                            "probabilities": [{"value": "a", "probability": 0.75},
                                              {"value": "b", "probability": 0.25}]},
                 "score": {"score": 1.5, "confidence": 0.5,
                           "probabilities": [{"label": "low", "value": 1, "probability": 0.5},
                                             {"label": "high", "value": 2, "probability": 0.5}]}}
        return [dict(kinds[question["type"]], type=question["type"], name=question.get("name"))
                for question in self.request["questions"]]

    def body(self):
        return {"answers": self.answers(), "model": self.response_model, "usage": self.usage()}

    def failure(self):
        return error_object(self)

    def exchange(self, end):
        return dict(super().exchange(end), answers=self.answers())
