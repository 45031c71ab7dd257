/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `gentap record` writes of a connection: as long as it was, itself when scrubbed
 * again (if all was understood), without the secret that is put into the first head, and
 * as many generations.
 * The input is that of fuzz_conn.
 */
#include "tape.h"
#include "wire/http1.h"

#define SECRET SLICE("sk-canary-5a5a5a5a5a5a5a5a")
#define SECRET_LINE SLICE("Authorization: Bearer sk-canary-5a5a5a5a5a5a5a5a\r\n")

struct move {
	bool is_request;
	struct slice bytes;
};

struct scrubbing {
	struct scrubber *first, *second;
	uint64_t offset[GT_DIRECTIONS];
	struct buf seen;	/* all that is left, of both sides */
	bool has_secret;
};

/* Where all was understood nothing is left to overwrite; elsewhere, what is overwritten may
 * make something else of what is not. */
static void check_twice(const struct scrubbing *s, const struct gt_data_event *once, const struct gt_data_event *twice)
{
	bool is_sure = !scrubber_unsure(s->first) && !scrubber_unsure(s->second);

	for (size_t i = 0; i < once->captured_len; i++)
		FUZZ_CHECK(twice->bytes[i] == once->bytes[i] || (!is_sure && twice->bytes[i] == '*'));
}

/* As one event, through both scrubbers. */
static void scrub_move(struct scrubbing *s, bool is_request, struct slice bytes)
{
	uint32_t direction = is_request ? GT_WRITE : GT_READ;
	size_t size = sizeof(struct gt_data_event) + bytes.len;
	_cleanup_(freep) struct gt_data_event *data = malloc(size);
	_cleanup_(freep) struct gt_data_event *once = malloc(size);
	struct gt_data_event before;

	FUZZ_CHECK(data && once);
	*data = (struct gt_data_event){ .event = { .conn_id = 1, .pid = 10, .type = GT_EVENT_DATA },
					.offset = s->offset[direction], .direction = direction,
					.len = bytes.len, .captured_len = bytes.len };
	if (bytes.len)
		memcpy(data->bytes, bytes.ptr, bytes.len);
	before = *data;
	s->offset[direction] += bytes.len;
	scrubber_event(s->first, &data->event);
	FUZZ_CHECK(memcmp(&before, data, sizeof(before)) == 0);
	memcpy(once, data, size);
	scrubber_event(s->second, &data->event);
	if (getenv("FUZZ_LINES"))	/* for who wants to see why */
		fprintf(stderr, "%c %.*s\n= %.*s\n= %.*s\n", is_request ? '>' : '<', (int)bytes.len, bytes.ptr,
			(int)bytes.len, once->bytes, (int)bytes.len, data->bytes);
	check_twice(s, once, data);
	buf_add(&s->seen, data->bytes, bytes.len);
}

/* The first line of the first head has the secret behind it. */
static void scrub_first(struct scrubbing *s, struct slice bytes, size_t step)
{
	_cleanup_(buf_done) struct buf head = BUF_INIT(256 * KiB);
	const char *end = bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
	struct slice in;

	/* In frames it would be part of what may be kept. */
	if (!end || !http1_looks_like(HTTP1_REQUEST, bytes)) {
		scrub_move(s, true, bytes);
		return;
	}
	buf_add_slice(&head, slice_take(&bytes, (size_t)(end + 1 - bytes.ptr)));
	buf_add_slice(&head, SECRET_LINE);
	buf_add_slice(&head, bytes);
	in = buf_slice(&head);
	s->has_secret = true;
	while (in.len)
		scrub_move(s, true, fuzz_piece(&in, step));
}

/* The next move of *in; other marks than those of moves are passed over. */
static bool next_move(struct slice *in, char *what, struct move *ret)
{
	struct slice mark = SLICE("\xf5\xf5");

	while (in->len) {
		const char *next = memmem(in->ptr, in->len, mark.ptr, mark.len);
		char now = *what;

		ret->bytes = slice_take(in, next ? (size_t)(next - in->ptr) : in->len);
		slice_take(in, MIN(in->len, mark.len));
		*what = in->len ? slice_take(in, 1).ptr[0] : 0;
		ret->is_request = now == '>';
		if (now == '>' || now == '<')
			return true;
	}
	return false;
}

static bool has_secret(struct slice s)
{
	return s.len && memmem(s.ptr, s.len, SECRET.ptr, SECRET.len);
}

static void check_secrets(struct slice in, size_t step)
{
	struct gt_open_event open = { .event = { .conn_id = 1, .pid = 10, .type = GT_EVENT_OPEN, .flags = GT_FLAG_BORN } };
	struct scrubbing s = { .seen = BUF_INIT(MiB) };
	struct move move;
	char what = '>';

	FUZZ_CHECK(scrubber_new(&s.first) == 0 && scrubber_new(&s.second) == 0);
	scrubber_event(s.first, &open.event);
	scrubber_event(s.second, &open.event);
	while (next_move(&in, &what, &move)) {
		if (move.is_request && !s.offset[GT_WRITE]) {
			scrub_first(&s, move.bytes, step);
			continue;
		}
		while (move.bytes.len)
			scrub_move(&s, move.is_request, fuzz_piece(&move.bytes, step));
	}
	FUZZ_CHECK(!s.has_secret || !has_secret(buf_slice(&s.seen)));
	scrubber_free(&s.first);
	scrubber_free(&s.second);
	buf_done(&s.seen);
}

static void run(struct tape *tape, struct slice in, unsigned how, size_t step, bool is_scrubbed)
{
	struct move move;
	char what = '>';

	tape_begin(tape, how, step, is_scrubbed);
	while (next_move(&in, &what, &move))
		tape_bytes(tape, move.is_request, move.bytes);
	tape_end(tape);
}

/* Where the protocol was broken, what is overwritten may look like anything. */
static void check_replay(struct slice in, unsigned how, size_t step)
{
	struct tape plain, scrubbed;

	run(&plain, in, how, step, /* is_scrubbed */ false);
	run(&scrubbed, in, how, step, /* is_scrubbed */ true);
	if (tape_is_sound(&plain))
		FUZZ_CHECK(plain.totals.generations == scrubbed.totals.generations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	unsigned how = fuzz_byte(&fuzz);
	size_t step = fuzz_byte(&fuzz) % 97;

	/* A fuzzer guesses it, and puts it where it is none. */
	if (!has_secret(fuzz.in))
		check_secrets(fuzz.in, step);
	check_replay(fuzz.in, how, step);
	return 0;
}
