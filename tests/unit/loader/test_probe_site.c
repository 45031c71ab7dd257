/* SPDX-License-Identifier: Apache-2.0 */
/* The chooser on instructions put together by hand. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/base.h"
#include "loader/probe_site.h"

/* --- a file of code, assembled from text -------------------------------------- */

enum {
	BASE = 0x1000,
	PLAIN = BASE, EX = BASE + 0x100, INNER = BASE + 0x200, OTHER = BASE + 0x300,
	PEEK = BASE + 0x400, STUB = BASE + 0x500, POINTER = BASE + 0x800,
	IMAGE_SIZE = 0x600,
};

struct image {
	uint8_t bytes[IMAGE_SIZE];
	size_t len;
	uint64_t pointer_target;	/* of the pointer at POINTER */
};

static uint64_t place(char name)
{
	switch (name) {
	case 'P': return PLAIN;
	case 'E': return EX;
	case 'I': return INNER;
	case 'O': return OTHER;
	case 'S': return STUB;
	case 'X': return POINTER;
	}
	cr_assert_fail("no place is called %c", name);
	return 0;
}

static void put(struct image *image, uint64_t *at, const void *bytes, size_t len)
{
	cr_assert(*at - BASE + len <= IMAGE_SIZE);
	memcpy(image->bytes + (*at - BASE), bytes, len);
	*at += len;
}

/* "48 83": bytes. "call:P", "jmp:I", "je:P": to that place. "jmp*X", "call*X":
 * through the pointer. Returns how many bytes it made. */
static size_t assemble(struct image *image, uint64_t at, const char *text)
{
	static const struct { const char *name; uint8_t bytes[2]; size_t len; } branches[] = {
		{ "call:", { 0xe8 }, 1 }, { "jmp:", { 0xe9 }, 1 }, { "je:", { 0x0f, 0x84 }, 2 },
		{ "call*", { 0xff, 0x15 }, 2 }, { "jmp*", { 0xff, 0x25 }, 2 },
	};
	uint64_t start = at;

	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned byte;
		size_t i;

		for (i = 0; i < ARRAY_SIZE(branches); i++)
			if (strncmp(text, branches[i].name, strlen(branches[i].name)) == 0)
				break;
		if (i < ARRAY_SIZE(branches)) {
			int32_t rel = place(text[len - 1]) - (at + branches[i].len + 4);

			put(image, &at, branches[i].bytes, branches[i].len);
			put(image, &at, &rel, sizeof(rel));
		} else {
			cr_assert_eq(sscanf(text, "%2x", &byte), 1, "bad byte in '%s'", text);
			put(image, &at, &(uint8_t){ byte }, 1);
		}
		text += len + strspn(text + len, " ");
	}
	return at - start;
}

static size_t read_image(void *ctx, uint64_t address, void *ret, size_t size)
{
	const struct image *image = ctx;

	if (address < BASE || address >= BASE + image->len)
		return 0;
	size = MIN(size, (size_t)(BASE + image->len - address));
	memcpy(ret, image->bytes + (address - BASE), size);
	return size;
}

static uint64_t follow_image(void *ctx, uint64_t address)
{
	const struct image *image = ctx;

	return address == POINTER ? image->pointer_target : 0;
}

static void image_init(struct image *image)
{
	memset(image->bytes, 0xcc, sizeof(image->bytes));
	image->len = IMAGE_SIZE;
	image->pointer_target = 0;
}

/* --- one function ----------------------------------------------------------------- */

#define ENDBR "f3 0f 1e fa "
#define ARGS12 (PROBE_ARG1 | PROBE_ARG2)

