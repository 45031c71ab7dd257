/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/gemini.h"

#define REQUEST "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}"
#define PARTS(parts) "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts "]},\"index\":0}]}\n"
#define END(reason) "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"" reason "\"}]," \
	"\"modelVersion\":\"gemini-x\",\"responseId\":\"r-1\"}"
#define CALL(function) "{\"functionCall\":" function "}"

static const struct {
	const char *name, *events;
	const char *output;
	uint64_t first, last, chunks;	/* numbers of the events that bear content; 0: none */
	const char *finish;
} streams[] = {
	{ "text goes on from chunk to chunk", PARTS("{\"text\":\"Hel\"}") PARTS("{\"text\":\"lo\"},{\"text\":\"!\"}") END("STOP"),
	  "{\"role\":\"model\",\"content\":\"Hello!\"}", 1, 2, 2, "STOP" },
	{ "thoughts are kept apart; a signature is no content",
	  PARTS("{\"text\":\"Hm\",\"thought\":true}") PARTS("{\"thoughtSignature\":\"Eq\"}") PARTS("{\"text\":\"a\",\"thought\":false}") END("STOP"),
	  "{\"role\":\"model\",\"content\":\"a\",\"reasoning\":\"Hm\"}", 1, 3, 2, "STOP" },
	{ "function calls come whole, with or without arguments and id",
	  PARTS(CALL("{\"name\":\"f\",\"args\":{\"a\":1}}") "," CALL("{\"id\":\"c2\",\"name\":\"g\"}")) END("STOP"),
	  "{\"role\":\"model\",\"content\":\"\",\"tool_calls\":["
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
	  "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}", 1, 1, 1, "STOP" },
	{ "or in pieces",
	  PARTS(CALL("{\"name\":\"f\",\"willContinue\":true}"))
	  PARTS(CALL("{\"partialArgs\":[{\"jsonPath\":\"$.city\",\"stringValue\":\"New \",\"willContinue\":true}],\"willContinue\":true}"))
	  PARTS(CALL("{\"partialArgs\":[{\"jsonPath\":\"$.city\",\"stringValue\":\"York\"}],\"willContinue\":true}"))
	  PARTS(CALL("{\"partialArgs\":[{\"jsonPath\":\"$.days\",\"numberValue\":3}],\"willContinue\":true}"))
	  PARTS(CALL("{}")) PARTS(CALL("{\"name\":\"g\",\"args\":{}}")) END("STOP"),
	  "{\"role\":\"model\",\"content\":\"\",\"tool_calls\":["
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"city\\\":\\\"New York\\\",\\\"days\\\":3}\"}},"
	  "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}", 1, 6, 5, "STOP" },
	{ "media and code are parts, a result is not the model's",
	  PARTS("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBO\"}}") PARTS("{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}}")
	  PARTS("{\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\"}}") END("STOP"),
	  "{\"role\":\"model\",\"content\":\"\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBO\"}},"
	  "{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}},{\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\"}}]}", 1, 2, 2, "STOP" },
	{ "several candidates", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"},"
	  "{\"index\":1,\"content\":{\"parts\":[{\"text\":\"b\"}],\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\"}]}",
	  "[{\"role\":\"model\",\"content\":\"a\"},{\"role\":\"model\",\"content\":\"b\"}]", 1, 1, 1, "STOP" },
	{ "nonsense", "{\"candidates\":[1,{},{\"content\":7},{\"content\":{\"parts\":[null,{\"functionCall\":3},{\"functionCall\":{\"willContinue\":true}}]}}]}\n"
	  PARTS("{\"text\":\"a\"}") END("STOP"), "{\"role\":\"model\",\"content\":\"a\"}", 2, 2, 1, "STOP" },
};

Test(gemini, streams_become_one_message)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, REQUEST);

		feed_events(call, streams[i].events);
		cr_expect(call_close(call), "%s", streams[i].name);
		expect_json(dialect_output(&gemini_generate, call), streams[i].output, streams[i].name, "output");
		cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), streams[i].finish, "%s", streams[i].name);
		cr_expect_eq(call->times.first_token_ns, streams[i].first * EVENT_NS, "%s: first at %lu", streams[i].name,
			     (unsigned long)(call->times.first_token_ns / EVENT_NS));
		cr_expect_eq(call->times.last_token_ns, streams[i].last * EVENT_NS, "%s: last at %lu", streams[i].name,
			     (unsigned long)(call->times.last_token_ns / EVENT_NS));
		cr_expect_eq(call->chunks, streams[i].chunks, "%s: %lu chunks", streams[i].name, (unsigned long)call->chunks);
		cr_expect(!call->is_error && !call_refusal(call), "%s", streams[i].name);
	}
}

