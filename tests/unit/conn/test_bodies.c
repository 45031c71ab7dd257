/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies and streams through a connection, cut at every byte. */
#include "script.h"

#include "../wire/encode.h"

#define EVENTS "data: a\n\ndata: b\n\n"
#define ASKED "begin 1 client /v1/x\nrequest 1 <>\n"
#define GET_X (&(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" })

static const char *const codings[] = { "gzip", "deflate", "raw", "br", "zstd" };

/* A response with @coded in one chunk. */
static void add_response(struct buf *out, const char *type, const char *encoding, const struct buf *coded)
{
	buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n"
		   "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", type, encoding, coded->len);
	buf_add(out, coded->ptr, coded->len);
	buf_add_text(out, "\r\n0\r\n\r\n");
}

static void begin(struct replay *replay)
{
	replay_init(replay);
	replay_open(replay, GT_FLAG_BORN);
}

static void read_cut(struct replay *replay, const struct buf *wire, size_t cut)
{
	if (cut)
		replay_data(replay, GT_READ, wire->ptr, cut, cut, 0);
	if (cut < wire->len)
		replay_data(replay, GT_READ, wire->ptr + cut, wire->len - cut, wire->len - cut, 0);
}

Test(bodies, each_coding_is_decoded_at_every_cut)
{
	static const struct {
		const char *type, *text, *want;
	} cases[] = {
		{ "application/json", "{\"a\":1}", ASKED "end 1 complete 200 <{\"a\":1}>\n" },
		{ "text/event-stream", EVENTS, ASKED "sse 1 <a>\nsse 1 <b>\nend 1 complete 200 <>\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(codings); i++) {
		const char *coding = codings[i / ARRAY_SIZE(cases)], *want = cases[i % ARRAY_SIZE(cases)].want;
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);

		encode(coding, slice_of(cases[i % ARRAY_SIZE(cases)].text), 0, &coded);
		add_response(&wire, cases[i % ARRAY_SIZE(cases)].type, encode_http_name(coding), &coded);
		for (size_t cut = 0; cut <= wire.len; cut++) {
			struct replay replay;

			begin(&replay);
			replay_step(&replay, GET_X, 0, SIZE_MAX);
			read_cut(&replay, &wire, cut);
			cr_expect_str_eq(buf_text(&replay.trace), want, "%s, cut at %zu", coding, cut);
			replay_done(&replay);
		}
	}
}

/* on_event of script.h expects the time of the bytes that were just fed. */
Test(bodies, an_event_has_the_time_of_the_bytes_that_completed_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(codings); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
		struct encoder encoder;
		struct replay replay;

		begin(&replay);
		replay_step(&replay, GET_X, 0, SIZE_MAX);
		buf_printf(&wire, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %s\r\n\r\n",
			   encode_http_name(codings[i]));
		encoder_init(&encoder, codings[i]);
		for (int n = 0; n < 3; n++) {
			char event[32], want[32];

			snprintf(event, sizeof(event), "data: %d\n\n", n);
			snprintf(want, sizeof(want), "sse 1 <%d>\n", n);
			encode_part(&encoder, slice_of(event), /* is_last */ false, &wire);
			read_cut(&replay, &wire, wire.len - 1);
			cr_expect(strstr(buf_text(&replay.trace), want), "%s: %s after its own bytes", codings[i], want);
			buf_reset(&wire);
		}
		encoder_done(&encoder);
		replay_done(&replay);
	}
}

Test(bodies, compressed_requests_are_decoded)
{
	for (size_t i = 0; i < ARRAY_SIZE(codings); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);
		struct replay replay;

		encode(codings[i], SLICE("{\"model\":\"m\"}"), 0, &coded);
		buf_printf(&wire, "POST /v1/x HTTP/1.1\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
			   encode_http_name(codings[i]), coded.len);
		buf_add(&wire, coded.ptr, coded.len);
		begin(&replay);
		read_cut(&replay, &wire, wire.len / 2);
		cr_expect_str_eq(buf_text(&replay.trace), "begin 1 server /v1/x\nrequest 1 <{\"model\":\"m\"}>\n", "%s",
				 codings[i]);
		replay_done(&replay);
	}
}

/* Codings in several fields are one list. */
Test(bodies, a_row_of_codings_is_decoded)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), inner = BUF_INIT(MiB), coded = BUF_INIT(MiB);

	encode("gzip", SLICE(EVENTS), 0, &inner);
	encode("br", buf_slice(&inner), 0, &coded);
	add_response(&wire, "text/event-stream", "gzip\r\nContent-Encoding: br", &coded);
	for (size_t cut = 0; cut <= wire.len; cut++) {
		struct replay replay;

		begin(&replay);
		replay_step(&replay, GET_X, 0, SIZE_MAX);
		read_cut(&replay, &wire, cut);
		cr_expect_str_eq(buf_text(&replay.trace), ASKED "sse 1 <a>\nsse 1 <b>\nend 1 complete 200 <>\n",
				 "cut at %zu", cut);
		replay_done(&replay);
	}
}

