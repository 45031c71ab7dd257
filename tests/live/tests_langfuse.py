# SPDX-License-Identifier: Apache-2.0
"""From a running process into Langfuse: equal spans, and none lost while it is
away, hangs, or refuses the keys."""

import json
import time

from fake_langfuse import FakeLangfuse
from harness import CANARY, check, equal, wait_until
from truth import call, compare, many_plan, mixed_plan, texts_of, usage_of, user_text_of

OBSERVATION = "langfuse.observation."
SECRET = "sk-lf-GTCANARY-secret"    # the runner looks for it in all that gentap writes


def fake(test):
    langfuse = FakeLangfuse(public_key="pk-lf-test", secret_key=SECRET).start()
    test.undo.append(langfuse.stop)
    return langfuse


def keys(test, host, secret=SECRET):
    return dict(test.env, LANGFUSE_HOST=host, LANGFUSE_PUBLIC_KEY="pk-lf-test",
                LANGFUSE_SECRET_KEY=secret)


def attach(test, client, env):
    """gentap with store, jsonl and Langfuse."""
    gentap = test.gentap("attach", "--pid", str(client.pid), "--to", "jsonl:OUT", "--to",
                         "langfuse", env=env)
    gentap.wait_attached(client.pid)
    return gentap


def capture(test, plan, env):
    """(generations, truth, what gentap said) of @plan with Langfuse as @env has it."""
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), plan)
    gentap = attach(test, client, env)
    client.calls()
    started = time.monotonic()
    generations = gentap.stop(limit_s=30)
    took_s = time.monotonic() - started
    check(took_s < 20, "the end took %.1f s" % took_s)
    client.end()
    compare(generations, llm.truth())
    return generations, llm.truth(), gentap.errors()


def restart(test, env):
    """The next start of gentap, which sees no call of its own."""
    client = test.client("requests_client.py", "http://localhost:1/v1", [])
    gentap = attach(test, client, env)
    client.calls()
    equal(gentap.stop(limit_s=30), [], "generations of a quiet process")
    client.end()


def check_received(langfuse, generations, truth):
    """Langfuse has a span for each generation, equal to it and to the truth."""
    equal(langfuse.violations, [], "violations of Langfuse's contract")
    spans = {span["spanId"]: span for span in langfuse.received}
    equal(sorted(spans), sorted(one["id"] for one in generations), "ids of the spans")
    exchanges = {exchange["id"]: exchange for exchange in truth}
    for generation in generations:
        span = spans[generation["id"]]
        attributes = span["attributes"]
        name = "span of %s" % generation["metadata"].get("gentap.responseId", "an error")
        equal(span["traceId"], generation["traceId"], name + ", trace")
        equal(span["name"], generation["name"], name + ", name")
        equal(attributes[OBSERVATION + "type"], generation["type"], name + ", type")
        equal(attributes[OBSERVATION + "model.name"], generation["model"], name + ", model")
        exchange = exchanges.get(generation["metadata"].get("gentap.responseId"))
        if exchange:
            check_content(attributes, exchange, name)
    check(CANARY not in json.dumps([langfuse.received, langfuse.requests]).encode(),
          "a secret went to Langfuse")


def check_content(attributes, exchange, name):
    if exchange["usage"]:
        usage = json.loads(attributes[OBSERVATION + "usage_details"])
        want = {key: count for key, count in usage_of(exchange).items() if count}
        equal({key: count for key, count in usage.items() if count}, want, name + ", usage")
    if exchange["kind"] == "embeddings":
        return
    output = attributes.get(OBSERVATION + "output", "")
    if output[:1] in ("{", "["):
        output = json.loads(output)
    equal(texts_of(output), exchange["texts"], name + ", text")
    given = attributes[OBSERVATION + "input"]
    if given[:1] in ("{", "["):
        given = json.loads(given)
    equal(user_text_of(given), exchange["user"], name + ", input")


def test_every_kind_of_call_arrives_in_langfuse(test):
    langfuse = fake(test)
    generations, truth, _ = capture(test, mixed_plan(), keys(test, langfuse.url))
    check_received(langfuse, generations, truth)