static const struct { const char *name, *pieces, *arguments; } arguments[] = {
	{ "a string in pieces, with what must be escaped", "[{\"jsonPath\":\"$.a\",\"stringValue\":\"x\\\"\",\"willContinue\":true},"
	  "{\"jsonPath\":\"$.a\",\"stringValue\":\"\\n\",\"willContinue\":true},{\"jsonPath\":\"$.a\"}]", "{\"a\":\"x\\\"\\n\"}" },
	{ "values of each kind", "[{\"jsonPath\":\"$.a\",\"numberValue\":1.5},{\"jsonPath\":\"$.b\",\"boolValue\":false},"
	  "{\"jsonPath\":\"$.c\",\"nullValue\":\"NULL_VALUE\"},{\"jsonPath\":\"$.d\",\"stringValue\":\"\"}]",
	  "{\"a\":1.5,\"b\":false,\"c\":null,\"d\":\"\"}" },
	{ "nested, and back", "[{\"jsonPath\":\"$.a.b.c\",\"numberValue\":1},{\"jsonPath\":\"$.a.b.d\",\"numberValue\":2},"
	  "{\"jsonPath\":\"$.a.e\",\"numberValue\":3},{\"jsonPath\":\"$.f\",\"numberValue\":4}]",
	  "{\"a\":{\"b\":{\"c\":1,\"d\":2},\"e\":3},\"f\":4}" },
	{ "lists of scalars and of objects", "[{\"jsonPath\":\"$.a[0]\",\"numberValue\":1},{\"jsonPath\":\"$.a[1]\",\"numberValue\":2},"
	  "{\"jsonPath\":\"$.b[0].x\",\"stringValue\":\"p\",\"willContinue\":true},{\"jsonPath\":\"$.b[1].x\",\"stringValue\":\"q\"},"
	  "{\"jsonPath\":\"$.b[1].y\",\"numberValue\":3}]",
	  "{\"a\":[1,2],\"b\":[{\"x\":\"p\"},{\"x\":\"q\",\"y\":3}]}" },
	{ "names in brackets", "[{\"jsonPath\":\"$['a b']['c']\",\"numberValue\":1}]", "{\"a b\":{\"c\":1}}" },
	{ "a string that goes on from nothing", "[{\"jsonPath\":\"$.a\",\"willContinue\":true},{\"jsonPath\":\"$.a\",\"stringValue\":\"x\"}]", "{\"a\":\"x\"}" },
	{ "no path is no argument", "[{\"numberValue\":1},{\"jsonPath\":\"$\",\"numberValue\":1},7]", "{}" },
};

Test(gemini, arguments_in_pieces_become_json)
{
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, REQUEST);
		_cleanup_(buf_done) struct buf events = BUF_INIT(4 * KiB);
		const struct tool_call *tool;

		buf_printf(&events, "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"partialArgs\":%s}}]}}]}",
			   arguments[i].pieces);
		feed_events(call, buf_text(&events));
		cr_assert_eq(call->choices[0].tool_count, 1, "%s", arguments[i].name);
		tool = &call->choices[0].tools[0];
		cr_expect_str_eq(buf_text(&tool->arguments), arguments[i].arguments, "%s: %s", arguments[i].name, buf_text(&tool->arguments));
	}
}

