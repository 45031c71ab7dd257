/* SPDX-License-Identifier: Apache-2.0 */
#include "items.h"

#include "body.h"
#include "limits.h"

struct maker {
	const struct test_case *test;
	const struct step *step;
	struct items *items;
	bool is_open;		/* a message is */
	enum side side;		/* whose */
	enum body body;		/* how its text becomes bytes */
};

static bool bad(const struct maker *maker, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", maker->test->name, maker->step->line, what);
	return false;
}

static struct item *add(struct maker *maker, enum item_kind kind, uint64_t at_ns)
{
	struct items *items = maker->items;
	struct item *item;

	if (items->count == items->size) {
		items->size = items->size ? 2 * items->size : 64;
		items->list = realloc(items->list, items->size * sizeof(*items->list));
		assert(items->list);
	}
	item = &items->list[items->count++];
	*item = (struct item){ .kind = kind, .side = maker->side, .at_ns = at_ns,
			       .exchange = (unsigned)items->exchanges - 1,
			       .extra = BUF_INIT(4 * KiB), .bytes = BUF_INIT(64 * MiB) };
	return item;
}

static uint64_t last_ns(const struct maker *maker)
{
	return maker->items->count ? maker->items->list[maker->items->count - 1].at_ns : 0;
}

/* Ends the message that is open, with its last bytes. */
static void end_message(struct maker *maker)
{
	if (maker->is_open)
		add(maker, ITEM_END, last_ns(maker));
	maker->is_open = false;
}

/* --- steps ------------------------------------------------------------------ */

static bool add_body(struct maker *maker, struct slice text, bool is_lost)
{
	struct item *item = add(maker, ITEM_BODY, maker->step->at_ns);

	item->is_lost = is_lost;
	if (!body_bytes(maker->body, text, &item->bytes))
		return bad(maker, "the body cannot be understood");
	if (!item->bytes.len)
		maker->items->count--;
	return true;
}

static bool add_message(struct maker *maker)
{
	struct slice text = maker->step->text, line;
	struct slice value;
	struct item *item;

	maker->side = maker->step->kind == STEP_REQUEST ? SIDE_REQUEST : SIDE_RESPONSE;
	if (maker->side == SIDE_REQUEST)
		maker->items->exchanges++;
	item = add(maker, ITEM_HEAD, maker->step->at_ns);
	item->head = (struct slice){ text.ptr, 0 };
	while (case_line(&text, &line) && line.len)
		item->head.len = (size_t)(line.ptr + line.len - item->head.ptr);
	if (!item->head.len)
		return bad(maker, "a message begins with its first line");
	if (case_field(item->head, "content-length", &value) ||
	    case_field(item->head, "transfer-encoding", &value))
		return bad(maker, "the runner frames bodies: no content-length, no transfer-encoding");
	maker->is_open = true;
	maker->body = body_of(item->head);
	maker->items->is_tunnel |= maker->side == SIDE_RESPONSE && items_status(item) == 101;
	return add_body(maker, text, /* is_lost */ false);
}

/* Each line of the text is a message. */
static bool add_websocket(struct maker *maker)
{
	struct slice text = maker->step->text, line;

	if (!maker->items->is_tunnel)
		return bad(maker, "messages come after a response 101");
	maker->is_open = false;
	maker->side = maker->step->kind == STEP_CLIENT ? SIDE_REQUEST : SIDE_RESPONSE;
	while (case_line(&text, &line))
		if (line.len)
			buf_add_slice(&add(maker, ITEM_MESSAGE, maker->step->at_ns)->bytes, line);
	return true;
}

static bool add_step(struct maker *maker)
{
	switch (maker->step->kind) {
	case STEP_REQUEST:
	case STEP_RESPONSE:
		end_message(maker);
		return add_message(maker);
	case STEP_PIECE:
	case STEP_LOST:
		if (!maker->is_open)
			return bad(maker, "no message is open here");
		return add_body(maker, maker->step->text, maker->step->kind == STEP_LOST);
	case STEP_CLIENT:
	case STEP_SERVER:
		return add_websocket(maker);
	default:
		add(maker, ITEM_CUT, maker->step->at_ns)->cut = maker->step->kind;
		maker->is_open = false;
		return true;
	}
}

/* --- content codings -------------------------------------------------------- */

/* Whether item number @at belongs to the message of head number @head. */
static bool is_of(const struct items *items, size_t head, size_t at)
{
	const struct item *a = &items->list[head], *b = &items->list[at];

	return at > head && a->side == b->side && a->exchange == b->exchange;
}

