/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/anthropic.h"
#include "llm/bedrock.h"

#define REQUEST "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}"

/* "TYPE DATA" a line. */
static void feed_typed(struct call *call, const char *events)
{
	uint64_t number = 0;

	while (*events) {
		size_t type = strcspn(events, " "), len = strcspn(events, "\n");
		struct stream_event event = { .type = { events, type }, .data = { events + type + 1, len - type - 1 } };

		call_read_event(call, ++number * EVENT_NS, &event);
		events += len + (events[len] == '\n');
	}
}

/* A call of that path, with its head and request read. */
static struct call *begin(const char *target, const char *request)
{
	struct http_head head = { .method = SLICE("POST"), .target = slice_of(target) };
	bool is_out_of_memory;
	struct call *call = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);

	cr_assert_not_null(call, "%s", target);
	call_read_request(call, slice_of(request), /* is_truncated */ false);
	return call;
}

#define START "messageStart {\"role\":\"assistant\",\"p\":\"abcd\"}\n"
#define TEXT(n, text) "contentBlockDelta {\"contentBlockIndex\":" n ",\"delta\":{\"text\":\"" text "\"},\"p\":\"abc\"}\n"
#define STOP(n) "contentBlockStop {\"contentBlockIndex\":" n ",\"p\":\"a\"}\n"
#define END(reason) "messageStop {\"stopReason\":\"" reason "\",\"p\":\"ab\"}\n" \
	"metadata {\"usage\":{\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":12},\"metrics\":{\"latencyMs\":321},\"p\":\"a\"}"

static const struct {
	const char *name, *events;
	const char *output;
	uint64_t first, last, chunks;	/* numbers of the events that bear content; 0: none */
	const char *finish;
} streams[] = {
	{ "text", START TEXT("0", "Hel") TEXT("0", "lo") STOP("0") END("end_turn"),
	  "{\"role\":\"assistant\",\"content\":\"Hello\"}", 2, 3, 2, "end_turn" },
	{ "reasoning is kept apart",
	  START "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"Hm\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"Eq\"}}}\n" STOP("0")
	  TEXT("1", "a") STOP("1") END("end_turn"),
	  "{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"Hm\"}", 2, 5, 2, "end_turn" },
	{ "tools", START TEXT("0", "ok") STOP("0")
	  "contentBlockStart {\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\\\":\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":\"1}\"}}}\n" STOP("1")
	  "contentBlockStart {\"contentBlockIndex\":2,\"start\":{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\"}}}\n" STOP("2") END("tool_use"),
	  "{\"role\":\"assistant\",\"content\":\"ok\",\"tool_calls\":["
	  "{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
	  "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}", 2, 8, 5, "tool_use" },
	{ "images, citations and redacted thoughts are parts",
	  START "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"Eq\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"image\":{\"source\":{\"bytes\":\"iVBO\"}}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":2,\"delta\":{\"citation\":{\"title\":\"t\"}}}\n" END("end_turn"),
	  "{\"role\":\"assistant\",\"parts\":[{\"redactedContent\":\"Eq\"},{\"image\":{\"source\":{\"bytes\":\"iVBO\"}}},"
	  "{\"citation\":{\"title\":\"t\"}}]}", 3, 3, 1, "end_turn" },
	{ "nonsense", "messageStart {}\ncontentBlockDelta {\"delta\":7}\ncontentBlockStart {\"start\":[]}\ncontentBlockStop {}\nunheardOf {\"x\":1}\n"
	  TEXT("0", "a") END("end_turn"), "{\"role\":\"assistant\",\"content\":\"a\"}", 6, 6, 1, "end_turn" },
};

