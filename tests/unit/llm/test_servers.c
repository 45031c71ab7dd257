/* SPDX-License-Identifier: Apache-2.0 */
/* Dialects of model servers: what a call of each gives. The golden cases show the lines. */
#include "feed.h"
#include "llm/servers.h"

#define OLLAMA_CHAT "{\"model\":\"l\",\"messages\":[{\"role\":\"user\",\"content\":\"p\"}]}"

static const struct {
	const char *name;
	const struct dialect *dialect;
	const char *request;
	const char *events;		/* data, one a line; NULL: a whole answer */
	const char *body;
	const char *output, *usage, *finish;
	uint64_t chunks;
	enum call_end end;
} answers[] = {
	{ "ollama chat, whole", &ollama_chat, OLLAMA_CHAT, NULL,
	  "{\"model\":\"l:8b\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\",\"thinking\":\"Hm\"},\"done\":true,"
	  "\"done_reason\":\"stop\",\"prompt_eval_count\":26,\"eval_count\":50}",
	  "{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning\":\"Hm\"}",
	  "{\"input\":26,\"output\":50,\"total\":76}", "stop", 0, CALL_DONE },
	{ "ollama chat, tools and a cached prompt", &ollama_chat, OLLAMA_CHAT,
	  "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":"
	  "{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}\n"
	  "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":5}",
	  NULL, "{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"a\\\":1}\",\"name\":\"f\"},"
	  "\"type\":\"function\"}],\"content\":\"\"}", "{\"output\":5}", "stop", 1, CALL_DONE },
	{ "ollama generate", &ollama_generate, "{\"model\":\"l\",\"prompt\":\"p\"}",
	  "{\"model\":\"l\",\"response\":\"a\",\"done\":false}\n{\"model\":\"l\",\"response\":\"b\",\"done\":false}\n"
	  "{\"model\":\"l\",\"response\":\"\",\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":1,\"eval_count\":2}",
	  NULL, "\"ab\"", "{\"input\":1,\"output\":2,\"total\":3}", "length", 2, CALL_DONE },
	{ "ollama embed", &ollama_embed, "{\"model\":\"l\",\"input\":[\"a\",\"b\"]}", NULL,
	  "{\"model\":\"l\",\"embeddings\":[[1,2,3],[4,5,6]],\"prompt_eval_count\":4}",
	  "{\"dimensions\":3,\"count\":2}", "{\"input\":4,\"total\":4}", NULL, 0, CALL_DONE },
	{ "cohere chat, whole", &cohere_chat, "{\"model\":\"c\",\"messages\":[]}", NULL,
	  "{\"id\":\"x\",\"finish_reason\":\"COMPLETE\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
	  "\"thinking\":\"Hm\"},{\"type\":\"text\",\"text\":\"Hi\"}]},\"usage\":{\"billed_units\":{\"input_tokens\":5.0},"
	  "\"tokens\":{\"input_tokens\":12.0,\"output_tokens\":3.0},\"cached_tokens\":2.0}}",
	  "{\"role\":\"assistant\",\"content\":\"Hi\",\"reasoning\":\"Hm\"}",
	  "{\"input\":10,\"input_cached_tokens\":2,\"output\":3,\"total\":15}", "COMPLETE", 0, CALL_DONE },
	{ "cohere chat, tools in a stream", &cohere_chat, "{\"model\":\"c\",\"messages\":[]}",
	  "{\"type\":\"message-start\",\"id\":\"x\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[]}}}\n"
	  "{\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":\"I will\"}}}\n"
	  "{\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"t\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}}\n"
	  "{\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{}\"}}}}}\n"
	  "{\"type\":\"tool-call-end\",\"index\":0}\n"
	  "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"tokens\":{\"input_tokens\":1,\"output_tokens\":2}}}}",
	  NULL, "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"function\":{\"arguments\":\"{}\",\"name\":\"f\"},"
	  "\"type\":\"function\"}],\"reasoning\":\"I will\"}", "{\"input\":1,\"output\":2,\"total\":3}", "TOOL_CALL", 3, CALL_DONE },
	{ "cohere embed by type", &cohere_embed, "{\"model\":\"c\",\"texts\":[\"a\"]}", NULL,
	  "{\"id\":\"x\",\"embeddings\":{\"float\":[[1,2]],\"int8\":[[1,2]]},\"texts\":[\"a\"],\"meta\":{\"billed_units\":{\"input_tokens\":3}}}",
	  "{\"dimensions\":2,\"count\":1}", "{\"input\":3,\"total\":3}", NULL, 0, CALL_DONE },
	{ "cohere embed, eight dimensions a byte", &cohere_embed, "{\"model\":\"c\",\"texts\":[\"a\"]}", NULL,
	  "{\"id\":\"x\",\"embeddings\":{\"ubinary\":[[1,2]]},\"texts\":[\"a\"],\"meta\":{\"billed_units\":{\"input_tokens\":3}}}",
	  "{\"dimensions\":16,\"count\":1}", "{\"input\":3,\"total\":3}", NULL, 0, CALL_DONE },
	{ "tgi, whole, in an array", &tgi_generate, "{\"inputs\":\"p\"}", NULL,
	  "[{\"generated_text\":\"Hi\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,\"prefill\":[{\"id\":1}]}}]",
	  "\"Hi\"", "{\"input\":1,\"output\":2,\"total\":3}", "length", 0, CALL_DONE },
	{ "tgi, a stream's special tokens are no text", &tgi_generate, "{\"inputs\":\"p\"}",
	  "{\"index\":1,\"token\":{\"id\":5,\"text\":\" hi\",\"special\":false},\"generated_text\":null,\"details\":null}\n"
	  "{\"index\":2,\"token\":{\"id\":2,\"text\":\"</s>\",\"special\":true},\"generated_text\":\" hi\","
	  "\"details\":{\"finish_reason\":\"eos_token\",\"generated_tokens\":2,\"input_length\":4}}",
	  NULL, "\" hi\"", "{\"input\":4,\"output\":2,\"total\":6}", "eos_token", 1, CALL_DONE },
	{ "llama.cpp stream with progress", &llamacpp_completion, "{\"prompt\":\"p\"}",
	  "{\"content\":\"\",\"stop\":false,\"prompt_progress\":{\"total\":8,\"processed\":4}}\n"
	  "{\"content\":\"a\",\"stop\":false}\n{\"content\":\"b\",\"stop\":false}\n"
	  "{\"content\":\"\",\"stop\":true,\"stop_type\":\"limit\",\"tokens_predicted\":2,\"tokens_evaluated\":8,"
	  "\"timings\":{\"cache_n\":6,\"prompt_n\":2}}",
	  NULL, "\"ab\"", "{\"input\":2,\"input_cached_tokens\":6,\"output\":2,\"total\":10}", "limit", 2, CALL_DONE },
	{ "llama.cpp, two prompts", &llamacpp_completion, "{\"prompt\":[\"p\",\"q\"]}", NULL,
	  "[{\"index\":0,\"content\":\"a\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":1,\"tokens_evaluated\":3},"
	  "{\"index\":1,\"content\":\"b\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":2,\"tokens_evaluated\":4}]",
	  "[\"a\",\"b\"]", "{\"input\":7,\"output\":3,\"total\":10}", "eos", 0, CALL_DONE },
	{ "sglang, cumulative text", &sglang_generate, "{\"text\":\"p\"}",
	  "{\"text\":\"Hel\",\"meta_info\":{\"id\":\"r\",\"prompt_tokens\":4,\"completion_tokens\":1,\"cached_tokens\":3,\"finish_reason\":null}}\n"
	  "{\"text\":\"Hello\",\"meta_info\":{\"id\":\"r\",\"prompt_tokens\":4,\"completion_tokens\":2,\"cached_tokens\":3,"
	  "\"finish_reason\":{\"type\":\"stop\",\"matched\":2}}}\n[DONE]",
	  NULL, "\"Hello\"", "{\"input\":1,\"input_cached_tokens\":3,\"output\":2,\"total\":6}", "stop", 2, CALL_DONE },
	{ "sglang, incremental text", &sglang_generate, "{\"text\":\"p\"}",
	  "{\"text\":\"Hel\",\"meta_info\":{\"completion_tokens\":1}}\n{\"text\":\"lo\",\"meta_info\":{\"completion_tokens\":2}}",
	  NULL, "\"Hello\"", "{\"output\":2,\"total\":2}", NULL, 2, CALL_OPEN },
	{ "sglang, a batch adds up", &sglang_generate, "{\"text\":[\"p\",\"q\"]}", NULL,
	  "[{\"text\":\"a\",\"meta_info\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"finish_reason\":{\"type\":\"stop\"}}},"
	  "{\"text\":\"b\",\"meta_info\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"finish_reason\":{\"type\":\"length\"}}}]",
	  "[\"a\",\"b\"]", "{\"input\":4,\"output\":6,\"total\":10}", "stop", 0, CALL_DONE },
	{ "llama.cpp, two prompts in a stream", &llamacpp_completion, "{\"prompt\":[\"p\",\"q\"]}",
	  "{\"index\":1,\"content\":\"b\",\"stop\":false}\n"
	  "{\"index\":1,\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":2,\"tokens_evaluated\":4}\n"
	  "{\"index\":0,\"content\":\"a\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":1,\"tokens_evaluated\":3}",
	  NULL, "[\"a\",\"b\"]", "{\"input\":7,\"output\":3,\"total\":10}", "eos", 2, CALL_DONE },
	{ "llama.cpp, one of two prompts in a stream", &llamacpp_completion, "{\"prompt\":[\"p\",\"q\"]}",
	  "{\"index\":0,\"content\":\"a\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":1,\"tokens_evaluated\":3}",
	  NULL, "\"a\"", "{\"input\":3,\"output\":1,\"total\":4}", "eos", 1, CALL_OPEN },
	{ "llama.cpp, tokens and text are one prompt", &llamacpp_completion, "{\"prompt\":[\"p\",1,2]}",
	  "{\"index\":0,\"content\":\"a\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_predicted\":1,\"tokens_evaluated\":3}",
	  NULL, "\"a\"", "{\"input\":3,\"output\":1,\"total\":4}", "eos", 1, CALL_DONE },
	{ "sglang, a batch's stream adds up", &sglang_generate, "{\"text\":[\"p\",\"q\"]}",
	  "{\"text\":\"a\",\"index\":0,\"meta_info\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"cached_tokens\":3}}\n"
	  "{\"text\":\"b\",\"index\":1,\"meta_info\":{\"prompt_tokens\":2,\"completion_tokens\":1,\"cached_tokens\":0,\"finish_reason\":{\"type\":\"stop\"}}}\n"
	  "{\"text\":\"ac\",\"index\":0,\"meta_info\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"cached_tokens\":3,\"finish_reason\":{\"type\":\"stop\"}}}",
	  NULL, "[\"ac\",\"b\"]", "{\"input\":4,\"input_cached_tokens\":3,\"output\":3,\"total\":10}", "stop", 3, CALL_OPEN },
	{ "sglang, two answers to one prompt", &sglang_generate, "{\"text\":\"p\",\"sampling_params\":{\"n\":2}}", NULL,
	  "[{\"text\":\"a\",\"meta_info\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"finish_reason\":{\"type\":\"stop\"}}},"
	  "{\"text\":\"b\",\"meta_info\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"finish_reason\":{\"type\":\"stop\"}}}]",
	  "[\"a\",\"b\"]", "{\"input\":3,\"output\":3,\"total\":6}", "stop", 0, CALL_DONE },
	{ "mistral fill in the middle", &mistral_fim, "{\"model\":\"m\",\"prompt\":\"def f(\",\"suffix\":\"return a\"}", NULL,
	  "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a):\"},\"finish_reason\":\"stop\"}],"
	  "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
	  "\"a):\"", "{\"input\":1,\"output\":2,\"total\":3}", "stop", 0, CALL_DONE },
};

