# SPDX-License-Identifier: Apache-2.0
"""The official client libraries under live probes: what their objects say is what
gentap says.

Each library makes its calls to dialect_server.py, which speaks the dialect of its
provider on loopback, with gentap attached to it (or to the server). Three must
agree on every call: the server's truth, the library's objects, the generation. A
library's counts become gentap's disjoint buckets by USAGE alone.
"""

import json
import os
import shutil

from harness import Skip, check, check_shape, equal, shape
from truth import check_times, strings_in, time_ns


def call(op, case="small", stream=False, tools=0, family="x"):
    text = "%s %s %s, größe 日本" % (op, case, "streamed" if stream else "plain")
    return {"op": op, "model": "%s-gt-%s" % (family, case), "text": text, "stream": stream,
            "tools": tools}


def both(op, *cases, family="x", tools=0):
    return [call(op, case, stream, tools, family) for case in cases for stream in (False, True)]


def chat_plan(op, family, *more):
    """What every chat API has, plain and streamed."""
    return (both(op, "small", "length", "reason", "gzip", *more, family=family)
            + both(op, "tool", family=family, tools=1)
            + both(op, "parallel", family=family, tools=2)
            + both(op, "429", family=family) + [call(op, "400", family=family),
                                                call(op, "late", True, family=family)])


OPENAI_PLAN = (chat_plan("chat", "gpt-4x") + [
    call("chat", "reason", True, family="gpt-5"), call("chat", "midstream", True)])
RESPONSES_PLAN = (chat_plan("responses", "gpt-4x", "refuse", "cache") + [
    call("responses", "reason", True, family="gpt-5"), call("responses", "midstream", True)])
LANES_PLAN = [call("responses", case, True) for case in (
    "small", "reason", "cache", "length", "late", "refuse", "429", "small-too")] + [
        call("responses", "parallel", True, tools=2), call("responses", "tool", True, tools=1)]
REALTIME_PLAN = [call("realtime", case, True) for case in ("small", "length", "late", "500")] + [
    call("realtime", "parallel", True, tools=2)]
OTHER_PLAN = [call("embed"), call("embed", "429")] + both("completion", "small", "length")
IMAGES_PLAN = [call("image"), call("image", "two"), call("image", stream=True),
               call("image", "429")]
AUDIO_PLAN = [call("speech"), call("transcription"), call("transcription", stream=True),
              call("transcription", "400")]
DECISIONS_PLAN = [call("decision"), call("decision", "cache"), call("decision", "400")]
ANTHROPIC_PLAN = chat_plan("messages", "claude", "cache", "refuse") + [
    call("messages", "midstream", True, family="claude")]
GEMINI_PLAN = chat_plan("generate", "gemini-2.5-flash", "refuse") + [
    call("generate", "midstream", True, family="gemini-2.5-flash"),
    call("embed", family="gemini-embedding")]
MISTRAL_PLAN = chat_plan("chat", "mistral") + [call("embed"), call("embed", "429")]
FIM_PLAN = both("fim", "small", "length", "429", family="codestral")
COHERE_PLAN = chat_plan("chat", "command") + [
    call("chat", "midstream", True, family="command"), call("embed"), call("rerank"),
    call("rerank", "429")]
OLLAMA_PLAN = chat_plan("chat", "llama") + both("generate", "small", "reason") + [
    call("chat", "midstream", True), call("embed"), call("embed", "500")]
CONVERSE_PLAN = chat_plan("converse", "eu.amazon.nova", "cache", "refuse") + [
    call("converse", "midstream", True)]
INVOKE_PLAN = chat_plan("invoke", "eu.anthropic.claude", "cache") + [
    call("invoke", "midstream", True, family="eu.anthropic.claude")]


# --- a library's counts, as gentap's buckets (wire formats differ in what is in what) ---

def chat_usage(usage, is_split):
    prompt = usage.get("prompt_tokens_details") or {}
    answer = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens") or 0
    reasoning = (answer.get("reasoning_tokens") or 0) if is_split else 0
    return {"input": usage["prompt_tokens"] - cached, "input_cached_tokens": cached,
            "output": (usage.get("completion_tokens") or 0) - reasoning,
            "output_reasoning_tokens": reasoning, "total": usage["total_tokens"]}