Test(bedrock, converse_streams_become_one_message)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/converse-stream", REQUEST);

		feed_typed(call, streams[i].events);
		expect_json(dialect_output(&bedrock_converse, call), streams[i].output, streams[i].name, "output");
		cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), streams[i].finish, "%s", streams[i].name);
		cr_expect_eq(call->times.first_token_ns, streams[i].first * EVENT_NS, "%s: first at %lu", streams[i].name,
			     (unsigned long)(call->times.first_token_ns / EVENT_NS));
		cr_expect_eq(call->times.last_token_ns, streams[i].last * EVENT_NS, "%s: last at %lu", streams[i].name,
			     (unsigned long)(call->times.last_token_ns / EVENT_NS));
		cr_expect_eq(call->chunks, streams[i].chunks, "%s: %lu chunks", streams[i].name, (unsigned long)call->chunks);
		expect_json(usage_json(&call->usage), "{\"input\":5,\"output\":7,\"total\":12}", streams[i].name, "usage");
		expect_json(cJSON_Duplicate(call->facts, 1), "{\"serverTimings\":{\"latencyMs\":321}}", streams[i].name, "facts");
		cr_expect_eq(call->end, CALL_DONE, "%s", streams[i].name);
	}
}

Test(bedrock, converse_is_over_at_metadata_and_finished_before)
{
	_cleanup_(call_free) struct call *call = begin("/model/m/converse-stream", REQUEST);

	feed_typed(call, START TEXT("0", "a") "messageStop {\"stopReason\":\"end_turn\"}");
	cr_expect_eq(call->end, CALL_OPEN);
	cr_expect(call_close(call));
}

Test(bedrock, a_whole_converse_answer)
{
	_cleanup_(call_free) struct call *call = begin("/model/m/converse", REQUEST);

	feed_response(call, 200, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":["
		      "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"Hm\",\"signature\":\"Eq\"}}},{\"text\":\"ok \"},"
		      "{\"citationsContent\":{\"content\":[{\"text\":\"so\"}],\"citations\":[{\"title\":\"t\"}]}},"
		      "{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}}]}},\"stopReason\":\"tool_use\","
		      "\"usage\":{\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":12},\"metrics\":{\"latencyMs\":9},\"serviceTier\":{\"type\":\"priority\"}}");
	expect_json(dialect_output(&bedrock_converse, call), "{\"role\":\"assistant\",\"content\":\"ok so\",\"reasoning\":\"Hm\",\"tool_calls\":["
		    "{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}],\"parts\":[{\"title\":\"t\"}]}",
		    "whole", "output");
	cr_expect_str_eq(buf_text(&call->service_tier), "priority");
	cr_expect_eq(call->end, CALL_DONE);
}

static const struct { const char *name, *model, *body, *usage; } usages[] = {
	{ "cached tokens are beside the input", "anthropic.claude-x", "{\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":62,"
	  "\"cacheReadInputTokens\":20,\"cacheWriteInputTokens\":30}",
	  "{\"input\":5,\"input_cached_tokens\":20,\"input_cache_creation\":30,\"output\":7,\"total\":62}" },
	{ "writes by their life", "anthropic.claude-x", "{\"inputTokens\":5,\"outputTokens\":7,\"cacheReadInputTokens\":0,\"cacheWriteInputTokens\":30,"
	  "\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":10},{\"ttl\":\"1h\",\"inputTokens\":20}]}",
	  "{\"input\":5,\"input_cached_tokens\":0,\"input_cache_creation_5m\":10,\"input_cache_creation_1h\":20,\"output\":7,\"total\":42}" },
	{ "in it with models of openai", "openai.gpt-oss-120b-1:0", "{\"inputTokens\":4995,\"outputTokens\":7,\"cacheReadInputTokens\":0,\"cacheWriteInputTokens\":4993}",
	  "{\"input\":2,\"input_cached_tokens\":0,\"input_cache_creation\":4993,\"output\":7,\"total\":5002}" },
	{ "or beside it, when it could not be in it", "us.openai.gpt-x", "{\"inputTokens\":2,\"outputTokens\":7,\"cacheWriteInputTokens\":4993}",
	  "{\"input\":2,\"input_cache_creation\":4993,\"output\":7,\"total\":5002}" },
	{ "a vendor that only ends so", "myopenai.m", "{\"inputTokens\":50,\"outputTokens\":1,\"cacheReadInputTokens\":10}",
	  "{\"input\":50,\"input_cached_tokens\":10,\"output\":1,\"total\":61}" },
	{ "none", "m", "null", NULL },
};

