# SPDX-License-Identifier: Apache-2.0
"""Compares what gentap and the clients say with what the server knows it sent."""

import datetime
import json

from harness import check, equal, fail


def call(text, model="gt-small", path="chat/completions", stream=False, usage=True, tools=0,
         **body):
    """One entry of a plan."""
    body = dict(body, model=model)
    if path == "chat/completions":
        body["messages"] = [{"role": "system", "content": "Be brief."},
                            {"role": "user", "content": text}]
    else:
        body["prompt" if path == "completions" else "input"] = text
    if stream:
        body["stream"] = True
        if usage:
            body["stream_options"] = {"include_usage": True}
    if tools:
        body["tools"] = [{"type": "function", "function": {
            "name": "tool_%d" % number,
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}
            for number in range(tools)]
    return {"path": path, "body": body}


def mixed_plan():
    """One of each kind of call that an SDK makes, in both forms."""
    return [
        call("plain answer, größe 日本"),
        call("streamed answer", stream=True, temperature=0.2),
        call("streamed, usage not asked for", stream=True, usage=False),
        call("long streamed answer", "gt-long", stream=True),
        call("cut by length", max_tokens=12),
        call("one tool", stream=True, tools=1),
        call("two tools at once", "gt-parallel", stream=True, tools=2),
        call("two tools, plain", "gt-parallel", tools=2),
        call("reasoning", "gt-reason", stream=True),
        call("reasoning, plain", "gt-reason"),
        call("reasoning of a model with a price for it", "gpt-5-gt-reason", stream=True),
        call("refused", "gt-refuse"),
        call("refused, streamed", "gt-refuse", stream=True),
        call("three answers", n=3),
        call("three answers, streamed", stream=True, n=3),
        call("zipped", "gt-gzip"),
        call("an old prompt", path="completions"),
        call("an old prompt, streamed", path="completions", stream=True),
        call("vector of this", path="embeddings"),
        call("no such thing", "gt-400"),
        call("the server is ill", "gt-500", stream=True),
    ]


def many_plan(count):
    """@count different calls: most streamed, some plain, with tools, embedded."""
    plan = []
    for number in range(count):
        text = "question number %d of many" % number
        if number % 10 == 7:
            plan.append(call(text))
        elif number % 10 == 8:
            plan.append(call(text, "gt-parallel", stream=True, tools=2))
        elif number % 10 == 9:
            plan.append(call(text, path="embeddings"))
        else:
            plan.append(call(text, stream=True))
    return plan


# --- clients against the server ----------------------------------------------

def compare_reports(reports, truth):
    """Each client's report is what the server sent: the test bed itself is right."""
    equal(len(reports), len(truth), "calls that the clients report")
    by_id = {exchange["id"]: exchange for exchange in truth}
    for report in reports:
        if report["error"]:
            continue
        if not report["id"]:
            report = dict(report, finish=None)
            continue
        exchange = by_id[report["id"]]
        name = "the client's report of %s" % exchange["id"]
        equal(report["model"], exchange["response_model"], name + ", model")
        if exchange["kind"] == "embeddings":
            continue
        equal(report["text"], exchange["texts"][0], name + ", text")
        equal(report["finish"], exchange["finish"][0], name + ", finish reason")
        equal(report["tools"], exchange["tools"][0], name + ", tools")
        equal(bool(report["usage"]), bool(exchange["usage"]), name + ", has usage")
        if report["usage"]:
            equal(report["usage"]["total_tokens"], exchange["usage"]["total_tokens"],
                  name + ", tokens")


# --- gentap against the server -----------------------------------------------

def time_ns(text):
    """Nanoseconds of an ISO time that has nine digits of fraction."""
    seconds, fraction = text.rstrip("Z").split(".")
    when = datetime.datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S")
    since = when.replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(since) * 1000000000 + int(fraction.ljust(9, "0"))


def pair(generations, truth):
    """[(generation, exchange)], or fails with what is missing and what is extra."""
    by_id = {}
    for generation in generations:
        seen = generation.get("metadata", {}).get("gentap.responseId")
        request_id = generation.get("http", {}).get("requestId", "")
        by_id.setdefault(seen or request_id[len("req_"):], []).append(generation)
    pairs = []
    for exchange in truth:
        found = by_id.get(exchange["id"]) or fail(
            "no generation for %s (%s)" % (exchange["id"], exchange["user"]),
            "truth: %d exchanges; gentap: %d generations" % (len(truth), len(generations)),
            json.dumps(generations, ensure_ascii=False)[:2000])
        equal(len(found), 1, "generations for %s" % exchange["id"])
        pairs += [(found[0], exchange)]
    equal(len(generations), len(truth), "number of generations")
    equal(len({generation["id"] for generation in generations}), len(generations),
          "different ids")
    return pairs


def texts_of(output):
    """The answers' texts, whatever form the output has."""
    if output is None or isinstance(output, str):
        return [output or ""]
    if isinstance(output, list):
        return [text for one in output for text in texts_of(one)]
    return [output.get("content") or ""]


def tools_of(output):
    if not isinstance(output, dict):
        return []
    return [[tool["id"], tool["function"]["name"], tool["function"]["arguments"]]
            for tool in output.get("tool_calls") or []]


def user_text_of(value):
    """The last user message, prompt or input that gentap recorded."""
    if isinstance(value, dict):
        value = value.get("messages")
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = [message for message in value if message["role"] == "user"][-1]["content"]
    return value


def strings_in(value):
    if isinstance(value, str):
        yield value
    for one in (value.values() if isinstance(value, dict)
                else value if isinstance(value, list) else ()):
        yield from strings_in(one)


def reasoning_of(exchange):
    return exchange["usage"].get("completion_tokens_details", {}).get("reasoning_tokens", 0)


def usage_of(exchange):
    """gentap's disjoint buckets, from the provider's overlapping ones. Reasoning is
    split off where the model has a price of its own for it; else it stays output."""
    usage = exchange["usage"]
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    reasoning = reasoning_of(exchange) if exchange["model"].startswith("gpt-5") else 0
    return {"input": usage["prompt_tokens"] - cached, "input_cached_tokens": cached,
            "output": usage.get("completion_tokens", 0) - reasoning,
            "output_reasoning_tokens": reasoning, "total": usage["total_tokens"]}


def check_usage(generation, exchange, name):
    got = generation.get("usageDetails", {})
    if not exchange["usage"]:
        equal(got, {}, name + ", usage that the server did not send")
        equal(generation["evidence"]["usage"], "absent", name + ", evidence of usage")
        return
    want = {key: count for key, count in usage_of(exchange).items() if count}
    equal({key: count for key, count in got.items() if count}, want, name + ", usage")
    equal(generation["evidence"]["usage"], "reported", name + ", evidence of usage")
    if reasoning_of(exchange) and "output_reasoning_tokens" not in want:
        equal(generation["metadata"].get("gentap.reasoningTokens"), reasoning_of(exchange),
              name + ", reasoning tokens")


def check_output(generation, exchange, name):
    output = generation.get("output")
    if exchange["error"]:
        equal(generation["level"], "ERROR", name + ", level")
        check(exchange["error"]["message"] in generation.get("statusMessage", ""),
              name + ": the error's text is not the status message", generation)
        return
    refusals = list(filter(None, exchange["refusal"]))
    equal(generation.get("level", "DEFAULT"), "ERROR" if refusals else "DEFAULT", name + ", level")
    if refusals:
        equal(generation.get("statusMessage"), refusals[0], name + ", status message")
    if exchange["kind"] == "embeddings":
        equal(output, {"dimensions": exchange["dimensions"], "count": exchange["inputs"]},
              name + ", output")
        return
    equal(texts_of(output), exchange["texts"], name + ", text")
    equal(generation["finishReason"], exchange["finish"][0], name + ", finish reason")
    equal(tools_of(output), exchange["tools"][0], name + ", tool calls")
    for kind in ("reasoning", "refusal"):
        for text in filter(None, exchange[kind]):
            check(text in set(strings_in([output, generation.get("metadata")])),
                  "%s: the %s is missing" % (name, kind), output)


def check_times(generation, exchange, name):
    """The kernel's times enclose the server's: gentap starts earlier, sees later."""
    total = time_ns(generation["endTime"]) - time_ns(generation["startTime"])
    server = exchange["times"]
    timing = generation.get("timing", {})
    check(total > 0, name + ": ends before it starts", generation)
    if exchange["error"] or not exchange["stream"]:
        return
    check(total >= server["first"] - server["arrived"], name + ": shorter than at the server")
    ttft = timing["ttftMs"] * 1e6
    check(ttft + 1000 >= server["first"] - server["arrived"],
          "%s: TTFT %.3f ms, but the server took %.3f ms to the first token" % (
              name, ttft / 1e6, (server["first"] - server["arrived"]) / 1e6))
    check(ttft <= total + 1000, name + ": TTFT after the end", timing)
    equal(timing["chunks"], exchange["events"], name + ", content events")


def check_process(generation, targets, name):
    if targets:
        check(generation["process"]["pid"] in targets, name + ": of another process",
              generation["process"])


def compare(generations, truth, role="client", is_tls=None, pids=None, harmless=()):
    """Every exchange of @truth is one generation, equal and complete; none extra.
    @harmless: marks that a complete generation may carry in this test."""
    pairs = pair(generations, truth)
    for generation, exchange in pairs:
        name = "%s (%s)" % (exchange["id"], exchange["user"][:40])
        want_type = "embedding" if exchange["kind"] == "embeddings" else "generation"
        equal(generation["type"], want_type, name + ", type")
        equal(generation["role"], role, name + ", role")
        equal(generation["model"], exchange["model" if exchange["error"] else "response_model"],
              name + ", model")
        equal(generation["http"]["status"], exchange["status"], name + ", status")
        equal(generation["http"]["path"], exchange["path"], name + ", path")
        equal(generation["http"]["requestId"], "req_" + exchange["id"], name + ", request id")
        if is_tls is not None:
            equal(generation["connection"]["tls"], is_tls, name + ", tls")
        equal(user_text_of(generation["input"]), exchange["user"], name + ", input")
        check_output(generation, exchange, name)
        if not exchange["error"]:
            equal(generation["metadata"].get("gentap.responseId"), exchange["id"],
                  name + ", response id")
            check_usage(generation, exchange, name)
        equal(set(generation["evidence"]["reasons"]) - set(harmless), set(), name + ", reasons")
        equal(generation["evidence"]["complete"], True, name + ", complete")
        check_times(generation, exchange, name)
        check_process(generation, pids, name)
    return pairs


def compare_client_times(pairs, reports):
    """gentap's spans lie within what the caller itself measured."""
    by_id = {report["id"]: report for report in reports if report["id"]}
    for generation, exchange in pairs:
        report = by_id.get(exchange["id"])
        if not report or not report["first"]:
            continue
        ttft = generation["timing"]["ttftMs"] * 1e6
        measured = report["first"] - report["started"]
        check(ttft <= measured + 1000, "%s: TTFT %.3f ms, but its caller measured %.3f ms" % (
            exchange["id"], ttft / 1e6, measured / 1e6))