Test(servers, answers_give_text_usage_and_finish)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_(call_free) struct call *call = feed_request(answers[i].dialect, answers[i].request);
		const char *name = answers[i].name;

		cr_expect(call_is_recognised(call), "%s: the request alone tells", name);
		if (answers[i].events)
			feed_events(call, answers[i].events);
		else
			feed_response(call, 200, answers[i].body);
		expect_json(dialect_output(call->dialect, call), answers[i].output, name, "output");
		expect_json(usage_json(&call->usage), answers[i].usage, name, "usage");
		if (answers[i].finish)
			cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), answers[i].finish, "%s", name);
		cr_expect_eq(call->chunks, answers[i].chunks, "%s: %d chunks", name, (int)call->chunks);
		cr_expect_eq(call->end, answers[i].end, "%s: its end", name);
		cr_expect_not(call->is_error, "%s", name);
		cr_expect_eq(call->marks, 0, "%s: marks %llx", name, (unsigned long long)call->marks);
	}
}

static const struct {
	const char *name;
	const struct dialect *dialect;
	const char *request, *event, *message, *type;
} errors[] = {
	{ "ollama", &ollama_chat, OLLAMA_CHAT, "{\"error\":\"model stopped\"}", "model stopped", "" },
	{ "cohere", &cohere_chat, "{\"model\":\"c\",\"messages\":[]}",
	  "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"overloaded\"}}", "overloaded", "ERROR" },
	{ "tgi", &tgi_generate, "{\"inputs\":\"p\"}", "{\"error\":\"out of memory\",\"error_type\":\"generation\"}",
	  "out of memory", "generation" },
	{ "llama.cpp", &llamacpp_completion, "{\"prompt\":\"p\"}",
	  "{\"error\":{\"code\":500,\"message\":\"slot\",\"type\":\"server_error\"}}", "slot", "server_error" },
	{ "mistral", &mistral_fim, "{\"prompt\":\"p\"}",
	  "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}", "", "" },
	{ "mistral, numbered", &mistral_fim, "{\"prompt\":\"p\"}",
	  "{\"object\":\"error\",\"message\":\"no\",\"type\":\"invalid_model\",\"code\":\"1500\"}", "no", "invalid_model" },
	{ "sglang aborts", &sglang_generate, "{\"text\":\"p\"}",
	  "{\"text\":\"\",\"meta_info\":{\"finish_reason\":{\"type\":\"abort\",\"message\":\"too long\",\"err_type\":\"BadRequest\"}}}",
	  "too long", "BadRequest" },
};