static const struct {
	const char *name, *code;
	unsigned arguments;
	bool has_return;
	uint64_t want_at;
	enum probe_rule want_rule;
} functions[] = {
	{ "push at the entry",		"55 48 89 e5 c3",			ARGS12, true,  0, PROBE_SYMBOL },
	{ "push of a new register",	"41 57 c3",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "endbr64, then push",		ENDBR "53 c3",				ARGS12, true,  4, PROBE_SYMBOL },
	{ "one-byte nop",		"90 c3",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "tail jump, near",		"jmp:O",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "tail jump, short",		"eb 10",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "jcc, near",			"je:O c3",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "call",			"call:O c3",				ARGS12, true,  0, PROBE_SYMBOL },
	{ "five-byte nop, then ret",	"0f 1f 44 00 00 c3",			ARGS12, true,  0, PROBE_STEPPED },
	{ "five-byte nop, then push",	"0f 1f 44 00 00 55 c3",			ARGS12, true,  5, PROBE_LATER },
	{ "two-byte nop",		"66 90 c3",				ARGS12, true,  0, PROBE_STEPPED },
	{ "ret alone",			"c3",					ARGS12, true,  0, PROBE_STEPPED },
	{ "endbr64, then ret",		ENDBR "c3",				ARGS12, true,  0, PROBE_STEPPED },
	{ "push imm32 is not emulated",	"68 00 00 00 00 c3",			ARGS12, true,  0, PROBE_STEPPED },
	{ "jmp by register is not",	"ff e0",				ARGS12, true,  0, PROBE_STEPPED },
	{ "cmpb, then je",		"80 3d 00 00 00 00 00 74 10 c3",	ARGS12, true,  7, PROBE_LATER },
	{ "je after the stack moved",	"48 83 ec 18 85 d2 78 10 c3",		ARGS12, true,  0, PROBE_STEPPED },
	{ "the same, entry only",	"48 83 ec 18 85 d2 78 10 c3",		ARGS12, false, 6, PROBE_LATER },
	{ "argument overwritten",	"48 89 f7 74 10 c3",			PROBE_ARG1, false, 0, PROBE_STEPPED },
	{ "its low half overwritten",	"31 ff 74 10 c3",			PROBE_ARG1, false, 0, PROBE_STEPPED },
	{ "another one overwritten",	"31 c9 74 10 c3",			ARGS12, false, 2, PROBE_LATER },
	{ "the fourth is needed",	"31 c9 74 10 c3",			ARGS12 | PROBE_ARG4, false, 0, PROBE_STEPPED },
	{ "the branch is in a loop",	"31 c0 ff c0 74 02 eb fa c3",		ARGS12, false, 0, PROBE_STEPPED },
	{ "push after ret is not ours",	"48 89 f8 c3 55",			ARGS12, true,  0, PROBE_STEPPED },
};

Test(probe_site, one_function)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct image image;
		struct probe_code code = { read_image, NULL, &image };
		struct probe_function function = { .address = PLAIN };
		struct probe_site site;

		image_init(&image);
		function.size = assemble(&image, PLAIN, functions[i].code);
		cr_assert_eq(probe_site_choose(&code, &function, functions[i].arguments,
					       functions[i].has_return, &site), 0);
		cr_expect_eq(site.address, PLAIN + functions[i].want_at, "%s: at +%d", functions[i].name,
			     (int)(site.address - PLAIN));
		cr_expect_eq(site.rule, functions[i].want_rule, "%s: %s", functions[i].name,
			     probe_rule_name(site.rule));
	}
}

/* An instruction that the end of the file cuts is not one. */
static const struct {
	const char *code;
	size_t kept;
	enum probe_rule want;
} cuts[] = {
	{ "41 57", 1, PROBE_STEPPED },
	{ "41 57", 2, PROBE_SYMBOL },
	{ "jmp:O", 4, PROBE_STEPPED },
	{ "jmp:O", 5, PROBE_SYMBOL },
	{ "je:O", 5, PROBE_STEPPED },
	{ "eb 10", 1, PROBE_STEPPED },
	{ ENDBR "55", 4, PROBE_STEPPED },
	{ ENDBR "55", 5, PROBE_SYMBOL },
};

