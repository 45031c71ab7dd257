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
	const cJSON *data = json_array(body, "data");
	const char *object = data ? json_string(data->child, "object") : NULL;

	return data && (!data->child || json_get(data->child, "embedding") ||
			(object && strcmp(object, "embedding") == 0));
}

/* Embeddings do not stream; what came as an event says nothing. */
static void response(struct call *call, const cJSON *body)
{
	const cJSON *data = json_array(body, "data");

	openai_read_envelope(call, body);
	/* Of a body that was cut, nobody knows how many there were. */
	if (!data || call->end != CALL_DONE)
		return;
	call->output = vectors_note(vector_dimensions(json_get(data->child, "embedding")),
				    (size_t)cJSON_GetArraySize(data));
}

static cJSON *input(const struct call *call)
{
	const cJSON *input = json_get(call->request, "input");

	if (!call->request)
		return call_request_text(call);
	return chat_prompt(input ? input : json_get(call->request, "messages"));
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
	return json_or_null(parameters);
}

const struct dialect openai_embeddings = {
	.name = "openai.embeddings",
	.title = "OpenAI embeddings",
	.generation_name = "OpenAI-embedding",
	.operation = OPERATION_EMBEDDINGS,
	.routes = (const char *const[]){ "/openai/deployments/{}/embeddings", "/embeddings", "/invocations", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = openai_read_event,
	.response = response,
	.input = input,
	.model_parameters = model_parameters,
};
