/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct { const char *method, *path, *dialect; } paths[] = {
	{ "POST", "/v1/chat/completions", "openai.chat" },
	{ "POST", "/chat/completions", "openai.chat" },
	{ "POST", "/openai/v1/chat/completions", "openai.chat" },
	{ "POST", "/openai/deployments/gpt/chat/completions?api-version=2026-10-21", "openai.chat" },
	{ "POST", "/llm/proxy/v1/chat%2Fcompletions?key=x", "openai.chat" },
	{ "POST", "/llm/proxy/v1/chat%2fcompletions", "openai.chat" },
	{ "POST", "http://127.0.0.1:8000/v1/chat/completions", "openai.chat" },
	{ "POST", "/v1/completions", "openai.completions" },
	{ "POST", "/openai/deployments/d/completions?api-version=1", "openai.completions" },
	{ "POST", "/v1/embeddings", "openai.embeddings" },
	{ "POST", "/openai/deployments/d/embeddings?api-version=1", "openai.embeddings" },
	{ "POST", "/model/us.anthropic.claude-x%3A0/converse", "bedrock.converse" },
	{ "POST", "/model/m/converse-stream", "bedrock.converse" },
	{ "POST", "/model/m/invoke", "bedrock.invoke" },
	{ "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m/invoke-with-response-stream", "bedrock.invoke" },
	{ "POST", "/model/m/count-tokens", NULL },
	{ "POST", "/model/m/async-invoke", NULL },
	{ "POST", "/guardrail/g/version/1/apply", NULL },
	{ "POST", "/v1/messages?beta=true", "anthropic.messages" },
	{ "POST", "/anthropic/v1/messages", "anthropic.messages" },
	{ "POST", "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@20260101:streamRawPredict", "anthropic.messages" },
	{ "POST", "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x%4020260101%3ArawPredict", "anthropic.messages" },
	{ "POST", "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", NULL },
	{ "POST", "/v1/messages/count_tokens", NULL },
	{ "POST", "/v1/messages/batches", NULL },
	{ "POST", "/v1/threads/t/messages", NULL },
	{ "POST", "/v1/complete", "anthropic.complete" },
	{ "POST", "/v1/responses", "openai.responses" },
	{ "POST", "/openai/responses?api-version=1", "openai.responses" },
	{ "POST", "/v1/responses/compact", "openai.responses" },
	{ "POST", "/v1/decisions", "openai.decisions" },
	{ "POST", "/v1/images/generations", "openai.images" },
	{ "POST", "/v1/images/edits", "openai.images" },
	{ "POST", "/openai/deployments/d/images/generations?api-version=1", "openai.images" },
	{ "POST", "/v1/images/variations", "openai.images" },
	{ "POST", "/v1/audio/speech", "openai.speech" },
	{ "POST", "/v1/audio/transcriptions", "openai.transcription" },
	{ "POST", "/openai/deployments/whisper/audio/translations?api-version=1", "openai.transcription" },
	{ "POST", "/v1/moderations", "openai.moderations" },
	{ "POST", "/rerank", "rerank" },
	{ "POST", "/v1/rerank", "rerank" },
	{ "POST", "/v2/rerank", "rerank" },
	{ "POST", "/v1/reranking", "rerank" },
	{ "POST", "/score", "vllm.score" },
	{ "POST", "/v1/score", "vllm.score" },
	{ "POST", "/pooling", "vllm.pooling" },
	{ "POST", "/classify", "vllm.classify" },
	{ "POST", "/inference/v1/generate", "vllm.generate" },
	{ "POST", "/v1/chat/completions/batch", "openai.chat" },
	{ "GET", "/v1/responses/resp_1", NULL },
	{ "GET", "/v1/responses/resp_1?stream=true&starting_after=3", NULL },
	{ "POST", "/v1/responses/resp_1/cancel", NULL },
	{ "POST", "/v1/responses/input_tokens", NULL },
	{ "DELETE", "/v1/responses/resp_1", NULL },
	{ "POST", "/v1/batches", NULL },
	{ "POST", "/v1/files", NULL },
	{ "POST", "/v1/uploads/up_1/parts", NULL },
	{ "POST", "/v1/fine_tuning/jobs", NULL },
	{ "POST", "/v1/vector_stores/vs_1/search", NULL },
	{ "POST", "/v1/containers", NULL },
	{ "POST", "/v1/conversations", NULL },
	{ "POST", "/v1/conversations/conv_1/items", NULL },
	{ "POST", "/v1/threads/t_1/runs", NULL },
	{ "POST", "/v1/threads/t_1/messages", NULL },
	{ "POST", "/v1/assistants", NULL },
	{ "POST", "/v1/evals/e_1/runs", NULL },
	{ "POST", "/v1/organization/admin_api_keys", NULL },
	{ "POST", "/v1/realtime/client_secrets", NULL },
	{ "POST", "/v1/realtime/calls", NULL },
	{ "POST", "/v1/realtime/translations/client_secrets", NULL },
	{ "POST", "/v1/live/sessions", NULL },
	{ "POST", "/v1/live/sessions/s_1/content", NULL },
	{ "POST", "/v1/agents", NULL },
	{ "POST", "/v1/agents/sessions/s_1/events", NULL },
	{ "POST", "/v1/vaults", NULL },
	{ "POST", "/v1/webhook_endpoints", NULL },
	{ "POST", "/v1/safety/alerts", NULL },
	{ "POST", "/v1/audio/voices", NULL },
	{ "POST", "/v1/audio/voice_consents", NULL },
	{ "POST", "/v1/videos", NULL },
	{ "POST", "/v1/skills", NULL },
	{ "POST", "/v1/evals/e_1/cancel", NULL },
	{ "POST", "/v1/load_lora_adapter", NULL },
	{ "POST", "/v1/chat/completions/render", NULL },
	{ "POST", "/v1/completions/render", NULL },
	{ "POST", "/tokenize", NULL },
	{ "POST", "/v1/projects/p/locations/l/publishers/mistralai/models/mistral-x:streamRawPredict", "openai.chat" },
	{ "POST", "/v1beta/models/gemini-x:generateContent", "gemini.generate" },
	{ "POST", "/v1/models/gemini-x%3AstreamGenerateContent?alt=sse&key=secret", "gemini.generate" },
	{ "POST", "/v1beta/tunedModels/t:generateContent", "gemini.generate" },
	{ "POST", "/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent", "gemini.generate" },
	{ "POST", "/v1/projects/p/locations/l/endpoints/7:generateContent", "gemini.generate" },
	{ "POST", "/v1beta/interactions", "gemini.interactions" },
	{ "POST", "/v1beta/interactions/v1_x/cancel", NULL },
	{ "POST", "/v1beta/models/e:batchEmbedContents", "gemini.embed" },
	{ "POST", "/v1/projects/p/locations/l/publishers/google/models/e:predict", "gemini.embed" },
	{ "POST", "/v1beta/models/gemini-x:countTokens", NULL },
	{ "POST", "/v1beta/models/veo:predictLongRunning", NULL },
	{ "POST", "/v1/fim/completions", "mistral.fim" },
	{ "POST", "/v1/agents/completions", "openai.chat" },
	{ "POST", "/v1/models?x=/v1/embeddings", NULL },
	{ "POST", "/api/public/otel/v1/traces", NULL },
	{ "POST", "/mycompletions", NULL },
	{ "POST", "%", NULL },
	{ "POST", "", NULL },
	{ "GET", "/v1/chat/completions", NULL },
	{ "OPTIONS", "/v1/embeddings", NULL },
};

