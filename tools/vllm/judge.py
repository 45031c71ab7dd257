# SPDX-License-Identifier: Apache-2.0
"""What must hold between three observers of a call: vLLM, gentap and the client.

A moment of a call. vLLM's clock starts when it has read and parsed the request
and stops before it writes; gentap's runs from the read to the write; the client's
from before the send to after the receive. Each lies within the next, hence for
the first token, the last token and the end alike: vLLM <= gentap <= client. No
tolerance.

Gaps between tokens. The mean gap, (last - first token) / (tokens - 1), is not
ordered so: each observer sees the first token late by one lag and the last one by
another, and its mean gap is the longer or the shorter for it. What can be held is
both its ends: gentap's TTFT, and its TTFT + TPOT * (tokens - 1), the last token.
vLLM counts tokens and the wire carries chunks of one or more tokens each; the
gaps between chunks are held against the client by their number, not against vLLM.
"""
import dataclasses
import statistics

from client import Answer

# Of sums of figures that were printed: less than anything that is measured here.
ROUNDING_MS = 0.001


@dataclasses.dataclass
class Call:
    """A call made alone: what the client got, and vLLM's own figures for it."""
    answer: Answer
    vllm: dict

    @property
    def name(self):
        return self.answer.request_id


class Report:
    def __init__(self):
        self.passed = self.failed = 0
        self.configuration = ""

    def claim(self, text, problems):
        """Something that must be so, and all that speaks against it."""
        if problems:
            self.failed += 1
        else:
            self.passed += 1
        print(f"  {'FAIL' if problems else 'ok  '}  {self.configuration}: {text}", flush=True)
        for problem in problems:
            print(f"          {problem}")

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")


def differ(name, what, got, wanted):
    """A list of one problem, or of none."""
    return [] if got == wanted else [f"{name}: {what} is {got!r}, not {wanted!r}"]


# --- whole runs ------------------------------------------------------------------
def ends(report, code, said):
    last = said.strip().rpartition("\n")[2]
    report.claim(f"gentap ends well and lost nothing: {last}", differ("gentap", "its exit code", code, 0))


def serves_on(report, answer):
    report.claim("the server goes on when gentap is gone",
                 [] if answer.finish_reason and answer.text else ["it gave an empty answer"])


def match(report, alone, at_once, generations):
    """{request id: generation}, of the calls that have exactly one."""
    wanted = {call.name for call in alone} | {answer.request_id for answer in at_once}
    found, problems = {}, []
    for generation in generations:
        name = generation.request_id
        if name not in wanted or name in found or generation.line["type"] != "generation":
            problems.append(f"one too many: {name}, {generation.line['type']}")
        else:
            found[name] = generation
    problems += [f"no generation for {name}" for name in sorted(wanted - found.keys())]
    report.claim(f"{len(wanted)} calls, {len(generations)} generations, one for each", problems)
    return found


def places(report, generations, api_pids, is_tls):
    problems = []
    for name, generation in generations.items():
        line = generation.line
        problems += differ(name, "role", line["role"], "server")
        problems += differ(name, "TLS", line["connection"]["tls"], is_tls)
    seen = {generation.line["process"]["pid"] for generation in generations.values()}
    problems += differ("all calls", "the set of processes", seen, api_pids)
    report.claim(f"seen in the server's role, in each of its {len(api_pids)} API process(es)", problems)


# --- contents --------------------------------------------------------------------
def usage_problems(name, details, usage):
    """vLLM's prompt_tokens hold the cached ones; gentap's buckets are disjoint."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    prompt = sum(count for key, count in details.items() if key.startswith("input"))
    return (differ(name, "prompt tokens", prompt, usage["prompt_tokens"])
            + differ(name, "cached tokens", details.get("input_cached_tokens", 0), cached)
            + differ(name, "output tokens", details.get("output"), usage["completion_tokens"])
            + differ(name, "total tokens", details.get("total"), usage["total_tokens"]))


def output_of(answer):
    """As Langfuse's own integration has it: a stream's text, a plain answer's message."""
    return answer.text if answer.is_stream else {"role": "assistant", "content": answer.text}


