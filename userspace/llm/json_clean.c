/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over JSON text that leaves only what cJSON reads right: cJSON ends a
 * string silently at \u0000, refuses lone surrogates, and passes raw bytes on.
 * The pass tracks nesting, but leaves the grammar to cJSON.
 *
 * Invariant: out[0, whole_len) followed by the closers of what is open is JSON,
 * if the input was JSON so far. That is what a cut text falls back to.
 */
#include "llm/json.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/sha.h>

#include "base/memory.h"
#include "base/text.h"
#include "limits.h"

struct cleaner {
	struct slice in;		/* what is left */
	struct buf *out;
	unsigned flags;			/* enum json_flags */
	char open[LIMIT_JSON_DEPTH];	/* '{' and '[' that are open */
	size_t depth;
	char last;			/* last of {}[],: */
	size_t key, key_len;		/* last key's place in out */
	size_t whole_len;
	size_t values;
	bool is_cut;			/* the string in hand has no closing quote */
	bool is_repaired;
};

static bool is_closed(const struct cleaner *c)
{
	return c->depth == 0 && c->whole_len > 0;
}

static void add_value(struct cleaner *c, struct slice text)
{
	buf_add_slice(c->out, text);
	c->whole_len = c->out->len;
}

static int hex4(struct slice s)
{
	int value = 0;

	if (s.len < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)s.ptr[i]))
			return -1;
		value = value * 16 + (isdigit((unsigned char)s.ptr[i]) ? s.ptr[i] - '0'
							 : (s.ptr[i] | 0x20) - 'a' + 10);
	}
	return value;
}

/* The UTF-16 unit of a \uXXXX escape at the front of @s, or -1. */
static int unit_of(struct slice s)
{
	if (s.len < 6 || s.ptr[0] != '\\' || s.ptr[1] != 'u')
		return -1;
	return hex4((struct slice){ s.ptr + 2, s.len - 2 });
}

/* Copies the escape at the front of *text. One that is cut off is dropped. */
static void clean_escape(struct cleaner *c, struct slice *text)
{
	int unit = unit_of(*text), low;
	bool is_high = unit >= 0xd800 && unit < 0xdc00;

	if (unit < 0) {
		struct slice escape = slice_take(text, MIN(text->len, (size_t)2));

		if (escape.len == 2 && !(escape.ptr[1] == 'u' && text->len < 4))
			buf_add_slice(c->out, escape);
		else
			slice_take(text, text->len);
		return;
	}
	low = unit_of((struct slice){ text->ptr + 6, text->len - 6 });
	if (c->is_cut && is_high && low < 0 && (text->len == 6 || text->ptr[6] == '\\')) {
		/* Its other half was cut off. */
		slice_take(text, text->len);
		return;
	}
	if (is_high && low >= 0xdc00 && low < 0xe000) {
		buf_add_slice(c->out, slice_take(text, 12));
		return;
	}
	if (unit == 0 || (unit >= 0xd800 && unit < 0xe000)) {
		buf_add_text(c->out, "\\ufffd");
		c->is_repaired = true;
		slice_take(text, 6);
		return;
	}
	buf_add_slice(c->out, slice_take(text, 6));
}

static void clean_text(struct cleaner *c, struct slice text)
{
	while (text.len) {
		const char *escape = memchr(text.ptr, '\\', text.len);
		size_t plain = escape ? (size_t)(escape - text.ptr) : text.len;

		if (text_add_utf8(c->out, slice_take(&text, plain)))
			c->is_repaired = true;
		if (text.len)
			clean_escape(c, &text);
	}
}

/* Length without a UTF-8 sequence that the end of a cut text broke off. */
static size_t without_broken_tail(struct slice s)
{
	for (size_t back = 1; back <= MIN(s.len, (size_t)3); back++) {
		unsigned char byte = s.ptr[s.len - back];

		if (byte < 0x80)
			return s.len;
		if (byte >= 0xc0) {
			size_t want = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;

			return want > back ? s.len - back : s.len;
		}
	}
	return s.len;
}

/* Index of the closing quote, or @s.len. */
static size_t string_len(struct slice s)
{
	size_t i = 0;

	while (i < s.len && s.ptr[i] != '"')
		i += s.ptr[i] == '\\' ? 2 : 1;
	return MIN(i, s.len);
}

static bool is_base64(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char byte = s.ptr[i];

		/* "\/" and "\n" are how some encoders write what belongs in base64. */
		if (!isalnum(byte) && !strchr("+/=-_\\", byte))
			return false;
	}
	return true;
}

/* "image/png" of "image/png;base64", or a word for what says nothing safe. */
static struct slice media_type(struct slice s)
{
	size_t len = 0;

	while (len < s.len && (isalnum((unsigned char)s.ptr[len]) || strchr("/.+-_", s.ptr[len])))
		len++;
	return len && len <= 64 ? (struct slice){ s.ptr, len } : SLICE("data");
}

static bool is_data_key(const struct cleaner *c)
{
	static const char *const names[] = {
		"data", "file_data", "b64_json", "bytes", "partial_image_b64", "result",
		"encrypted_content", "audio", "image_data", "audio_data", NULL,
	};
	/* Arrays of Ollama, llama.cpp, SGLang. */
	static const char *const arrays[] = { "images", "multimodal_data", "image_data", "audio_data", NULL };
	struct slice key = { c->out->ptr + c->key, c->key_len };
	bool is_in_array = c->depth && c->open[c->depth - 1] == '[';

	if (!is_in_array && c->last != ':')
		return false;
	for (const char *const *name = is_in_array ? arrays : names; *name; name++)
		if (slice_eq(key, slice_of(*name)))
			return true;
	return false;
}

