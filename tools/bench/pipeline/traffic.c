/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/pipeline/traffic.h"

#include <brotli/encode.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <zlib.h>
#include <zstd.h>

#define REQUEST_BODY "{\"model\":\"bench\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"

enum { STEP_NS = 20000000 };

/* --- building --------------------------------------------------------------- */

static int add_event(struct traffic *traffic, enum gt_direction direction, const void *bytes, size_t len)
{
	struct gt_data_event event = {
		.event = { .pid = 4242, .tid = 4242, .type = GT_EVENT_DATA },
		.direction = direction, .len = (uint32_t)len, .captured_len = (uint32_t)len,
		.offset = traffic->moved[direction],
	};
	size_t need = (traffic->len + sizeof(event) + len + 7) & ~7ul;

	if (need > traffic->size) {
		traffic->size = 2 * need;
		traffic->bytes = realloc(traffic->bytes, traffic->size);
	}
	if (traffic->count == traffic->room) {
		traffic->room = traffic->room ? 2 * traffic->room : 1024;
		traffic->starts = reallocarray(traffic->starts, traffic->room, sizeof(*traffic->starts));
	}
	if (!traffic->bytes || !traffic->starts)
		return -ENOMEM;
	traffic->starts[traffic->count++] = traffic->len;
	memcpy(traffic->bytes + traffic->len, &event, sizeof(event));
	memcpy(traffic->bytes + traffic->len + sizeof(event), bytes, len);
	traffic->len = need;
	traffic->moved[direction] += len;
	return 0;
}

/* One content coding, flushed after each chunk as servers of streams do. */
struct encoder {
	z_stream gzip;
	BrotliEncoderState *br;
	ZSTD_CCtx *zstd;
	char kind;		/* 'g', 'b', 'z'; 0: none */
};

static int encoder_init(struct encoder *encoder, const char *kind)
{
	if (strcmp(kind, "gzip") == 0) {
		encoder->kind = 'g';
		return deflateInit2(&encoder->gzip, 6, Z_DEFLATED, 15 + 16, 8, 0) == Z_OK ? 0 : -ENOMEM;
	}
	if (strcmp(kind, "br") == 0) {
		encoder->kind = 'b';
		encoder->br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
		BrotliEncoderSetParameter(encoder->br, BROTLI_PARAM_QUALITY, 4);
		return encoder->br ? 0 : -ENOMEM;
	}
	if (strcmp(kind, "zstd") == 0) {
		encoder->kind = 'z';
		encoder->zstd = ZSTD_createCCtx();
		return encoder->zstd ? 0 : -ENOMEM;
	}
	return strcmp(kind, "h1") == 0 || strcmp(kind, "h2") == 0 ? 0 : -EINVAL;
}

static void encoder_done(struct encoder *encoder)
{
	if (encoder->kind == 'g')
		deflateEnd(&encoder->gzip);
	if (encoder->kind == 'b')
		BrotliEncoderDestroyInstance(encoder->br);
	ZSTD_freeCCtx(encoder->zstd);
}

/* Into @ret, which is large enough. */
static size_t encode(struct encoder *encoder, const char *in, size_t len, bool is_last, char *ret, size_t size)
{
	ZSTD_inBuffer zstd_in = { in, len, 0 };
	ZSTD_outBuffer zstd_out = { ret, size, 0 };
	const uint8_t *next = (const uint8_t *)in;
	uint8_t *out = (uint8_t *)ret;
	size_t left = size;

	switch (encoder->kind) {
	case 'g':
		encoder->gzip.next_in = (unsigned char *)in;
		encoder->gzip.avail_in = (unsigned)len;
		encoder->gzip.next_out = (unsigned char *)ret;
		encoder->gzip.avail_out = (unsigned)size;
		deflate(&encoder->gzip, is_last ? Z_FINISH : Z_SYNC_FLUSH);
		return size - encoder->gzip.avail_out;
	case 'b':
		do {
			BrotliEncoderCompressStream(encoder->br, is_last ? BROTLI_OPERATION_FINISH
						    : BROTLI_OPERATION_FLUSH, &len, &next, &left, &out, NULL);
		} while (BrotliEncoderHasMoreOutput(encoder->br));
		return size - left;
	case 'z':
		ZSTD_compressStream2(encoder->zstd, &zstd_out, &zstd_in, is_last ? ZSTD_e_end : ZSTD_e_flush);
		return zstd_out.pos;
	default:
		memcpy(ret, in, len);
		return len;
	}
}

