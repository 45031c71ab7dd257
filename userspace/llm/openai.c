/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envelope, choices and parameters of the OpenAI family, as OpenAI and the many
 * servers that speak its grammar send them.
 */
#include "llm/openai.h"

#include "llm/json.h"

/* Who answers, where only its own keys tell. */
static const char *hint_of(const cJSON *body)
{
	static const struct { const char *key, *provider; } keys[] = {
		{ "x_groq", "groq" },
		{ "timings", "llama.cpp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_get(body, keys[i].key))
			return keys[i].provider;
	/* vLLM sends these even when they are null. */
	if (cJSON_HasObjectItem(body, "kv_transfer_params") ||
	    cJSON_HasObjectItem(body, "prompt_token_ids"))
		return "vllm";
	if (cJSON_HasObjectItem(json_get(body, "usage"), "prompt_cache_hit_tokens"))
		return "deepseek";
	if (json_array(body, "choices")) {
		const cJSON *choice = json_array(body, "choices")->child;

		if (cJSON_HasObjectItem(choice, "matched_stop"))
			return "sglang";
		if (json_get(body, "provider") && cJSON_HasObjectItem(choice, "native_finish_reason"))
			return "openrouter";
	}
	return NULL;
}

static void copy_fact(struct call *call, const char *fact, const cJSON *body, const char *name)
{
	const cJSON *item = json_get(body, name);

	call_fact(call, fact, item ? cJSON_Duplicate(item, /* recurse */ 1) : NULL);
}

void openai_read_envelope(struct call *call, const cJSON *body)
{
	const cJSON *usage = json_get(body, "usage");

	call_set(call, &call->response_id, json_string(body, "id"));
	call_set(call, &call->response_model, json_string(body, "model"));
	call_set(call, &call->service_tier, json_string(body, "service_tier"));
	call_set(call, &call->system_fingerprint, json_string(body, "system_fingerprint"));
	/* They say it in the first event and in the last, which has the usage. */
	if (!call->provider_hint && (!call->chunks || usage))
		call->provider_hint = hint_of(body);
	if (!cJSON_IsObject(usage))
		usage = json_get(json_get(body, "x_groq"), "usage");
	if (cJSON_IsObject(usage))
		openai_read_usage(call, usage);
	copy_fact(call, "serverTimings", body, "timings");	/* llama.cpp */
	copy_fact(call, "serverTimings", body, "metrics");	/* vLLM */
	copy_fact(call, "kvTransferParams", body, "kv_transfer_params");
}

void openai_read_event(struct call *call, const struct call_event *event)
{
	openai_read_envelope(call, event->data);
}

static void hide(cJSON *item)
{
	cJSON *child;

	if (cJSON_IsString(item))
		cJSON_SetValuestring(item, "[hidden]");
	cJSON_ArrayForEach(child, item)
		hide(child);
}

void openai_hide_keys(struct call *call)
{
	cJSON *tools = cJSON_GetObjectItemCaseSensitive(call->request, "tools"), *tool;

	cJSON_ArrayForEach(tool, tools) {
		const char *type = json_string(tool, "type");

		if (!type || strcmp(type, "mcp") != 0)
			continue;
		hide(cJSON_GetObjectItemCaseSensitive(tool, "authorization"));
		hide(cJSON_GetObjectItemCaseSensitive(tool, "headers"));
	}
}

struct choice *openai_choice(struct call *call, const cJSON *item, uint64_t position)
{
	uint64_t index = json_count(item, "index");

	return call_choice(call, index == COUNT_UNKNOWN ? position : index);
}

void openai_read_finish(struct call *call, struct choice *choice, const cJSON *item)
{
	const char *reason = json_string(item, "finish_reason");

	call_set(call, &choice->finish_reason, reason);
	copy_fact(call, "stopReason", item, "stop_reason");	/* vLLM: the string or token that stopped it */
	if (reason && strcmp(reason, "error") == 0)	/* Mistral, vLLM: status 200 all the same */
		call->is_error = true;
	if (reason && strcmp(reason, "content_filter") == 0)
		call_refuse(call, "stopped by the provider's content filter");
}

/* The request's value, else the default that the drop-in writes. */
static void add_parameter(cJSON *parameters, const cJSON *request, const char *name, double fallback)
{
	const cJSON *item = json_get(request, name);

	if (item)
		json_add_copy(parameters, name, item);
	else
		cJSON_AddNumberToObject(parameters, name, fallback);
}

static void add_max_tokens(cJSON *parameters, const cJSON *request)
{
	if (json_get(request, "max_completion_tokens"))
		json_add_copy(parameters, "max_completion_tokens",
			      json_get(request, "max_completion_tokens"));
	else if (json_get(request, "max_tokens"))
		json_add_copy(parameters, "max_tokens", json_get(request, "max_tokens"));
	else
		cJSON_AddStringToObject(parameters, "max_tokens", "Infinity");
}

cJSON *openai_parameters(const struct call *call)
{
	static const char *const as_given[] = { "seed", "reasoning_effort", "verbosity", NULL };
	const cJSON *request = call->request;
	const cJSON *n = json_get(request, "n");
	cJSON *parameters;

	if (!request)
		return NULL;
	parameters = cJSON_CreateObject();
	add_parameter(parameters, request, "temperature", 1);
	add_max_tokens(parameters, request);
	add_parameter(parameters, request, "top_p", 1);
	add_parameter(parameters, request, "frequency_penalty", 0);
	add_parameter(parameters, request, "presence_penalty", 0);
	if (cJSON_IsNumber(n) && n->valuedouble > 1)
		json_add_copy(parameters, "n", n);
	json_add_members(parameters, request, as_given);
	/* The tier that served it sets the price; the wish counts only without an answer's. */
	if (call->service_tier.len)
		cJSON_AddStringToObject(parameters, "service_tier", buf_text(&call->service_tier));
	else
		json_add_copy(parameters, "service_tier", json_get(request, "service_tier"));
	return parameters;
}