static const struct { const char *name, *model, *body, *usage; uint64_t output_tokens; } usages[] = {
	{ "cached tokens and thoughts", "gemini-2.5-pro", "{\"promptTokenCount\":1000,\"cachedContentTokenCount\":800,\"candidatesTokenCount\":50,"
	  "\"thoughtsTokenCount\":150,\"totalTokenCount\":1200}",
	  "{\"input\":200,\"input_cached_tokens\":800,\"output\":50,\"output_reasoning_tokens\":150,\"total\":1200}", 200 },
	{ "what tools brought is input", "gemini-2.5-pro", "{\"promptTokenCount\":10,\"toolUsePromptTokenCount\":90,\"candidatesTokenCount\":5,\"totalTokenCount\":105}",
	  "{\"input\":100,\"output\":5,\"total\":105}", 5 },
	{ "no price for thoughts: they are output", "gemini-2.0-flash-thinking", "{\"promptTokenCount\":1,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7,\"totalTokenCount\":13}",
	  "{\"input\":1,\"output\":12,\"total\":13}", 12 },
	{ "audio with a price", "gemini-2.5-flash", "{\"promptTokenCount\":100,\"cachedContentTokenCount\":40,\"candidatesTokenCount\":5,\"totalTokenCount\":105,"
	  "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":20},{\"modality\":\"AUDIO\",\"tokenCount\":80}],"
	  "\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":40}]}",
	  "{\"input\":20,\"input_cached_tokens\":40,\"input_audio_tokens\":40,\"output\":5,\"total\":105}", 5 },
	{ "audio without one", "gemini-2.5-pro", "{\"promptTokenCount\":100,\"promptTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":80}],\"totalTokenCount\":100}",
	  "{\"input\":100,\"total\":100}", COUNT_UNKNOWN },
	{ "thoughts before an answer", "gemini-3-pro", "{\"promptTokenCount\":9,\"thoughtsTokenCount\":30,\"totalTokenCount\":39}",
	  "{\"input\":9,\"output_reasoning_tokens\":30,\"total\":39}", 30 },
	{ "a prompt that was blocked", "gemini-2.5-pro", "{\"promptTokenCount\":9,\"totalTokenCount\":9}", "{\"input\":9,\"total\":9}", COUNT_UNKNOWN },
};

Test(gemini, usage_becomes_disjoint_buckets)
{
	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		_cleanup_(call_free) struct call *call = call_new(&gemini_generate, LIMIT_CONTENT);
		_cleanup_(json_freep) cJSON *body = cJSON_Parse(usages[i].body);

		call_add(call, &call->response_model, usages[i].model);
		gemini_read_usage(call, body);
		expect_json(usage_json(&call->usage), usages[i].usage, usages[i].name, "usage");
		cr_expect_eq(call->usage.output_tokens, usages[i].output_tokens, "%s: output tokens", usages[i].name);
		cr_expect(!call->usage.is_inconsistent, "%s", usages[i].name);
	}
}

Test(gemini, the_last_usage_wins)
{
	_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, REQUEST);

	feed_events(call, "{\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":1,\"totalTokenCount\":5}}\n"
		    "{\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":9,\"totalTokenCount\":13,\"trafficType\":\"ON_DEMAND\"}}");
	expect_json(usage_json(&call->usage), "{\"input\":4,\"output\":9,\"total\":13}", "stream", "usage");
	expect_json(cJSON_Duplicate(call->facts, 1), "{\"trafficType\":\"ON_DEMAND\"}", "stream", "facts");
}

static const struct {
	const char *name, *body;
	const char *refusal;	/* NULL: none */
	const char *error_type, *error;
} stops[] = {
	{ "the prompt is blocked", "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}}", "prompt blocked: PROHIBITED_CONTENT", "", "" },
	{ "in words", "{\"promptFeedback\":{\"blockReason\":\"OTHER\",\"blockReasonMessage\":\"Blocked by policy.\"}}", "Blocked by policy.", "", "" },
	{ "feedback without a block", "{\"promptFeedback\":{\"safetyRatings\":[]},\"candidates\":[{\"finishReason\":\"STOP\"}]}", NULL, "", "" },
	{ "a filter stops the answer", "{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}", "stopped by a filter: SAFETY", "", "" },
	{ "a filter that will come", "{\"candidates\":[{\"finishReason\":\"NEW_FILTER\",\"finishMessage\":\"No.\"}]}", "No.", "", "" },
	{ "a call that is none", "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\",\"finishMessage\":\"Malformed function call: f(\"}]}",
	  NULL, "MALFORMED_FUNCTION_CALL", "Malformed function call: f(" },
	{ "no reason given", "{\"candidates\":[{\"finishReason\":\"OTHER\"}]}", NULL, "OTHER", "OTHER" },
};

