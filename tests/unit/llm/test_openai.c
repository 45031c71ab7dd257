/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "feed.h"

static const struct {
	const char *name, *model, *body, *usage;
	uint64_t output_tokens;
	bool is_inconsistent;
} usages[] = {
	{ "OpenAI, with everything split", "o4-mini", "{\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":300,"
	  "\"total_tokens\":1500,\"prompt_tokens_details\":{\"cached_tokens\":1024},"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":180}}}",
	  "{\"input\":176,\"input_cached_tokens\":1024,\"output\":120,\"output_reasoning_tokens\":180,\"total\":1500}", 300, false },
	{ "a model without a reasoning price keeps it in the output", "gpt-4o-mini", "{\"usage\":{\"prompt_tokens\":10,"
	  "\"completion_tokens\":30,\"total_tokens\":40,\"completion_tokens_details\":{\"reasoning_tokens\":20}}}",
	  "{\"input\":10,\"output\":30,\"total\":40}", 30, false },
	{ "gpt-5.4-nano has no reasoning price", "gpt-5.4-nano-2026", "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3,"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}", "{\"input\":1,\"output\":3}", 3, false },
	{ "a gateway's prefix is not the family", "openai/gpt-5.1", "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3,"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}", "{\"input\":1,\"output\":1,\"output_reasoning_tokens\":2}", 3, false },
	{ "Gemini from 2.5 on splits", "gemini-2.5-pro", "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3,"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}", "{\"input\":1,\"output\":1,\"output_reasoning_tokens\":2}", 3, false },
	{ "cache writes and audio", "m", "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":10,\"cache_write_tokens\":20,\"audio_tokens\":30},"
	  "\"completion_tokens_details\":{\"audio_tokens\":40,\"accepted_prediction_tokens\":5}}}",
	  "{\"input\":40,\"input_cached_tokens\":10,\"input_cache_creation\":20,\"input_audio_tokens\":30,\"output\":10,\"output_audio_tokens\":40,\"total\":150}", 50, false },
	{ "zeros are counts", "m", "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0,\"total_tokens\":5,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":0}}}", "{\"input\":5,\"input_cached_tokens\":0,\"output\":0,\"total\":5}", 0, false },
	{ "nulls are not", "m", "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":null,\"total_tokens\":5,"
	  "\"prompt_tokens_details\":null}}", "{\"input\":5,\"total\":5}", COUNT_UNKNOWN, false },
	{ "numbers as text", "m", "{\"usage\":{\"prompt_tokens\":\"5\",\"completion_tokens\":\"7\",\"total_tokens\":\"x\"}}",
	  "{\"input\":5,\"output\":7}", 7, false },
	{ "negative and broken counts are unknown", "m", "{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":{},\"total_tokens\":1e300}}",
	  "{}", COUNT_UNKNOWN, false },
	{ "DeepSeek: hit and miss", "deepseek-chat", "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":7,\"total_tokens\":107,"
	  "\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":36}}",
	  "{\"input\":36,\"input_cached_tokens\":64,\"output\":7,\"total\":107}", 7, false },
	{ "xAI: reasoning beside completion_tokens", "o3-like", "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":130,"
	  "\"prompt_tokens_details\":{\"text_tokens\":10,\"cached_tokens\":4,\"image_tokens\":0},"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":100}}}",
	  "{\"input\":6,\"input_cached_tokens\":4,\"output\":20,\"output_reasoning_tokens\":100,\"total\":130}", 120, false },
	{ "xAI without a reasoning price", "grok-4", "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":130,"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":100}}}",
	  "{\"input\":10,\"output\":120,\"total\":130}", 120, false },
	{ "Groq: in x_groq", "llama", "{\"x_groq\":{\"id\":\"req\",\"usage\":{\"queue_time\":0.01,\"prompt_tokens\":5,\"completion_tokens\":7,"
	  "\"total_tokens\":12}}}", "{\"input\":5,\"output\":7,\"total\":12}", 7, false },
	{ "details over the whole are clamped", "o3", "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":9},\"completion_tokens_details\":{\"reasoning_tokens\":8}}}",
	  "{\"input\":0,\"input_cached_tokens\":9,\"output\":0,\"output_reasoning_tokens\":8}", 7, true },
	{ "vLLM's created_cache_tokens are no cache write to pay", "m", "{\"usage\":{\"prompt_tokens\":13,\"total_tokens\":17,\"completion_tokens\":4,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":0,\"created_cache_tokens\":13}}}",
	  "{\"input\":13,\"input_cached_tokens\":0,\"output\":4,\"total\":17}", 4, false },
	{ "Responses' names, with details that have no bucket", "gpt-5.1", "{\"usage\":{\"input_tokens\":1200,\"input_tokens_details\":"
	  "{\"cached_tokens\":1000,\"cache_write_tokens\":100,\"cache_write_tokens_details\":{\"ttl_30m_tokens\":100,\"ttl_12h_tokens\":0}},"
	  "\"output_tokens\":50,\"output_tokens_details\":{\"reasoning_tokens\":20},\"total_tokens\":1250}}",
	  "{\"input\":100,\"input_cached_tokens\":1000,\"input_cache_creation\":100,\"output\":30,\"output_reasoning_tokens\":20,\"total\":1250}", 50, false },
	{ "a realtime model is priced by modality", "gpt-realtime-2026", "{\"usage\":{\"total_tokens\":300,\"input_tokens\":200,\"output_tokens\":100,"
	  "\"input_token_details\":{\"text_tokens\":120,\"audio_tokens\":80,\"cached_tokens\":60,\"cached_tokens_details\":{\"text_tokens\":50,\"audio_tokens\":10}},"
	  "\"output_token_details\":{\"text_tokens\":30,\"audio_tokens\":70}}}",
	  "{\"input_text_tokens\":70,\"input_audio_tokens\":70,\"input_cached_text_tokens\":50,\"input_cached_audio_tokens\":10,"
	  "\"output_text_tokens\":30,\"output_audio_tokens\":70,\"total\":300}", 100, false },
	{ "so is an audio model in a chat", "gpt-4o-audio-preview", "{\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":20,\"total_tokens\":70,"
	  "\"prompt_tokens_details\":{\"audio_tokens\":40,\"cached_tokens\":0},\"completion_tokens_details\":{\"audio_tokens\":15}}}",
	  "{\"input_text_tokens\":10,\"input_audio_tokens\":40,\"input_cached_text_tokens\":0,\"output_text_tokens\":5,\"output_audio_tokens\":15,\"total\":70}", 20, false },
	{ "cached audio is not counted twice", "m", "{\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"audio_tokens\":80,\"cached_tokens\":60,"
	  "\"cached_tokens_details\":{\"audio_tokens\":50}}}}", "{\"input\":10,\"input_cached_tokens\":60,\"input_audio_tokens\":30}", COUNT_UNKNOWN, false },
	{ "none", "m", "{\"usage\":null}", NULL, COUNT_UNKNOWN, false },
};

