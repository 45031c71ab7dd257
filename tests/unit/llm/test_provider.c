/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct { const char *host, *body, *provider; } cases[] = {
	{ "api.openai.com", "{}", "openai" },
	{ "API.OpenAI.com:443", "{}", "openai" },
	{ "eu.api.openai.com", "{}", "openai" },
	{ "api.openai.com.evil.example", "{}", NULL },
	{ "notapi.openai.com", "{}", NULL },
	{ "my-res.openai.azure.com", "{}", "azure.ai.openai" },
	{ "europe-west4-aiplatform.googleapis.com", "{}", "gcp.vertex_ai" },
	{ "aiplatform.eu.rep.googleapis.com", "{}", "gcp.vertex_ai" },
	{ "claude.googleapis.com", "{}", "anthropic" },
	{ "aws-external-anthropic.us-east-1.api.aws", "{}", "anthropic" },
	{ "bedrock-runtime.eu-west-1.amazonaws.com", "{}", "aws.bedrock" },
	{ "my-lb.elb.amazonaws.com", "{}", NULL },
	{ "openrouter.ai", "{\"x_groq\":{}}", "openrouter" },
	{ "127.0.0.1:8000", "{\"choices\":[],\"prompt_logprobs\":null,\"kv_transfer_params\":null}", "vllm" },
	{ "127.0.0.1:8000", "{\"choices\":[],\"system_fingerprint\":\"vllm-0.32.0-51429676\"}", "vllm" },
	{ "[::1]:8000", "{\"choices\":[{\"matched_stop\":1}]}", "sglang" },
	{ "localhost", "{\"choices\":[],\"system_fingerprint\":\"b1234-abcdef\"}", "llama.cpp" },
	{ "localhost", "{\"choices\":[],\"timings\":{\"prompt_n\":1}}", "llama.cpp" },
	{ "localhost", "{\"choices\":[],\"system_fingerprint\":\"fp_ollama\"}", "ollama" },
	{ "localhost", "{\"choices\":[],\"system_fingerprint\":\"3.0.1-sha-abc\"}", "tgi" },
	{ "gateway", "{\"choices\":[{\"native_finish_reason\":\"stop\"}],\"provider\":\"X\"}", "openrouter" },
	{ "gateway", "{\"choices\":[],\"usage\":{\"prompt_cache_hit_tokens\":0}}", "deepseek" },
	{ "gateway", "{\"choices\":[],\"x_groq\":{\"id\":\"r\"}}", "groq" },
	{ "gateway", "{\"choices\":[],\"system_fingerprint\":\"fp_44709d6fcb\"}", NULL },
	{ "", "{}", NULL },
};

Test(provider, is_told_by_host_then_by_body)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");
		const char *got;

		feed_response(call, 200, cases[i].body);
		got = provider_name(slice_of(cases[i].host), call);
		cr_expect(got && cases[i].provider ? strcmp(got, cases[i].provider) == 0 : got == cases[i].provider,
			  "host '%s', body %s: %s", cases[i].host, cases[i].body, got ? got : "nobody");
	}
}