def responses_usage(usage, is_split):
    details = usage.get("input_tokens_details") or {}
    # Realtime and transcription say it in the singular.
    details = dict(details, **(usage.get("input_token_details") or {}))
    cached, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    audio = details.get("audio_tokens") or 0
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    reasoning = reasoning if is_split else 0
    return {"input": usage["input_tokens"] - cached - written - audio,
            "input_audio_tokens": audio, "input_cached_tokens": cached,
            "input_cache_creation": written, "output": usage["output_tokens"] - reasoning,
            "output_reasoning_tokens": reasoning, "total": usage["total_tokens"]}


def anthropic_usage(usage, _):
    written = usage.get("cache_creation") or {}
    of_five = written.get("ephemeral_5m_input_tokens") or 0
    of_hour = written.get("ephemeral_1h_input_tokens") or 0
    own = {"input": usage["input_tokens"], "input_cached_tokens": usage["cache_read_input_tokens"],
           "input_cache_creation_5m": of_five, "input_cache_creation_1h": of_hour,
           "input_cache_creation": usage["cache_creation_input_tokens"] - of_five - of_hour,
           "output": usage["output_tokens"]}
    return dict(own, total=sum(own.values()))


def gemini_usage(usage, _):
    cached = usage.get("cached_content_token_count") or 0
    return {"input": usage["prompt_token_count"] - cached, "input_cached_tokens": cached,
            "output": usage["candidates_token_count"],
            "output_reasoning_tokens": usage.get("thoughts_token_count") or 0,
            "total": usage["total_token_count"]}


def converse_usage(usage, _):
    written = {one["ttl"]: one["inputTokens"] for one in usage.get("cacheDetails", [])}
    own = {"input": usage["inputTokens"], "input_cached_tokens": usage["cacheReadInputTokens"],
           "input_cache_creation_5m": written.get("5m", 0),
           "input_cache_creation_1h": written.get("1h", 0), "output": usage["outputTokens"],
           "input_cache_creation": usage["cacheWriteInputTokens"] - sum(written.values())}
    return dict(own, total=sum(own.values()))


def ollama_usage(usage, _):
    if "eval_count" not in usage:   # of embed
        return {"input": usage["prompt_eval_count"], "total": usage["prompt_eval_count"]}
    own = {"input": usage["prompt_eval_count"], "output": usage["eval_count"]}
    return dict(own, total=sum(own.values()))


def cohere_usage(usage, _):
    if not usage.get("tokens"):     # of embed and rerank: what is billed
        billed = (usage.get("billed_units") or {}).get("input_tokens")
        return {"input": billed, "total": billed} if billed else {}
    cached, tokens = usage["cached_tokens"], usage["tokens"]
    return {"input": tokens["input_tokens"] - cached, "input_cached_tokens": cached,
            "output": tokens["output_tokens"], "total": sum(tokens[name] for name in tokens
                                                            if tokens[name])}


USAGE = {
    "openai.chat": chat_usage, "openai.completions": chat_usage, "openai.embeddings": chat_usage,
    "mistral.fim": chat_usage, "openai.responses": responses_usage,
    "openai.realtime": responses_usage, "openai.images": responses_usage,
    "openai.transcription": responses_usage, "openai.decisions": responses_usage,
    "anthropic.messages": anthropic_usage, "bedrock.invoke": anthropic_usage,
    "bedrock.converse": converse_usage, "gemini.generate": gemini_usage,
    "ollama.chat": ollama_usage, "ollama.generate": ollama_usage, "ollama.embed": ollama_usage,
    "cohere.chat": cohere_usage, "cohere.embed": cohere_usage, "rerank": cohere_usage,
}


def buckets_of(report, exchange):
    """The library's counts as buckets, zeros left out."""
    if not report["usage"]:
        return {}
    counts = USAGE[exchange["dialect"]](report["usage"], exchange["model"].startswith("gpt-5-"))
    return {name: count for name, count in counts.items() if count}


# --- a library against the server: the test bed itself is right --------------------------

