/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of one WebSocket: its target and a NUL byte, then messages, a line each, that
 * begin with who sent it ('>' who asked, '<' who answers). Seeds are those of the cases.
 */
#include "fuzz.h"
#include "limits.h"
#include "llm/json.h"
#include "llm/lanes.h"

static void check_call(struct call *call, uint64_t *last)
{
	_cleanup_(json_freep) cJSON *input = call->dialect->input(call);
	_cleanup_(json_freep) cJSON *output = call->dialect->output(call);
	_cleanup_(json_freep) cJSON *parameters = call->dialect->model_parameters(call);

	json_fit(&input, call->max_content);
	json_fit(&output, call->max_content);
	FUZZ_CHECK(!parameters || cJSON_IsObject(parameters));
	FUZZ_CHECK(call->lane > 0 && call->lane <= *last);
	FUZZ_CHECK(call->choice_count <= LIMIT_CHOICES);
	FUZZ_CHECK(!call->times.first_token_ns || call->times.first_token_ns >= call->times.request_first_ns);
}

static void take_finished(struct lanes *lanes, uint64_t *begun)
{
	struct lane lane;

	while (lanes_next(lanes, &lane)) {
		FUZZ_CHECK(lane.call);
		*begun = MAX(*begun, lane.call->lane);
		check_call(lane.call, begun);
		call_free(&lane.call);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	const char *nul = size ? memchr(data, '\0', size) : NULL;
	struct http_head head = { .method = SLICE("GET"), .fields = SLICE("Upgrade: websocket\r\n"), .major = 1 };
	uint64_t time_ns = 1000, begun = 0;
	struct lanes *lanes;
	size_t held = 0;
	bool no_memory;

	if (!nul)
		return 0;
	head.target = slice_take(&fuzz.in, (size_t)(nul - fuzz.in.ptr));
	slice_take(&fuzz.in, 1);
	lanes = lanes_begin(&head, 4 * KiB, &held, &no_memory);
	while (lanes && fuzz.in.len) {
		const char *end = memchr(fuzz.in.ptr, '\n', fuzz.in.len);
		struct slice line = slice_take(&fuzz.in, end ? (size_t)(end - fuzz.in.ptr) : fuzz.in.len);
		bool is_client = line.len && line.ptr[0] == '>';

		slice_take(&line, MIN(line.len, (size_t)1));
		lanes_message(lanes, is_client, time_ns += 1000000, /* lost_bytes */ 0, line);
		FUZZ_CHECK(lanes_count(lanes) <= LIMIT_LANES);
		take_finished(lanes, &begun);
		slice_take(&fuzz.in, fuzz.in.len ? 1 : 0);
	}
	if (lanes) {
		lanes_end(lanes, time_ns);
		FUZZ_CHECK(!lanes_count(lanes));
		take_finished(lanes, &begun);
		lanes_take_marks(lanes);
	}
	lanes_free(&lanes);
	FUZZ_CHECK(!held);
	return 0;
}
