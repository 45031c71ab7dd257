/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Bedrock's two APIs share: heads, model ids, usage.
 *
 * Source: Amazon Bedrock API reference, "Converse", "ConverseStream", "InvokeModel".
 */
#include "llm/bedrock.h"

#include "base/text.h"
#include "llm/json.h"

void bedrock_read_head(struct call *call, const struct http_head *response)
{
	struct slice value;
	const char *end;

	if (!call->provider_hint && http_field(response, "x-amzn-requestid", &value))
		call->provider_hint = "aws.bedrock";
	/* "ThrottlingException:http://internal.amazon.com/..." */
	if (response->status < 400 || !http_field(response, "x-amzn-errortype", &value) || !value.len)
		return;
	end = memchr(value.ptr, ':', value.len);
	if (end)
		value.len = (size_t)(end - value.ptr);
	buf_reset(&call->error_type);
	text_add_utf8(&call->error_type, value);
}

/* --- models -------------------------------------------------------------------- */

void bedrock_read_model(struct call *call)
{
	static const char *const kinds[] = { ":inference-profile/", "foundation-model/" };
	const char *model = buf_text(&call->path_model);

	if (strncmp(model, "arn:", 4) != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *kind = strstr(model, kinds[i]);

		if (!kind)
			continue;
		buf_consume(&call->path_model, (size_t)(kind - model) + strlen(kinds[i]));
		return;
	}
}

bool bedrock_is_vendor(const struct call *call, const char *vendor)
{
	const char *model = buf_text(&call->path_model);
	size_t len = strlen(vendor);

	for (const char *at = strstr(model, vendor); at; at = strstr(at + 1, vendor))
		if (at[len] == '.' && (at == model || at[-1] == '.' || at[-1] == '/'))
			return true;
	return false;
}

const cJSON *bedrock_system(const cJSON *request)
{
	const cJSON *system = json_get(request, "system");

	if (cJSON_IsArray(system) && system->child && !system->child->next &&
	    json_string(system->child, "text"))
		return json_get(system->child, "text");
	return system;
}

/* --- usage --------------------------------------------------------------------- */

/* Under Converse's name, else under that of Nova's own bodies. */
static uint64_t first_count(const cJSON *usage, const char *name, const char *other)
{
	uint64_t count = json_count(usage, name);

	return count == COUNT_UNKNOWN ? json_count(usage, other) : count;
}

/* Tokens written to caches of that life. */
static uint64_t written(const cJSON *usage, const char *ttl)
{
	uint64_t sum = COUNT_UNKNOWN;
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(usage, "cacheDetails")) {
		const char *life = json_string(item, "ttl");

		if (life && strcmp(life, ttl) == 0)
			sum = usage_sum(sum, json_count(item, "inputTokens"));
	}
	return sum ? sum : COUNT_UNKNOWN;
}

/* Cached tokens are beside inputTokens; but models of the openai family were seen to
 * have them in it. */
static uint64_t read_input(const struct call *call, const cJSON *json, uint64_t cached)
{
	uint64_t input = json_count(json, "inputTokens");

	if (bedrock_is_vendor(call, "openai") && input != COUNT_UNKNOWN && cached != COUNT_UNKNOWN &&
	    cached > 0 && input >= cached)
		return input - cached;
	return input;
}

void bedrock_read_usage(struct call *call, const cJSON *json)
{
	struct usage *usage = &call->usage;
	uint64_t *tokens = usage->tokens, write;

	if (!cJSON_IsObject(json))
		return;
	usage_begin(usage);
	tokens[USAGE_INPUT_CACHED] = first_count(json, "cacheReadInputTokens", "cacheReadInputTokenCount");
	write = first_count(json, "cacheWriteInputTokens", "cacheWriteInputTokenCount");
	tokens[USAGE_INPUT] = read_input(call, json, usage_sum(tokens[USAGE_INPUT_CACHED], write));
	tokens[USAGE_INPUT_CACHE_5M] = written(json, "5m");
	tokens[USAGE_INPUT_CACHE_1H] = written(json, "1h");
	write = usage_less(usage, write, tokens[USAGE_INPUT_CACHE_5M]);
	write = usage_less(usage, write, tokens[USAGE_INPUT_CACHE_1H]);
	if (write > 0 || usage_sum(tokens[USAGE_INPUT_CACHE_5M], tokens[USAGE_INPUT_CACHE_1H]) == COUNT_UNKNOWN)
		tokens[USAGE_INPUT_CACHE_CREATION] = write;
	usage->output_tokens = tokens[USAGE_OUTPUT] = json_count(json, "outputTokens");
	usage_add_up(usage);
}