Test(servers, usage_of_half_a_batch_is_unknown)
{
	_cleanup_(call_free) struct call *call = feed_request(&sglang_generate, "{\"text\":[\"p\",\"q\"]}");

	feed_events(call, "{\"text\":\"a\",\"index\":0,\"meta_info\":{\"prompt_tokens\":5,\"completion_tokens\":1,"
			  "\"finish_reason\":{\"type\":\"stop\"}}}");
	cr_expect_not(call->usage.is_reported);
}

Test(servers, an_error_may_be_a_field_of_llamacpps_stream)
{
	_cleanup_(call_free) struct call *call = feed_request(&llamacpp_completion, "{\"prompt\":\"p\"}");
	struct stream_event event = { .type = SLICE("error"),
				      .data = SLICE("{\"code\":500,\"message\":\"slot\",\"type\":\"server_error\"}") };

	call_read_event(call, 1, &event);
	cr_expect(call->is_error);
	cr_expect_str_eq(buf_text(&call->error_message), "slot");
	cr_expect_str_eq(buf_text(&call->error_type), "server_error");
}

Test(servers, an_error_is_the_last_line_of_ollama)
{
	static const struct { const struct dialect *dialect; const char *request; } calls[] = {
		{ &ollama_chat, OLLAMA_CHAT },
		{ &ollama_generate, "{\"model\":\"l\",\"prompt\":\"p\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_(call_free) struct call *call = feed_request(calls[i].dialect, calls[i].request);

		feed_events(call, "{\"error\":\"model stopped\"}");
		cr_expect_eq(call->end, CALL_DONE, "%s", calls[i].dialect->name);
	}
}

Test(servers, errors_inside_a_stream_are_the_calls)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		_cleanup_(call_free) struct call *call = feed_request(errors[i].dialect, errors[i].request);

		feed_events(call, errors[i].event);
		cr_expect(call->is_error, "%s", errors[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), errors[i].message, "%s", errors[i].name);
		cr_expect_str_eq(buf_text(&call->error_type), errors[i].type, "%s", errors[i].name);
	}
}