def compare_report(report, exchange, name):
    name = "the library's report of " + name
    if exchange["error"]:
        check(report["error"], name + ": no error", report)
        # Some quote the body as it came.
        escaped = json.dumps(exchange["error"])[1:-1]
        check(exchange["error"] in report["error"]["message"] or
              escaped in report["error"]["message"], name + ": another error", report["error"])
        return
    equal(report["error"], None, name + ", error")
    for field in ("text", "reasoning"):
        equal(report[field], exchange[field], "%s, %s" % (name, field))
    equal([tool[1:] for tool in report["tools"]], [tool[1:] for tool in exchange["tools"]],
          name + ", tools")
    for tool, sent in zip(report["tools"], exchange["tools"]):
        check(tool[0] in (None, sent[0]), name + ": another id of a tool call", tool, sent)
    if exchange["finish"]:
        equal(report["finish"], exchange["finish"], name + ", finish reason")
    if report["model"]:
        equal(report["model"], exchange["response_model"], name + ", model")
    equal(buckets_of(report, exchange), exchange["usage"], name + ", usage")
    for field in ("vectors", "refusal", "images", "audio", "answers", "ranks"):
        if field in exchange and field in report:
            equal(report[field], exchange[field], "%s, %s" % (name, field))


# --- gentap against both --------------------------------------------------------------

def add_item(said, item):
    """One item of a Responses answer."""
    if item["type"] == "function_call":
        said["tools"].append([item["call_id"], item["name"], item["arguments"]])
    for part in (item.get("content") or []) + (item.get("summary") or []):
        name = {"output_text": "text", "refusal": "refusal", "text": "text"}.get(
            part["type"], "reasoning")
        said[name] += part.get("refusal") or part["text"]


def said_in(output):
    """The text, reasoning, refusal and tool calls in a generation's output, whatever its form:
    a text, a message, or the items of a Responses answer (one of them by itself)."""
    said = {"text": "", "reasoning": "", "refusal": "", "tools": []}
    items = output if isinstance(output, list) else [output]
    for item in items:
        if isinstance(item, str):
            said["text"] += item
        elif item and "type" in item:
            add_item(said, item)
        elif item and isinstance(item.get("content"), list):
            add_item(said, dict(item, type="message"))
        elif item:
            for name, key in (("text", "content"), ("reasoning",) * 2, ("refusal",) * 2):
                said[name] += item.get(key) or ""
            said["tools"] += [[tool["id"], tool["function"]["name"], tool["function"]["arguments"]]
                              for tool in item.get("tool_calls") or []]
    for tool in said["tools"]:
        tool[2] = json.loads(tool[2])
    return said


def compare_output(generation, exchange, name):
    output = generation.get("output")
    equal(generation["level"], "ERROR" if exchange["case"] == "refuse" else "DEFAULT",
          name + ", level")
    equal(generation.get("finishReason"), exchange["finish"], name + ", finish reason")
    if exchange["vectors"]:
        count, dimensions = exchange["vectors"]
        equal(output, {"dimensions": dimensions, "count": count}, name + ", output")
    elif "answers" in exchange:
        equal(output, exchange["answers"], name + ", output")
    elif "ranks" in exchange:
        equal([[one["index"], one["relevance_score"]] for one in output], exchange["ranks"],
              name + ", output")
    elif "audio" in exchange:
        equal(output, dict(exchange["audio"], type="audio/mpeg"), name + ", output")
    elif "images" in exchange:
        images = output if isinstance(output, list) else [output]
        equal(len(images), exchange["images"], name + ", images")
        for image in images:
            check("omitted data" in image["b64_json"], name + ": no note of an image", image)
    else:
        compare_said(generation, exchange, name)


def compare_said(generation, exchange, name):
    output = generation.get("output")
    if "file" in exchange:
        equal(generation["input"]["file"]["bytes"], exchange["file"], name + ", size of the file")
    for field, got in said_in(output).items():
        equal(got, exchange.get(field, ""), "%s, %s" % (name, field))


def compare_error(generation, exchange, name):
    equal(generation["level"], "ERROR", name + ", level")
    check(exchange["error"] in generation.get("statusMessage", ""),
          name + ": the error's text is not the status message", generation.get("statusMessage"))


def compare_first(generation, report, exchange, name):
    """First content: not before the server sent it, not after the library had it."""
    if not (report and report["first"] and exchange["times"].get("first")):
        return
    ttft = generation["timing"]["ttftMs"] * 1e6
    sent = exchange["times"]["first"] - exchange["times"]["arrived"]
    had = report["first"] - report["started"]
    check(sent <= ttft + 1000 and ttft <= had + 1000,
          "%s: TTFT %.3f ms; sent after %.3f ms, with the library after %.3f ms" % (
              name, ttft / 1e6, sent / 1e6, had / 1e6))


