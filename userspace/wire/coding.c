/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which codings there are, and decoding through a chain of them.
 *
 * A link gives out all that its input decodes to before it takes more, from the
 * link before it or, the first one, from the wire. So at the end of the input
 * nothing is held back anywhere, and the order of calls is that of the bytes.
 *
 * The limits must not depend on how the input is split either. The first link
 * takes the wire in cells that lie at fixed offsets, CELL bytes long; by the end
 * of a cell each link may have given out LIMIT_CODING_RATIO times the bytes up to
 * there, so much and no more.
 */
#include "wire/coding.h"

#include "wire/coding_ops.h"

enum {
	OUT_SIZE = 8 * 1024,
	CELL = 1024,
};

static const struct coding *const table[] = { &coding_gzip, &coding_deflate, &coding_brotli, &coding_zstd };

struct link {
	const struct coding *coding;
	void *state;			/* owned */
	struct slice in;		/* of the link before, not taken yet */
	uint64_t decoded;		/* bytes so far */
	bool is_full;			/* it may have more to give out without input */
	bool is_over;			/* its coded stream is at its end */
	bool is_failed;			/* to be said when what decoded before is out */
	char out[OUT_SIZE];
};

struct decoder {
	struct link *links[LIMIT_CODINGS];	/* owned; as they decode */
	size_t count;
	uint64_t encoded;		/* wire bytes taken */
	uint64_t cell_end;
	enum loss failure;
};

/* --- names ------------------------------------------------------------------ */

static const struct coding *find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (slice_eq_nocase(name, slice_of(table[i]->name)) ||
		    (table[i]->alias && slice_eq_nocase(name, slice_of(table[i]->alias))))
			return table[i];
	return NULL;
}

void codings_add(struct codings *codings, struct slice value)
{
	struct slice list = value;

	while (list.len && !codings->unknown.len) {
		const char *comma = memchr(list.ptr, ',', list.len);
		struct slice name = slice_take(&list, comma ? (size_t)(comma - list.ptr) : list.len);
		const struct coding *coding;

		if (comma)
			slice_take(&list, 1);
		name = slice_trim(name);
		if (!name.len || slice_eq_nocase(name, SLICE("identity")))
			continue;
		coding = find(name);
		if (!coding)
			codings->unknown = name;
		else if (codings->count == LIMIT_CODINGS)
			codings->unknown = value;
		else
			codings->list[codings->count++] = coding;
	}
}

struct slice coding_sniff(struct slice front)
{
	if (slice_starts(front, SLICE("\x1f\x8b\x08")))
		return SLICE("gzip");
	if (slice_starts(front, SLICE("\x28\xb5\x2f\xfd")))
		return SLICE("zstd");
	return (struct slice){};
}

/* --- making ----------------------------------------------------------------- */

static struct link *link_new(const struct coding *coding)
{
	struct link *link = malloc(sizeof(*link));

	if (!link)
		return NULL;
	/* Not its output, which needs no value. */
	memset(link, 0, offsetof(struct link, out));
	link->coding = coding;
	link->state = coding->create();
	if (!link->state) {
		free(link);
		return NULL;
	}
	return link;
}

struct decoder *decoder_new(const struct codings *codings)
{
	_cleanup_(decoder_free) struct decoder *decoder = calloc(1, sizeof(*decoder));

	assert(codings->count && !codings->unknown.len);
	if (!decoder)
		return NULL;
	for (size_t i = codings->count; i-- > 0; decoder->count++) {
		decoder->links[decoder->count] = link_new(codings->list[i]);
		if (!decoder->links[decoder->count])
			return NULL;
	}
	return TAKE_PTR(decoder);
}

void decoder_free(struct decoder **decoderp)
{
	struct decoder *decoder = *decoderp;

	if (!decoder)
		return;
	for (size_t i = 0; i < decoder->count; i++) {
		decoder->links[i]->coding->destroy(decoder->links[i]->state);
		free(decoder->links[i]);
	}
	free(decoder);
	*decoderp = NULL;
}

/* --- decoding --------------------------------------------------------------- */

