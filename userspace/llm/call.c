/* SPDX-License-Identifier: Apache-2.0 */
/* The call as a container: what it owns, how it grows, where it stops growing. */
#include "llm/dialect.h"

#include "base/text.h"
#include "limits.h"
#include "llm/json.h"

static const char *const operations[] = {
#define X(name, text) [OPERATION_##name] = text,
	OPERATIONS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(operations) == OPERATION_COUNT, "every operation has its name");

const char *operation_name(enum operation operation)
{
	assert(operation < OPERATION_COUNT);
	return operations[operation];
}

/* Ids, models, roles: nobody's are longer. */
enum { NAME_MAX_BYTES = 1024 };

static void init_bufs(struct call *call)
{
	call->path = BUF_INIT(LIMIT_PATH);
	call->path_model = BUF_INIT(LIMIT_PATH);
	call->request_text = BUF_INIT(call->max_content);
	call->scratch = BUF_INIT(call->max_content);
	call->response_id = BUF_INIT(NAME_MAX_BYTES);
	call->response_model = BUF_INIT(NAME_MAX_BYTES);
	call->service_tier = BUF_INIT(NAME_MAX_BYTES);
	call->system_fingerprint = BUF_INIT(NAME_MAX_BYTES);
	call->error_message = BUF_INIT(LIMIT_ERROR_TEXT);
	call->error_type = BUF_INIT(NAME_MAX_BYTES);
	call->refusal = BUF_INIT(LIMIT_ERROR_TEXT);
}

struct call *call_new(const struct dialect *dialect, size_t max_content)
{
	struct call *call = calloc(1, sizeof(*call));

	assert(dialect);
	if (!call)
		return NULL;
	call->dialect = dialect;
	call->operation = dialect->operation;
	call->max_content = max_content;
	call->is_path_known = true;
	init_bufs(call);
	usage_init(&call->usage);
	return call;
}

static void tool_done(struct tool_call *tool)
{
	buf_done(&tool->id);
	buf_done(&tool->type);
	buf_done(&tool->name);
	buf_done(&tool->arguments);
}

static void choice_done(struct choice *choice)
{
	buf_done(&choice->role);
	buf_done(&choice->content);
	buf_done(&choice->reasoning);
	buf_done(&choice->refusal);
	buf_done(&choice->finish_reason);
	for (size_t i = 0; i < choice->tool_count; i++)
		tool_done(&choice->tools[i]);
	free(choice->tools);
	cJSON_Delete(choice->parts);
}

void call_free(struct call **callp)
{
	struct call *call = *callp;

	if (!call)
		return;
	if (call->budget)
		*call->budget -= call->held;
	cJSON_Delete(call->request);
	cJSON_Delete(call->output);
	cJSON_Delete(call->metadata);
	cJSON_Delete(call->facts);
	buf_done(&call->path);
	buf_done(&call->path_model);
	buf_done(&call->request_text);
	buf_done(&call->scratch);
	buf_done(&call->response_id);
	buf_done(&call->response_model);
	buf_done(&call->service_tier);
	buf_done(&call->system_fingerprint);
	buf_done(&call->error_message);
	buf_done(&call->error_type);
	buf_done(&call->refusal);
	for (size_t i = 0; i < call->choice_count; i++)
		choice_done(&call->choices[i]);
	free(call->choices);
	free(call->gaps);
	free(call);
	*callp = NULL;
}

struct choice *call_choice(struct call *call, uint64_t index)
{
	struct choice *choices;

	for (size_t i = 0; i < call->choice_count; i++)
		if (call->choices[i].index == index)
			return &call->choices[i];
	if (call->choice_count == LIMIT_CHOICES) {
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
		return NULL;
	}
	choices = reallocarray(call->choices, call->choice_count + 1, sizeof(*choices));
	if (!choices) {
		call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
		return NULL;
	}
	call->choices = choices;
	choices += call->choice_count++;
	*choices = (struct choice){
		.index = index,
		.role = BUF_INIT(NAME_MAX_BYTES),
		.content = BUF_INIT(call->max_content),
		.reasoning = BUF_INIT(call->max_content),
		.refusal = BUF_INIT(call->max_content),
		.finish_reason = BUF_INIT(NAME_MAX_BYTES),
	};
	return choices;
}

struct tool_call *choice_tool(struct call *call, struct choice *choice, uint64_t index)
{
	struct tool_call *tools;