static const struct { const char *name; const struct dialect *dialect; const char *request, *answer; } loads[] = {
	{ "chat, loaded", &ollama_chat, "{\"model\":\"l\",\"messages\":[]}",
	  "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done_reason\":\"load\",\"done\":true}" },
	{ "generate, loaded", &ollama_generate, "{\"model\":\"l\"}",
	  "{\"response\":\"\",\"done_reason\":\"load\",\"done\":true}" },
	{ "generate, unloaded", &ollama_generate, "{\"model\":\"l\",\"prompt\":\"\",\"keep_alive\":0}",
	  "{\"response\":\"\",\"done_reason\":\"unload\",\"done\":true}" },
};

Test(servers, loading_a_model_is_no_call)
{
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		_cleanup_(call_free) struct call *call = feed_request(loads[i].dialect, loads[i].request);

		feed_response(call, 200, loads[i].answer);
		cr_expect_not(call_is_recognised(call), "%s", loads[i].name);
	}
}

static const struct {
	const char *name;
	const struct dialect *dialect;
	const char *request, *start, *output;
} cuts[] = {
	{ "ollama chat", &ollama_chat, OLLAMA_CHAT,
	  "{\"model\":\"l\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel",
	  "{\"role\":\"assistant\",\"content\":\"Hel\"}" },
	{ "ollama generate", &ollama_generate, "{\"model\":\"l\",\"prompt\":\"p\"}",
	  "{\"model\":\"l\",\"response\":\"Hel", "\"Hel\"" },
	{ "cohere chat", &cohere_chat, "{\"model\":\"c\",\"messages\":[]}",
	  "{\"id\":\"x\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Hel",
	  "{\"role\":\"assistant\",\"content\":\"Hel\"}" },
	{ "llama.cpp", &llamacpp_completion, "{\"prompt\":\"p\"}", "{\"index\":0,\"content\":\"Hel", "\"Hel\"" },
	{ "tgi", &tgi_generate, "{\"inputs\":\"p\"}", "{\"generated_text\":\"Hel", "\"Hel\"" },
	{ "sglang", &sglang_generate, "{\"text\":\"p\"}", "{\"text\":\"Hel", "\"Hel\"" },
};

