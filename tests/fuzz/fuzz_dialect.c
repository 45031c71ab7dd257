/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every dialect: any request, then any answer, as events or whole. A NUL byte parts the
 * request from the answer; what is fed to all of them is the same.
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
	_cleanup_(json_freep) cJSON *output = call->dialect->output(call);
	_cleanup_(json_freep) cJSON *parameters = call->dialect->model_parameters(call);

	json_fit(&input, call->max_content);
	json_fit(&output, call->max_content);
	FUZZ_CHECK(!parameters || cJSON_IsObject(parameters));
	FUZZ_CHECK(call->choice_count <= LIMIT_CHOICES);
	FUZZ_CHECK(call->gap_count <= LIMIT_CHUNK_TIMES);
	for (size_t i = 0; i < call->choice_count; i++)
		FUZZ_CHECK(call->choices[i].content.len <= call->max_content);
}

static void try(const struct dialect *dialect, struct slice request, struct slice answer, unsigned how)
{
	static const unsigned statuses[] = { 200, 200, 400, 429, 500, 206 };
	_cleanup_(call_free) struct call *call = call_new(dialect, 4 * KiB);

	FUZZ_CHECK(call);
	call_read_request(call, request, how & 1);
	if (how & 2)
		feed_events(call, answer);
	else
		call_read_response(call, statuses[(how >> 2) % ARRAY_SIZE(statuses)], answer, how & 1);
	check_fields(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	unsigned how = fuzz_byte(&fuzz);
	const char *nul = fuzz.in.len ? memchr(fuzz.in.ptr, '\0', fuzz.in.len) : NULL;
	struct slice request = nul ? slice_take(&fuzz.in, (size_t)(nul - fuzz.in.ptr)) : (struct slice){};

	slice_take(&fuzz.in, nul ? 1 : 0);
	for (const struct dialect *const *d = dialects; *d; d++)
		try(*d, request, fuzz.in, how);
	return 0;
}
