/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: generations, edits and variations, whole and streamed. Images in base64
 * are notes by the time they come here; of an image's address the query goes, which
 * may be a signature that opens it.
 */
#include "limits.h"
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "prompt") || json_get(body, "image");
}

static bool is_event(const char *type)
{
	return type && (strncmp(type, "image_generation.", 17) == 0 || strncmp(type, "image_edit.", 11) == 0);
}

static bool is_response(const cJSON *body)
{
	const cJSON *data = json_array(body, "data");

	if (is_event(json_string(body, "type")))
		return true;
	if (!data)
		return false;
	return data->child ? json_get(data->child, "b64_json") || json_get(data->child, "url")
			   : json_get(body, "created") != NULL;
}

/* Which of the tokens are an image's: they have a price of their own nowhere. */
static void read_details(struct call *call, const cJSON *usage)
{
	static const char *const names[] = { "input_tokens_details", "output_tokens_details", NULL };

	call_fact(call, "tokenDetails", json_members(usage, names));
}

static void read_envelope(struct call *call, const cJSON *body)
{
	openai_read_envelope(call, body);
	read_details(call, json_get(body, "usage"));
}

static void cut_query(cJSON *image)
{
	char *url = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(image, "url"));

	/* A data: URL has none, and is a note. */
	if (url)
		url[strcspn(url, "?#")] = '\0';
}

static void add_image(struct call *call, const cJSON *image)
{
	static const char *const names[] = { "b64_json", "url", "revised_prompt", NULL };
	cJSON *members = json_members(image, names);

	cut_query(members);
	if (!call->output)
		call->output = cJSON_CreateArray();
	if (cJSON_GetArraySize(call->output) < LIMIT_PARTS) {
		json_append(call->output, members);
		return;
	}
	call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	cJSON_Delete(members);
}

/* How many were asked for; a form's number is text. */
static uint64_t wanted(const struct call *call)
{
	uint64_t n = json_count(call->request, "n");

	return n == COUNT_UNKNOWN || !n ? 1 : n;
}

static bool ends(const char *type, const char *end)
{
	return slice_ends(slice_of(type), slice_of(end));
}

static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");

	if (!is_event(type))
		return;
	read_envelope(call, event->data);
	call_chunk(call, event->time_ns);
	if (!ends(type, ".completed"))
		return;
	add_image(call, event->data);
	if ((uint64_t)cJSON_GetArraySize(call->output) >= wanted(call))
		call->end = CALL_DONE;
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *image;

	read_envelope(call, body);
	cJSON_ArrayForEach(image, json_array(body, "data"))
		add_image(call, image);
}

/* The prompt, or what else there is beside it. */
static cJSON *input(const struct call *call)
{
	static const char *const names[] = {
		"prompt", "image", "image[]", "images", "mask", "input_reference", NULL,
	};
	cJSON *members = call_request_members(call, names);
	cJSON *prompt = cJSON_GetObjectItemCaseSensitive(members, "prompt");

	if (!prompt || prompt->next || prompt->prev != prompt)
		return members;
	prompt = cJSON_DetachItemViaPointer(members, prompt);
	cJSON_Delete(members);
	return prompt;
}

static cJSON *output(const struct call *call)
{
	if (call->output && cJSON_GetArraySize(call->output) == 1)
		return cJSON_Duplicate(call->output->child, /* recurse */ 1);
	return call_output(call);
}

#define ROUTES(name)	"/openai/deployments/{}/images/" name, "/images/" name

const struct dialect openai_images = {
	.name = "openai.images",
	.title = "OpenAI images",
	.streams = "SSE",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_IMAGE_GENERATION,
	.has_media = true,
	.routes = (const char *const[]){ ROUTES("generations"), ROUTES("edits"), ROUTES("variations"), NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.parameters = (const char *const[]){
		"n", "size", "quality", "style", "background", "moderation", "output_format",
		"output_compression", "partial_images", "input_fidelity", NULL,
	},
};
