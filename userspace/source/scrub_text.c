/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies: what looks like a secret in any text. A token that the end of a piece
 * cuts is taken for one, however short it is so far.
 *
 *	SEEK --"bearer ", "sk-"…--> MAYBE --long enough, or cut--> TOKEN --its end--> SEEK
 *	SEEK --"api_key"…--> MEMBER --": \""--> QUOTED --quote--> SEEK
 *	                            --"="-----> BARE --delimiter--> SEEK
 */
#include "source/scrub_private.h"

#include <ctype.h>

enum { KEY_LEAST = 16, BEARER_LEAST = 8, GAP_MAX = 16, LONGEST = sizeof("secret_access_key") - 1 };

/* By their first letters, whatever their case: see of_letter. */
static const struct pattern {
	const char *text;	/* in lower case if is_nocase */
	uint8_t least;		/* bytes behind it that make a token; 0: it names a member */
	bool is_nocase;
} patterns[] = {
	{ "AIza", KEY_LEAST, false },
	{ "AKIA", 12, false },
	{ "ASIA", 12, false },
	{ "access_token", 0, true },
	{ "api-key", 0, true },
	{ "api_key", 0, true },
	{ "apikey", 0, true },
	{ "authorization", 0, true },
	{ "bearer ", BEARER_LEAST, true },
	{ "client_secret", 0, true },
	{ "ghp_", KEY_LEAST, false },
	{ "github_pat_", KEY_LEAST, false },
	{ "gsk_", KEY_LEAST, false },
	{ "hf_", KEY_LEAST, false },
	{ "pplx-", KEY_LEAST, false },
	{ "refresh_token", 0, true },
	{ "secret_access_key", 0, true },
	{ "session_token", 0, true },
	{ "sk-", KEY_LEAST, false },
	{ "sk_", KEY_LEAST, false },
	{ "xai-", KEY_LEAST, false },
};
_Static_assert(ARRAY_SIZE(patterns) <= SCRUB_PATTERNS_MAX, "a counter for each pattern");

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~+/=", c));
}

/* Whether a token may begin behind this byte: "risk-" has no key. */
static bool is_boundary(char c)
{
	return !isalnum((unsigned char)c) && c != '-' && c != '_';
}

static bool is_start(const struct scrub_text *text, const struct pattern *pattern)
{
	/* Names of members may be the end of longer ones: OPENAI_API_KEY. */
	return !pattern->least || is_boundary(text->before);
}

/* Counts on in every pattern; the one that is complete, or NULL. */
static const struct pattern *match(struct scrub_text *text, char c)
{
	const struct pattern *found = NULL;
	bool is_matching = false;
	char lower = (char)tolower((unsigned char)c);

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct pattern *pattern = &patterns[i];
		uint8_t *matched = &text->matched[i];
		char have = pattern->is_nocase ? lower : c;

		if (*matched && pattern->text[*matched] == have)
			++*matched;
		else
			*matched = pattern->text[0] == have && is_start(text, pattern);
		is_matching |= *matched;
		if (!pattern->text[*matched])
			found = pattern;
	}
	text->is_matching = is_matching;
	return found;
}

struct range {
	uint8_t from, to;	/* in patterns; to is behind the last */
};

/* Most bytes of a text begin no pattern, and it is long: this is its inner loop. */
static inline struct range of_letter(char c)
{
	static const struct range ranges[256] = {
		['a'] = { 0, 8 }, ['A'] = { 0, 8 }, ['b'] = { 8, 9 }, ['B'] = { 8, 9 }, ['c'] = { 9, 10 },
		['C'] = { 9, 10 }, ['g'] = { 10, 13 }, ['h'] = { 13, 14 }, ['p'] = { 14, 15 }, ['r'] = { 15, 16 },
		['R'] = { 15, 16 }, ['s'] = { 16, 20 }, ['S'] = { 16, 20 }, ['x'] = { 20, 21 },
	};

	return ranges[(unsigned char)c];
}

static bool begins_any(char c)
{
	return of_letter(c).to;
}

/* Whether the pattern stands here, with no need to look further. */
static bool stands_at(const struct pattern *pattern, const char *bytes)
{
	for (size_t i = 0; pattern->text[i]; i++) {
		char c = pattern->is_nocase ? (char)tolower((unsigned char)bytes[i]) : bytes[i];

		if (c != pattern->text[i])
			return false;
	}
	return true;
}

static void enter(struct scrub_text *text, const struct pattern *pattern)
{
	memset(text->matched, 0, sizeof(text->matched));
	text->is_matching = false;
	text->least = pattern->least;
	text->state = pattern->least ? TEXT_MAYBE : TEXT_MEMBER;
	text->gap = 0;
	text->has_separator = text->is_assigned = false;
}

