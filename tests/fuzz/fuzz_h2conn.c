/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 connection that the input writes, one byte for what comes next: frames with
 * heads that decode, because a deflater of each side made them, on a few streams, and
 * between them what should not be there, gaps and ends. Through the whole pipeline.
 */
#include <nghttp2/nghttp2.h>

#include "tape.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 0x20 };

struct peer {
	nghttp2_hd_deflater *deflater;
	struct buf out;		/* frames not moved yet */
};

struct talk {
	struct tape tape;
	struct slice in;
	struct peer peers[2];	/* [1] is who asks */
	unsigned padding;	/* of the next frames */
	size_t block;		/* most bytes of a header block in one frame; 0: all */
};

static unsigned take_byte(struct talk *talk)
{
	return talk->in.len ? (unsigned char)slice_take(&talk->in, 1).ptr[0] : 0;
}

/* What the side has written goes out as one move. */
static void flush(struct talk *talk, bool is_request)
{
	struct peer *peer = &talk->peers[is_request];

	if (peer->out.len)
		tape_bytes(&talk->tape, is_request, buf_slice(&peer->out));
	buf_reset(&peer->out);
}

static void add_frame(struct talk *talk, bool is_request, unsigned type, unsigned flags, uint32_t stream,
		      struct slice payload)
{
	unsigned padding = type == DATA || type == HEADERS ? talk->padding : 0;
	size_t len = payload.len + (padding ? 1 + padding : 0);
	struct buf *out = &talk->peers[is_request].out;

	flush(talk, !is_request);
	flags |= padding ? PADDED : 0;
	buf_add(out, (const char[]){ (char)(len >> 16), (char)(len >> 8), (char)len, (char)type, (char)flags,
				     (char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream }, 9);
	if (padding)
		buf_add_char(out, (char)padding);
	buf_add_slice(out, payload);
	for (unsigned i = 0; i < padding; i++)
		buf_add_char(out, 0);
}

/* --- heads -------------------------------------------------------------------- */

struct head {
	const char *fields[6][2];
};

static const struct head requests[] = {
	{ { { ":method", "POST" }, { ":scheme", "https" }, { ":path", "/v1/chat/completions" }, { "content-type", "application/json" } } },
	{ { { ":method", "POST" }, { ":scheme", "https" }, { ":path", "/v1/responses" }, { ":authority", "api.example.com" } } },
	{ { { ":method", "POST" }, { ":scheme", "http" }, { ":path", "/v1/messages" }, { "content-encoding", "gzip" } } },
	{ { { ":method", "POST" }, { ":scheme", "http" }, { ":path", "/api/chat" }, { "content-length", "5" } } },
	{ { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "/v1/models" } } },
	{ { { ":method", "CONNECT" }, { ":authority", "example.com" }, { ":protocol", "websocket" } } },
	{ { { ":method", "POST" }, { ":path", "/v1beta/models/g:streamGenerateContent" }, { ":scheme", "https" } } },
	{ { { "x-trailer", "1" } } },
};

static const struct head responses[] = {
	{ { { ":status", "200" }, { "content-type", "text/event-stream" } } },
	{ { { ":status", "200" }, { "content-type", "application/json" } } },
	{ { { ":status", "200" }, { "content-type", "application/x-ndjson" }, { "x-request-id", "r" } } },
	{ { { ":status", "200" }, { "content-type", "text/event-stream" }, { "content-encoding", "gzip" } } },
	{ { { ":status", "429" }, { "content-type", "application/json" } } },
	{ { { ":status", "103" }, { "link", "</x>" } } },
	{ { { ":status", "200" }, { "content-length", "4" } } },
	{ { { "grpc-status", "0" } } },
};

/* Fields of the head, and one whose value the input gives, so that tables fill. */
static struct slice deflate(struct talk *talk, bool is_request, const struct head *head, unsigned extra, struct buf *ret)
{
	struct slice more = slice_take(&talk->in, MIN((size_t)(extra & 63), talk->in.len));
	nghttp2_nv list[ARRAY_SIZE(head->fields) + 1];
	uint8_t block[4096];
	size_t count = 0;
	ssize_t len;