/* Writes a note for a long base64 value: a data: URI anywhere, bare base64 under
 * a key that holds such (a long word in a prompt is text). The hash is of the
 * base64 text. */
static bool add_base64_note(struct cleaner *c, struct slice text)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct slice type = SLICE("data");

	if (!(c->flags & JSON_OMIT_BASE64) || text.len <= LIMIT_BASE64)
		return false;
	if (slice_starts(text, SLICE("data:"))) {
		const char *mark = memmem(text.ptr, MIN(text.len, (size_t)256), ";base64,", 8);

		if (!mark)
			return false;
		type = media_type((struct slice){ text.ptr + 5, (size_t)(mark - text.ptr) - 5 });
		slice_take(&text, (size_t)(mark + 8 - text.ptr));
	} else if (!is_data_key(c)) {
		return false;
	}
	if (!is_base64(text))
		return false;

	buf_printf(c->out, "[omitted %.*s, %zu bytes base64, sha256 ", (int)type.len, type.ptr, text.len);
	if (!SHA256((const unsigned char *)text.ptr, text.len, hash))
		memory_failed();
	else for (size_t i = 0; i < 8; i++)
		buf_printf(c->out, "%02x", hash[i]);
	buf_add_char(c->out, ']');
	return true;
}

static int clean_string(struct cleaner *c)
{
	bool is_key = c->depth && c->open[c->depth - 1] == '{' && c->last != ':';
	struct slice text;

	slice_take(&c->in, 1);
	text = slice_take(&c->in, string_len(c->in));
	c->is_cut = !c->in.len;
	if (c->is_cut) {
		if (!(c->flags & JSON_CUT))
			return -EBADMSG;
		if (is_key)
			return 0;
		text.len = without_broken_tail(text);
	} else {
		slice_take(&c->in, 1);
	}

	buf_add_char(c->out, '"');
	if (is_key)
		c->key = c->out->len;
	if (is_key || !add_base64_note(c, text))
		clean_text(c, text);
	if (is_key)
		c->key_len = c->out->len - c->key;
	buf_add_char(c->out, '"');
	if (!is_key)
		c->whole_len = c->out->len;
	return 0;
}

static int clean_open(struct cleaner *c)
{
	if (c->depth == LIMIT_JSON_DEPTH || ++c->values > LIMIT_JSON_VALUES)
		return -EBADMSG;
	c->last = c->in.ptr[0];
	c->open[c->depth++] = c->last;
	add_value(c, slice_take(&c->in, 1));
	return 0;
}

static int clean_close(struct cleaner *c)
{
	char want = c->in.ptr[0] == '}' ? '{' : '[';

	if (!c->depth || c->open[c->depth - 1] != want)
		return -EBADMSG;
	c->depth--;
	c->last = c->in.ptr[0];
	add_value(c, slice_take(&c->in, 1));
	return 0;
}

static int clean_between(struct cleaner *c)
{
	if (++c->values > LIMIT_JSON_VALUES)
		return -EBADMSG;
	c->last = c->in.ptr[0];
	buf_add_slice(c->out, slice_take(&c->in, 1));
	return 0;
}

/* Number or literal. Python writes NaN and Infinity, which are no JSON. */
static void clean_scalar(struct cleaner *c)
{
	size_t len = 0;
	struct slice text;

	while (len < c->in.len && !memchr("{}[],:\" \t\r\n", c->in.ptr[len], 11))
		len++;
	text = slice_take(&c->in, len);
	if (!c->in.len && (c->flags & JSON_CUT) && c->depth)
		return;
	if (slice_eq(text, SLICE("NaN")) || slice_eq(text, SLICE("Infinity")) ||
	    slice_eq(text, SLICE("-Infinity"))) {
		text = SLICE("null");
		c->is_repaired = true;
	}
	add_value(c, text);
}

static int clean_token(struct cleaner *c)
{
	switch (c->in.ptr[0]) {
	case '"':
		return clean_string(c);
	case '{': case '[':
		return clean_open(c);
	case '}': case ']':
		return clean_close(c);
	case ',': case ':':
		return clean_between(c);
	case ' ': case '\t': case '\r': case '\n':
		slice_take(&c->in, 1);
		return 0;
	default:
		clean_scalar(c);
		return 0;
	}
}

int json_clean(struct slice in, unsigned flags, struct buf *ret, loss_set *marks)
{
	struct cleaner c = { .in = in, .out = ret, .flags = flags };

	if (slice_starts(c.in, SLICE("\xef\xbb\xbf")))
		slice_take(&c.in, 3);
	while (c.in.len && !is_closed(&c)) {
		int r = clean_token(&c);

		if (r < 0)
			return r;
	}
	if (!ret->ptr || (c.depth && !(flags & JSON_CUT)))
		return -EBADMSG;
	if (c.depth) {
		ret->len = c.whole_len;
		while (c.depth)
			buf_add_char(ret, c.open[--c.depth] == '{' ? '}' : ']');
		*marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	}
	if (c.is_repaired)
		*marks |= LOSS_BIT(LOSS_BAD_TEXT);
	return buf_ok(ret) ? 0 : -ENOMEM;
}