/* A server-sent event of exactly @bytes bytes: one token, and the padding that OpenAI sends. */
static void make_chunk(char *ret, size_t bytes, uint64_t number)
{
	static const char tail[] = "\"}\n\n";
	int len = snprintf(ret, bytes, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
			   "\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w%03llu\"},"
			   "\"finish_reason\":null}],\"obfuscation\":\"", (unsigned long long)number % 1000);

	for (size_t i = (size_t)len; i + sizeof(tail) - 1 < bytes; i++)
		ret[i] = (char)('a' + i % 26);
	memcpy(ret + bytes - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
}

/* --- HTTP/1 ----------------------------------------------------------------- */

static int add_chunk(struct traffic *traffic, const char *bytes, size_t len)
{
	char wire[2 * LIMIT_CHUNK_LINE + 64 * KiB];
	int head = snprintf(wire, sizeof(wire), "%zx\r\n", len);

	memcpy(wire + head, bytes, len);
	memcpy(wire + head + len, "\r\n", 2);
	return add_event(traffic, GT_READ, wire, (size_t)head + len + 2);
}

static int build_h1(struct traffic *traffic, const char *kind, uint64_t chunks, size_t chunk_bytes)
{
	static const char last[] = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
	char text[32 * KiB], coded[48 * KiB];
	struct encoder encoder = {};
	int len, r = encoder_init(&encoder, kind);

	if (r < 0)
		return r;
	len = snprintf(text, sizeof(text), "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
		       "Content-Length: %zu\r\n\r\n%s", sizeof(REQUEST_BODY) - 1, REQUEST_BODY);
	r = add_event(traffic, GT_WRITE, text, (size_t)len);
	len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s%s%s"
		       "Transfer-Encoding: chunked\r\n\r\n", encoder.kind ? "Content-Encoding: " : "",
		       encoder.kind ? kind : "", encoder.kind ? "\r\n" : "");
	if (r == 0)
		r = add_event(traffic, GT_READ, text, (size_t)len);
	for (uint64_t i = 0; i < chunks && r == 0; i++) {
		make_chunk(text, chunk_bytes, i);
		r = add_chunk(traffic, coded, encode(&encoder, text, chunk_bytes, false, coded, sizeof(coded)));
	}
	if (r == 0)
		r = add_chunk(traffic, coded, encode(&encoder, last, sizeof(last) - 1, true, coded, sizeof(coded)));
	if (r == 0)
		r = add_event(traffic, GT_READ, "0\r\n\r\n", 5);
	encoder_done(&encoder);
	return r;
}

/* --- HTTP/2 ----------------------------------------------------------------- */

static size_t frame(char *ret, unsigned type, unsigned flags, unsigned stream, const char *bytes, size_t len)
{
	unsigned char head[9] = { len >> 16, len >> 8, len, type, flags, stream >> 24, stream >> 16, stream >> 8, stream };

	memcpy(ret, head, sizeof(head));
	if (len)
		memcpy(ret + sizeof(head), bytes, len);
	return sizeof(head) + len;
}

#define FIELD(name, value) { (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, 0 }

static size_t headers(char *ret, nghttp2_nv *fields, size_t count)
{
	nghttp2_hd_deflater *deflater = NULL;
	unsigned char block[1024];
	ssize_t len;

	if (nghttp2_hd_deflate_new(&deflater, 4096) != 0)
		return 0;
	len = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), fields, count);
	nghttp2_hd_deflate_del(deflater);
	return len < 0 ? 0 : frame(ret, 1, 0x4, 1, (char *)block, (size_t)len);
}