Test(probe_site, code_cut_at_the_end_of_the_file)
{
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct image image;
		struct probe_code code = { read_image, NULL, &image };
		struct probe_function function = { PLAIN, 64 };
		struct probe_site site;

		image_init(&image);
		assemble(&image, PLAIN, cuts[i].code);
		image.len = cuts[i].kept;
		cr_assert_eq(probe_site_choose(&code, &function, ARGS12, true, &site), 0);
		cr_expect_eq(site.rule, cuts[i].want, "%s, cut at %zu: %s", cuts[i].code, cuts[i].kept,
			     probe_rule_name(site.rule));
	}
}

Test(probe_site, code_beyond_the_file_is_an_error)
{
	struct image image;
	struct probe_code code = { read_image, NULL, &image };
	struct probe_function outside = { BASE + IMAGE_SIZE, 64 }, absent = { PLAIN, 0 };
	struct probe_site site = { 1, PROBE_INNER };

	image_init(&image);
	cr_expect_eq(probe_site_choose(&code, &outside, ARGS12, true, &site), -ENODATA);
	cr_expect_eq(probe_site_choose(&code, &absent, ARGS12, true, &site), -ENODATA);
	cr_expect_eq(site.address, 1, "an output is untouched on failure");
}

/* --- a pair -------------------------------------------------------------------------- */

#define SUB	"48 83 ec 18 "		/* sub $0x18, %rsp */
#define TEST_JS	"85 d2 78 20 "		/* test %edx, %edx; js */
#define LOCAL	"48 8d 4c 24 08 "	/* lea 0x8(%rsp), %rcx */
#define LOCAL0	"48 89 e1 "		/* mov %rsp, %rcx */
#define WIDEN	"48 63 d2 "		/* movslq %edx, %rdx */
#define CANARY	"64 48 8b 04 25 28 00 00 00 48 89 44 24 08 31 c0 "
#define SUB8	"48 83 ec 08 "
#define PUSH	"41 55 c3"

static const struct {
	const char *name, *plain, *ex, *inner, *peek;
	char pointer;		/* where the pointer leads; 0 nowhere */
	const char *want;
} pairs[] = {
	{ "OpenSSL 1.1.1 and 3.0",
	  SUB TEST_JS LOCAL WIDEN "call:I c3", SUB8 "call:I c3", PUSH, NULL, 0, "inner+0" },
	{ "the same with a stack protector",
	  SUB CANARY TEST_JS LOCAL0 WIDEN "call:I c3", SUB8 "call:I c3", PUSH, NULL, 0, "inner+0" },
	{ "the inner one begins with endbr64",
	  ENDBR SUB LOCAL WIDEN "call:I c3", ENDBR SUB8 "call:I c3", ENDBR PUSH, NULL, 0, "inner+4" },
	{ "X_ex jumps to the inner one",
	  SUB LOCAL WIDEN "call:I c3", "jmp:I", PUSH, NULL, 0, "inner+0" },
	{ "the inner one does not begin with a push",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", SUB "c3", NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "two different inner ones",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:O c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "done is the fifth argument, as in OpenSSL 3.3's writes",
	  SUB TEST_JS "31 c9 " WIDEN "4c 8d 44 24 08 call:I c3", "49 89 c8 31 c9 jmp:I", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "X hands on no address of a local",
	  SUB WIDEN "call:I c3", SUB8 "call:I c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "X_ex hands on a local instead of its argument",
	  SUB LOCAL WIDEN "call:I c3", SUB8 LOCAL "call:I c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "the buffer is another one",
	  SUB LOCAL WIDEN "31 f6 call:I c3", SUB8 "call:I c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "an earlier call spoils the arguments",
	  SUB LOCAL WIDEN "call:O call:I c3", SUB8 "call:I c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "peeking calls the inner one, too",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", PUSH, SUB8 "31 c0 call:I c3", 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "peeking has its own",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", PUSH, SUB8 "call:O c3", 0, "inner+0" },
	{ "inlined into both, as in Node",
	  "55 48 89 e5 85 d2 31 f6 call:O c3", "55 48 89 e5 31 f6 call:O c3", PUSH, NULL, 0,
	  "plain+0 symbol ex+0 symbol" },
	{ "X_ex calls X, as in LibreSSL",
	  "55 c3", "55 53 89 d0 call:P c3", PUSH, NULL, 0, "plain+0 symbol" },
	{ "X_ex jumps to X",
	  "55 c3", "31 c9 jmp:P", PUSH, NULL, 0, "plain+0 symbol" },
	{ "X_ex jumps to X on a condition",
	  "55 c3", "55 85 ff je:P 5d c3", PUSH, NULL, 0, "plain+0 symbol" },
	{ "X_ex calls X, which has an inner one",
	  SUB LOCAL WIDEN "call:I c3", "55 call:P c3", PUSH, NULL, 0, "plain+0 single-stepped" },
	{ "X_ex calls X through the linkage table",
	  "55 c3", "55 call:S c3", PUSH, NULL, 'P', "plain+0 symbol" },
	{ "X_ex calls X through a pointer",
	  "55 c3", "55 call*X c3", PUSH, NULL, 'P', "plain+0 symbol" },
	{ "a pointer to something else",
	  "55 c3", "55 call*X c3", PUSH, NULL, 'O', "plain+0 symbol ex+0 symbol" },
	{ "X calls X_ex",
	  SUB LOCAL WIDEN "call:E c3", "55 c3", PUSH, NULL, 0, "ex+0 symbol" },
	{ "only X",
	  SUB LOCAL WIDEN "call:I c3", "", PUSH, NULL, 0, "plain+0 single-stepped" },
	{ "only X_ex",
	  "", "41 54 c3", PUSH, NULL, 0, "ex+0 symbol" },
};

static void say_site(char *text, size_t size, const char *name, uint64_t start, const struct probe_site *site)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s+%d %s", len ? " " : "", name, (int)(site->address - start),
		 probe_rule_name(site->rule));
}

