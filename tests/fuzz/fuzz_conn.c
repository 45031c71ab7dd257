/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection through the whole pipeline: HTTP/1, WebSocket, HTTP/2 or anything else, as
 * moves of both sides. A mark of three bytes says what happens next: 0xf5 (which no text
 * has) twice, then a letter of `take_move`. Seeds are the wires of the cases.
 */
#include "tape.h"

static void take_move(struct tape *tape, char what, struct slice bytes)
{
	size_t n = bytes.len ? 1 + (unsigned char)bytes.ptr[0] : 1;

	switch (what) {
	case '>': case '<':
		tape_bytes(tape, what == '>', bytes);
		break;
	case ')': case '(':
		tape_close(tape, GT_EVENT_EOF, what == ')', /* flags */ 0);
		break;
	case 'X': case 'x':
		/* The process hears of its peer's end before it closes. */
		if ((what == 'X') == tape->is_server)
			tape_close(tape, GT_EVENT_EOF, what == 'X', /* flags */ 0);
		tape_close(tape, GT_EVENT_CLOSE, what == 'X', /* flags */ 0);
		break;
	case 'r':
		tape_close(tape, GT_EVENT_EOF, tape->is_server, GT_FLAG_RESET);
		break;
	case 'g': case 'G': case 'h': case 'H':
		tape_gap(tape, what == 'G' || what == 'H', n, what == 'h' || what == 'H');
		break;
	case 'e':
		tape_exit(tape);
		break;
	case 'd':
		tape_detach(tape);
		break;
	default:
		break;
	}
}

static void run(struct tape *tape, struct slice in, unsigned how, size_t step)
{
	struct slice mark = SLICE("\xf5\xf5");
	char what = '>';

	tape_begin(tape, how, step, /* is_scrubbed */ false);
	while (in.len) {
		const char *next = memmem(in.ptr, in.len, mark.ptr, mark.len);

		take_move(tape, what, slice_take(&in, next ? (size_t)(next - in.ptr) : in.len));
		slice_take(&in, MIN(in.len, mark.len));
		what = in.len ? slice_take(&in, 1).ptr[0] : 0;
	}
	tape_end(tape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	unsigned how = fuzz_byte(&fuzz);
	size_t step = 1 + fuzz_byte(&fuzz) % 97;
	struct tape whole, cut;

	run(&whole, fuzz.in, how, 0);
	run(&cut, fuzz.in, how, step);
	/* Who joins late looks for messages where events begin. */
	if (tape_is_sound(&whole) && !(how & (TAPE_LATE | TAPE_UNOPENED)))
		FUZZ_CHECK(cut.lines == whole.lines);
	return 0;
}