Test(servers, a_whole_answer_that_was_cut_keeps_its_text)
{
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		_cleanup_(call_free) struct call *call = feed_request(cuts[i].dialect, cuts[i].request);

		call_read_response(call, 200, slice_of(cuts[i].start), /* is_truncated */ true);
		expect_json(call->dialect->output(call), cuts[i].output, cuts[i].name, "output");
		cr_expect_eq(call->end, CALL_OPEN, "%s", cuts[i].name);
	}
}

/* Paths that several servers share: the request, or else the answer, tells. */
static const struct { const char *target, *request, *answer, *dialect; } shared[] = {
	{ "/generate", "{\"inputs\":\"p\"}", "{\"generated_text\":\"x\"}", "tgi.generate" },
	{ "/generate", "{\"text\":\"p\"}", "{\"text\":\"x\",\"meta_info\":{}}", "sglang.generate" },
	{ "/api/generate", "{\"model\":\"l\",\"prompt\":\"p\"}", "{\"response\":\"x\",\"done\":true}", "ollama.generate" },
	{ "/completions", "{\"prompt\":\"p\"}", "{\"choices\":[{\"text\":\"x\"}]}", "openai.completions" },
	{ "/completions", "{\"prompt\":\"p\"}", "{\"content\":\"x\",\"stop\":true}", "llamacpp.completion" },
	{ "/v1/completions", "{\"prompt\":\"p\"}", "{\"choices\":[{\"text\":\"x\"}]}", "openai.completions" },
	{ "/api/embeddings", "{\"model\":\"l\",\"prompt\":\"p\"}", "{\"embedding\":[1]}", "ollama.embed" },
	{ "/api/v1/embeddings", "{\"model\":\"l\",\"input\":\"p\"}", "{\"data\":[{\"embedding\":[1]}]}", "openai.embeddings" },
	/* Not known at all: what was asked and answered has to do. */
	{ "", "{\"model\":\"m\",\"messages\":[]}", "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", "openai.chat" },
	{ "", OLLAMA_CHAT, "{\"message\":{\"content\":\"x\"},\"done\":true}", "ollama.chat" },
	{ "", "{\"model\":\"m\",\"messages\":[]}", "{\"finish_reason\":\"COMPLETE\",\"message\":{\"content\":[]}}", "cohere.chat" },
	{ "", "{\"text\":\"p\"}", "{\"text\":\"x\",\"meta_info\":{}}", "sglang.generate" },
};