Test(gemini, blocks_and_failures_are_errors)
{
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, REQUEST);
		const struct buf *refusal;

		feed_events(call, stops[i].body);
		refusal = call_refusal(call);
		cr_expect_str_eq(refusal ? buf_text(refusal) : "none", stops[i].refusal ? stops[i].refusal : "none", "%s", stops[i].name);
		cr_expect_eq(call->is_error, *stops[i].error != 0, "%s", stops[i].name);
		cr_expect_str_eq(buf_text(&call->error_type), stops[i].error_type, "%s", stops[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), stops[i].error, "%s", stops[i].name);
		cr_expect(call_close(call), "%s: it is over", stops[i].name);
	}
}

static const struct { const char *name; unsigned status; const char *body, *type, *message; } errors[] = {
	{ "an object", 429, "{\"error\":{\"code\":429,\"message\":\"Quota exceeded\",\"status\":\"RESOURCE_EXHAUSTED\"}}", "RESOURCE_EXHAUSTED", "Quota exceeded" },
	{ "in an array, pretty-printed", 400, "[{\n  \"error\": {\n    \"code\": 400,\n    \"message\": \"Bad key\",\n    \"status\": \"INVALID_ARGUMENT\"\n  }\n}\n]",
	  "INVALID_ARGUMENT", "Bad key" },
	{ "at the end of a stream whose path was not known", 200, "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},"
	  "{\"error\":{\"code\":503,\"message\":\"Overloaded\",\"status\":\"UNAVAILABLE\"}}]", "UNAVAILABLE", "Overloaded" },
};

Test(gemini, errors_in_each_form)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, REQUEST);

		feed_response(call, errors[i].status, errors[i].body);
		cr_expect(call->is_error, "%s", errors[i].name);
		cr_expect_str_eq(buf_text(&call->error_type), errors[i].type, "%s", errors[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), errors[i].message, "%s", errors[i].name);
		cr_expect(call_is_recognised(call), "%s", errors[i].name);
	}
}

static const struct { const char *name, *request, *input, *parameters; } requests[] = {
	{ "contents alone", REQUEST, "[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]", NULL },
	{ "a system instruction of one text", "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief\"}]},\"contents\":[],\"tools\":[{\"googleSearch\":{}}]}",
	  "{\"tools\":[{\"googleSearch\":{}}],\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"}]}", NULL },
	{ "of several, in the other spelling", "{\"system_instruction\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},\"contents\":[]}",
	  "[{\"role\":\"system\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]}]", NULL },
	{ "scalars of the configuration", "{\"contents\":[],\"generationConfig\":{\"temperature\":0.5,\"topP\":0.9,\"maxOutputTokens\":64,\"stopSequences\":[\"x\"],"
	  "\"responseMimeType\":\"application/json\",\"thinkingConfig\":{\"thinkingBudget\":128,\"includeThoughts\":true}},\"serviceTier\":\"flex\"}",
	  "[]", "{\"temperature\":0.5,\"topP\":0.9,\"maxOutputTokens\":64,\"responseMimeType\":\"application/json\",\"thinkingBudget\":128,"
	  "\"includeThoughts\":true,\"service_tier\":\"flex\"}" },
	{ "in the other spelling", "{\"contents\":[],\"generation_config\":{\"max_output_tokens\":9}}", "[]", "{\"max_output_tokens\":9}" },
};

Test(gemini, input_and_parameters_come_from_the_request)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_generate, requests[i].request);

		expect_json(gemini_generate.input(call), requests[i].input, requests[i].name, "input");
		expect_json(dialect_parameters(&gemini_generate, call), requests[i].parameters, requests[i].name, "parameters");
	}
}

