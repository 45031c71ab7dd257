# SPDX-License-Identifier: Apache-2.0
"""tests_equality.py for the Responses API."""

from tests_equality import compare_with_drop_in, nanoseconds, says

TOOL = {"type": "function", "name": "look_up", "strict": False, "parameters": {
    "type": "object", "properties": {"q": {"type": "string"}}}}


def call(asked, case="small", family="gpt-4x", **body):
    return {"path": "responses", "body": dict(body, model="%s-gt-%s" % (family, case), input=asked)}


def items(text):
    return [{"role": "user", "content": [{"type": "input_text", "text": text}]}]


def of_kind(kind, **body):
    """Each case plain and streamed."""
    return {
        kind: call("plain, größe 日本 🙂\n\"quoted\"", **body),
        kind + ", items": call(items("items"), **body),
        kind + ", instructions": call("briefly", instructions="Be brief.", **body),
        kind + ", instructions for items": call(items("briefly"), instructions="Be brief.", **body),
        kind + ", by length": call("by length", "length", max_output_tokens=12, **body),
        kind + ", tool": call("one tool", "tool", tools=[TOOL], tool_choice="auto", **body),
        kind + ", refused": call("refused", "refuse", **body),
        kind + ", reasoning": call("reasoning", "reason", **body),
        kind + ", priced reasoning": call("reasoning", "reason", "gpt-5", reasoning={
            "effort": "low", "summary": "auto"}, text={"verbosity": "high"}, **body),
        kind + ", cached": call("cached", "cache", temperature=0.2, top_p=0.9, **body),
        kind + ", metadata": call("metadata", store=True, metadata={"tenant": "acme"}, **body),
        "error 400, " + kind: call("no", "400", **body),
        "error 429, " + kind: call("no", "429", **body),
    }


SCENARIOS = dict(of_kind("plain"), **of_kind("stream", stream=True))
SCENARIOS["broken, by error"] = call("it fails", "midstream", stream=True)


def pruned(value):
    """Without nulls: the client's classes add members that nobody sent."""
    if isinstance(value, dict):
        return {name: pruned(member) for name, member in value.items() if member is not None}
    return [pruned(member) for member in value] if isinstance(value, list) else value


def is_flat_usage(sdk, own, exchange):
    """The SDK sends the provider's overlapping counts."""
    known = {name: count for name, count in own.items() if count}
    return sdk["total_tokens"] == own["total"] and known == exchange["usage"]


NOT_SENT = "of the client's classes, not of the wire"

# As in tests_equality.py.
DIFFERENCES = (
    ("langfuse.trace.name", ".*", "what the server takes for a name when it is not sent",
     lambda sdk, own, _: sdk is None and own == "OpenAI-generation"),
    ("level", "(?!error|broken|.*refused).*", "the server's default, said",
     lambda sdk, own, _: sdk is None and own == "DEFAULT"),
    ("usage_details", "(?!error|broken).*", "flat and disjoint: right at any server",
     is_flat_usage),
    ("completion_start_time", "(stream|broken).*",
     "the SDK's is of the first event, which bears nothing; gentap's of the first content",
     lambda sdk, own, _: nanoseconds(own) > nanoseconds(sdk)),
    ("output", "(?!error|broken).*", NOT_SENT,
     lambda sdk, own, _: pruned(sdk) == pruned(own) == own),
    ("output", "broken.*", "the SDK has no output of a response that failed",
     lambda sdk, own, exchange: sdk is None and own["content"][0]["text"] == exchange["text"]),
    ("metadata.finish_reason", "(?!error|broken).*", "the SDK has it of chat streams alone",
     lambda sdk, own, exchange: sdk is None and own == exchange["finish"]),
    ("metadata.finish_reason", "broken.*", "the SDK has it of chat streams alone", says("failed")),
    ("metadata.tools", "(stream|broken).*", "they stand in the input",
     lambda sdk, own, _: sdk is not None and own is None),
    ("metadata.metadata", "(stream|broken).*", "nothing is not sent",
     lambda sdk, own, _: sdk == {} and own is None),
    ("metadata.store", "(stream|broken).*", "the client's classes do not know it", says(True)),
    ("metadata.reasoning", "(stream|broken).*", NOT_SENT,
     lambda sdk, own, _: pruned(sdk) == pruned(own)),
    ("metadata.error", "broken.*", NOT_SENT, lambda sdk, own, _: pruned(sdk) == own),
    ("level", "broken.*|.*refused", "the SDK tells neither failures nor refusals", says("ERROR")),
    ("status", "broken.*|.*refused", "as the level", says(2)),
    ("status_message", ".*refused", "as the level",
     lambda sdk, own, exchange: sdk is None and own == exchange["refusal"]),
    ("status_message", "broken.*", "as the level",
     lambda sdk, own, exchange: sdk is None and own == exchange["error"]),
)


def test_responses_equal_those_of_the_official_drop_in(test):
    compare_with_drop_in(test, SCENARIOS, DIFFERENCES, "dialect_server.py")


def test_responses_equal_those_of_the_official_async_drop_in(test):
    compare_with_drop_in(test, SCENARIOS, DIFFERENCES, "dialect_server.py", GT_ASYNC="1")
