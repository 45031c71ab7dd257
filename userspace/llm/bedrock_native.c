/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of InvokeModel that no other API has, as far as text and counts go: Nova's,
 * which are Converse's with each event in an object that names it; and those of models
 * that complete a text: Llama, Titan (its embeddings, too) and Mistral's older ones.
 *
 * Source: Amazon Bedrock user guide, "Inference request parameters and response fields".
 */
#include "llm/bedrock.h"
#include "llm/json.h"

/* --- Nova -------------------------------------------------------------------------- */

static const char *const nova_events[] = {
	"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
};

static bool is_nova_request(const cJSON *body)
{
	return json_array(body, "messages") && (json_get(body, "inferenceConfig") || json_get(body, "schemaVersion"));
}

static bool is_nova_response(const cJSON *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(nova_events); i++)
		if (cJSON_IsObject(json_get(body, nova_events[i])))
			return true;
	return bedrock_is_body(body);
}

static void nova_event(struct call *call, const struct call_event *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(nova_events); i++) {
		const cJSON *data = json_get(event->data, nova_events[i]);

		if (data)
			bedrock_read_event(call, nova_events[i], data, event->time_ns);
	}
}

const struct dialect bedrock_nova = {
	.name = "bedrock.nova",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.is_request = is_nova_request,
	.is_response = is_nova_response,
	.event = nova_event,
	.response = bedrock_read_body,
	/* A request has its fields where Converse has them. */
	.input = bedrock_input,
	.output = chat_output,
	.model_parameters = bedrock_parameters,
};

/* --- texts ------------------------------------------------------------------------- */

/* Where a text stands: alone, or in each object of a list. */
static const struct text_form {
	const char *list, *text, *stop;
} forms[] = {
	{ NULL, "generation", "stop_reason" },				/* Llama */
	{ NULL, "outputText", "completionReason" },			/* Titan's stream */
	{ "results", "outputText", "completionReason" },		/* Titan */
	{ "outputs", "text", "stop_reason" },				/* Mistral */
};

static bool is_text_request(const cJSON *body)
{
	return json_string(body, "inputText") || json_string(body, "prompt");
}

static const struct text_form *form_of(const cJSON *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const cJSON *list = forms[i].list ? json_array(body, forms[i].list) : NULL;

		if (json_string(list ? list->child : forms[i].list ? NULL : body, forms[i].text))
			return &forms[i];
	}
	return NULL;
}

static bool is_embedding(const cJSON *body)
{
	return json_array(body, "embedding") && json_get(body, "inputTextTokenCount");
}

static bool is_text_response(const cJSON *body)
{
	return form_of(body) || is_embedding(body);
}

static uint64_t first_count(const cJSON *body, const char *name, const char *other, uint64_t former)
{
	uint64_t count = json_count(body, name);

	if (count == COUNT_UNKNOWN)
		count = json_count(body, other);
	return count == COUNT_UNKNOWN ? former : count;
}

/* A stream's first piece may know the input, its last the output. */
static void read_counts(struct call *call, const cJSON *body)
{
	uint64_t *tokens = call->usage.tokens, output = COUNT_UNKNOWN;
	uint64_t input = first_count(body, "prompt_token_count", "inputTextTokenCount", COUNT_UNKNOWN);
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(body, "results"))
		output = usage_sum(output, json_count(item, "tokenCount"));
	output = first_count(body, "generation_token_count", "totalOutputTextTokenCount", output);
	if (input == COUNT_UNKNOWN && output == COUNT_UNKNOWN)
		return;
	if (!call->usage.is_reported)
		usage_begin(&call->usage);
	tokens[USAGE_INPUT] = input == COUNT_UNKNOWN ? tokens[USAGE_INPUT] : input;
	if (output != COUNT_UNKNOWN)
		call->usage.output_tokens = tokens[USAGE_OUTPUT] = output;
	usage_add_up(&call->usage);
}

static bool read_text(struct call *call, uint64_t index, const struct text_form *form, const cJSON *item)
{
	struct choice *choice = call_choice(call, index);

	if (!choice)
		return false;
	choice->has_content = true;
	call_set(call, &choice->finish_reason, json_string(item, form->stop));
	return chat_add(call, &choice->content, json_string(item, form->text));
}

static bool read_texts(struct call *call, const cJSON *body)
{
	const struct text_form *form = form_of(body);
	bool has_any = false;
	uint64_t index = 0;
	const cJSON *item;

	read_counts(call, body);
	if (!form)
		return false;
	if (!form->list)
		return read_text(call, 0, form, body);
	cJSON_ArrayForEach(item, json_array(body, form->list))
		has_any |= read_text(call, index++, form, item);
	return has_any;
}

static void text_request(struct call *call)
{
	if (strstr(buf_text(&call->path_model), "embed"))
		call->operation = OPERATION_EMBEDDINGS;
}

static void text_event(struct call *call, const struct call_event *event)
{
	if (read_texts(call, event->data))
		call_chunk(call, event->time_ns);
}

static void text_response(struct call *call, const cJSON *body)
{
	read_texts(call, body);
	if (!is_embedding(body))
		return;
	call->operation = OPERATION_EMBEDDINGS;
	if (call->end != CALL_DONE)
		return;
	cJSON_Delete(call->output);
	call->output = vectors_note(vector_dimensions(json_get(body, "embedding")), 1);
}

static cJSON *text_input(const struct call *call)
{
	const cJSON *text = json_get(call->request, "inputText");

	if (!call->request)
		return call_request_text(call);
	if (!text)
		text = json_get(call->request, "prompt");
	return text ? cJSON_Duplicate(text, /* recurse */ 1) : NULL;
}

static cJSON *text_parameters(const struct call *call)
{
	static const char *const names[] = {
		"temperature", "top_p", "top_k", "max_gen_len", "max_tokens", "topP", "maxTokenCount",
		"dimensions", "normalize", NULL,
	};
	const cJSON *config = json_get(call->request, "textGenerationConfig");

	return json_members(config ? config : call->request, names);
}

const struct dialect bedrock_text = {
	.name = "bedrock.text",
	.operation = OPERATION_TEXT_COMPLETION,
	.is_request = is_text_request,
	.is_response = is_text_response,
	.request = text_request,
	.event = text_event,
	.response = text_response,
	.input = text_input,
	.output = text_output,
	.model_parameters = text_parameters,
};