static void choose_pair(size_t i, char *ret, size_t size)
{
	struct image image;
	struct probe_code code = { read_image, follow_image, &image };
	struct probe_function plain = { .address = PLAIN }, ex = { .address = EX }, peek = { .address = PEEK };
	struct probe_pair pair;

	image_init(&image);
	image.pointer_target = pairs[i].pointer ? place(pairs[i].pointer) : 0;
	plain.size = assemble(&image, PLAIN, pairs[i].plain);
	ex.size = assemble(&image, EX, pairs[i].ex);
	assemble(&image, INNER, pairs[i].inner);
	assemble(&image, OTHER, PUSH);
	assemble(&image, STUB, ENDBR "f2 jmp*X");
	peek.size = pairs[i].peek ? assemble(&image, PEEK, pairs[i].peek) : 0;
	cr_assert_eq(probe_pair_choose(&code, &plain, &ex, &peek, 1, &pair), 0, "%s", pairs[i].name);
	ret[0] = '\0';
	if (pair.is_inner)
		snprintf(ret, size, "inner+%d", (int)(pair.inner.address - INNER));
	if (pair.is_plain)
		say_site(ret, size, "plain", PLAIN, &pair.plain);
	if (pair.is_ex)
		say_site(ret, size, "ex", EX, &pair.ex);
}

Test(probe_site, no_byte_of_a_pair_counts_twice)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char got[128];

		choose_pair(i, got, sizeof(got));
		cr_expect_str_eq(got, pairs[i].want, "%s: %s, wanted %s", pairs[i].name, got, pairs[i].want);
	}
}

Test(probe_site, a_pair_of_nothing_is_an_error)
{
	struct image image;
	struct probe_code code = { read_image, follow_image, &image };
	struct probe_function absent = {};
	struct probe_pair pair;

	image_init(&image);
	cr_expect_eq(probe_pair_choose(&code, &absent, &absent, NULL, 0, &pair), -ENODATA);
}
