/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "body.h"
#include "expect.h"
#include "limits.h"
#include "play.h"
#include "source/capture_writer.h"
#include "wire/stream.h"

/* --- files ------------------------------------------------------------------ */

static bool bad(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return false;
}

/* "FOLDER/SUB/openai.chat.streamSUFFIX", its folders made. */
static void path_of(char *ret, size_t size, const struct test_case *test, const char *folder,
		    const char *sub, const char *suffix)
{
	int len;

	mkdir(folder, 0777);
	len = snprintf(ret, size, "%s/%s", folder, sub);
	mkdir(ret, 0777);
	snprintf(ret + len, size - (size_t)len, "%s%s%s", *sub ? "/" : "", test->name, suffix);
	for (char *at = ret + len + 1; *at; at++)
		if (*at == '/')
			*at = '.';
}

static int create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

static bool write_file(const char *path, struct slice bytes)
{
	_cleanup_(closep) int fd = create(path);

	return (fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len) || bad(path);
}

/* --- captures --------------------------------------------------------------- */

struct recording {
	struct capture_writer *writer;
	uint64_t last_ns;
	int error;
};

static void on_event(void *ctx, const struct gt_event *event)
{
	struct recording *recording = ctx;
	int r = capture_writer_event(recording->writer, event);

	recording->last_ns = event->time_ns;
	if (r < 0)
		recording->error = r;
}

/* The end of a recording is where gentap detached. */
static void on_detach(void *ctx, uint64_t time_ns)
{
	struct recording *recording = ctx;

	recording->last_ns = time_ns;
}

static bool usual_script(const struct test_case *test, struct script *ret)
{
	struct http1_form form = { .framing = test->framing };
	_cleanup_(items_done) struct items items = { 0 };

	return items_of(&items, test) && script_http1(ret, &items, &form);
}

static bool write_capture(const struct test_case *test, const struct script *script, const char *path)
{
	struct capture_header header = { .realtime_offset_ns = PLAY_REALTIME_NS - PLAY_START_NS,
					 .start_ns = PLAY_START_NS, .boot_id = PLAY_BOOT_ID };
	struct recording recording = { 0 };
	struct player player = { on_event, on_detach, &recording };
	struct play how = { .role = test->role };
	int fd = create(path);

	if (fd < 0)
		return bad(path);
	if (capture_writer_new(&recording.writer, fd, &header) < 0) {
		close(fd);
		return bad(path);
	}
	play(script, test, &how, &player);
	if (!recording.error)
		recording.error = capture_writer_end(recording.writer, recording.last_ns);
	capture_writer_free(&recording.writer);
	errno = -recording.error;
	return !recording.error || bad(path);
}

static bool record_script(const struct test_case *test, const char *folder, const char *version,
			  const struct script *script, unsigned ignore)
{
	_cleanup_(buf_done) struct buf lines = BUF_INIT(64 * MiB);
	char path[512], suffix[32];

	snprintf(suffix, sizeof(suffix), "%s.gtcap", version);
	path_of(path, sizeof(path), test, folder, "", suffix);
	if (!write_capture(test, script, path))
		return false;
	for (size_t i = 0; i < test->line_count; i++) {
		_cleanup_(freep) char *line = expect_wanted(test->lines[i], ignore);

		buf_printf(&lines, "%s\n", line);
	}
	snprintf(suffix, sizeof(suffix), "%s.jsonl", version);
	path_of(path, sizeof(path), test, folder, "", suffix);
	return write_file(path, buf_slice(&lines));
}

bool record_case(const struct test_case *test, const char *folder)
{
	_cleanup_(script_done) struct script h1 = { 0 }, h2 = { 0 };
	_cleanup_(items_done) struct items items = { 0 };
	const struct items *const all[] = { &items };

	if (!usual_script(test, &h1) || !record_script(test, folder, "", &h1, 0))
		return false;
	if (test->without & WITHOUT_H2 || case_is_broken(test) || !items_of(&items, test) ||
	    !script_http2(&h2, all, 1, test->is_tls, &(struct http2_form){ 0 }))
		return true;
	return record_script(test, folder, ".h2", &h2, HTTP_2);
}

/* --- seeds ------------------------------------------------------------------ */

static bool seed(const struct test_case *test, const char *folder, const char *decoder,
		 const char *suffix, struct slice bytes)
{
	char path[512];

	if (!bytes.len)
		return true;
	path_of(path, sizeof(path), test, folder, decoder, suffix);
	return write_file(path, bytes);
}