def contents(report, alone, at_once, generations):
    answers = [call.answer for call in alone] + at_once
    texts, usages, ends_of, ids, whole = [], [], [], [], []
    for answer in answers:
        name = answer.request_id
        if name not in generations:
            continue
        line = generations[name].line
        texts += differ(name, "input", line.get("input"), answer.messages)
        texts += differ(name, "output", line.get("output"), output_of(answer))
        usages += usage_problems(name, line.get("usageDetails", {}), answer.usage)
        ends_of += differ(name, "finish reason", line.get("finishReason"), answer.finish_reason)
        ids += differ(name, "model", line.get("model"), answer.model)
        ids += differ(name, "id", line["metadata"].get("gentap.responseId"), answer.id)
        whole += differ(name, "evidence", (line["evidence"]["complete"], line["evidence"]["reasons"],
                                           line["evidence"]["lostBytes"]), (True, [], 0))
    report.claim("input and text are those of the client", texts)
    report.claim("usage is the client's: prompt, cached, output, total", usages)
    report.claim("finish reason is the client's", ends_of)
    report.claim("model and id are the client's", ids)
    report.claim("every generation is whole", whole)


# --- times -----------------------------------------------------------------------
def ordered(name, what, vllm, gentap, client):
    if gentap is not None and vllm <= gentap <= client:
        return []
    return [f"{name}: {what}: vLLM {vllm:.3f}, gentap {gentap}, client {client:.3f} ms"]


def last_ms(call, generation):
    """gentap's last token: what its mean gap between tokens adds up to."""
    gaps = call.answer.usage["completion_tokens"] - 1
    return generation.ttft_ms + generation.timing["tpotMs"] * gaps


def gap_problems(call, generation):
    """The mean gap, held at its end; its begin is the TTFT."""
    name, answer, vllm = call.name, call.answer, call.vllm
    if generation.ttft_ms is None or "tpotMs" not in generation.timing:
        return [f"{name}: no mean gap between tokens in {generation.timing}"]
    # A last token without text, a special one or one that ends the answer, is
    # seen by the engine only.
    engine = vllm["queue"] + vllm["prefill"] + vllm["decode"] if answer.last_has_text else 0
    return (differ(name, "vLLM's number of gaps", vllm["gaps"], answer.usage["completion_tokens"] - 1)
            + ordered(name, "last token", engine, last_ms(call, generation), answer.last_ms))


def chunk_problems(call, generation):
    name, timing, chunks = call.name, generation.timing, len(call.answer.chunks_ns)
    problems = differ(name, "the number of chunks", timing.get("chunks"), chunks)
    if generation.ttft_ms is None or "itlMaxMs" not in timing:
        return problems + [f"{name}: no gaps between chunks in {timing}"]
    span = last_ms(call, generation) - generation.ttft_ms
    facts = [0, timing["itlP50Ms"], timing["itlP99Ms"], timing["itlMaxMs"], span + ROUNDING_MS]
    if facts != sorted(facts) or timing["itlMaxMs"] < span / (chunks - 1) - ROUNDING_MS:
        problems.append(f"{name}: {chunks} chunks in {span:.3f} ms do not have such gaps: {timing}")
    return problems


def times(report, calls, generations):
    """Of the calls made alone, all of which have a generation."""
    print_table(calls, generations)
    first, end, gaps, chunks, plain = [], [], [], [], []
    for call in calls:
        generation, answer = generations[call.name], call.answer
        end += ordered(call.name, "end", call.vllm["e2e"], generation.end_ms, answer.end_ms)
        if not answer.is_stream:
            plain += differ(call.name, "TTFT of a plain answer", generation.ttft_ms, None)
            continue
        first += ordered(call.name, "TTFT", call.vllm["ttft"], generation.ttft_ms, answer.ttft_ms)
        if abs(generation.timing.get("ttftMs", -1) - (generation.ttft_ms or 0)) > ROUNDING_MS:
            first.append(f"{call.name}: gentap's TTFT is not that of its times: {generation.timing}")
        gaps += gap_problems(call, generation)
        chunks += chunk_problems(call, generation)
    report.claim("TTFT of each stream: vLLM <= gentap <= client", first)
    report.claim("end of each call: vLLM <= gentap <= client", end)
    told = sum(call.answer.last_has_text for call in calls)
    if not told:
        gaps.append("there is no stream whose last token has text")
    report.claim("last token of each stream, by its mean gap: gentap <= client, and vLLM <= "
                 f"gentap in the {told} whose last token has text", gaps)
    report.claim("as many chunks as the client got, and their gaps are in order", chunks)
    report.claim("a plain answer has no TTFT", plain)