static const struct { const char *name, *request, *body, *input, *output, *usage, *parameters; } embeds[] = {
	{ "one", "{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"taskType\":\"RETRIEVAL_QUERY\",\"outputDimensionality\":3}",
	  "{\"embedding\":{\"values\":[1,2,3]}}", "\"hi\"", "{\"dimensions\":3,\"count\":1}", NULL, "{\"taskType\":\"RETRIEVAL_QUERY\",\"outputDimensionality\":3}" },
	{ "one that states its tokens", "{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}", "{\"embedding\":{\"values\":[1]},\"usageMetadata\":{\"promptTokenCount\":2}}",
	  "\"hi\"", "{\"dimensions\":1,\"count\":1}", "{\"input\":2,\"total\":2}", NULL },
	{ "a batch", "{\"requests\":[{\"model\":\"models/e\",\"content\":{\"parts\":[{\"text\":\"a\"}]}},{\"content\":{\"parts\":[{\"text\":\"b\"},{\"text\":\"c\"}]}}]}",
	  "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3,4]}]}", "[\"a\",{\"parts\":[{\"text\":\"b\"},{\"text\":\"c\"}]}]",
	  "{\"dimensions\":2,\"count\":2}", NULL, NULL },
	{ "Vertex", "{\"instances\":[{\"content\":\"a\",\"task_type\":\"CLUSTERING\"},{\"content\":\"b\"}],\"parameters\":{\"outputDimensionality\":2}}",
	  "{\"predictions\":[{\"embeddings\":{\"values\":[1,2],\"statistics\":{\"token_count\":3,\"truncated\":false}}},"
	  "{\"embeddings\":{\"values\":[1,2],\"statistics\":{\"token_count\":4.0}}}],\"metadata\":{\"billableCharacterCount\":2}}",
	  "[\"a\",\"b\"]", "{\"dimensions\":2,\"count\":2}", "{\"input\":7,\"total\":7}", "{\"task_type\":\"CLUSTERING\",\"outputDimensionality\":2}" },
};

Test(gemini, embeddings_of_three_methods)
{
	for (size_t i = 0; i < ARRAY_SIZE(embeds); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_embed, embeds[i].request);

		cr_expect(call_is_recognised(call), "%s", embeds[i].name);
		feed_response(call, 200, embeds[i].body);
		expect_json(gemini_embed.input(call), embeds[i].input, embeds[i].name, "input");
		expect_json(dialect_output(&gemini_embed, call), embeds[i].output, embeds[i].name, "output");
		expect_json(usage_json(&call->usage), embeds[i].usage, embeds[i].name, "usage");
		expect_json(dialect_parameters(&gemini_embed, call), embeds[i].parameters, embeds[i].name, "parameters");
	}
}

Test(gemini, predict_of_another_model_is_no_call)
{
	_cleanup_(call_free) struct call *call = feed_request(&gemini_embed, "{\"instances\":[{\"prompt\":\"a cat\"}]}");

	feed_response(call, 200, "{\"predictions\":[{\"bytesBase64Encoded\":\"iVBO\"}]}");
	cr_expect(!call_is_recognised(call));
}

static const struct { const char *target, *content_type; unsigned status; enum framing framing; } framings[] = {
	{ "/v1beta/models/m:streamGenerateContent", "application/json; charset=UTF-8", 200, FRAMING_JSON_ARRAY },
	{ "/v1/projects/p/locations/l/endpoints/7:streamGenerateContent", "Application/JSON", 200, FRAMING_JSON_ARRAY },
	{ "/v1beta/models/m:streamGenerateContent?alt=sse", "text/event-stream", 200, FRAMING_SSE },
	{ "/v1beta/models/m:streamGenerateContent", "application/json", 429, FRAMING_BODY },
	{ "/v1beta/models/m:streamGenerateContent", "text/html", 200, FRAMING_BODY },
	{ "/v1beta/models/m:generateContent", "application/json", 200, FRAMING_BODY },
};

Test(gemini, a_stream_of_json_is_an_array)
{
	for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
		struct http_head request = { .method = SLICE("POST"), .target = slice_of(framings[i].target) };
		_cleanup_(buf_done) struct buf fields = BUF_INIT(KiB);
		struct http_head response = { .status = framings[i].status };
		bool is_out_of_memory;
		_cleanup_(call_free) struct call *call = call_begin(&request, LIMIT_CONTENT, &is_out_of_memory);

		buf_printf(&fields, "Content-Type: %s\r\n", framings[i].content_type);
		response.fields = buf_slice(&fields);
		cr_assert_not_null(call);
		cr_expect_eq(call_framing(call, &response), framings[i].framing, "%s as %s", framings[i].target, framings[i].content_type);
	}
}

/* --- Interactions ------------------------------------------------------------------- */