Test(dialect, is_found_by_method_and_end_of_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct dialect *dialect = dialect_find(slice_of(paths[i].method), slice_of(paths[i].path));

		cr_expect_str_eq(dialect ? dialect->name : "", paths[i].dialect ? paths[i].dialect : "",
				 "%s %s", paths[i].method, paths[i].path);
	}
}

Test(dialect, is_found_at_the_end_of_a_long_path)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT(8 * KiB);

	for (int i = 0; i < 1000; i++)
		buf_add_text(&path, "/p%61");
	buf_add_text(&path, "/v1/embeddings");
	cr_expect_eq(dialect_find(SLICE("POST"), buf_slice(&path)), &openai_embeddings);
}

Test(dialect, every_entry_of_the_table_is_whole)
{
	for (const struct dialect *const *d = dialects; *d; d++) {
		cr_expect((*d)->name && (*d)->title && (*d)->generation_name && (*d)->routes && (*d)->is_request &&
			  (*d)->is_response && (*d)->response && (*d)->input, "%s", (*d)->name);
		cr_expect((*d)->event || !(*d)->streams, "%s streams, and nobody reads its events", (*d)->name);
		cr_expect(!(*d)->parameters || !(*d)->model_parameters, "%s: parameters in two ways", (*d)->name);
	}
}