Test(servers, shared_and_unknown_paths_are_told_by_what_is_said)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct http_head head = { .method = SLICE("POST"), .target = slice_of(shared[i].target) };
		_cleanup_(call_free) struct call *call = NULL;
		bool is_out_of_memory;

		if (!head.target.len)
			head = (struct http_head){ .is_partial = true };
		call = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);
		cr_assert_not_null(call, "%s", shared[i].target);
		call_read_request(call, slice_of(shared[i].request), /* is_truncated */ false);
		feed_response(call, 200, shared[i].answer);
		cr_expect_str_eq(call->dialect->name, shared[i].dialect, "'%s' %s", shared[i].target, shared[i].answer);
		cr_expect(call_is_recognised(call), "'%s' %s", shared[i].target, shared[i].answer);
	}
}

Test(servers, an_unknown_path_with_somebody_elses_bodies_is_no_call)
{
	struct http_head head = { .is_partial = true };
	bool is_out_of_memory;
	_cleanup_(call_free) struct call *call = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);

	call_read_request(call, SLICE("{\"jobs\":[1]}"), /* is_truncated */ false);
	feed_response(call, 200, "{\"ok\":true}");
	cr_expect_not(call_is_recognised(call));
}

Test(servers, documents_are_input_of_cohere_like_messages)
{
	static const struct { const char *request, *input; } calls[] = {
		{ "{\"model\":\"c\",\"messages\":[1],\"documents\":[]}", "[1]" },
		{ "{\"model\":\"c\",\"messages\":[1],\"documents\":[2]}", "{\"documents\":[2],\"messages\":[1]}" },
		{ "{\"model\":\"c\",\"messages\":[1],\"documents\":[2],\"tools\":[3]}",
		  "{\"tools\":[3],\"messages\":[1],\"documents\":[2]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&cohere_chat, calls[i].request);

		expect_json(call->dialect->input(call), calls[i].input, calls[i].request, "input");
	}
}

Test(servers, tgi_counts_stand_in_the_head)
{
	struct http_head head = { .status = 200,
		.fields = SLICE("x-prompt-tokens: 7\r\nx-generated-tokens: 3\r\nx-queue-time: 12\r\nx-total-time: soon\r\n") };
	_cleanup_(call_free) struct call *call = feed_request(&tgi_generate, "{\"inputs\":\"p\"}");

	call_read_head(call, &head);
	feed_response(call, 200, "{\"generated_text\":\"x\"}");
	expect_json(usage_json(&call->usage), "{\"input\":7,\"output\":3,\"total\":10}", "head", "usage");
	expect_json(cJSON_Duplicate(call->facts, 1), "{\"serverTimings\":{\"queue-time\":12}}", "head", "facts");
}