/* What each side sent, from first to last. */
static bool seed_sides(const struct test_case *test, const char *folder, const char *decoder,
		       const struct script *script)
{
	static const char *const suffixes[] = { [SIDE_REQUEST] = ".request", [SIDE_RESPONSE] = ".response" };
	bool is_ok = true;

	for (int side = 0; side < 2; side++) {
		_cleanup_(buf_done) struct buf bytes = BUF_INIT(64 * MiB);

		for (size_t i = 0; i < script->count; i++)
			if (script->list[i].side == (enum side)side)
				buf_add_slice(&bytes, buf_slice(&script->list[i].bytes));
		is_ok &= seed(test, folder, decoder, suffixes[side], buf_slice(&bytes));
	}
	return is_ok;
}

static const char *decoder_of(enum body body)
{
	static const char *const names[] = {
		[BODY_PLAIN] = "json", [BODY_SSE] = "sse", [BODY_LINES] = "ndjson",
		[BODY_EVENTSTREAM] = "eventstream", [BODY_MULTIPART] = "multipart",
	};

	return names[body];
}

/* The body behind head number @at, as it is without content coding. */
static void body_behind(const struct items *items, size_t at, struct buf *ret)
{
	const struct item *head = &items->list[at];

	for (size_t i = at + 1; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (item->kind == ITEM_BODY && item->side == head->side && item->exchange == head->exchange)
			buf_add_slice(ret, buf_slice(&item->bytes));
	}
}

/* Each body, free of framing and as it is in each coding. */
static bool seed_body(const struct test_case *test, const char *folder, const struct items *items,
		      size_t head)
{
	const struct item *first = &items->list[head];
	_cleanup_(buf_done) struct buf body = BUF_INIT(64 * MiB);
	char suffix[32];
	bool is_ok;

	body_behind(items, head, &body);
	snprintf(suffix, sizeof(suffix), ".%s%u", first->side == SIDE_REQUEST ? "request" : "response",
		 first->exchange + 1);
	is_ok = seed(test, folder, decoder_of(body_of(first->head)), suffix, buf_slice(&body));
	for (int code = 0; code < CODE_COUNT && body.len; code++) {
		_cleanup_(encoder_free) struct encoder *encoder = encoder_new(code);
		_cleanup_(buf_done) struct buf encoded = BUF_INIT(64 * MiB);

		encoder_add(encoder, buf_slice(&body), ENCODE_END, &encoded);
		is_ok &= seed(test, folder, code_name(code), suffix, buf_slice(&encoded));
	}
	return is_ok;
}

static void keep_event(void *ctx, const struct gt_event *event)
{
	static const char zeros[8];
	size_t size = capture_event_size(event);

	buf_add(ctx, event, size);
	buf_add(ctx, zeros, -size & 7);
}

static void no_detach(void *ctx, uint64_t time_ns)
{
	(void)ctx;
	(void)time_ns;
}

static bool seed_events(const struct test_case *test, const char *folder, const char *suffix,
			const struct script *script)
{
	_cleanup_(buf_done) struct buf events = BUF_INIT(64 * MiB);
	struct player player = { keep_event, no_detach, &events };
	struct play how = { .role = test->role };
	char path[512];

	play(script, test, &how, &player);
	path_of(path, sizeof(path), test, folder, "gtcap", suffix);
	return seed(test, folder, "events", suffix, buf_slice(&events)) && write_capture(test, script, path);
}

/* The events of a body, a line each ("type|data" where they are named); false when it is none of those. */
static bool add_events(const struct item *head, struct slice body, struct buf *ret)
{
	struct stream_reader *reader;
	struct slice content_type = {};
	struct stream_event event;
	enum framing framing;

	items_field(head, "content-type", &content_type);
	framing = framing_of(content_type);
	if (framing == FRAMING_BODY || framing == FRAMING_OPAQUE)
		return false;
	reader = stream_new(framing, content_type);
	assert(reader);
	while (stream_next(reader, &body, &event) == PARSE_ITEM || stream_eof(reader, &event) == PARSE_ITEM) {
		if (framing == FRAMING_EVENTSTREAM)
			buf_printf(ret, "%.*s|", (int)event.type.len, event.type.ptr);
		buf_add_slice(ret, event.data);
		buf_add_char(ret, '\n');
	}
	stream_free(&reader);
	return true;
}