	for (size_t i = 0; i < ARRAY_SIZE(head->fields) && head->fields[i][0]; i++)
		list[count++] = (nghttp2_nv){ (uint8_t *)head->fields[i][0], (uint8_t *)head->fields[i][1],
					      strlen(head->fields[i][0]), strlen(head->fields[i][1]), NGHTTP2_NV_FLAG_NONE };
	if (more.len)
		list[count++] = (nghttp2_nv){ (uint8_t *)"x-more", (uint8_t *)more.ptr, 6, more.len,
					      extra & 64 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
	len = nghttp2_hd_deflate_hd(talk->peers[is_request].deflater, block, sizeof(block), list, count);
	FUZZ_CHECK(len >= 0);
	buf_add(ret, block, (size_t)len);
	return buf_slice(ret);
}

static void add_head(struct talk *talk, bool is_request, uint32_t stream, unsigned which)
{
	const struct head *heads = is_request ? requests : responses;
	_cleanup_(buf_done) struct buf block = BUF_INIT(8 * KiB);
	unsigned flags = which & 8 ? END_STREAM : 0, type = HEADERS;
	struct slice rest = deflate(talk, is_request, &heads[which & 7], which & 16 ? take_byte(talk) : 0, &block);

	do {
		struct slice piece = fuzz_piece(&rest, talk->block);

		add_frame(talk, is_request, type, flags | (rest.len ? 0 : END_HEADERS), stream, piece);
		type = CONTINUATION;
		flags = 0;
	} while (rest.len);
}

/* --- bodies ------------------------------------------------------------------- */

static const char *const bodies[] = {
	"{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
	"{\"model\":\"m\",\"input\":\"Hi\"}",
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n",
	"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
	"data: [DONE]\n\n",
	"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Yes\"},\"finish_reason\":\"stop\"}]}",
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":3}}}\n\n",
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
	"{\"model\":\"l\",\"message\":{\"content\":\"x\"},\"done\":false}\n",
	"{\"model\":\"l\",\"message\":{\"content\":\"\"},\"done\":true,\"eval_count\":2}\n",
	"{\"error\":{\"message\":\"slow down\",\"type\":\"rate\"}}",
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
	"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
	",{\"candidates\":[{\"finishReason\":\"STOP\"}]}]",
	"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"m\"}}\n\n",
	"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"output\":[]}}\n\n",
};

static void add_body(struct talk *talk, bool is_request, uint32_t stream, unsigned which)
{
	add_frame(talk, is_request, DATA, which & 16 ? END_STREAM : 0, stream, slice_of(bodies[which & 15]));
}

static void add_raw(struct talk *talk, bool is_request, unsigned type, unsigned flags, uint32_t stream)
{
	struct slice bytes = slice_take(&talk->in, MIN((size_t)take_byte(talk), talk->in.len));

	add_frame(talk, is_request, type, flags, stream, bytes);
}

/* --- what comes next ------------------------------------------------------------ */

static void add_settings(struct talk *talk, bool is_request, unsigned size)
{
	/* HEADER_TABLE_SIZE; the other side obeys. */
	char payload[6] = { 0, 1, 0, 0, (char)(size << 4 >> 8), (char)(size << 4) };

	add_frame(talk, is_request, SETTINGS, 0, 0, (struct slice){ payload, sizeof(payload) });
	nghttp2_hd_deflate_change_table_size(talk->peers[!is_request].deflater, size << 4);
}

static void end_somehow(struct talk *talk, bool is_request, unsigned how)
{
	flush(talk, true);
	flush(talk, false);
	switch (how & 7) {
	case 0: case 1:
		tape_close(&talk->tape, GT_EVENT_CLOSE, is_request, /* flags */ 0);
		break;
	case 2: case 3:
		tape_close(&talk->tape, GT_EVENT_EOF, is_request, how & 8 ? GT_FLAG_RESET : 0);
		break;
	case 4:
		tape_exit(&talk->tape);
		break;
	case 5:
		tape_detach(&talk->tape);
		break;
	default:
		tape_gap(&talk->tape, is_request, 1 + take_byte(talk), how & 8);
	}
}

/* Stream errors, gaps and the like: of the upper half of what a byte may say. */
static void take_rare(struct talk *talk, unsigned what, bool is_request, uint32_t stream)
{
	static const char zeros[9];

	switch (what) {
	case 8:
		add_frame(talk, is_request, RST_STREAM, 0, stream, (struct slice){ zeros, 4 });
		break;
	case 9:
		add_frame(talk, is_request, GOAWAY, 0, 0, (struct slice){ (const char[8]){ 0, 0, 0, (char)stream }, 8 });
		break;
	case 10:
		add_settings(talk, is_request, take_byte(talk));
		break;
	case 11:
		add_raw(talk, is_request, take_byte(talk), take_byte(talk), stream);
		break;
	case 12:
		flush(talk, !is_request);
		buf_add_slice(&talk->peers[is_request].out, slice_take(&talk->in, MIN((size_t)take_byte(talk), talk->in.len)));
		break;
	case 13:
		end_somehow(talk, is_request, take_byte(talk));
		break;
	case 14:
		talk->padding = take_byte(talk) % 32;
		talk->block = take_byte(talk) % 64;
		break;
	default:
		flush(talk, is_request);
	}
}

/* Bits: what comes next, whose it is, on which stream. */
static void take_next(struct talk *talk)
{
	unsigned byte = take_byte(talk), what = byte & 15;
	bool is_request = byte & 16;
	uint32_t stream = 2 * (byte >> 5) + 1;

	switch (what) {
	case 0: case 1:
		add_head(talk, is_request, stream, take_byte(talk));
		break;
	case 2: case 3: case 4:
		add_body(talk, is_request, stream, take_byte(talk));
		break;
	case 5:
		add_raw(talk, is_request, DATA, 0, stream);
		break;
	case 6:
		add_frame(talk, is_request, DATA, END_STREAM, stream, (struct slice){});
		break;
	case 7:
		add_frame(talk, is_request, PING, 0, 0, SLICE("POST / H"));
		break;
	default:
		take_rare(talk, what, is_request, stream);
	}
}

static void run(struct talk *talk, struct slice in, unsigned how, size_t step)
{
	*talk = (struct talk){ .in = in };
	for (int i = 0; i < 2; i++) {
		talk->peers[i].out = BUF_INIT(MiB);
		FUZZ_CHECK(nghttp2_hd_deflate_new(&talk->peers[i].deflater, 4096) == 0);
	}
	tape_begin(&talk->tape, how, step, /* is_scrubbed */ false);
	if (!(how & TAPE_LATE)) {
		buf_add_text(&talk->peers[1].out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		add_frame(talk, true, SETTINGS, 0, 0, (struct slice){});
		add_frame(talk, false, SETTINGS, 0, 0, (struct slice){});
	}
	while (talk->in.len)
		take_next(talk);
	flush(talk, true);
	flush(talk, false);
	tape_end(&talk->tape);
	for (int i = 0; i < 2; i++) {
		buf_done(&talk->peers[i].out);
		nghttp2_hd_deflate_del(talk->peers[i].deflater);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, MIN(size, (size_t)4096) } };
	unsigned how = fuzz_byte(&fuzz);
	size_t step = 1 + fuzz_byte(&fuzz) % 97;
	struct talk whole, cut;

	run(&whole, fuzz.in, how, 0);
	run(&cut, fuzz.in, how, step);
	if (tape_is_sound(&whole.tape) && !(how & (TAPE_LATE | TAPE_UNOPENED)))
		FUZZ_CHECK(cut.tape.lines == whole.tape.lines);
	return 0;
}
