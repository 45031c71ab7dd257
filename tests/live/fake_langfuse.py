#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Langfuse for tests: takes OTLP/HTTP JSON and holds it to the ingestion contract.

What breaks the contract is answered with 400 and the reasons, and remembered.

    fake_langfuse.py [--port N] [--public-key K] [--secret-key K]

prints "READY <port>" once it listens on 127.0.0.1. Beside Langfuse's own paths:

    POST /control   {"status": 429, "retry_after": 1, "times": 2}  answer so, that often (default: for good)
                    {"status": 413, "max_spans": 4}                 only requests with more spans
                    {"status": 413, "max_bytes": 100000}            only requests longer than that, inflated
                    {"status": 400, "poison": "text"}               only requests that contain the text
                    {"status": 400, "body": "text"}                 with that body
                    {"mode": "hang"}                                take the request, never answer
                    {"mode": "ok"}                                  be well again
    GET /received   every span accepted, decoded, in order of arrival
    GET /requests   {"status", "spans", "bytes", "encoded_bytes", "headers"} of every ingestion request
    GET /violations what broke the contract
"""

import argparse
import base64
import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRACES = "/api/public/otel/v1/traces"
TYPES = {"generation", "span", "event", "embedding", "agent", "tool", "chain", "retriever",
         "evaluator", "guardrail"}
LEVELS = {"DEBUG", "DEFAULT", "WARNING", "ERROR"}
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
OBSERVATION = "langfuse.observation."
STRINGS = {"langfuse.trace.name", "user.id", "session.id", "langfuse.environment", "langfuse.release",
           "langfuse.version"} | {OBSERVATION + name for name in (
               "type", "input", "output", "model.name", "model.parameters", "usage_details", "cost_details",
               "completion_start_time", "level", "status_message", "prompt.name")}
SPAN_MEMBERS = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                "attributes", "status"}


class Violation(Exception):
    """The request breaks the contract."""


def require(claim, reason):
    if not claim:
        raise Violation(reason)


def no_duplicates(pairs):
    members = dict(pairs)
    require(len(members) == len(pairs), f"duplicate member in {sorted(name for name, _ in pairs)}")
    return members


def no_constant(name):
    raise Violation(f"{name} is not JSON")


def parse(text, what):
    try:
        return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except ValueError as error:
        raise Violation(f"{what} is not JSON: {error}") from error


def check_text(text, what):
    require(isinstance(text, str), f"{what} is not a string")
    require("\0" not in text, f"{what} holds NUL")
    require(not any(0xD800 <= ord(char) <= 0xDFFF for char in text), f"{what} holds a lone surrogate")


def check_value(key, value):
    """The plain value of an OTLP AnyValue, of the one type its key may have."""
    require(isinstance(value, dict) and len(value) == 1, f"attribute {key} has no single value: {value!r}")
    (kind, content), = value.items()
    if kind == "stringValue":
        check_text(content, key)
    elif kind == "intValue":
        require(type(content) is int, f"{key}: intValue is not a JSON number")
    elif kind == "boolValue":
        require(type(content) is bool, f"{key}: boolValue is not a boolean")
    elif kind == "arrayValue":
        require(isinstance(content, dict) and set(content) == {"values"}, f"{key}: arrayValue without values")
        require(content["values"], f"{key}: empty array")
        return [check_value(key, item) for item in content["values"]]
    else:
        raise Violation(f"{key}: {kind} is not allowed")
    return content


def check_attributes(attributes):
    require(isinstance(attributes, list), "attributes is not an array")
    decoded = {}
    for attribute in attributes:
        require(isinstance(attribute, dict) and set(attribute) == {"key", "value"},
                f"attribute is not key and value: {attribute!r}")
        key = attribute["key"]
        check_text(key, "an attribute's key")
        require(key and key not in decoded, f"attribute {key!r} is empty or there twice")
        decoded[key] = check_value(key, attribute["value"])
    return decoded


def check_numbers(attributes, name, is_count):
    text = attributes.get(OBSERVATION + name)
    if text is None:
        return
    details = parse(text, name)
    require(isinstance(details, dict) and details, f"{name} is not an object with members")
    for key, value in details.items():
        right = type(value) is int if is_count else type(value) in (int, float)
        require(right and value >= 0, f"{name}.{key} is {value!r}")
    if is_count and "total" in details and len(details) > 1:
        buckets = sum(value for key, value in details.items() if key != "total")
        require(buckets == details["total"], f"{name} is not disjoint: {details}")


def check_prompt(attributes):
    name = attributes.get(OBSERVATION + "prompt.name")
    version = attributes.get(OBSERVATION + "prompt.version")
    require((name is None) == (version is None), "prompt name and version go together")
    require(version is None or type(version) is int and 0 < version <= 65535, f"prompt version {version!r}")


def check_meaning(attributes):
    for key, value in attributes.items():
        require(key not in STRINGS or isinstance(value, str), f"{key} is not a string")
        require(not key.startswith(OBSERVATION + "metadata.") or isinstance(value, str), f"{key} is not a string")
    kind = attributes.get(OBSERVATION + "type")
    require(kind in TYPES, f"observation type {kind!r}")
    require(attributes.get(OBSERVATION + "level", "DEFAULT") in LEVELS, "unknown level")
    time = attributes.get(OBSERVATION + "completion_start_time")
    require(time is None or ISO_TIME.fullmatch(time), f"completion_start_time {time!r}")
    environment = attributes.get("langfuse.environment")
    require(environment is None or ENVIRONMENT.fullmatch(environment), f"environment {environment!r}")
    parameters = attributes.get(OBSERVATION + "model.parameters")
    require(parameters is None or isinstance(parse(parameters, "model.parameters"), dict),
            "model.parameters is not an object")
    tags = attributes.get("langfuse.trace.tags")
    require(tags is None or isinstance(tags, list) and all(isinstance(tag, str) for tag in tags), f"tags {tags!r}")
    check_numbers(attributes, "usage_details", is_count=True)
    check_numbers(attributes, "cost_details", is_count=False)
    check_prompt(attributes)


def check_id(text, digits, what):
    require(isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", text), f"{what} {text!r}")
    require(text.strip("0"), f"{what} is all zeros")


def check_times(span):
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        text = span.get(name)
        require(isinstance(text, str) and re.fullmatch(r"[1-9]\d{18}", text), f"{name} {text!r}")
    require(int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]), "a span ends before it starts")


def check_status(span, attributes):
    status = span.get("status", {})
    require(isinstance(status, dict) and set(status) <= {"code", "message"}, f"status {status!r}")
    code = status.get("code", 0)
    require(type(code) is int and code in (0, 1, 2), f"status code {code!r}")
    require((code == 2) == (attributes.get(OBSERVATION + "level") == "ERROR"), "status and level disagree")


def check_span(span):
    require(isinstance(span, dict) and set(span) <= SPAN_MEMBERS, f"members of a span: {sorted(span)}")
    check_id(span.get("traceId"), 32, "trace id")
    check_id(span.get("spanId"), 16, "span id")
    is_root = "parentSpanId" not in span
    if not is_root:
        check_id(span["parentSpanId"], 16, "parent span id")
    check_text(span.get("name"), "span name")
    require(span["name"] and len(span["name"]) <= 1000, "span name is empty or too long")
    require(span.get("kind") in (1, 2, 3), f"kind {span.get('kind')!r}")
    check_times(span)
    attributes = check_attributes(span.get("attributes"))
    check_meaning(attributes)
    check_status(span, attributes)
    require(not is_root or attributes.get("langfuse.internal.is_app_root") is True, "a root is not marked as root")
    return {**span, "attributes": attributes}


def check_scope(scope_spans, resource):
    scope = scope_spans.get("scope", {})
    require(str(scope.get("name", "")).startswith("langfuse-sdk"), f"scope {scope!r}")
    require(scope_spans.get("spans"), "a scope without spans")
    return [{**check_span(span), "resource": resource, "scope": scope} for span in scope_spans["spans"]]


def check_request(request):
    """The spans of an ExportTraceServiceRequest, decoded."""
    require(isinstance(request, dict) and set(request) == {"resourceSpans"}, "not resourceSpans alone")
    require(isinstance(request["resourceSpans"], list), "resourceSpans is not an array")
    spans = []
    for resource_spans in request["resourceSpans"]:
        resource = check_attributes(resource_spans.get("resource", {}).get("attributes"))
        for name in ("service.name", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"):
            require(resource.get(name), f"resource without {name}")
        for scope_spans in resource_spans["scopeSpans"]:
            spans += check_scope(scope_spans, resource)
    return spans


def check_headers(headers):
    require(headers.get("Content-Type") == "application/json", f"content type {headers.get('Content-Type')!r}")
    require(headers.get("x-langfuse-ingestion-version") == "4", "not ingestion version 4")
    require(headers.get("x-langfuse-sdk-name") == "gentap", "not sdk-name gentap")
    require(headers.get("x-langfuse-sdk-version"), "no sdk version")
    require(headers.get("User-Agent", "").startswith("gentap/"), f"user agent {headers.get('User-Agent')!r}")
    require("Expect" not in headers, "Expect: 100-continue")


def inflate(headers, body):
    require(headers.get("Content-Encoding") == "gzip", "not gzip")
    try:
        return gzip.decompress(body)
    except (OSError, EOFError) as error:
        raise Violation(f"gzip: {error}") from error


class FakeLangfuse:
    """The server; start() and stop() run it in a thread of this process."""

    def __init__(self, port=0, public_key="pk-lf-test", secret_key="sk-lf-test", project="demo"):
        pair = f"{public_key}:{secret_key}".encode()
        self.authorization = "Basic " + base64.b64encode(pair).decode()
        self.project = project
        self.lock = threading.Lock()
        self.received, self.requests, self.violations = [], [], []
        self.control = {}
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def set_control(self, control):
        with self.lock:
            self.control = control
        if control.get("mode") != "hang":
            self.released.set()
            self.released = threading.Event()

    def told_answer(self, text):
        """The control that this request falls under, or None."""
        with self.lock:
            control = self.control
            if control.get("mode") == "hang":
                return control
            if "status" not in control:
                return None
            if "max_spans" in control and text.count(b'"spanId"') <= control["max_spans"]:
                return None
            if "max_bytes" in control and len(text) <= control["max_bytes"]:
                return None
            if "poison" in control and control["poison"].encode() not in text:
                return None
            if "times" in control:
                if control["times"] <= 0:
                    return None
                control["times"] -= 1
            return control

    def accept(self, text):
        spans = check_request(parse(text.decode("utf-8", "strict"), "body"))
        with self.lock:
            seen = {(span["traceId"], span["spanId"]) for span in self.received}
            for span in spans:
                key = (span["traceId"], span["spanId"])
                require(key not in seen, f"span {key} was there before")
                seen.add(key)
            self.received += spans

    def ingest(self, headers, body):
        """(status, headers, answer) of a request with good keys; None: never answer."""
        try:
            check_headers(headers)
            text = inflate(headers, body)
            told = self.told_answer(text)
            entry = {"spans": text.count(b'"spanId"'), "bytes": len(text), "encoded_bytes": len(body),
                     "headers": {name.lower(): value for name, value in headers.items()
                                 if name.lower() != "authorization"}}
            if told and told.get("mode") == "hang":
                return self.note(entry, None)
            if told:
                extra = {"Retry-After": str(told["retry_after"])} if "retry_after" in told else {}
                extra.update({"Location": told["location"]} if "location" in told else {})
                return self.note(entry, (told["status"], extra, told.get("body", {"message": "as told"})))
            self.accept(text)
        except (Violation, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            with self.lock:
                self.violations.append(str(error))
            return 400, {}, {"error": str(error)}
        return self.note(entry, (200, {}, {"id": "job-1"}))

    def note(self, entry, answer):
        with self.lock:
            self.requests.append({"status": answer[0] if answer else 0, **entry})
        return answer

    def look(self, path):
        with self.lock:
            return {
                "/received": (200, {}, self.received),
                "/requests": (200, {}, self.requests),
                "/violations": (200, {}, self.violations),
                "/api/public/health": (200, {}, {"status": "OK", "version": "4.16.0"}),
            }.get(path, (404, {}, {"message": "no such path"}))

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 120
            # Head and body in two writes would wait for each other's acknowledgement.
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def answer(self, status, headers, content):
                body = content if isinstance(content, str) else json.dumps(content)
                body = body.encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def is_known(self):
                if self.headers.get("Authorization") == fake.authorization:
                    return True
                self.answer(401, {}, {"message": "Invalid credentials. Confirm that you've configured the correct host."})
                return False

            def do_GET(self):
                if self.path != "/api/public/projects":
                    return self.answer(*fake.look(self.path))
                if self.is_known():
                    self.answer(200, {}, {"data": [{"id": "project-1", "name": fake.project}]})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/control":
                    fake.set_control(json.loads(body))
                    return self.answer(200, {}, {})
                if not self.path.endswith(TRACES):
                    return self.answer(404, {}, {"message": "no such path"})
                if not self.is_known():
                    return None
                answer = fake.ingest(self.headers, body)
                if answer:
                    return self.answer(*answer)
                fake.released.wait()
                self.close_connection = True

        return Handler


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--public-key", default="pk-lf-test")
    parser.add_argument("--secret-key", default="sk-lf-test")
    options = parser.parse_args()
    fake = FakeLangfuse(options.port, options.public_key, options.secret_key)
    print("READY", fake.port, flush=True)
    try:
        fake.server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
