/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generateContent and streamGenerateContent of the Gemini API and Vertex AI. A
 * chunk of a stream is like a whole answer, and its parts go on where those of the
 * chunk before ended. The stream ends with its body; what finished is told by the
 * finishReason of each candidate.
 *
 * Source: Gemini API reference, "GenerateContentResponse" and "Content".
 */
#include "llm/gemini.h"

#include "limits.h"
#include "llm/error.h"
#include "llm/json.h"

/* The REST API takes both spellings. */
static const cJSON *either(const cJSON *object, const char *camel, const char *snake)
{
	const cJSON *item = json_get(object, camel);

	return item ? item : json_get(object, snake);
}

static bool is_request(const cJSON *body)
{
	return json_get(body, "contents") != NULL;
}

static bool is_response(const cJSON *body)
{
	if (cJSON_IsArray(body))
		body = body->child;
	return json_array(body, "candidates") || json_get(body, "promptFeedback") ||
	       json_get(body, "usageMetadata");
}

/* --- parts ------------------------------------------------------------------- */

/* Whole, or (Vertex, when asked) in pieces: then call->scratch is not empty until
 * one says that it is the last. */
static bool read_function(struct call *call, struct choice *choice, const cJSON *function)
{
	bool is_first = !call->scratch.len || !choice->tool_count;
	const cJSON *partial = json_array(function, "partialArgs"), *item;
	struct tool_call *tool;

	if (is_first && !json_string(function, "name"))
		return false;
	tool = is_first ? chat_add_tool(call, choice, json_string(function, "id"),
					json_string(function, "name"), json_get(function, "args"))
			: &choice->tools[choice->tool_count - 1];
	if (!tool)
		return false;
	cJSON_ArrayForEach(item, partial)
		gemini_add_argument(call, tool, item);
	if (!cJSON_IsTrue(json_get(function, "willContinue"))) {
		gemini_end_arguments(call, tool);
		call_add(call, &tool->arguments, tool->arguments.len ? "" : "{}");
	} else if (!call->scratch.len) {
		buf_add_char(&call->scratch, '-');
	}
	return is_first || partial;
}

/* Media, code and its results, files. */
static bool read_other(struct call *call, struct choice *choice, const cJSON *part)
{
	static const char *const told[] = {
		"inlineData", "executableCode", "codeExecutionResult", "fileData", "toolCall", "toolResponse", NULL,
	};
	cJSON *copy = json_members(part, told);

	choice_add_part(call, choice, copy);
	return json_get(part, "inlineData") || json_get(part, "executableCode") || json_get(part, "toolCall");
}

static bool read_part(struct call *call, struct choice *choice, const cJSON *part)
{
	const char *text = json_string(part, "text");

	if (text && cJSON_IsTrue(json_get(part, "thought")))
		return chat_add(call, &choice->reasoning, text);
	if (text) {
		choice->has_content = true;
		return chat_add(call, &choice->content, text);
	}
	if (json_get(part, "functionCall"))
		return read_function(call, choice, json_get(part, "functionCall"));
	return read_other(call, choice, part);
}

/* --- ends --------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static void refuse(struct call *call, const char *what, const char *reason, const char *message)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(LIMIT_ERROR_TEXT);

	buf_printf(&text, "%s: %s", what, reason);
	call_refuse(call, message && *message ? message : buf_text(&text));
}

static void read_finish(struct call *call, struct choice *choice, const cJSON *candidate)
{
	static const char *const usual[] = { "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", NULL };
	static const char *const failures[] = {
		"OTHER", "IMAGE_OTHER", "NO_IMAGE", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE",
		"UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", NULL,
	};
	const char *reason = json_string(candidate, "finishReason");
	const char *message = json_string(candidate, "finishMessage");

	if (!reason || !*reason)
		return;
	call_set(call, &choice->finish_reason, reason);
	if (is_one_of(reason, usual))
		return;
	if (!is_one_of(reason, failures)) {
		refuse(call, "stopped by a filter", reason, message);
		return;
	}
	call->is_error = true;
	call_set(call, &call->error_type, reason);
	call_set(call, &call->error_message, message && *message ? message : reason);
}

static void read_feedback(struct call *call, const cJSON *feedback)
{
	const char *reason = json_string(feedback, "blockReason");

	if (reason)
		refuse(call, "prompt blocked", reason, json_string(feedback, "blockReasonMessage"));
}

/* --- answers -------------------------------------------------------------------- */

