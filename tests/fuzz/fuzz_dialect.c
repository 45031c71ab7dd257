/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every dialect: a request's path, its body, and any answer, as events (a line each) or
 * whole; a NUL byte behind each. Seeds are the calls of the cases.
 */
#include "fuzz.h"
#include "limits.h"
#include "llm/dialect.h"
#include "llm/json.h"

static void feed_events(struct call *call, struct slice in)
{
	uint64_t time_ns = 0;

	while (in.len) {
		const char *end = memchr(in.ptr, '\n', in.len);
		size_t len = end ? (size_t)(end - in.ptr) : in.len;
		struct slice line = slice_take(&in, len);
		/* "type|data", as an AWS event stream names its events. */
		const char *bar = line.len ? memchr(line.ptr, '|', MIN(line.len, (size_t)40)) : NULL;
		struct stream_event event = {};

		if (bar) {
			event.type = slice_take(&line, (size_t)(bar - line.ptr));
			slice_take(&line, 1);
		}
		event.data = line;
		call_read_event(call, time_ns += 1000000, &event);
		slice_take(&in, in.len ? 1 : 0);
	}
	call_close(call);
}

static void check_fields(const struct call *call)
{
	_cleanup_(json_freep) cJSON *input = call->dialect->input(call);
	_cleanup_(json_freep) cJSON *output = dialect_output(call->dialect, call);
	_cleanup_(json_freep) cJSON *parameters = dialect_parameters(call->dialect, call);

	json_fit(&input, call->max_content);
	json_fit(&output, call->max_content);
	FUZZ_CHECK(!parameters || cJSON_IsObject(parameters));
	FUZZ_CHECK(call->choice_count <= LIMIT_CHOICES);
	FUZZ_CHECK(call->gap_count <= LIMIT_CHUNK_TIMES);
	for (size_t i = 0; i < call->choice_count; i++)
		FUZZ_CHECK(call->choices[i].content.len <= call->max_content);
}

/* The call of that path, or for one that nobody has a call of any dialect. */
static struct call *begin(struct slice target, unsigned number)
{
	struct http_head head = { .method = SLICE("POST"), .target = target, .major = 1 };
	size_t count = 0;
	struct call *call;
	bool no_memory;

	call = target.len ? call_begin(&head, 4 * KiB, &no_memory) : NULL;
	while (dialects[count])
		count++;
	return call ? call : call_new(dialects[number % count], 4 * KiB);
}

/* What stands before the next NUL; nothing if there is none. */
static struct slice take_text(struct slice *in)
{
	const char *nul = in->len ? memchr(in->ptr, '\0', in->len) : NULL;
	struct slice text = nul ? slice_take(in, (size_t)(nul - in->ptr)) : (struct slice){};

	slice_take(in, nul ? 1 : 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = { 200, 200, 400, 429, 500, 206 };
	struct fuzz fuzz = { { (const char *)data, size } };
	unsigned how = fuzz_byte(&fuzz);
	struct slice target = take_text(&fuzz.in), request = take_text(&fuzz.in);
	_cleanup_(call_free) struct call *call = begin(target, how >> 3);

	FUZZ_CHECK(call);
	call_read_request(call, request, how & 1);
	if (how & 2)
		feed_events(call, fuzz.in);
	else
		call_read_response(call, statuses[(how >> 2) % ARRAY_SIZE(statuses)], fuzz.in, how & 1);
	check_fields(call);
	return 0;
}