Test(bedrock, usage_becomes_disjoint_buckets)
{
	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		_cleanup_(call_free) struct call *call = call_new(&bedrock_converse, LIMIT_CONTENT);
		_cleanup_(json_freep) cJSON *body = cJSON_Parse(usages[i].body);

		buf_add_text(&call->path_model, usages[i].model);
		bedrock_read_usage(call, body);
		expect_json(usage_json(&call->usage), usages[i].usage, usages[i].name, "usage");
		cr_expect(!call->usage.is_inconsistent, "%s", usages[i].name);
	}
}

static const struct { const char *target, *model; } models[] = {
	{ "/model/anthropic.claude-x-v1%3A0/converse", "anthropic.claude-x-v1:0" },
	{ "/model/us.amazon.nova-lite-v1:0/converse-stream", "us.amazon.nova-lite-v1:0" },
	{ "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-x/converse", "anthropic.claude-x" },
	{ "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-x/converse", "us.anthropic.claude-x" },
	{ "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse",
	  "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc" },
};

Test(bedrock, models_are_named_by_the_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		_cleanup_(call_free) struct call *call = begin(models[i].target, REQUEST);

		cr_expect_eq(call->dialect, &bedrock_converse, "%s", models[i].target);
		cr_expect_str_eq(buf_text(&call->path_model), models[i].model);
	}
}

static const struct { const char *reason; bool is_refused, is_error; } stops[] = {
	{ "end_turn", false, false }, { "max_tokens", false, false },
	{ "guardrail_intervened", true, false }, { "content_filtered", true, false },
	{ "malformed_model_output", false, true }, { "malformed_tool_use", false, true },
};

Test(bedrock, filters_and_malformed_answers_are_errors)
{
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/converse", REQUEST);
		_cleanup_(buf_done) struct buf body = BUF_INIT(KiB);

		buf_printf(&body, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[]}},\"stopReason\":\"%s\"}", stops[i].reason);
		feed_response(call, 200, buf_text(&body));
		cr_expect_eq(call_refusal(call) != NULL, stops[i].is_refused, "%s", stops[i].reason);
		cr_expect_eq(call->is_error, stops[i].is_error, "%s", stops[i].reason);
	}
}

static const struct { const char *name, *type, *data, *message; const char *want_type, *want; } exceptions[] = {
	{ "in words", "throttlingException", "{\"message\":\"slow down\"}", "", "throttlingException", "slow down" },
	{ "in AWS' other spelling", "validationException", "{\"Message\":\"bad\"}", "", "validationException", "bad" },
	{ "of the framing itself", "InternalError", "", "Something broke", "InternalError", "Something broke" },
	{ "in no form that is known", "modelTimeoutException", "late", "", "modelTimeoutException", "late" },
};

Test(bedrock, exceptions_are_the_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/converse-stream", REQUEST);
		struct stream_event event = { .type = slice_of(exceptions[i].type), .data = slice_of(exceptions[i].data),
					      .message = slice_of(exceptions[i].message), .is_exception = true };

		feed_typed(call, START TEXT("0", "a"));
		call_read_event(call, 7, &event);
		cr_expect(call->is_error && call->end == CALL_DONE && call->times.end_ns == 7, "%s", exceptions[i].name);
		cr_expect_str_eq(buf_text(&call->error_type), exceptions[i].want_type, "%s", exceptions[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), exceptions[i].want, "%s", exceptions[i].name);
		cr_expect_eq(call->marks, 0, "%s", exceptions[i].name);
	}
}

