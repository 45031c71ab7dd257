/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings: vectors are counted and measured, never kept. */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "input") || json_array(body, "messages");
}

static bool is_response(const cJSON *body)
{
	return json_array(body, "data") != NULL;
}

/* Embeddings do not stream; what came as an event says nothing. */
static void event(struct call *call, uint64_t time_ns, const cJSON *data)
{
	(void)time_ns;
	openai_read_envelope(call, data);
}

/* Numbers, or base64 of 32-bit floats (what the official clients ask for). */
static size_t dimensions_of(const cJSON *embedding)
{
	size_t len;

	if (cJSON_IsArray(embedding))
		return (size_t)cJSON_GetArraySize(embedding);
	if (!cJSON_IsString(embedding))
		return 0;
	len = strlen(embedding->valuestring);
	while (len && embedding->valuestring[len - 1] == '=')
		len--;
	return len * 3 / 4 / sizeof(float);
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *data = json_array(body, "data");
	size_t dimensions = data ? dimensions_of(json_get(data->child, "embedding")) : 0;

	openai_read_envelope(call, body);
	/* Of a body that was cut, nobody knows how many there were. */
	if (!data || call->end != CALL_DONE)
		return;
	call->output = cJSON_CreateObject();
	if (dimensions)
		cJSON_AddNumberToObject(call->output, "dimensions", (double)dimensions);
	cJSON_AddNumberToObject(call->output, "count", cJSON_GetArraySize(data));
}

static cJSON *input(const struct call *call)
{
	const cJSON *input = json_get(call->request, "input");

	if (!call->request)
		return openai_request_text(call);
	return openai_prompt(input ? input : json_get(call->request, "messages"));
}

static cJSON *output(const struct call *call)
{
	return call->output ? cJSON_Duplicate(call->output, /* recurse */ 1) : NULL;
}

/* The official clients ask for base64 on their own account, so that it says
 * nothing about the caller's wish; float is the default. */
static bool is_usual_format(const char *format)
{
	return !format || strcmp(format, "float") == 0 || strcmp(format, "base64") == 0;
}

static cJSON *model_parameters(const struct call *call)
{
	const char *format = json_string(call->request, "encoding_format");
	cJSON *parameters = cJSON_CreateObject();

	json_add_copy(parameters, "dimensions", json_get(call->request, "dimensions"));
	if (!is_usual_format(format))
		cJSON_AddStringToObject(parameters, "encoding_format", format);
	if (parameters && !parameters->child) {
		cJSON_Delete(parameters);
		return NULL;
	}
	return parameters;
}

const struct dialect openai_embeddings = {
	.name = "openai.embeddings",
	.generation_name = "OpenAI-embedding",
	.operation = OPERATION_EMBEDDINGS,
	.path_suffixes = (const char *const[]){ "/embeddings", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.model_parameters = model_parameters,
};