static bool read_candidate(struct call *call, const cJSON *candidate)
{
	uint64_t index = json_count(candidate, "index");
	struct choice *choice = call_choice(call, index == COUNT_UNKNOWN ? 0 : index);
	const cJSON *content = json_get(candidate, "content"), *part;
	const cJSON *searches = json_array(json_get(candidate, "groundingMetadata"), "webSearchQueries");
	bool has_any = false;

	if (!choice)
		return false;
	call_set(call, &choice->role, json_string(content, "role"));
	cJSON_ArrayForEach(part, json_array(content, "parts"))
		has_any |= read_part(call, choice, part);
	if (searches)
		call_fact(call, "webSearchQueries", cJSON_CreateNumber(cJSON_GetArraySize(searches)));
	read_finish(call, choice, candidate);
	return has_any;
}

/* True when it bears content. */
static bool read_chunk(struct call *call, const cJSON *chunk)
{
	const cJSON *candidate;
	bool has_any = false;

	call_set(call, &call->response_id, json_string(chunk, "responseId"));
	call_set(call, &call->response_model, json_string(chunk, "modelVersion"));
	gemini_read_usage(call, json_get(chunk, "usageMetadata"));
	read_feedback(call, json_get(chunk, "promptFeedback"));
	cJSON_ArrayForEach(candidate, json_array(chunk, "candidates"))
		has_any |= read_candidate(call, candidate);
	return has_any;
}

static void event(struct call *call, const struct call_event *event)
{
	if (read_chunk(call, event->data))
		call_chunk(call, event->time_ns);
}

/* An array is a stream that was not told for one: its path was not known. */
static void response(struct call *call, const cJSON *body)
{
	const cJSON *chunk;

	if (!cJSON_IsArray(body)) {
		read_chunk(call, body);
		return;
	}
	cJSON_ArrayForEach(chunk, body) {
		error_read(call, chunk);
		read_chunk(call, chunk);
	}
}

/* --- Langfuse's fields ---------------------------------------------------------- */

/* Its text when it is one text, else its parts. */
static const cJSON *system_of(const cJSON *request)
{
	const cJSON *system = either(request, "systemInstruction", "system_instruction");
	const cJSON *parts = json_get(system, "parts");
	const cJSON *first = cJSON_IsArray(parts) ? parts->child : parts;

	if (first && !first->next && json_get(first, "text"))
		return json_get(first, "text");
	return parts ? parts : system;
}

static cJSON *input(const struct call *call)
{
	return chat_input(call, "contents", system_of(call->request));
}

cJSON *gemini_parameters(const struct call *call)
{
	const cJSON *config = either(call->request, "generationConfig", "generation_config");
	const cJSON *tier = either(call->request, "serviceTier", "service_tier");
	cJSON *parameters = cJSON_CreateObject();

	json_add_scalars(parameters, config);
	json_add_scalars(parameters, either(config, "thinkingConfig", "thinking_config"));
	json_add_copy(parameters, "service_tier", tier);
	return json_or_null(parameters);
}

const struct dialect gemini_generate = {
	.name = "gemini.generate",
	.title = "Gemini and Vertex AI generateContent",
	.streams = "SSE, JSON array",
	.generation_name = "Gemini-generation",
	.operation = OPERATION_GENERATE_CONTENT,
	.has_media = true,
	.routes = (const char *const[]){
		"/models/{}:generateContent", "/models/{}:streamGenerateContent",
		"/tunedModels/{}:generateContent", "/tunedModels/{}:streamGenerateContent",
		"/endpoints/{}:generateContent", "/endpoints/{}:streamGenerateContent",
		NULL,
	},
	.array_routes = (const char *const[]){
		"/models/{}:streamGenerateContent", "/tunedModels/{}:streamGenerateContent",
		"/endpoints/{}:streamGenerateContent", NULL,
	},
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = chat_output,
	.model_parameters = gemini_parameters,
};