/* What decodes before the break is true; nothing behind it is. */
Test(bodies, a_broken_one_keeps_what_came_before)
{
	for (size_t i = 0; i < ARRAY_SIZE(codings); i++)
		for (int is_garbled = 0; is_garbled < 2; is_garbled++) {
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);
			struct encoder encoder;
			struct replay replay;

			/* Flushed and never ended, though the message is; or garbage there. */
			encoder_init(&encoder, codings[i]);
			encode_part(&encoder, SLICE(EVENTS), /* is_last */ is_garbled, &coded);
			encoder_done(&encoder);
			if (is_garbled)
				buf_add_text(&coded, "garbage");
			add_response(&wire, "text/event-stream", encode_http_name(codings[i]), &coded);
			begin(&replay);
			replay_step(&replay, GET_X, 0, SIZE_MAX);
			read_cut(&replay, &wire, 0);
			cr_expect_str_eq(buf_text(&replay.trace), ASKED "sse 1 <a>\nsse 1 <b>\nend 1 complete 200 <> bad_encoding\n",
					 "%s, %s", codings[i], is_garbled ? "garbled" : "cut off");
			cr_expect_eq(replay.losses[LOSS_BAD_ENCODING], 1);
			replay_done(&replay);
		}
}

/* An event whose end was not sent is not one, though it looks like one. */
Test(bodies, the_last_event_of_one_cut_off_is_left_out)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);
	struct encoder encoder;
	struct replay replay;

	encoder_init(&encoder, "gzip");
	encode_part(&encoder, SLICE("data: a\n\ndata: b"), /* is_last */ false, &coded);
	encoder_done(&encoder);
	add_response(&wire, "text/event-stream", "gzip", &coded);
	begin(&replay);
	replay_step(&replay, GET_X, 0, SIZE_MAX);
	read_cut(&replay, &wire, 0);
	cr_expect_str_eq(buf_text(&replay.trace), ASKED "sse 1 <a>\nend 1 complete 200 <> bad_encoding\n");
	replay_done(&replay);
}

/* Nothing behind the hole decodes; of a file that much is said. */
Test(bodies, a_gap_in_a_compressed_body_ends_it)
{
	static const struct {
		const char *type, *want;
	} cases[] = {
		{ "text/event-stream", ASKED "sse 1 <a>\nend 1 complete 200 <> lost_bytes\n" },
		{ "audio/mpeg", ASKED "file 1 audio/mpeg 9  incomplete\nend 1 complete 200 <> lost_bytes\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), head = BUF_INIT(MiB);
		struct encoder encoder;
		struct replay replay;
		size_t first;

		begin(&replay);
		replay_step(&replay, GET_X, 0, SIZE_MAX);
		encoder_init(&encoder, "br");
		encode_part(&encoder, SLICE("data: a\n\n"), /* is_last */ false, &wire);
		first = wire.len;
		encode_part(&encoder, SLICE("data: b\n\n"), /* is_last */ true, &wire);
		encoder_done(&encoder);
		buf_printf(&head, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: br\r\nContent-Length: %zu\r\n\r\n",
			   cases[i].type, wire.len);
		read_cut(&replay, &head, 0);
		replay_data(&replay, GT_READ, wire.ptr, first + 1, first, 0);
		replay_data(&replay, GT_READ, wire.ptr + first + 1, wire.len - first - 1, wire.len - first - 1, 0);
		cr_expect_str_eq(buf_text(&replay.trace), cases[i].want, "%s", cases[i].type);
		replay_done(&replay);
	}
}

Test(bodies, a_bomb_is_cut_and_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(codings); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);
		_cleanup_(freep) char *comments = malloc(64 * MiB);
		struct replay replay;

		memset(comments, '\n', 64 * MiB);
		encode(codings[i], (struct slice){ comments, 64 * MiB }, 0, &coded);
		add_response(&wire, "text/event-stream", encode_http_name(codings[i]), &coded);
		begin(&replay);
		replay_step(&replay, GET_X, 0, SIZE_MAX);
		read_cut(&replay, &wire, 0);
		cr_expect_str_eq(buf_text(&replay.trace), ASKED "end 1 complete 200 <> ratio_limit\n", "%s", codings[i]);
		cr_expect_eq(replay.losses[LOSS_RATIO_LIMIT], 1);
		replay_done(&replay);
	}
}

/* Bytes that a decoder of @coded, and the reader of its events, take. */
static size_t memory_for(const struct buf *coded)
{
	_cleanup_(decoder_free) struct decoder *decoder = NULL;
	_cleanup_(stream_free) struct stream_reader *reader = stream_new(FRAMING_SSE, SLICE(""));
	struct slice in = buf_slice(coded), out;
	struct codings gzip = {};
	struct stream_event event;

	codings_add(&gzip, SLICE("gzip"));
	decoder = decoder_new(&gzip);
	while (decoder_next(decoder, &in, &out) == PARSE_ITEM)
		while (stream_next(reader, &out, &event) == PARSE_ITEM)
			;
	return decoder_memory(decoder) + stream_memory(reader);
}