#define CREATED "{\"event_type\":\"interaction.created\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"in_progress\",\"model\":\"gemini-3-flash-preview\"}}\n"
#define STEP(n, step) "{\"event_type\":\"step.start\",\"index\":" n ",\"step\":" step "}\n"
#define DELTA(n, delta) "{\"event_type\":\"step.delta\",\"index\":" n ",\"delta\":" delta "}\n"
#define STOP(n) "{\"event_type\":\"step.stop\",\"index\":" n "}\n"
#define COMPLETED(status) "{\"event_type\":\"interaction.completed\",\"interaction\":{\"id\":\"v1_x\",\"status\":\"" status "\"," \
	"\"usage\":{\"total_input_tokens\":100,\"total_cached_tokens\":40,\"total_tool_use_tokens\":10,\"total_output_tokens\":5," \
	"\"total_thought_tokens\":7,\"total_tokens\":122}}}"

static const struct { const char *name, *events, *output, *finish; uint64_t chunks; } interactions[] = {
	{ "a thought and a text", CREATED STEP("0", "{\"type\":\"thought\"}")
	  DELTA("0", "{\"type\":\"thought_summary\",\"content\":{\"type\":\"text\",\"text\":\"Hm\"}}") DELTA("0", "{\"type\":\"thought_signature\",\"signature\":\"Eq\"}")
	  STOP("0") STEP("1", "{\"type\":\"model_output\"}") DELTA("1", "{\"type\":\"text\",\"text\":\"Hel\"}") DELTA("1", "{\"type\":\"text\",\"text\":\"lo\"}")
	  STOP("1") COMPLETED("completed"), "{\"role\":\"assistant\",\"content\":\"Hello\",\"reasoning\":\"Hm\"}", "completed", 3 },
	{ "function calls", CREATED STEP("0", "{\"type\":\"function_call\",\"id\":\"c1\",\"name\":\"f\",\"arguments\":{}}")
	  DELTA("0", "{\"type\":\"arguments_delta\",\"partial_arguments\":\"{\\\"a\\\":\"}") DELTA("0", "{\"type\":\"arguments_delta\",\"partial_arguments\":\"1}\"}")
	  STOP("0") STEP("1", "{\"type\":\"function_call\",\"id\":\"c2\",\"name\":\"g\"}") STOP("1") COMPLETED("requires_action"),
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
	  "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}", "requires_action", 4 },
	{ "the server's tools and media are parts", CREATED STEP("0", "{\"type\":\"google_search_call\"}")
	  DELTA("0", "{\"type\":\"google_search_call\",\"arguments\":{\"queries\":[\"x\"]}}") STOP("0")
	  DELTA("1", "{\"type\":\"google_search_result\",\"result\":[]}") DELTA("2", "{\"type\":\"image\",\"mime_type\":\"image/png\",\"data\":\"iVBO\"}")
	  DELTA("2", "{\"type\":\"text_annotation_delta\",\"annotations\":[{\"url\":\"u\"}]}") COMPLETED("completed"),
	  "{\"role\":\"assistant\",\"parts\":[{\"type\":\"google_search_call\",\"arguments\":{\"queries\":[\"x\"]}},{\"type\":\"google_search_result\",\"result\":[]},"
	  "{\"type\":\"image\",\"mime_type\":\"image/png\",\"data\":\"iVBO\"},{\"url\":\"u\"}]}", "completed", 2 },
	{ "nonsense", CREATED STEP("0", "7") DELTA("0", "{}") DELTA("9", "{\"type\":\"arguments_delta\"}") STOP("x") COMPLETED("incomplete"),
	  "{\"role\":\"assistant\"}", "incomplete", 0 },
};

Test(gemini, interactions_become_one_message)
{
	for (size_t i = 0; i < ARRAY_SIZE(interactions); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_interactions, "{\"model\":\"m\",\"input\":\"hi\"}");

		feed_events(call, interactions[i].events);
		expect_json(dialect_output(&gemini_interactions, call), interactions[i].output, interactions[i].name, "output");
		cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), interactions[i].finish, "%s", interactions[i].name);
		cr_expect_eq(call->chunks, interactions[i].chunks, "%s: %lu chunks", interactions[i].name, (unsigned long)call->chunks);
		expect_json(usage_json(&call->usage), "{\"input\":70,\"input_cached_tokens\":40,\"output\":5,\"output_reasoning_tokens\":7,\"total\":122}",
			    interactions[i].name, "usage");
		cr_expect_str_eq(buf_text(&call->response_id), "v1_x", "%s", interactions[i].name);
		cr_expect_eq(call->end, CALL_DONE, "%s", interactions[i].name);
		cr_expect(!call->is_error, "%s", interactions[i].name);
	}
}