Test(bedrock, an_http_error_has_its_type_in_the_head)
{
	_cleanup_(call_free) struct call *call = begin("/model/m/converse", REQUEST);
	struct http_head head = { .status = 429, .fields = SLICE("x-amzn-RequestId: r\r\n"
		"x-amzn-ErrorType: ThrottlingException:http://internal.amazon.com/coral/\r\n") };

	call_read_head(call, &head);
	feed_response(call, 429, "{\"message\":\"Too many requests\"}");
	cr_expect_str_eq(buf_text(&call->error_type), "ThrottlingException");
	cr_expect_str_eq(buf_text(&call->error_message), "Too many requests");
	cr_expect_str_eq(call->provider_hint, "aws.bedrock");
}

static const struct { const char *name, *request, *input, *parameters; } requests[] = {
	{ "system, tools and scalars", "{\"system\":[{\"text\":\"Be brief\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}],"
	  "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\"}}]},\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":0.5,\"stopSequences\":[]},"
	  "\"additionalModelRequestFields\":{\"top_k\":5},\"performanceConfig\":{\"latency\":\"optimized\"},\"serviceTier\":{\"type\":\"flex\"}}",
	  "{\"tools\":[{\"toolSpec\":{\"name\":\"f\"}}],\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"},"
	  "{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]}",
	  "{\"maxTokens\":9,\"temperature\":0.5,\"top_k\":5,\"latency\":\"optimized\",\"service_tier\":\"flex\"}" },
	{ "messages alone", REQUEST, "[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]", NULL },
};

Test(bedrock, input_and_parameters_come_from_the_request)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/converse", requests[i].request);

		expect_json(bedrock_converse.input(call), requests[i].input, requests[i].name, "input");
		expect_json(dialect_parameters(&bedrock_converse, call), requests[i].parameters, requests[i].name, "parameters");
	}
}

/* --- InvokeModel ------------------------------------------------------------------------ */