static enum parse fail(struct decoder *decoder, struct link *link, enum loss failure)
{
	link->is_failed = true;
	decoder->failure = failure;
	return PARSE_BAD;
}

/* How many bytes @link may still give out before the wire's next cell. */
static uint64_t room_of(const struct decoder *decoder, const struct link *link)
{
	uint64_t most = MIN(decoder->cell_end * LIMIT_CODING_RATIO, (uint64_t)LIMIT_DECODED);

	return most - link->decoded;
}

/* Decodes once. What came out is in *ret, even if it fails. */
static void step(struct decoder *decoder, struct link *link, struct slice *in, struct slice *ret)
{
	size_t len = 0, size = MIN(room_of(decoder, link), (uint64_t)OUT_SIZE);
	enum coded coded = link->coding->decode(link->state, in, link->out, size, &len);

	link->decoded += len;
	link->is_full = coded == CODED_FULL;
	link->is_over = coded == CODED_OVER;
	if (coded == CODED_BAD)
		fail(decoder, link, LOSS_BAD_ENCODING);
	if (coded == CODED_NO_MEMORY)
		fail(decoder, link, LOSS_NO_MEMORY);
	*ret = (struct slice){ link->out, len };
}

/* One link's output of the input it has. */
static enum parse link_next(struct decoder *decoder, struct link *link, struct slice *in,
			    struct slice *ret)
{
	struct slice out;

	for (;;) {
		if (link->is_failed)
			return PARSE_BAD;
		if (!in->len && !link->is_full)
			return PARSE_MORE;
		if (link->is_over && !link->coding->restart)
			return fail(decoder, link, LOSS_BAD_ENCODING);
		if (link->is_over && !link->coding->restart(link->state))
			return fail(decoder, link, LOSS_NO_MEMORY);
		if (!room_of(decoder, link))
			return fail(decoder, link, LOSS_RATIO_LIMIT);
		step(decoder, link, in, &out);
		if (out.len) {
			*ret = out;
			return PARSE_ITEM;
		}
	}
}

/* The first link's output: it takes the wire cell by cell. */
static enum parse wire_next(struct decoder *decoder, struct slice *in, struct slice *ret)
{
	struct link *link = decoder->links[0];

	for (;;) {
		struct slice piece;
		enum parse parse;
		size_t len;

		if (in->len && !link->is_full && decoder->encoded == decoder->cell_end)
			decoder->cell_end += CELL;
		len = MIN((uint64_t)in->len, decoder->cell_end - decoder->encoded);
		piece = (struct slice){ in->ptr, len };
		parse = link_next(decoder, link, &piece, ret);
		slice_take(in, len - piece.len);
		decoder->encoded += len - piece.len;
		if (parse != PARSE_MORE || !in->len)
			return parse;
	}
}

/* The output of the link at @i, which pulls from the one before. */
static enum parse pull(struct decoder *decoder, size_t i, struct slice *in, struct slice *ret)
{
	struct link *link = decoder->links[i];
	enum parse parse;

	if (i == 0)
		return wire_next(decoder, in, ret);
	for (;;) {
		parse = link_next(decoder, link, &link->in, ret);
		if (parse != PARSE_MORE)
			return parse;
		parse = pull(decoder, i - 1, in, &link->in);
		if (parse != PARSE_ITEM)
			return parse;
	}
}

enum parse decoder_next(struct decoder *decoder, struct slice *in, struct slice *ret)
{
	return pull(decoder, decoder->count - 1, in, ret);
}

/* --- questions -------------------------------------------------------------- */

enum loss decoder_failure(const struct decoder *decoder)
{
	return decoder->failure;
}

bool decoder_is_whole(const struct decoder *decoder)
{
	for (size_t i = 0; i < decoder->count; i++)
		if (!decoder->links[i]->is_over || decoder->links[i]->is_failed)
			return false;
	return true;
}

size_t decoder_memory(const struct decoder *decoder)
{
	size_t memory = sizeof(*decoder);

	for (size_t i = 0; i < decoder->count; i++) {
		const struct link *link = decoder->links[i];

		memory += sizeof(*link) + link->coding->memory(link->state, link->decoded);
	}
	return memory;
}