def test_a_call_that_was_cut_arrives_marked(test):
    langfuse, llm = fake(test), test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True),
                         [call("the server leaves", "gt-cut", stream=True)])
    gentap = attach(test, client, keys(test, langfuse.url))
    client.calls()
    gentap.stop(limit_s=30)
    equal(langfuse.violations, [], "violations of Langfuse's contract")
    span, = langfuse.received
    equal(span["attributes"][OBSERVATION + "level"], "WARNING", "level")
    check("cut_by_server" in span["attributes"][OBSERVATION + "metadata.gentap.reasons"],
          "the reason is not named", span)
    client.end()


def test_fifty_concurrent_calls_arrive_once_each(test):
    langfuse, llm = fake(test), test.llm()
    client = test.client("aiohttp_client.py", llm.url(is_tls=True), many_plan(50))
    gentap = attach(test, client, keys(test, langfuse.url))
    client.calls()
    check_received(langfuse, gentap.stop(limit_s=30), llm.truth())
    client.end()


def test_wrong_keys_keep_the_batch_and_the_next_start_sends_it(test):
    langfuse = fake(test)
    generations, truth, said = capture(test, many_plan(6),
                                       keys(test, langfuse.url, "sk-lf-GTCANARY-wrong"))
    equal(langfuse.received, [], "spans with wrong keys")
    check("LANGFUSE_SECRET_KEY" in said, "nothing said of the keys", said)
    check("6 unsent" in said, "the summary does not count them", said)
    restart(test, keys(test, langfuse.url))
    check_received(langfuse, generations, truth)


def test_langfuse_absent_and_back(test):
    langfuse = fake(test)
    generations, truth, said = capture(test, many_plan(6), keys(test, "http://127.0.0.1:9"))
    check("6 unsent" in said, "the summary does not count them", said)
    restart(test, keys(test, langfuse.url))
    check_received(langfuse, generations, truth)


def test_langfuse_that_hangs_does_not_hold_gentap(test):
    langfuse = fake(test)
    langfuse.set_control({"mode": "hang"})
    env = dict(keys(test, langfuse.url), LANGFUSE_TIMEOUT="3")
    generations, truth, said = capture(test, many_plan(6), env)
    check("6 unsent" in said, "the summary does not count them", said)
    langfuse.set_control({"mode": "ok"})
    restart(test, keys(test, langfuse.url))
    check_received(langfuse, generations, truth)


def refusing(test, control):
    """Langfuse answers by @control first, then is well: all arrives in one run."""
    langfuse, llm = fake(test), test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), many_plan(8))
    langfuse.set_control(control)
    gentap = attach(test, client, dict(keys(test, langfuse.url), LANGFUSE_FLUSH_INTERVAL="0.2"))
    client.calls()
    wait_until(lambda: len(langfuse.received) == 8, "8 spans after %s" % control, 20)
    check_received(langfuse, gentap.stop(limit_s=30), llm.truth())
    client.end()


def test_langfuse_that_says_429_is_asked_again(test):
    refusing(test, {"status": 429, "retry_after": 1, "times": 1})


def test_langfuse_that_says_503_is_asked_again(test):
    refusing(test, {"status": 503, "times": 1})


def test_langfuse_that_says_413_gets_smaller_batches(test):
    refusing(test, {"status": 413, "max_spans": 3})


def test_no_store_and_no_langfuse_says_what_is_gone(test):
    llm = test.llm()
    client = test.client("requests_client.py", llm.url(is_tls=True), [call("gone")])
    gentap = test.gentap("attach", "--pid", str(client.pid), "--to", "jsonl:OUT", "--to",
                         "langfuse", "--no-store", env=keys(test, "http://127.0.0.1:9"))
    gentap.wait_attached(client.pid)
    client.calls()
    compare(gentap.stop(limit_s=30), llm.truth())
    check("sink_failed 1" in gentap.errors(), "the summary does not say it", gentap.errors())
    client.end()