static const struct {
	const char *name, *model, *request, *body;
	const char *input, *output, *usage, *parameters, *finish;
	enum operation operation;
} invokes[] = {
	{ "Anthropic's messages", "anthropic.claude-x", "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":9,\"messages\":[]}",
	  "{\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"stop_reason\":\"end_turn\","
	  "\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}",
	  "[]", "{\"role\":\"assistant\",\"content\":\"Hi\"}", "{\"input\":3,\"output\":4,\"total\":7}", "{\"max_tokens\":9}", "end_turn", OPERATION_CHAT },
	{ "behind a profile whose name tells nothing", "arn:aws:bedrock:r:1:application-inference-profile/abc",
	  "{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[]}", "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}",
	  "[]", "{\"role\":\"assistant\",\"content\":null}", NULL, NULL, "", OPERATION_CHAT },
	{ "Llama", "us.meta.llama3-1-8b-instruct-v1:0", "{\"prompt\":\"p\",\"max_gen_len\":9,\"temperature\":0.5}",
	  "{\"generation\":\"Hi\",\"prompt_token_count\":3,\"generation_token_count\":4,\"stop_reason\":\"stop\"}",
	  "\"p\"", "\"Hi\"", "{\"input\":3,\"output\":4,\"total\":7}", "{\"temperature\":0.5,\"max_gen_len\":9}", "stop", OPERATION_TEXT_COMPLETION },
	{ "Titan", "amazon.titan-text-express-v1", "{\"inputText\":\"p\",\"textGenerationConfig\":{\"maxTokenCount\":9,\"topP\":1}}",
	  "{\"inputTextTokenCount\":3,\"results\":[{\"tokenCount\":4,\"outputText\":\"Hi\",\"completionReason\":\"FINISH\"}]}",
	  "\"p\"", "\"Hi\"", "{\"input\":3,\"output\":4,\"total\":7}", "{\"topP\":1,\"maxTokenCount\":9}", "FINISH", OPERATION_TEXT_COMPLETION },
	{ "Titan's embeddings", "amazon.titan-embed-text-v2:0", "{\"inputText\":\"p\",\"dimensions\":3}",
	  "{\"embedding\":[1,2,3],\"inputTextTokenCount\":3}", "\"p\"", "{\"dimensions\":3,\"count\":1}", "{\"input\":3,\"total\":3}",
	  "{\"dimensions\":3}", NULL, OPERATION_EMBEDDINGS },
	{ "Mistral's texts", "mistral.mistral-7b-instruct-v0:2", "{\"prompt\":\"p\",\"max_tokens\":9}",
	  "{\"outputs\":[{\"text\":\"Hi\",\"stop_reason\":\"stop\"}]}", "\"p\"", "\"Hi\"", NULL, "{\"max_tokens\":9}", "stop", OPERATION_TEXT_COMPLETION },
	{ "Mistral's chat is OpenAI's", "mistral.mistral-large-2407-v1:0", "{\"messages\":[]}",
	  "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}],"
	  "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}",
	  "[]", "{\"role\":\"assistant\",\"content\":\"Hi\"}", "{\"input\":3,\"output\":4,\"total\":7}",
	  "{\"temperature\":1,\"max_tokens\":\"Infinity\",\"top_p\":1,\"frequency_penalty\":0,\"presence_penalty\":0}", "stop", OPERATION_CHAT },
	{ "Nova", "us.amazon.nova-lite-v1:0", "{\"schemaVersion\":\"messages-v1\",\"system\":[{\"text\":\"s\"}],\"messages\":[],\"inferenceConfig\":{\"maxTokens\":9}}",
	  "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"Hi\"}]}},\"stopReason\":\"end_turn\","
	  "\"usage\":{\"inputTokens\":3,\"outputTokens\":4,\"totalTokens\":7}}",
	  "[{\"role\":\"system\",\"content\":\"s\"}]", "{\"role\":\"assistant\",\"content\":\"Hi\"}", "{\"input\":3,\"output\":4,\"total\":7}",
	  "{\"maxTokens\":9}", "end_turn", OPERATION_CHAT },
	{ "Cohere's embeddings", "cohere.embed-english-v3", "{\"texts\":[\"a\"],\"input_type\":\"search_query\"}",
	  "{\"embeddings\":[[1,2]],\"id\":\"x\",\"response_type\":\"embeddings_floats\",\"texts\":[\"a\"]}",
	  "[\"a\"]", "{\"dimensions\":2,\"count\":1}", NULL, "{\"input_type\":\"search_query\"}", NULL, OPERATION_EMBEDDINGS },
	{ "the answer knows better", "imported/m", "{\"prompt\":\"p\"}",
	  "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}",
	  NULL, "{\"role\":\"assistant\",\"content\":\"Hi\"}", NULL,
	  "{\"temperature\":1,\"max_tokens\":\"Infinity\",\"top_p\":1,\"frequency_penalty\":0,\"presence_penalty\":0}", "stop", OPERATION_CHAT },
};

Test(bedrock, invoke_reads_each_vendors_bodies)
{
	for (size_t i = 0; i < ARRAY_SIZE(invokes); i++) {
		_cleanup_(buf_done) struct buf target = BUF_INIT(KiB);
		_cleanup_(call_free) struct call *call = NULL;

		buf_printf(&target, "/model/%s/invoke", invokes[i].model);
		call = begin(buf_text(&target), invokes[i].request);
		cr_expect(call_is_recognised(call), "%s", invokes[i].name);
		feed_response(call, 200, invokes[i].body);
		cr_expect_eq(call->dialect, &bedrock_invoke, "%s", invokes[i].name);
		expect_json(bedrock_invoke.input(call), invokes[i].input, invokes[i].name, "input");
		expect_json(dialect_output(&bedrock_invoke, call), invokes[i].output, invokes[i].name, "output");
		expect_json(dialect_parameters(&bedrock_invoke, call), invokes[i].parameters, invokes[i].name, "parameters");
		expect_json(usage_json(&call->usage), invokes[i].usage, invokes[i].name, "usage");
		cr_expect_eq(call->operation, invokes[i].operation, "%s", invokes[i].name);
		if (invokes[i].finish)
			cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), invokes[i].finish, "%s", invokes[i].name);
	}
}

