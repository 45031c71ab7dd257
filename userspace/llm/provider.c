/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answered: by host, else by what only one server's bodies hold. Names are
 * OTel's gen_ai.provider.name where it has one. Never decides the grammar.
 */
#include <ctype.h>

#include "llm/dialect.h"

/* A host, or with a leading dot every host below that domain. */
static const struct { const char *host, *provider; } hosts[] = {
	{ "api.openai.com",			"openai" },
	{ ".api.openai.com",			"openai" },
	{ ".openai.azure.com",			"azure.ai.openai" },
	{ ".cognitiveservices.azure.com",	"azure.ai.openai" },
	{ ".services.ai.azure.com",		"azure.ai.openai" },
	{ "api.anthropic.com",			"anthropic" },
	{ "claude.googleapis.com",		"anthropic" },
	{ "generativelanguage.googleapis.com",	"gcp.gemini" },
	{ "aiplatform.googleapis.com",		"gcp.vertex_ai" },
	{ "-aiplatform.googleapis.com",		"gcp.vertex_ai" },
	{ "aiplatform.us.rep.googleapis.com",	"gcp.vertex_ai" },
	{ "aiplatform.eu.rep.googleapis.com",	"gcp.vertex_ai" },
	{ "api.cohere.com",			"cohere" },
	{ "api.cohere.ai",			"cohere" },
	{ "api.mistral.ai",			"mistral_ai" },
	{ "codestral.mistral.ai",		"mistral_ai" },
	{ "api.deepseek.com",			"deepseek" },
	{ "api.groq.com",			"groq" },
	{ "openrouter.ai",			"openrouter" },
	{ "api.together.xyz",			"together_ai" },
	{ "api.together.ai",			"together_ai" },
	{ "api.x.ai",				"x_ai" },
	{ "api.perplexity.ai",			"perplexity" },
	{ "api.fireworks.ai",			"fireworks_ai" },
	{ "api.cerebras.ai",			"cerebras" },
	{ "api.sambanova.ai",			"sambanova" },
	{ "integrate.api.nvidia.com",		"nvidia" },
	{ "router.huggingface.co",		"huggingface" },
	{ "api.moonshot.ai",			"moonshot_ai" },
	{ "open.bigmodel.cn",			"zhipu_ai" },
	{ "ollama.com",				"ollama" },
};

/* Without the port. An IPv6 literal keeps its brackets, and matches nothing. */
static struct slice host_only(struct slice host)
{
	const char *colon = host.len ? memrchr(host.ptr, ':', host.len) : NULL;

	if (colon && !memchr(colon, ']', host.len - (size_t)(colon - host.ptr)))
		host.len = (size_t)(colon - host.ptr);
	return host;
}

static bool is_host(struct slice host, const char *pattern)
{
	struct slice p = slice_of(pattern);

	if (pattern[0] != '.' && pattern[0] != '-')
		return slice_eq_nocase(host, p);
	return host.len > p.len &&
	       slice_eq_nocase((struct slice){ host.ptr + host.len - p.len, p.len }, p);
}

/* bedrock-runtime.REGION.amazonaws.com, bedrock-mantle.REGION.api.aws; a load
 * balancer there is anybody's. */
static bool is_bedrock(struct slice host)
{
	return slice_starts(host, SLICE("bedrock-")) &&
	       (is_host(host, ".amazonaws.com") || is_host(host, ".api.aws"));
}

/* llama.cpp: "b1234-abcdef". */
static bool is_llama_build(const char *fingerprint)
{
	return fingerprint[0] == 'b' && isdigit((unsigned char)fingerprint[1]) &&
	       strchr(fingerprint, '-');
}

static const char *by_fingerprint(const char *fingerprint)
{
	if (strncmp(fingerprint, "vllm-", 5) == 0)
		return "vllm";
	if (strcmp(fingerprint, "fp_ollama") == 0)
		return "ollama";
	if (strstr(fingerprint, "-sha-"))
		return "tgi";
	return is_llama_build(fingerprint) ? "llama.cpp" : NULL;
}

const char *provider_of_head(const struct http_head *response)
{
	static const struct { const char *field, *provider; } fields[] = {
		{ "anthropic-organization-id",	"anthropic" },
		{ "x-ms-region",		"azure.ai.openai" },
		{ "x-groq-region",		"groq" },
		{ "x-amzn-bedrock-invocation-latency", "aws.bedrock" },
		{ "x-litellm-call-id",		"litellm" },
		{ "x-compute-type",		"tgi" },
	};
	struct slice value;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (http_field(response, fields[i].field, &value))
			return fields[i].provider;
	return NULL;
}

const char *provider_name(struct slice host, const struct call *call)
{
	const char *provider;

	host = host_only(host);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (is_host(host, hosts[i].host))
			return hosts[i].provider;
	if (is_bedrock(host))
		return "aws.bedrock";
	if (slice_starts(host, SLICE("aws-external-anthropic.")) && is_host(host, ".api.aws"))
		return "anthropic";
	provider = by_fingerprint(buf_text(&call->system_fingerprint));
	if (provider)
		return provider;
	return call->provider_hint;
}