/* Each piece is flushed, so that it can be decoded when it arrives. */
static void encode_message(struct items *items, size_t head, enum code code)
{
	_cleanup_(encoder_free) struct encoder *encoder = encoder_new(code);
	struct item *last = NULL;

	for (size_t i = head + 1; i < items->count; i++) {
		struct item *item = &items->list[i];
		struct buf encoded = BUF_INIT(64 * MiB);

		if (!is_of(items, head, i))
			continue;
		if (item->kind == ITEM_END && last)
			encoder_add(encoder, (struct slice){ 0 }, ENCODE_END, &last->bytes);
		if (item->kind != ITEM_BODY)
			continue;
		encoder_add(encoder, buf_slice(&item->bytes), ENCODE_FLUSH, &encoded);
		buf_done(&item->bytes);
		item->bytes = encoded;
		last = item;
	}
}

/* A coding that the head names and that we can make is made. */
static void encode_named(struct items *items)
{
	struct slice coding;

	for (size_t i = 0; i < items->count; i++)
		if (items->list[i].kind == ITEM_HEAD &&
		    case_field(items->list[i].head, "content-encoding", &coding))
			for (int code = 0; code < CODE_COUNT; code++)
				if (slice_eq(coding, slice_of(code_field(code)))) {
					encode_message(items, i, code);
					break;
				}
}

bool items_encode(struct items *items, enum side side, enum code code)
{
	bool has_any = false;
	struct slice coding;

	for (size_t i = 0; i < items->count; i++) {
		struct item *item = &items->list[i];

		if (item->kind != ITEM_HEAD || item->side != side || !items_body_len(items, i))
			continue;
		if (items_field(item, "content-encoding", &coding))
			return false;
		buf_printf(&item->extra, "content-encoding: %s\n", code_field(code));
		encode_message(items, i, code);
		has_any = true;
	}
	return has_any && !items->is_tunnel;
}

/* --- line ends -------------------------------------------------------------- */

static void add_crs(struct buf *bytes)
{
	struct buf with = BUF_INIT(64 * MiB);

	for (size_t i = 0; i < bytes->len; i++) {
		if (bytes->ptr[i] == '\n')
			buf_add_char(&with, '\r');
		buf_add_char(&with, bytes->ptr[i]);
	}
	buf_done(bytes);
	*bytes = with;
}

bool items_crlf(struct items *items)
{
	const struct item *head = NULL;
	bool has_any = false;
	struct slice coding;

	for (size_t i = 0; i < items->count; i++) {
		struct item *item = &items->list[i];

		if (item->kind == ITEM_HEAD)
			head = item;
		if (item->kind != ITEM_BODY || item->side != SIDE_RESPONSE || body_of(head->head) != BODY_SSE ||
		    items_field(head, "content-encoding", &coding))
			continue;
		add_crs(&item->bytes);
		has_any = true;
	}
	return has_any;
}

/* --- questions -------------------------------------------------------------- */

size_t items_body_len(const struct items *items, size_t head)
{
	size_t len = 0;

	for (size_t i = head + 1; i < items->count; i++)
		if (is_of(items, head, i) && items->list[i].kind == ITEM_BODY)
			len += items->list[i].bytes.len;
	return len;
}

bool items_is_whole(const struct items *items, size_t head)
{
	for (size_t i = head + 1; i < items->count; i++)
		if (is_of(items, head, i) && items->list[i].kind == ITEM_END)
			return true;
	return false;
}

unsigned items_status(const struct item *head)
{
	return (unsigned)strtoul(head->head.ptr, NULL, 10);
}

bool items_field(const struct item *head, const char *name, struct slice *ret)
{
	struct slice extra = buf_slice(&head->extra), line;
	size_t len = strlen(name);

	if (case_field(head->head, name, ret))
		return true;
	while (case_line(&extra, &line))
		if (line.len > len && line.ptr[len] == ':' && strncasecmp(line.ptr, name, len) == 0) {
			slice_take(&line, len + 1);
			*ret = slice_trim(line);
			return true;
		}
	return false;
}

/* --- all of it -------------------------------------------------------------- */

bool items_of(struct items *ret, const struct test_case *test)
{
	struct maker maker = { .test = test, .items = ret };

	*ret = (struct items){ 0 };
	for (size_t i = 0; i < test->step_count; i++) {
		maker.step = &test->steps[i];
		if (!add_step(&maker)) {
			items_done(ret);
			return false;
		}
	}
	end_message(&maker);
	encode_named(ret);
	return true;
}

void items_done(struct items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		buf_done(&items->list[i].extra);
		buf_done(&items->list[i].bytes);
	}
	free(items->list);
	*items = (struct items){ 0 };
}