def times_at_once(report, answers, vllm, generations):
    """Of calls made together: each against the client, the sums against vLLM."""
    problems = []
    pairs = [(answer, generations[answer.request_id]) for answer in answers
             if answer.request_id in generations]
    for answer, generation in pairs:
        problems += ordered(answer.request_id, "TTFT", 0, generation.ttft_ms, answer.ttft_ms)
        problems += ordered(answer.request_id, "end", 0, generation.end_ms, answer.end_ms)
    if not problems and len(pairs) == len(answers):
        sums = [[sum(getattr(side, which) for side in sides) for sides in zip(*pairs)]
                for which in ("ttft_ms", "end_ms")]
        for what, key, (client, gentap) in zip(("TTFT", "end"), ("ttft", "e2e"), sums):
            count = len(answers)
            problems += ordered("mean", what, vllm[key] / count, gentap / count, client / count)
            print(f"  {count} at once, mean {what}: vLLM {vllm[key] / count:.1f}, "
                  f"gentap {gentap / count:.1f}, client {client / count:.1f} ms")
    elif len(pairs) < len(answers):
        problems.append(f"generations for {len(pairs)} of {len(answers)} calls only")
    report.claim(f"{len(answers)} streams at once: TTFT and end, each <= the client's, "
                 "their means >= vLLM's", problems)


# --- figures ---------------------------------------------------------------------
def figures(call, generation):
    """{what: (vLLM, gentap, client)}, milliseconds."""
    answer, vllm = call.answer, call.vllm
    rows = {"end": (vllm["e2e"], generation.end_ms, answer.end_ms)}
    if answer.is_stream and generation.ttft_ms is not None and "tpotMs" in generation.timing:
        gaps = answer.usage["completion_tokens"] - 1
        rows["TTFT"] = (vllm["ttft"], generation.ttft_ms, answer.ttft_ms)
        rows["gap"] = (vllm["decode"] / gaps, generation.timing["tpotMs"],
                       (answer.last_ms - answer.ttft_ms) / gaps)
    return rows


def print_table(calls, generations):
    columns = ("TTFT", "end", "gap")
    print("  milliseconds: vLLM, gentap, client; gap is the mean between tokens\n"
          f"  {'call':<10}{'tokens':>7}{'chunks':>7}" + "".join(f"{name:>27}" for name in columns))
    all_rows = []
    for call in calls:
        rows = figures(call, generations[call.name])
        all_rows.append(rows)
        chunks = len(call.answer.chunks_ns) if call.answer.is_stream else "-"
        cells = ("".join(f"{value:9.2f}" for value in rows[name]) if name in rows else f"{'-':>27}"
                 for name in columns)
        print(f"  {call.name:<10}{call.answer.usage['completion_tokens']:>7}{chunks:>7}" + "".join(cells))
    for name in columns:
        print_summary(name, [rows[name] for rows in all_rows if name in rows])


def print_summary(name, rows):
    if not rows:
        return
    after_vllm = [gentap - vllm for vllm, gentap, _ in rows]
    before_client = [client - gentap for _, gentap, client in rows]
    in_order = sum(vllm <= gentap <= client for vllm, gentap, client in rows)
    print(f"  {name}: gentap is {statistics.median(after_vllm):.2f} ms after vLLM in the median "
          f"({min(after_vllm):.2f} to {max(after_vllm):.2f}), the client "
          f"{statistics.median(before_client):.2f} after gentap ({min(before_client):.2f} to "
          f"{max(before_client):.2f}); in this order in {in_order} of {len(rows)}"
          + (" (no law: see judge.py)" if name == "gap" else ""))