Test(openai, usage_becomes_disjoint_buckets)
{
	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);
		_cleanup_(json_freep) cJSON *body = cJSON_Parse(usages[i].body);

		call_add(call, &call->response_model, usages[i].model);
		openai_read_envelope(call, body);
		expect_json(usage_json(&call->usage), usages[i].usage, usages[i].name, "usage");
		cr_expect_eq(call->usage.output_tokens, usages[i].output_tokens, "%s: output tokens", usages[i].name);
		cr_expect_eq(call->usage.is_inconsistent, usages[i].is_inconsistent, "%s", usages[i].name);
	}
}

Test(openai, the_last_usage_wins)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	feed_events(call, "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}\n"
		    "{\"choices\":[],\"usage\":null}\n"
		    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}");
	expect_json(usage_json(&call->usage), "{\"input\":9,\"output\":2,\"total\":11}", "continuous", "usage");
}

Test(openai, cost_is_the_providers_or_unknown)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	cr_expect(isnan(call->usage.cost));
	feed_events(call, "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"cost\":0.00125,\"is_byok\":false}}");
	cr_expect_float_eq(call->usage.cost, 0.00125, 1e-12);
}

#define DEFAULTS "\"top_p\":1,\"frequency_penalty\":0,\"presence_penalty\":0"
static const struct { const char *name, *request, *tier, *parameters; } parameters[] = {
	{ "defaults", "{}", "", "{\"temperature\":1,\"max_tokens\":\"Infinity\"," DEFAULTS "}" },
	{ "given", "{\"temperature\":0.2,\"max_tokens\":256,\"top_p\":null,\"n\":1,\"stop\":[\"x\"],\"user\":\"u\",\"stream\":true}", "",
	  "{\"temperature\":0.2,\"max_tokens\":256," DEFAULTS "}" },
	{ "max_completion_tokens replaces max_tokens", "{\"max_tokens\":1,\"max_completion_tokens\":2}", "",
	  "{\"temperature\":1,\"max_completion_tokens\":2," DEFAULTS "}" },
	{ "n, seed, effort, verbosity", "{\"n\":2,\"seed\":7,\"reasoning_effort\":\"low\",\"verbosity\":\"high\"}", "",
	  "{\"temperature\":1,\"max_tokens\":\"Infinity\"," DEFAULTS ",\"n\":2,\"seed\":7,\"reasoning_effort\":\"low\",\"verbosity\":\"high\"}" },
	{ "the answer's tier", "{\"service_tier\":\"auto\"}", "flex",
	  "{\"temperature\":1,\"max_tokens\":\"Infinity\"," DEFAULTS ",\"service_tier\":\"flex\"}" },
	{ "the wished tier without an answer's", "{\"service_tier\":\"auto\"}", "",
	  "{\"temperature\":1,\"max_tokens\":\"Infinity\"," DEFAULTS ",\"service_tier\":\"auto\"}" },
	{ "unknown request", "no json", "", NULL },
};