def compare_generation(generation, report, exchange, role, is_tls):
    name = "%s of '%s'" % (exchange["dialect"], exchange["user"])
    equal(generation["role"], role, name + ", role")
    equal(generation["dialect"], exchange["dialect"], name + ", dialect")
    equal(generation["http"]["status"], exchange["status"], name + ", status")
    equal(generation["http"]["path"], exchange["path"], name + ", path")
    equal(generation["connection"]["tls"], is_tls, name + ", tls")
    equal(generation["model"], exchange["model" if exchange["error"] and exchange["status"] >= 400
                                        else "response_model"], name + ", model")
    check(exchange["user"] in " ".join(strings_in(generation["input"])),
          name + ": the prompt is missing", generation["input"])
    # Libraries leave a stream that brings an error; the server closes then, too.
    is_left = exchange["error"] and exchange["stream"]
    harmless = {"cut_by_client", "cut_by_server"} if is_left else set()
    equal(set(generation["evidence"]["reasons"]) - harmless, set(), name + ", reasons")
    if exchange["error"]:
        compare_error(generation, exchange, name)
    else:
        compare_output(generation, exchange, name)
        equal(generation["evidence"]["complete"], True, name + ", complete")
        equal({key: count for key, count in generation.get("usageDetails", {}).items() if count},
              exchange["usage"], name + ", usage")
    check_times(generation, exchange, name)
    compare_first(generation, report, exchange, name)


def compare_all(reports, truth, generations, role, is_tls):
    """The calls came one after the other: in all three the order is the same."""
    equal(len(reports), len(truth), "calls that the library reports")
    for report, exchange in zip(reports, truth):
        compare_report(report, exchange, "%s of '%s'" % (exchange["dialect"], exchange["user"]))
    generations.sort(key=lambda generation: time_ns(generation["startTime"]))
    equal(len(generations), len(truth), "number of generations")
    for generation, report, exchange in zip(generations, reports, truth):
        compare_generation(generation, report, exchange, role, is_tls)


def node_program(test, name):
    """A copy beside the libraries, where Node looks for them."""
    if not os.path.isdir(test.live("npm/node_modules")):
        raise Skip("no npm here, so no client libraries of Node")
    for each in ("sdk.mjs", name):
        shutil.copy(test.client_path(each), test.path(each))
    os.symlink(test.live("npm/node_modules"), test.path("node_modules"))
    return test.path(name)


def watch(test, program, plan, is_tls, role="client", **env):
    llm = test.llm("dialect_server.py")
    base = "%s://localhost:%d" % ("https" if is_tls else "http", llm.ports[is_tls])
    if program.endswith(".mjs"):
        program = node_program(test, program)
    client = test.client(program, base, plan, test.live("sdks/bin/python3"), **env)
    target = client if role == "client" else llm
    before = shape(target.pid)
    gentap = test.attach(target)
    check_shape(before, target.pid, "while gentap is attached")
    reports = client.calls()
    # A library that left a stream may have made the next call before the server knew.
    truth = sorted(llm.wait_truth(len(plan)), key=lambda exchange: exchange["times"]["arrived"])
    generations = gentap.stop()
    client.end()
    compare_all(reports, truth, generations, role, is_tls)


def test_openai_chat_over_tls(test):
    watch(test, "sdk_openai.py", OPENAI_PLAN + OTHER_PLAN, is_tls=True)


def test_openai_async_chat_plain(test):
    watch(test, "sdk_openai.py", OPENAI_PLAN + OTHER_PLAN, is_tls=False, GT_ASYNC="1")


def test_openai_of_node_chat_over_tls(test):
    watch(test, "sdk_openai.mjs", OPENAI_PLAN + OTHER_PLAN, is_tls=True)


def test_openai_of_node_chat_plain(test):
    watch(test, "sdk_openai.mjs", OPENAI_PLAN + OTHER_PLAN, is_tls=False)


def test_openai_for_azure_over_tls(test):
    watch(test, "sdk_openai.py", both("chat", "small", "reason", "429") + OTHER_PLAN, is_tls=True,
          GT_AZURE="1")


def test_openai_responses_over_tls(test):
    watch(test, "sdk_openai.py", RESPONSES_PLAN, is_tls=True)