	if (index < choice->tool_count)
		return &choice->tools[index];
	if (index >= LIMIT_TOOL_CALLS) {
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
		return NULL;
	}
	tools = reallocarray(choice->tools, index + 1, sizeof(*tools));
	if (!tools) {
		call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
		return NULL;
	}
	choice->tools = tools;
	while (choice->tool_count <= index)
		tools[choice->tool_count++] = (struct tool_call){
			.id = BUF_INIT(NAME_MAX_BYTES),
			.type = BUF_INIT(NAME_MAX_BYTES),
			.name = BUF_INIT(NAME_MAX_BYTES),
			.arguments = BUF_INIT(call->max_content),
		};
	return &tools[index];
}

void choice_add_part(struct call *call, struct choice *choice, cJSON *part)
{
	if (!part)
		return;
	if (!choice->parts)
		choice->parts = cJSON_CreateArray();
	if (!choice->parts || cJSON_GetArraySize(choice->parts) >= LIMIT_PARTS) {
		call->marks |= LOSS_BIT(choice->parts ? LOSS_CONTENT_TRUNCATED : LOSS_NO_MEMORY);
		cJSON_Delete(part);
		return;
	}
	json_append(choice->parts, part);
}

void call_fact(struct call *call, const char *name, cJSON *value)
{
	if (!value)
		return;
	if (json_fit(&value, LIMIT_FACT))
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	if (!call->facts)
		call->facts = cJSON_CreateObject();
	cJSON_DeleteItemFromObjectCaseSensitive(call->facts, name);
	if (call->facts)
		json_add(call->facts, name, value);
	else
		cJSON_Delete(value);
}

void call_set(struct call *call, struct buf *buf, const char *text)
{
	/* Most of a stream's events say the same once more. */
	if (!text || !*text || strcmp(buf_text(buf), text) == 0)
		return;
	buf_reset(buf);
	call_add(call, buf, text);
}

void call_refuse(struct call *call, const char *message)
{
	call->is_refused = true;
	if (message && !call->refusal.len)
		buf_add(&call->refusal, message, utf8_prefix(slice_of(message), LIMIT_ERROR_TEXT));
}

const struct buf *call_refusal(const struct call *call)
{
	for (size_t i = 0; i < call->choice_count; i++)
		if (call->choices[i].refusal.len)
			return &call->choices[i].refusal;
	return call->is_refused ? &call->refusal : NULL;
}

const char *call_model(const struct call *call)
{
	const char *model = call->response_model.len ? buf_text(&call->response_model)
						     : json_string(call->request, "model");
	const char *slash;

	if (!model || !*model)
		model = buf_text(&call->path_model);
	slash = strrchr(model, '/');
	return slash ? slash + 1 : model;
}

static void keep_gap(struct call *call, uint64_t gap_ns)
{
	size_t size = call->gap_size ? 2 * call->gap_size : 64;
	uint64_t units = (gap_ns + GAP_UNIT_NS / 2) / GAP_UNIT_NS;
	uint32_t *gaps;

	if (units > UINT32_MAX)
		call->marks |= LOSS_BIT(LOSS_TIMES_LIMIT);
	if (call->gap_count == LIMIT_CHUNK_TIMES) {
		call->marks |= LOSS_BIT(LOSS_TIMES_LIMIT);
		return;
	}
	if (call->gap_count == call->gap_size) {
		gaps = reallocarray(call->gaps, size, sizeof(*gaps));
		if (!gaps) {
			call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
			return;
		}
		call->gaps = gaps;
		call->gap_size = size;
	}
	call->gaps[call->gap_count++] = (uint32_t)MIN(units, (uint64_t)UINT32_MAX);
}

void call_chunk(struct call *call, uint64_t time_ns)
{
	if (call->chunks++)
		keep_gap(call, elapsed_ns(call->times.last_token_ns, time_ns));
	else
		call->times.first_token_ns = time_ns;
	call->times.last_token_ns = time_ns;
}

bool call_hold(struct call *call, size_t n)
{
	if (!call->budget)
		return true;
	if (*call->budget + n > LIMIT_CALLS) {
		call->marks |= LOSS_BIT(LOSS_MEMORY_LIMIT);
		return false;
	}
	*call->budget += n;
	call->held += n;
	return true;
}

void call_add(struct call *call, struct buf *buf, const char *text)
{
	struct slice s = slice_of(text);
	size_t fits;

	/* What follows a cut would join text that does not belong together. */
	if (!s.len || buf->is_full)
		return;
	if (!call_hold(call, s.len)) {
		buf->is_full = true;
		return;
	}
	fits = utf8_prefix(s, buf->max - buf->len);
	buf_add(buf, s.ptr, fits);
	if (fits < s.len) {
		buf->is_full = true;
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	}
	if (buf->is_failed)
		call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
}