static int build_h2(struct traffic *traffic, uint64_t chunks, size_t chunk_bytes)
{
	static const char last[] = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	nghttp2_nv request[] = { FIELD(":method", "POST"), FIELD(":scheme", "https"), FIELD(":authority", "bench"),
				 FIELD(":path", "/v1/chat/completions"), FIELD("content-type", "application/json") };
	nghttp2_nv response[] = { FIELD(":status", "200"), FIELD("content-type", "text/event-stream") };
	char wire[40 * KiB], text[32 * KiB];
	size_t len = sizeof(preface) - 1;
	int r;

	memcpy(wire, preface, len);
	len += frame(wire + len, 4, 0, 0, NULL, 0);
	len += headers(wire + len, request, ARRAY_SIZE(request));
	len += frame(wire + len, 0, 1, 1, REQUEST_BODY, sizeof(REQUEST_BODY) - 1);
	r = add_event(traffic, GT_WRITE, wire, len);
	len = frame(wire, 4, 0, 0, NULL, 0);
	len += headers(wire + len, response, ARRAY_SIZE(response));
	if (r == 0)
		r = add_event(traffic, GT_READ, wire, len);
	for (uint64_t i = 0; i < chunks && r == 0; i++) {
		make_chunk(text, chunk_bytes, i);
		r = add_event(traffic, GT_READ, wire, frame(wire, 0, 0, 1, text, chunk_bytes));
	}
	return r == 0 ? add_event(traffic, GT_READ, wire, frame(wire, 0, 1, 1, last, sizeof(last) - 1)) : r;
}

int traffic_init(struct traffic *traffic, const char *kind, uint64_t chunks, size_t chunk_bytes)
{
	/* As long as its own frame at least, as short as one record and one HTTP/2 frame. */
	if (chunk_bytes < 200 || chunk_bytes > GT_CHUNK_BYTES - 16)
		return -EINVAL;
	if (strcmp(kind, "h2") == 0)
		return build_h2(traffic, chunks, chunk_bytes);
	return build_h1(traffic, kind, chunks, chunk_bytes);
}

void traffic_done(struct traffic *traffic)
{
	free(traffic->bytes);
	free(traffic->starts);
}

/* --- playing ---------------------------------------------------------------- */

void traffic_event(struct traffic *traffic, struct pipeline *pipeline, uint64_t conn, size_t index,
		   uint64_t time_ns)
{
	struct gt_data_event *event = (void *)(traffic->bytes + traffic->starts[index]);

	event->event.conn_id = conn + 1;
	event->event.time_ns = time_ns;
	pipeline_event(pipeline, &event->event);
}

void traffic_open(struct pipeline *pipeline, uint64_t conn, uint64_t time_ns)
{
	struct gt_open_event open = {
		.event = { .time_ns = time_ns, .conn_id = conn + 1, .pid = 4242, .tid = 4242,
			   .type = GT_EVENT_OPEN, .flags = GT_FLAG_BORN },
		.key = conn + 1, .comm = "bench",
	};

	pipeline_event(pipeline, &open.event);
}

void traffic_close(const struct traffic *traffic, struct pipeline *pipeline, uint64_t conn, uint64_t time_ns)
{
	struct gt_end_event close = {
		.event = { .time_ns = time_ns, .conn_id = conn + 1, .pid = 4242, .tid = 4242, .type = GT_EVENT_CLOSE },
		.offset = { traffic->moved[GT_READ], traffic->moved[GT_WRITE] },
	};

	pipeline_event(pipeline, &close.event);
}

void traffic_play(struct traffic *traffic, struct pipeline *pipeline, uint64_t conn)
{
	uint64_t time_ns = (conn + 1) * STEP_NS;

	traffic_open(pipeline, conn, time_ns);
	for (size_t i = 0; i < traffic->count; i++)
		traffic_event(traffic, pipeline, conn, i, time_ns += 1000);
	traffic_close(traffic, pipeline, conn, time_ns);
}