static void add_base64(struct buf *buf, const char *text, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned char in[3] = { text[i], i + 1 < len ? text[i + 1] : 0, i + 2 < len ? text[i + 2] : 0 };

		buf_add_char(buf, digits[in[0] >> 2]);
		buf_add_char(buf, digits[(in[0] & 3) << 4 | in[1] >> 4]);
		buf_add_char(buf, i + 1 < len ? digits[(in[1] & 15) << 2 | in[2] >> 6] : '=');
		buf_add_char(buf, i + 2 < len ? digits[in[2] & 63] : '=');
	}
}

/* @events: the vendor's own, one a line. */
static void feed_chunks(struct call *call, const char *events)
{
	uint64_t number = 0;

	while (*events) {
		size_t len = strcspn(events, "\n");
		_cleanup_(buf_done) struct buf data = BUF_INIT(64 * KiB);
		struct stream_event event = { .type = SLICE("chunk") };

		buf_add_text(&data, "{\"bytes\":\"");
		add_base64(&data, events, len);
		buf_add_text(&data, "\",\"p\":\"abc\"}");
		event.data = buf_slice(&data);
		call_read_event(call, ++number * EVENT_NS, &event);
		events += len + (events[len] == '\n');
	}
}

#define METRICS "\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":30,\"outputTokenCount\":40,\"invocationLatency\":900,\"firstByteLatency\":200}"

static const struct { const char *name, *request, *events, *output, *usage; uint64_t chunks; } chunks[] = {
	{ "Anthropic states more than the metrics", "{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[]}",
	  "{\"type\":\"message_start\",\"message\":{\"role\":\"assistant\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":27,\"output_tokens\":1}}}\n"
	  "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n"
	  "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":40}}\n"
	  "{\"type\":\"message_stop\"," METRICS "}",
	  "{\"role\":\"assistant\",\"content\":\"Hi\"}", "{\"input\":3,\"input_cached_tokens\":27,\"output\":40,\"total\":70}", 1 },
	{ "Llama", "{\"prompt\":\"p\"}", "{\"generation\":\"H\",\"prompt_token_count\":3,\"generation_token_count\":1,\"stop_reason\":null}\n"
	  "{\"generation\":\"i\",\"prompt_token_count\":null,\"generation_token_count\":2,\"stop_reason\":\"stop\"," METRICS "}",
	  "\"Hi\"", "{\"input\":3,\"output\":2,\"total\":5}", 2 },
	{ "Nova", "{\"messages\":[],\"inferenceConfig\":{}}", "{\"messageStart\":{\"role\":\"assistant\"}}\n"
	  "{\"contentBlockDelta\":{\"delta\":{\"text\":\"Hi\"},\"contentBlockIndex\":0}}\n{\"contentBlockStop\":{\"contentBlockIndex\":0}}\n"
	  "{\"messageStop\":{\"stopReason\":\"end_turn\"}}\n"
	  "{\"metadata\":{\"usage\":{\"inputTokens\":3,\"outputTokens\":4},\"metrics\":{},\"trace\":{}}," METRICS "}",
	  "{\"role\":\"assistant\",\"content\":\"Hi\"}", "{\"input\":3,\"output\":4,\"total\":7}", 1 },
	{ "the metrics are all that is stated", "{\"prompt\":\"p\"}", "{\"outputs\":[{\"text\":\"Hi\",\"stop_reason\":null}]}\n"
	  "{\"outputs\":[{\"text\":\"\",\"stop_reason\":\"stop\"}]," METRICS "}", "\"Hi\"", "{\"input\":30,\"output\":40,\"total\":70}", 1 },
};