Test(gemini, a_whole_interaction_reads_like_its_stream)
{
	_cleanup_(call_free) struct call *call = feed_request(&gemini_interactions, "{\"model\":\"m\",\"input\":\"hi\"}");

	feed_response(call, 200, "{\"id\":\"v1_x\",\"object\":\"interaction\",\"status\":\"requires_action\",\"model\":\"gemini-3-flash-preview\",\"steps\":["
		      "{\"type\":\"user_input\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
		      "{\"type\":\"thought\",\"signature\":\"Eq\",\"summary\":[{\"type\":\"text\",\"text\":\"Hm\"}]},"
		      "{\"type\":\"model_output\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]},"
		      "{\"type\":\"code_execution_call\",\"arguments\":{\"code\":\"1\"}},"
		      "{\"type\":\"function_call\",\"id\":\"c\",\"name\":\"f\",\"arguments\":{\"a\":1}}],"
		      "\"usage\":{\"total_input_tokens\":3,\"total_output_tokens\":4,\"total_tokens\":7}}");
	expect_json(dialect_output(&gemini_interactions, call), "{\"role\":\"assistant\",\"content\":\"ok\",\"reasoning\":\"Hm\",\"tool_calls\":["
		    "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}],"
		    "\"parts\":[{\"type\":\"code_execution_call\",\"arguments\":{\"code\":\"1\"}}]}", "whole", "output");
	expect_json(usage_json(&call->usage), "{\"input\":3,\"output\":4,\"total\":7}", "whole", "usage");
	cr_expect_str_eq(buf_text(&call->response_model), "gemini-3-flash-preview");
}

Test(gemini, an_interaction_fails)
{
	_cleanup_(call_free) struct call *told = feed_request(&gemini_interactions, "{\"model\":\"m\",\"input\":\"hi\"}");
	_cleanup_(call_free) struct call *failed = feed_request(&gemini_interactions, "{\"model\":\"m\",\"input\":\"hi\"}");

	feed_events(told, CREATED "{\"event_type\":\"error\",\"error\":{\"code\":\"unavailable\",\"message\":\"Overloaded\"}}");
	cr_expect(told->is_error && told->end == CALL_DONE);
	cr_expect_str_eq(buf_text(&told->error_message), "Overloaded");
	feed_events(failed, CREATED COMPLETED("failed"));
	cr_expect(failed->is_error && failed->end == CALL_DONE);
	cr_expect_str_eq(buf_text(&failed->error_type), "failed");
}

static const struct { const char *name, *request, *input, *parameters, *model; } asked[] = {
	{ "a text", "{\"model\":\"m\",\"input\":\"hi\"}", "[{\"role\":\"user\",\"content\":\"hi\"}]", NULL, "m" },
	{ "an agent, system and tools", "{\"agent\":\"a\",\"input\":\"hi\",\"system_instruction\":\"s\",\"tools\":[{\"type\":\"google_search\"}],"
	  "\"generation_config\":{\"temperature\":0.5,\"thinking_level\":\"low\"}}",
	  "{\"tools\":[{\"type\":\"google_search\"}],\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"hi\"}]}",
	  "{\"temperature\":0.5,\"thinking_level\":\"low\"}", "a" },
	{ "steps", "{\"model\":\"m\",\"input\":[{\"type\":\"user_input\",\"content\":[]}],\"system_instruction\":\"s\"}",
	  "[{\"role\":\"system\",\"content\":\"s\"},{\"type\":\"user_input\",\"content\":[]}]", NULL, "m" },
};

Test(gemini, input_of_interactions)
{
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&gemini_interactions, asked[i].request);

		cr_expect(call_is_recognised(call), "%s", asked[i].name);
		expect_json(gemini_interactions.input(call), asked[i].input, asked[i].name, "input");
		expect_json(dialect_parameters(&gemini_interactions, call), asked[i].parameters, asked[i].name, "parameters");
		cr_expect_str_eq(json_string(call->request, "model"), asked[i].model, "%s", asked[i].name);
	}
}
