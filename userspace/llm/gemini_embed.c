/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embeddings of Google's three methods: embedContent (one content), batchEmbedContents
 * (requests), and Vertex' predict (instances). Vectors are counted and measured, never
 * kept. predict serves other models, too, which the shapes tell apart.
 *
 * Source: Gemini API reference, "Embeddings"; Vertex AI reference, "Text embeddings API".
 */
#include "llm/gemini.h"
#include "llm/json.h"

static const cJSON *first_of(const cJSON *body, const char *name)
{
	const cJSON *array = json_array(body, name);

	return array ? array->child : NULL;
}

static bool is_request(const cJSON *body)
{
	return json_get(body, "content") || json_get(first_of(body, "requests"), "content") ||
	       json_string(first_of(body, "instances"), "content");
}

static bool is_response(const cJSON *body)
{
	return json_array(json_get(body, "embedding"), "values") ||
	       json_array(first_of(body, "embeddings"), "values") ||
	       json_array(json_get(first_of(body, "predictions"), "embeddings"), "values");
}

/* The body names its model as a resource: "models/NAME". */
static void request(struct call *call)
{
	cJSON *model = (cJSON *)json_get(call->request, "model");
	char *name = cJSON_GetStringValue(model);

	if (name && strncmp(name, "models/", 7) == 0)
		memmove(name, name + 7, strlen(name + 7) + 1);
}

/* Embeddings do not stream. */
static void read_statistics(struct call *call, const cJSON *predictions)
{
	struct usage *usage = &call->usage;
	uint64_t tokens = COUNT_UNKNOWN;
	const cJSON *item;

	cJSON_ArrayForEach(item, predictions)
		tokens = usage_sum(tokens, json_count(json_get(json_get(item, "embeddings"), "statistics"),
						      "token_count"));
	if (tokens == COUNT_UNKNOWN)
		return;
	usage_begin(usage);
	usage->tokens[USAGE_INPUT] = usage->tokens[USAGE_TOTAL] = tokens;
}

/* Some of these models state it like generateContent; a total is what they are priced by. */
static void read_metadata(struct call *call, const cJSON *json)
{
	uint64_t *tokens = call->usage.tokens;

	gemini_read_usage(call, json);
	if (call->usage.is_reported && tokens[USAGE_TOTAL] == COUNT_UNKNOWN)
		usage_add_up(&call->usage);
}

static void note(struct call *call, const cJSON *values, size_t count)
{
	cJSON_Delete(call->output);
	call->output = vectors_note(vector_dimensions(values), count);
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *one = json_array(json_get(body, "embedding"), "values");
	const cJSON *many = json_array(body, "embeddings");
	const cJSON *predictions = json_array(body, "predictions");

	read_metadata(call, json_get(body, "usageMetadata"));
	read_statistics(call, predictions);
	/* Of a body that was cut, nobody knows how many there were. */
	if (call->end != CALL_DONE)
		return;
	if (one)
		note(call, one, 1);
	else if (many)
		note(call, json_get(many->child, "values"), (size_t)cJSON_GetArraySize(many));
	else if (predictions)
		note(call, json_get(json_get(predictions->child, "embeddings"), "values"),
		     (size_t)cJSON_GetArraySize(predictions));
}

/* A text, or the content as it is. */
static cJSON *content_json(const cJSON *holder)
{
	const cJSON *content = json_get(holder, "content");
	const cJSON *parts = json_array(content, "parts");
	const cJSON *text = parts && parts->child && !parts->child->next ? json_get(parts->child, "text") : NULL;

	if (text)
		content = text;
	return content ? cJSON_Duplicate(content, /* recurse */ 1) : NULL;
}

static cJSON *input(const struct call *call)
{
	const cJSON *list = json_array(call->request, "requests");
	const cJSON *item;
	cJSON *array;

	if (!list)
		list = json_array(call->request, "instances");
	if (!list)
		return call->request ? content_json(call->request) : call_request_text(call);
	array = cJSON_CreateArray();
	cJSON_ArrayForEach(item, list)
		json_append(array, content_json(item));
	return array;
}

/* Of one request, of the first of many, or beside the instances. */
static cJSON *model_parameters(const struct call *call)
{
	static const char *const names[] = {
		"outputDimensionality", "output_dimensionality", "taskType", "task_type", "autoTruncate", NULL,
	};
	const cJSON *holders[] = {
		call->request, first_of(call->request, "requests"), first_of(call->request, "instances"),
		json_get(call->request, "parameters"),
	};
	cJSON *parameters = cJSON_CreateObject();

	for (size_t i = 0; i < ARRAY_SIZE(holders); i++)
		json_add_members(parameters, holders[i], names);
	return json_or_null(parameters);
}

const struct dialect gemini_embed = {
	.name = "gemini.embed",
	.title = "Gemini and Vertex AI embeddings",
	.generation_name = "Gemini-embedding",
	.operation = OPERATION_EMBEDDINGS,
	.routes = (const char *const[]){
		"/models/{}:embedContent", "/models/{}:batchEmbedContents", "/models/{}:predict",
		"/endpoints/{}:predict", NULL,
	},
	.is_request = is_request,
	.is_response = is_response,
	.request = request,
	.response = response,
	.input = input,
	.model_parameters = model_parameters,
};