Test(bedrock, invoke_streams_are_unwrapped)
{
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/invoke-with-response-stream", chunks[i].request);

		feed_chunks(call, chunks[i].events);
		expect_json(dialect_output(&bedrock_invoke, call), chunks[i].output, chunks[i].name, "output");
		expect_json(usage_json(&call->usage), chunks[i].usage, chunks[i].name, "usage");
		expect_json(cJSON_Duplicate(json_get(call->facts, "serverTimings"), 1), "{\"invocationLatency\":900,\"firstByteLatency\":200}",
			    chunks[i].name, "timings");
		cr_expect_eq(call->chunks, chunks[i].chunks, "%s: %lu chunks", chunks[i].name, (unsigned long)call->chunks);
		cr_expect_eq(call->end, CALL_DONE, "%s", chunks[i].name);
		cr_expect_eq(call->marks, 0, "%s", chunks[i].name);
	}
}

Test(bedrock, chunks_that_are_no_base64_are_marked)
{
	static const char *const bad[] = { "{\"bytes\":\"a\"}", "{\"bytes\":\"????\"}", "{\"bytes\":\"\"}", "{\"bytes\":\"e30\"}", "{\"bytes\":\"bm8=\"}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(call_free) struct call *call = begin("/model/m/invoke-with-response-stream", "{\"prompt\":\"p\"}");

		feed_events(call, bad[i]);
		cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_JSON), "%s", bad[i]);
	}
}

Test(bedrock, counts_stand_in_the_head_unless_the_body_states_them)
{
	struct http_head head = { .status = 200, .fields = SLICE("X-Amzn-Bedrock-Input-Token-Count: 30\r\n"
		"X-Amzn-Bedrock-Output-Token-Count: 40\r\nX-Amzn-Bedrock-Invocation-Latency: 900\r\n") };
	_cleanup_(call_free) struct call *mistral = begin("/model/mistral.m/invoke", "{\"prompt\":\"p\"}");
	_cleanup_(call_free) struct call *llama = begin("/model/meta.l/invoke", "{\"prompt\":\"p\"}");

	call_read_head(mistral, &head);
	feed_response(mistral, 200, "{\"outputs\":[{\"text\":\"Hi\",\"stop_reason\":\"stop\"}]}");
	expect_json(usage_json(&mistral->usage), "{\"input\":30,\"output\":40,\"total\":70}", "head", "usage");
	expect_json(cJSON_Duplicate(mistral->facts, 1), "{\"serverTimings\":{\"invocationLatency\":900}}", "head", "facts");
	call_read_head(llama, &head);
	feed_response(llama, 200, "{\"generation\":\"Hi\",\"prompt_token_count\":3,\"generation_token_count\":4,\"stop_reason\":\"stop\"}");
	expect_json(usage_json(&llama->usage), "{\"input\":3,\"output\":4,\"total\":7}", "body", "usage");
}

/* A path that is not known: shapes decide. */
Test(bedrock, is_told_by_its_answer_where_no_path_is_known)
{
	struct http_head head = { .is_partial = true };
	bool is_out_of_memory;
	_cleanup_(call_free) struct call *converse = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);
	_cleanup_(call_free) struct call *invoke = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);

	call_read_request(converse, SLICE(REQUEST), /* is_truncated */ false);
	feed_typed(converse, START TEXT("0", "Hi") END("end_turn"));
	cr_expect_eq(converse->dialect, &bedrock_converse, "%s", converse->dialect->name);
	expect_json(dialect_output(converse->dialect, converse), "{\"role\":\"assistant\",\"content\":\"Hi\"}", "converse", "output");

	call_read_request(invoke, SLICE("{\"anthropic_version\":\"b\",\"messages\":[]}"), /* is_truncated */ false);
	feed_chunks(invoke, "{\"type\":\"message_start\",\"message\":{\"role\":\"assistant\"}}\n"
		    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n{\"type\":\"message_stop\"}");
	cr_expect_eq(invoke->dialect, &bedrock_invoke, "%s", invoke->dialect->name);
	expect_json(dialect_output(invoke->dialect, invoke), "{\"role\":\"assistant\",\"content\":\"Hi\"}", "invoke", "output");
}