static void stream_on(struct replay *replay, uint64_t conn_id, const struct buf *wire)
{
	replay->conn_id = conn_id;
	replay->offset[GT_READ] = replay->offset[GT_WRITE] = 0;
	replay_step(replay, GET_X, 0, SIZE_MAX);
	read_cut(replay, wire, 0);
}

Test(bodies, decoders_of_live_streams_share_one_limit)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), coded = BUF_INIT(MiB);
	struct encoder encoder;
	struct replay replay;
	uint64_t most, id;

	encoder_init(&encoder, "gzip");
	encode_part(&encoder, SLICE("data: x\n\n"), /* is_last */ false, &coded);
	encoder_done(&encoder);
	buf_add_text(&wire, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n");
	buf_add_slice(&wire, buf_slice(&coded));
	most = LIMIT_DECODERS / memory_for(&coded);

	replay_init(&replay);
	for (id = 1; id <= most; id++)
		stream_on(&replay, id, &wire);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 0);
	stream_on(&replay, id, &wire);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 1, "one too many is marked");
	stream_on(&replay, id + 1, &wire);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 2, "what was given up takes nothing");

	replay.conn_id = 1;
	replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
	stream_on(&replay, id + 2, &wire);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 2, "an ended one makes room");
	replay_done(&replay);
}

#define AUDIO "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 10485760\r\n\r\n"

/* The hash is of 10 MiB of "x", as sha256sum says. */
Test(bodies, media_of_any_length_are_a_note)
{
	_cleanup_(freep) char *bytes = malloc(10 * MiB);
	static const struct {
		size_t lost, sent;
		const char *want;
	} cases[] = {
		{ 0, 10 * MiB, ASKED "file 1 audio/mpeg 10485760 462a12a8\nend 1 complete 200 <>\n" },
		{ 1000, 10 * MiB, ASKED "file 1 audio/mpeg 10484760  incomplete\nend 1 complete 200 <> lost_bytes\n" },
		{ 0, 9 * MiB, ASKED "file 1 audio/mpeg 9437184  incomplete\nend 1 cut by server 200 <>\n" },
	};

	memset(bytes, 'x', 10 * MiB);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct replay replay;

		begin(&replay);
		replay_step(&replay, GET_X, 0, SIZE_MAX);
		replay_step(&replay, &(struct step){ 'r', AUDIO }, 0, SIZE_MAX);
		for (size_t at = 0, n; at < cases[i].sent; at += n) {
			n = MIN(cases[i].sent - at, (size_t)100000);
			replay_data(&replay, GT_READ, bytes, n, n - (at == 500000 ? cases[i].lost : 0), 0);
		}
		replay_end(&replay, GT_EVENT_EOF, GT_READ, 0);
		cr_expect_str_eq(buf_text(&replay.trace), cases[i].want, "case %zu", i);
		replay_done(&replay);
	}
}

#define FORM_HEAD "POST /v1/x HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: %zu\r\n%s\r\n"
#define FORM "--XX\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--XX\r\nContent-Disposition: form-data; "	\
	     "name=file; filename=a.mp3\r\nContent-Type: audio/mpeg\r\n\r\nabc\r\n--XX--\r\n"

Test(bodies, forms_are_read_at_every_cut_plain_and_compressed)
{
	static const char want[] = "begin 1 server /v1/x\npart model <m>\nsent file 1 audio/mpeg 3 ba7816bf\nrequest 1 <>\n";

	for (int is_coded = 0; is_coded < 2; is_coded++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), body = BUF_INIT(MiB);

		if (is_coded)
			encode("zstd", SLICE(FORM), 0, &body);
		else
			buf_add_text(&body, FORM);
		buf_printf(&wire, FORM_HEAD, body.len, is_coded ? "Content-Encoding: zstd\r\n" : "");
		buf_add_slice(&wire, buf_slice(&body));
		for (size_t cut = 0; cut <= wire.len; cut++) {
			struct replay replay;

			begin(&replay);
			read_cut(&replay, &wire, cut);
			cr_expect_str_eq(buf_text(&replay.trace), want, "%s, cut at %zu", is_coded ? "zstd" : "plain", cut);
			replay_done(&replay);
		}
	}
}

Test(bodies, a_form_that_ends_too_early_is_marked)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
	struct replay replay;

	buf_printf(&wire, FORM_HEAD, strlen(FORM) - 20, "");
	buf_add(&wire, FORM, strlen(FORM) - 20);
	begin(&replay);
	read_cut(&replay, &wire, 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 server /v1/x\npart model <m>\nrequest 1 <>\n");
	cr_expect_eq(replay.losses[LOSS_BAD_STREAM], 1);
	replay_done(&replay);
}

Test(bodies, nul_bytes_are_kept)
{
	static const char wire[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b";
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
	replay_data(&replay, GT_READ, wire, sizeof(wire) - 1, sizeof(wire) - 1, 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <a\\x00b>\n");
	replay_done(&replay);
}