/* "TARGET NUL request NUL answer", and a byte that says how fuzz_dialect is to read the answer. */
static bool seed_call(const struct test_case *test, const char *folder, const struct items *items, size_t request)
{
	_cleanup_(buf_done) struct buf call = BUF_INIT(64 * MiB), answer = BUF_INIT(64 * MiB);
	const struct item *head = &items->list[request];
	struct slice target = head->head;
	char how = 0, suffix[16];

	slice_take(&target, strcspn(target.ptr, " \n") + 1);
	buf_add(&call, target.ptr, strcspn(target.ptr, " \n"));
	buf_add_char(&call, '\0');
	body_behind(items, request, &call);
	buf_add_char(&call, '\0');
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (item->kind != ITEM_HEAD || item->side != SIDE_RESPONSE || item->exchange != head->exchange)
			continue;
		body_behind(items, i, &answer);
		how = add_events(item, buf_slice(&answer), &call) ? 2 : items_status(item) >= 400 ? 8 : 0;
		if (how != 2)
			buf_add_slice(&call, buf_slice(&answer));
	}
	buf_add_char(&call, how);
	snprintf(suffix, sizeof(suffix), ".%u", head->exchange + 1);
	return seed(test, folder, "calls", suffix, buf_slice(&call));
}

/* "TARGET NUL", then the messages of both sides, as fuzz_lanes reads them. */
static bool seed_lanes(const struct test_case *test, const char *folder, const struct items *items)
{
	_cleanup_(buf_done) struct buf lanes = BUF_INIT(64 * MiB);
	struct slice target = items->list[0].head;

	if (!items->is_tunnel)
		return true;
	slice_take(&target, strcspn(target.ptr, " \n") + 1);
	buf_add(&lanes, target.ptr, strcspn(target.ptr, " \n"));
	buf_add_char(&lanes, '\0');
	for (size_t i = 0; i < items->count; i++) {
		if (items->list[i].kind != ITEM_MESSAGE)
			continue;
		buf_add_char(&lanes, items->list[i].side == SIDE_REQUEST ? '>' : '<');
		buf_add_slice(&lanes, buf_slice(&items->list[i].bytes));
		buf_add_char(&lanes, '\n');
	}
	return seed(test, folder, "lanes", "", buf_slice(&lanes));
}

/* All moves in their order, as fuzz_conn reads them. */
static bool seed_wire(const struct test_case *test, const char *folder, const char *suffix, const struct script *script)
{
	static const char *const marks[] = {
		[MOVE_BYTES] = "><", [MOVE_LOST] = "gG", [MOVE_EOF] = ")(", [MOVE_CLOSE] = "Xx", [MOVE_DETACH] = "dd",
		[MOVE_EXIT] = "ee",
	};
	_cleanup_(buf_done) struct buf wire = BUF_INIT(64 * MiB);

	for (size_t i = 0; i < script->count; i++) {
		const struct move *move = &script->list[i];

		buf_printf(&wire, "\xf5\xf5%c", marks[move->kind][move->side]);
		buf_add_slice(&wire, buf_slice(&move->bytes));
	}
	buf_add(&wire, (const char[]){ 6, test->role == ROLE_SERVER }, 2);
	return seed(test, folder, "wires", suffix, buf_slice(&wire));
}

static bool seed_http2(const struct test_case *test, const char *folder, const struct items *items)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (!script_http2(&script, &items, 1, test->is_tls, &(struct http2_form){ 0 }))
		return true;
	return seed_sides(test, folder, "http2", &script) && seed_events(test, folder, ".h2", &script) &&
	       seed_wire(test, folder, ".h2", &script);
}

static bool seed_deflated(const struct test_case *test, const char *folder, const struct items *items)
{
	struct http1_form form = { .websocket = { .is_deflated = true, .fragment = 40 } };
	_cleanup_(script_done) struct script script = { 0 };

	return !items->is_tunnel || !script_http1(&script, items, &form) ||
	       seed_wire(test, folder, ".deflated", &script);
}

bool seed_case(const struct test_case *test, const char *folder)
{
	_cleanup_(script_done) struct script script = { 0 };
	_cleanup_(items_done) struct items items = { 0 };
	bool is_ok = true;

	if (!usual_script(test, &script) || !items_of(&items, test))
		return false;
	for (size_t i = 0; i < items.count; i++)
		if (items.list[i].kind == ITEM_HEAD) {
			is_ok &= seed_body(test, folder, &items, i);
			is_ok &= items.list[i].side == SIDE_RESPONSE || seed_call(test, folder, &items, i);
		}
	return is_ok && seed_wire(test, folder, "", &script) && seed_lanes(test, folder, &items) &&
	       seed_deflated(test, folder, &items) &&
	       seed_events(test, folder, "", &script) && seed_http2(test, folder, &items) &&
	       seed_sides(test, folder, items.is_tunnel ? "websocket" : "http1", &script);
}