/* The pattern that begins here, or NULL. */
static const struct pattern *pattern_at(const struct scrub_text *text, const char *bytes)
{
	struct range range = of_letter(bytes[0]);

	for (size_t i = range.from; i < range.to; i++)
		/* Nearly all end at their second byte, of which case is a bit. */
		if (((bytes[1] ^ patterns[i].text[1]) & ~0x20) == 0 && stands_at(&patterns[i], bytes) &&
		    is_start(text, &patterns[i]))
			return &patterns[i];
	return NULL;
}

/* As match(), where enough bytes follow to see each pattern whole. Returns how many
 * are done with. */
static size_t seek_fast(struct scrub_text *text, const char *bytes, size_t len)
{
	const struct pattern *found;
	size_t i = 0;

	for (; i + LONGEST <= len; i++) {
		if (!begins_any(bytes[i]))
			continue;
		text->before = i ? bytes[i - 1] : text->before;
		found = pattern_at(text, bytes + i);
		if (!found)
			continue;
		i += strlen(found->text);
		enter(text, found);
		break;
	}
	text->before = i ? bytes[i - 1] : text->before;
	return i;
}

static size_t seek(struct scrub_text *text, const char *bytes, size_t len)
{
	size_t i = text->is_matching ? 0 : seek_fast(text, bytes, len);

	while (i < len && text->state == TEXT_SEEK) {
		char c = bytes[i++];

		if (text->is_matching || begins_any(c)) {
			const struct pattern *found = match(text, c);

			if (found)
				enter(text, found);
		}
		text->before = c;
		if (!text->is_matching && i + LONGEST <= len)
			break;
	}
	return i;
}

static size_t token_len(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && is_token_char(bytes[n]))
		n++;
	return n;
}

/* The token behind a prefix: overwritten when it is one. */
static size_t take_maybe(struct scrub_text *text, char *bytes, size_t len)
{
	size_t n = token_len(bytes, len);

	text->state = TEXT_SEEK;
	if (n < text->least && n < len)
		return 0;
	memset(bytes, '*', n);
	text->before = '*';
	if (n == len)
		text->state = TEXT_TOKEN;
	return n;
}

static size_t take_token(struct scrub_text *text, char *bytes, size_t len)
{
	size_t n = token_len(bytes, len);

	memset(bytes, '*', n);
	if (n < len)
		text->state = TEXT_SEEK;
	return n;
}

/* Between a member's name and its value, in JSON (also inside of a JSON string),
 * a query or a program. Where the value begins, or none does, the byte is left for
 * the next state. */
static size_t take_gap(struct scrub_text *text, char c)
{
	bool is_quote = c == '"' || c == '\'', is_separator = c == ':' || c == '=';

	if (++text->gap > GAP_MAX) {
		text->state = TEXT_SEEK;
		return 0;
	}
	if (!is_quote && !is_separator && c != '\\' && !isspace((unsigned char)c)) {
		text->state = text->is_assigned ? TEXT_BARE : TEXT_SEEK;
		return 0;
	}
	text->before = c;
	text->is_assigned |= c == '=';
	if (is_quote && text->has_separator)
		text->state = TEXT_QUOTED;
	text->has_separator |= is_separator;
	return 1;
}

static size_t take_value(struct scrub_text *text, char *bytes, size_t len)
{
	const char *ends = text->state == TEXT_QUOTED ? "\"'\\\r\n" : "\"'\\\r\n\t &;,<>)}]";
	size_t n = 0;

	while (n < len && !(bytes[n] && strchr(ends, bytes[n])))
		bytes[n++] = '*';
	if (n < len)
		text->state = TEXT_SEEK;
	text->before = '*';
	return n;
}

void scrub_text(struct scrub_text *text, char *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		switch (text->state) {
		case TEXT_SEEK:
			i += seek(text, bytes + i, len - i);
			break;
		case TEXT_MAYBE:
			i += take_maybe(text, bytes + i, len - i);
			break;
		case TEXT_TOKEN:
			i += take_token(text, bytes + i, len - i);
			break;
		case TEXT_MEMBER:
			i += take_gap(text, bytes[i]);
			break;
		case TEXT_QUOTED:
		case TEXT_BARE:
			i += take_value(text, bytes + i, len - i);
			break;
		}
	}
}

void scrub_text_gap(struct scrub_text *text)
{
	if (text->state == TEXT_MAYBE)
		text->state = TEXT_TOKEN;
}

bool scrub_is_text(struct slice content_type, struct slice content_encoding)
{
	static const char *const others[] = {
		"eventstream", "grpc", "octet-stream", "protobuf", "audio/", "image/", "video/", "zip", "font/",
	};

	if (content_encoding.len && !slice_eq_nocase(content_encoding, SLICE("identity")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (content_type.len && memmem(content_type.ptr, content_type.len, others[i], strlen(others[i])))
			return false;
	return true;
}