def test_openai_async_responses_plain(test):
    watch(test, "sdk_openai.py", RESPONSES_PLAN, is_tls=False, GT_ASYNC="1")


def test_openai_of_node_responses_over_tls(test):
    watch(test, "sdk_openai.mjs", RESPONSES_PLAN, is_tls=True)


def test_openai_images_audio_and_decisions_over_tls(test):
    watch(test, "sdk_openai.py", IMAGES_PLAN + AUDIO_PLAN + DECISIONS_PLAN, is_tls=True)


def test_openai_async_images_audio_and_decisions_plain(test):
    watch(test, "sdk_openai.py", IMAGES_PLAN + AUDIO_PLAN + DECISIONS_PLAN, is_tls=False,
          GT_ASYNC="1")


def test_openai_over_websocket_and_tls(test):
    watch(test, "sdk_openai_ws.py", LANES_PLAN + REALTIME_PLAN, is_tls=True)


def test_openai_async_over_websocket_plain_and_zipped(test):
    watch(test, "sdk_openai_ws.py", LANES_PLAN + REALTIME_PLAN, is_tls=False, GT_ASYNC="1",
          GT_DEFLATE="1")


def test_openai_over_websocket_at_the_server_over_tls(test):
    watch(test, "sdk_openai_ws.py", LANES_PLAN + REALTIME_PLAN, is_tls=True, role="server")


def test_openai_chat_at_the_server_over_tls(test):
    watch(test, "sdk_openai.py", OPENAI_PLAN + OTHER_PLAN, is_tls=True, role="server")


def test_mistral_async_plain(test):
    watch(test, "sdk_mistral.py", MISTRAL_PLAN, is_tls=False, GT_ASYNC="1")


def test_mistral_over_tls(test):
    watch(test, "sdk_mistral.py", MISTRAL_PLAN, is_tls=True)


def test_mistral_fim_plain(test):
    watch(test, "sdk_mistral.py", FIM_PLAN, is_tls=False)


def test_anthropic_over_tls(test):
    watch(test, "sdk_anthropic.py", ANTHROPIC_PLAN, is_tls=True)


def test_anthropic_async_plain(test):
    watch(test, "sdk_anthropic.py", ANTHROPIC_PLAN, is_tls=False, GT_ASYNC="1")


def test_anthropic_of_node_over_tls(test):
    watch(test, "sdk_anthropic.mjs", ANTHROPIC_PLAN, is_tls=True)


def test_anthropic_of_node_plain(test):
    watch(test, "sdk_anthropic.mjs", ANTHROPIC_PLAN, is_tls=False)


def test_anthropic_at_the_server_plain(test):
    watch(test, "sdk_anthropic.py", ANTHROPIC_PLAN, is_tls=False, role="server")


def test_cohere_over_tls(test):
    watch(test, "sdk_cohere.py", COHERE_PLAN, is_tls=True)


def test_cohere_async_plain(test):
    watch(test, "sdk_cohere.py", COHERE_PLAN, is_tls=False, GT_ASYNC="1")


def test_google_genai_over_tls(test):
    watch(test, "sdk_genai.py", GEMINI_PLAN, is_tls=True)


def test_google_genai_async_plain(test):
    watch(test, "sdk_genai.py", GEMINI_PLAN, is_tls=False, GT_ASYNC="1")


def test_google_genai_async_over_tls(test):
    """Through aiohttp, which coalesces head and body."""
    watch(test, "sdk_genai.py", GEMINI_PLAN, is_tls=True, GT_ASYNC="1")


def test_ollama_plain(test):
    watch(test, "sdk_ollama.py", OLLAMA_PLAN, is_tls=False)


def test_ollama_async_over_tls(test):
    watch(test, "sdk_ollama.py", OLLAMA_PLAN, is_tls=True, GT_ASYNC="1")


def test_boto3_converse_over_tls(test):
    watch(test, "sdk_bedrock.py", CONVERSE_PLAN, is_tls=True)


def test_boto3_converse_plain(test):
    watch(test, "sdk_bedrock.py", CONVERSE_PLAN, is_tls=False)


def test_boto3_invoke_model_over_tls(test):
    watch(test, "sdk_bedrock.py", INVOKE_PLAN, is_tls=True)


def test_boto3_invoke_model_at_the_server_plain(test):
    watch(test, "sdk_bedrock.py", INVOKE_PLAN, is_tls=False, role="server")
