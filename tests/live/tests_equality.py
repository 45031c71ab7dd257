# SPDX-License-Identifier: Apache-2.0
"""gentap against the official drop-in: the same calls, seen from the kernel and
from inside the process, must become the same observations in Langfuse.

One program makes each call once, under Langfuse's own tracing, with gentap
attached to it; so every field, ids of tool calls and times included, is of the
same exchange on both sides. What differs must stand in DIFFERENCES, with the
reason, and must differ just so: a row that no longer applies fails as well.
"""

import json
import os
import re

from harness import HERE, Program, Skip, check, equal, json_lines
from tests_langfuse import attach, fake, keys
from truth import call, time_ns, usage_of

OBSERVATION = "langfuse.observation."
NAMES = {"LANGFUSE_TRACING_ENVIRONMENT": "staging", "LANGFUSE_RELEASE": "r7"}
CLOCK_NS = 2000000      # between the clock of the probes and the one of programs
SCHEMA = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": {
    "type": "object", "properties": {"is_right": {"type": "boolean"}}, "required": ["is_right"],
    "additionalProperties": False}}}
PARTS = [{"role": "user", "content": [
    {"type": "text", "text": "what is on it?"},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]
METADATA = {"tenant": "acme", "number": "123", "truth": "true", "none": "null", "quoted": "\"x\"",
            "object": "{\"a\": 1}", "empty": "", "größe": "日本"}


def raw(path, **body):
    return {"path": path, "body": dict(body, model="gt-small")}


SCENARIOS = {
    "plain": call("plain, größe 日本 🙂\n\"quoted\""),
    "plain, by length": call("by length", max_tokens=12),
    "plain, parts": raw("chat/completions", messages=PARTS),
    "plain, two": call("two answers", n=2),
    "plain, tool": call("one tool", tools=1, tool_choice="auto"),
    "plain, tools": call("two tools", "gt-parallel", tools=2, parallel_tool_calls=True),
    "plain, refused": call("refused", "gt-refuse"),
    "plain, reasoning": call("reasoning", "gt-reason"),
    "plain, priced reasoning": call("reasoning", "gpt-5-gt-reason", reasoning_effort="low",
                                    verbosity="high"),
    "plain, schema": call("schema", response_format=SCHEMA),
    "plain, parsed and refused": dict(call("parsed, and refused", "gt-refuse"), parse=True),
    "plain, parameters": call("parameters", temperature=0.2, top_p=0.9, seed=7, user="u-42",
                              stop=["x"], max_completion_tokens=50, service_tier="flex", n=1,
                              presence_penalty=0.5, frequency_penalty=-0.5, logit_bias={"7": 1}),
    "plain, metadata": call("metadata", store=True, metadata=METADATA),
    "plain, metadata kept back": call("metadata", metadata={"tenant": "acme"}),
    "stream": call("streamed", stream=True, temperature=0.2),
    "stream, no usage": call("usage not asked for", stream=True, usage=False),
    "stream, two": call("two answers", stream=True, n=2),
    "stream, tool": call("one tool", stream=True, tools=1),
    "stream, tools": call("two tools", "gt-parallel", stream=True, tools=2),
    "stream, refused": call("refused", "gt-refuse", stream=True),
    "stream, reasoning": call("reasoning", "gt-reason", stream=True),
    "stream, priced reasoning": call("reasoning", "gpt-5-gt-reason", stream=True),
    "stream, schema": call("schema", stream=True, response_format=SCHEMA),
    "stream, metadata": call("metadata", store=True, stream=True, metadata={"tenant": "acme"}),
    "completion": call("an old prompt", path="completions", max_tokens=12),
    "completion, two": call("an old prompt", path="completions", n=2),
    "completion, prompts": raw("completions", prompt=["one", "another"]),
    "completion, tokens": raw("completions", prompt=[1, 2, 3]),
    "completion stream": call("an old prompt", path="completions", stream=True),
    "completion stream, two": call("an old prompt", path="completions", n=2, stream=True),
    "embedding": call("vector of this", path="embeddings"),
    "embedding, floats": call("vector of this", path="embeddings", encoding_format="float"),
    "embedding, base64": call("vector of this", path="embeddings", encoding_format="base64"),
    "embedding, two": raw("embeddings", input=["one", "another"], dimensions=16),
    "embedding, tokens": raw("embeddings", input=[1, 2, 3]),
    "error 400": call("no", "gt-400"),
    "error 401": call("no", "gt-401"),
    "error 429": call("no", "gt-429", service_tier="flex"),
    "error 500": call("no", "gt-500"),
    "error 400, stream": call("no", "gt-400", stream=True),
    "error 400, embedding": call("no", "gt-400", path="embeddings"),
    "timeout": dict(call("the client waits in vain", "gt-hang"), timeout=0.3),
    "broken, by client": dict(call("the client leaves", "gt-slow", stream=True), abort_after=6),
    "broken, by server": call("the server leaves", "gt-cut", stream=True),
    "broken, by error": call("the engine dies", "gt-error-midstream", stream=True),
}


# --- what differs, and must ------------------------------------------------------

def without(value, *names):
    return {name: member for name, member in (value or {}).items() if name not in names}


def is_flat_usage(sdk, own, exchange):
    """The SDK sends the provider's overlapping counts, of embeddings one alone."""
    if set(sdk) == {"input"}:
        return own == dict(sdk, total=sdk["input"])
    return without(own, *(name for name in own if not own[name])) == {
        name: count for name, count in usage_of(dict(exchange, usage=sdk)).items() if count}


def has_all_answers(sdk, own, exchange):
    """@own has each of them, @sdk the last one or a mixture."""
    texts = [one["content"] if isinstance(one, dict) else one for one in own]
    return texts == exchange["texts"] and (
        sdk == texts[-1] or sorted(sdk) == sorted("".join(texts)))


def adds_said(name):
    """What the model said beside the text, which the SDK loses."""
    def claim(sdk, own, exchange):
        said = exchange[name][0]
        if isinstance(sdk, str):
            return own == {"role": "assistant", "content": sdk, "reasoning": said}
        member = "refusal" if name == "refusal" else "reasoning"
        return own[member] == said and (sdk is None or without(own, member) == sdk)
    return claim


def is_wire_schema(sdk, own, _):
    """parse() makes a format of the caller's class; the SDK has the class alone."""
    schema = own["json_schema"]["schema"]
    return own["type"] == "json_schema" and without(schema, "additionalProperties") == sdk


def says(*texts):
    return lambda sdk, own, exchange: own in texts


def is_message(sdk, own, exchange):
    return own == exchange["error"]["message"] if exchange["error"] else own == "the engine died"


REFUSED = ".*refused"
GONE = "connection closed by the client before the end of the stream"

# (field, scenarios, why, whether the two values differ as they should)
DIFFERENCES = (
    ("langfuse.trace.name", ".*", "what the server takes for a name when it is not sent",
     lambda sdk, own, _: sdk is None and own in ("OpenAI-generation", "OpenAI-embedding")),
    ("level", "(?!error|timeout|broken|.*refused).*", "the server's default, said",
     lambda sdk, own, _: sdk is None and own == "DEFAULT"),
    ("usage_details", "(?!error|timeout|broken|stream, no usage).*",
     "flat and disjoint: right at any server, whatever the provider's counts overlap in",
     is_flat_usage),
    ("metadata.finish_reason", "plain.*|completion.*", "the SDK has it of chat streams alone",
     lambda sdk, own, exchange: sdk is None and own == exchange["finish"][0]),
    ("completion_start_time", "(stream|broken).*",
     "the SDK's is of the first event, which bears only the role; gentap's of the first content",
     lambda sdk, own, _: sdk is not None and own is not None),
    ("completion_start_time", "completion stream.*", "the kernel sees it before the program",
     lambda sdk, own, _: nanoseconds(own) <= nanoseconds(sdk) + CLOCK_NS),
    ("output", "(stream|completion|completion stream), two",
     "the SDK joins a stream's answers to one text, and keeps the last of a completion's",
     has_all_answers),
    ("output", REFUSED, "the SDK loses refusals", adds_said("refusal")),
    ("output", ".*reasoning", "the SDK loses reasoning", adds_said("reasoning")),
    ("metadata.response_format", "plain, parsed.*", "gentap has what was sent", is_wire_schema),
    ("metadata.tenant", "plain, metadata kept back",
     "without store=True the SDK sends the metadata to Langfuse alone, not with the request",
     lambda sdk, own, _: sdk == "acme" and own is None),
    ("input", "(completion|embedding), tokens", "token ids are a count, no text",
     lambda sdk, own, _: own == "[%d tokens]" % len(sdk)),
    ("model.parameters", "embedding(, floats|, tokens)?|error 400, embedding",
     "nothing is not sent", lambda sdk, own, _: sdk == {} and own is None),
    ("model.parameters", "embedding, base64",
     "on the wire the client asks for base64 in any case: no wish of the caller's",
     lambda sdk, own, _: sdk == {"encoding_format": "base64"} and own is None),
    ("output", "embedding, base64", "the SDK takes the length of the base64 for the dimensions",
     lambda sdk, own, exchange: own == {"dimensions": exchange["dimensions"],
                                        "count": exchange["inputs"]} != sdk),
    ("status_message", "timeout", "the client's patience is not on the wire",
     says("connection closed by the client before a response")),
    ("level", REFUSED, "the SDK does not tell that the model refused", says("ERROR")),
    ("status", REFUSED, "as the level", says(2)),
    ("status_message", REFUSED, "as the level",
     lambda sdk, own, exchange: sdk is None and own == exchange["refusal"][0]),
    ("level", "broken, by (client|server)", "the SDK does not tell that a stream broke",
     says("WARNING")),
    ("level", "broken, by error", "the SDK does not tell that a stream broke", says("ERROR")),
    ("status", "broken, by error", "as the level", says(2)),
    ("status_message", "broken, by client", "as the level", says(GONE)),
    ("status_message", "broken, by server", "as the level",
     says("stream ended by the server before its own end")),
    ("status_message", "broken, by error", "as the level", is_message),
)


# --- the comparison ----------------------------------------------------------------

def nanoseconds(iso):
    return time_ns(iso.strip('"').replace("+00:00", "Z"))


def decoded(value):
    """As the server reads it back: JSON, or else the text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def fields_of(span, status):
    fields = {key[len(OBSERVATION):] if key.startswith(OBSERVATION) else key: decoded(value)
              for key, value in span["attributes"].items()
              if not key.startswith(OBSERVATION + "metadata.gentap.")}
    return dict(fields, name=span["name"], status=status)


def row_of(field, scenario, differences):
    rows = [row for row in differences if row[0] == field and re.fullmatch(row[1], scenario)]
    check(len(rows) < 2, "two reasons for %s of '%s'" % (field, scenario))
    return rows[0] if rows else None


def compare_fields(scenario, sdk, own, exchange, differences):
    for field in sorted(set(sdk) | set(own)):
        theirs, ours = sdk.get(field), own.get(field)
        what = "%s of '%s'" % (field, scenario)
        row = row_of(field, scenario, differences)
        if not row:
            equal(ours, theirs, what + " (want: the SDK's)")
            continue
        check(type(ours) is not type(theirs) or ours != theirs,
              "%s is equal; DIFFERENCES says: %s" % (what, row[2]), repr(ours))
        check(row[3](theirs, ours, exchange), "%s differs, but not for: %s" % (what, row[2]),
              "sdk    %r" % (theirs,), "gentap %r" % (ours,))
    for field, pattern, why, _ in differences:
        if re.fullmatch(pattern, scenario):
            check(field in sdk or field in own, "no %s of '%s', but a reason to differ: %s"
                  % (field, scenario, why))


def compare_times(scenario, sdk, own, report, exchange):
    """The SDK's span encloses gentap's; the first token came between the two ends."""
    check(sdk["start"] <= int(own["startTimeUnixNano"]) + CLOCK_NS,
          "'%s' starts before the call" % scenario)
    if not scenario.startswith(("broken", "timeout")):
        check(int(own["endTimeUnixNano"]) <= sdk["end"] + CLOCK_NS,
              "'%s' ends after the call" % scenario)
    first = own["attributes"].get(OBSERVATION + "completion_start_time")
    equal(first is None, report.get("first_ns") is None, "no first token of '%s'" % scenario)
    if first:
        sent = exchange["times"]["first"] - exchange["times"]["arrived"]
        since = nanoseconds(first) - int(own["startTimeUnixNano"])
        check(sent <= since + CLOCK_NS, "'%s': content before it was sent" % scenario)
        check(nanoseconds(first) <= report["first_ns"] + CLOCK_NS,
              "'%s': content after the program had it" % scenario)


def exchanges_of(llm, scenarios):
    """The server's side of each scenario; of the one that still hangs, None."""
    seen = [name for name in scenarios if name != "timeout"]
    truth = iter(sorted(llm.wait_truth(len(seen)),
                        key=lambda exchange: exchange["times"]["arrived"]))
    return [next(truth) if name in seen else None for name in scenarios]


def compare_all(scenarios, differences, sdk, own, reports, exchanges):
    equal(len(sdk), len(scenarios), "observations of the SDK")
    equal(len(own), len(scenarios), "observations of gentap")
    for number, (scenario, exchange) in enumerate(zip(scenarios, exchanges)):
        compare_fields(scenario, fields_of(sdk[number], sdk[number]["status"]),
                       fields_of(own[number], own[number]["status"].get("code", 0)), exchange,
                       differences)
        compare_times(scenario, sdk[number], own[number], reports[number], exchange)


def start_receiver(test, python):
    receiver = Program(test, "receiver", [python, os.path.join(HERE, "otlp_receiver.py"),
                                          test.path("sdk")])
    return "http://127.0.0.1:%d" % int(receiver.line().split()[1])


def compare_with_drop_in(test, scenarios, differences, program="llm_server.py", **env):
    python = test.live("equality/bin/python3")
    if not os.path.exists(python):
        raise Skip("the drop-in needs CPython 3.11 or later")
    langfuse, llm = fake(test), test.llm(program)
    client = test.client("langfuse_openai.py", llm.url(is_tls=True), list(scenarios.values()),
                         interpreter=python, LANGFUSE_BASE_URL=start_receiver(test, python),
                         LANGFUSE_PUBLIC_KEY="pk-lf-test", LANGFUSE_SECRET_KEY="sk-lf-GTCANARY-sdk",
                         **NAMES, **env)
    gentap = attach(test, client, dict(keys(test, langfuse.url), **NAMES))
    reports = client.calls()
    gentap.stop(limit_s=30)
    client.end()
    equal(langfuse.violations, [], "violations of Langfuse's contract")
    compare_all(scenarios, differences,
                sorted(json_lines(test.path("sdk")), key=lambda span: span["start"]),
                sorted(langfuse.received, key=lambda span: int(span["startTimeUnixNano"])),
                reports, exchanges_of(llm, scenarios))


def test_observations_equal_those_of_the_official_drop_in(test):
    compare_with_drop_in(test, SCENARIOS, DIFFERENCES)


def test_observations_equal_those_of_the_official_async_drop_in(test):
    compare_with_drop_in(test, SCENARIOS, DIFFERENCES, GT_ASYNC="1")