/* SageMaker's one path for everything. */
static const struct { const char *request, *dialect; } invocations[] = {
	{ "{\"messages\":[]}", "openai.chat" },
	{ "{\"prompt\":\"x\"}", "openai.completions" },
	{ "{\"input\":\"x\"}", "openai.embeddings" },
	{ "{\"query\":\"x\",\"documents\":[]}", "rerank" },
	{ "{\"text_1\":\"x\",\"text_2\":\"y\"}", "vllm.score" },
};

Test(dialect, is_told_by_the_body_where_the_path_does_not)
{
	for (size_t i = 0; i < ARRAY_SIZE(invocations); i++) {
		struct http_head head = { .method = SLICE("POST"), .target = SLICE("/invocations") };
		bool is_out_of_memory;
		_cleanup_(call_free) struct call *call = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);

		call_read_request(call, slice_of(invocations[i].request), /* is_truncated */ false);
		cr_expect_str_eq(call->dialect->name, invocations[i].dialect, "%s", invocations[i].request);
		cr_expect(call_is_recognised(call));
	}
}

static const struct {
	const char *name, *request;
	unsigned status;	/* 0: no answer */
	const char *body;
	bool is_recognised;
} shapes[] = {
	{ "request and answer", "{\"messages\":[]}", 200, "{\"choices\":[]}", true },
	{ "request alone", "{\"messages\":[]}", 0, "", true },
	{ "answer alone", "", 200, "{\"choices\":[]}", true },
	{ "a known error alone", "", 401, "{\"error\":{\"message\":\"no key\"}}", true },
	{ "any error after JSON", "{\"model\":\"m\"}", 502, "<html>", true },
	{ "somebody else's endpoint", "{\"job\":1}", 200, "{\"ok\":true}", false },
	{ "somebody else's error page", "a=b", 404, "<html>", false },
	{ "nothing", "", 200, "", false },
};

Test(dialect, a_call_is_recognised_by_the_shape_of_what_was_read)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, shapes[i].request);

		if (shapes[i].status)
			feed_response(call, shapes[i].status, shapes[i].body);
		cr_expect_eq(call_is_recognised(call), shapes[i].is_recognised, "%s", shapes[i].name);
	}
}

Test(dialect, a_cut_request_keeps_what_came)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	call_read_request(call, SLICE("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hel"),
			  /* is_truncated */ true);
	expect_json(openai_chat.input(call), "[{\"role\":\"user\",\"content\":\"Hel\"}]", "cut", "input");
	cr_expect_str_eq(json_string(call->request, "model"), "m");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
	cr_expect(call_is_recognised(call));
}

/* An answer may overtake its request's end: then the request is read twice. */
Test(dialect, a_request_read_again_replaces_what_was_read)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	call_read_request(call, SLICE("{\"messages\":[{\"role\":\"user\",\"content\":\"Hel"), /* is_truncated */ true);
	call_read_request(call, SLICE("{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"),
			  /* is_truncated */ false);
	expect_json(openai_chat.input(call), "[{\"role\":\"user\",\"content\":\"Hello\"}]", "again", "input");
}

Test(dialect, raw_text_is_cleaned)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	call_read_request(call, SLICE("a\0b\xff"), /* is_truncated */ false);
	cr_expect_str_eq(buf_text(&call->request_text), "a\xef\xbf\xbd" "b\xef\xbf\xbd");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_JSON) | LOSS_BIT(LOSS_BAD_TEXT));
}