Test(openai, parameters_are_what_the_drop_in_records)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, parameters[i].request);

		call_add(call, &call->service_tier, parameters[i].tier);
		expect_json(openai_parameters(call), parameters[i].parameters, parameters[i].name, "parameters");
	}
}

static const struct { const char *name, *body, *facts; } facts[] = {
	{ "Groq's seconds", "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"queue_time\":0.25,\"total_time\":0.5}}",
	  "{\"serverTimings\":{\"queue_time\":0.25,\"total_time\":0.5}}" },
	{ "vLLM's metrics and what stopped it", "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\",\"stop_reason\":\"END\"}],"
	  "\"kv_transfer_params\":{\"do_remote_decode\":true},\"metrics\":{\"queue_time_ms\":2}}",
	  "{\"stopReason\":\"END\",\"serverTimings\":{\"queue_time_ms\":2},\"kvTransferParams\":{\"do_remote_decode\":true}}" },
	{ "llama.cpp's timings", "{\"choices\":[],\"timings\":{\"prompt_ms\":3.5}}", "{\"serverTimings\":{\"prompt_ms\":3.5}}" },
	{ "nulls are none", "{\"choices\":[{\"stop_reason\":null}],\"kv_transfer_params\":null,\"metrics\":null}", NULL },
};

Test(openai, what_servers_tell_of_themselves_are_facts)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

		feed_response(call, 200, facts[i].body);
		expect_json(call->facts ? cJSON_Duplicate(call->facts, /* recurse */ 1) : NULL, facts[i].facts, facts[i].name, "facts");
	}
}

static const struct { const char *name, *body, *refusal; } refusals[] = {
	{ "a refusal", "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I will not.\"},\"finish_reason\":\"stop\"}]}", "I will not." },
	{ "a filter", "{\"choices\":[{\"message\":{\"content\":\"Hal\"},\"finish_reason\":\"content_filter\"}]}",
	  "stopped by the provider's content filter" },
	{ "an empty refusal is none", "{\"choices\":[{\"message\":{\"content\":\"Hi\",\"refusal\":\"\"},\"finish_reason\":\"stop\"}]}", NULL },
	{ "of several answers one", "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hi\"}},{\"index\":1,\"message\":{\"refusal\":\"No.\"}}]}", "No." },
};

Test(openai, refusals_and_filters_are_told)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");
		const struct buf *refusal;

		feed_response(call, 200, refusals[i].body);
		refusal = call_refusal(call);
		cr_expect_eq(refusal != NULL, refusals[i].refusal != NULL, "%s", refusals[i].name);
		cr_expect_str_eq(refusal ? buf_text(refusal) : "", refusals[i].refusal ? refusals[i].refusal : "", "%s", refusals[i].name);
		cr_expect_not(call->is_error, "%s", refusals[i].name);
	}
}
