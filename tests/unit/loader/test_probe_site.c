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
	PEEK = BASE + 0x400, STUB = BASE + 0x500, EX2 = BASE + 0x600, POINTER = BASE + 0x800,
	IMAGE_SIZE = 0x700,
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
	case '2': return EX2;
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
/* OpenSSL 3.3 and later. */
#define ZERO	"31 c9 "		/* xor %ecx, %ecx */
#define LOCAL5	"4c 8d 44 24 08 "	/* lea 0x8(%rsp), %r8 */
#define DONE5	"49 89 c8 "		/* mov %rcx, %r8 */
#define PLAIN5	SUB TEST_JS ZERO WIDEN LOCAL5 "call:I c3"
#define EX5	DONE5 ZERO "jmp:2"
#define EX2_5	SUB8 "call:I c3"

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
	{ "the inner one would be single-stepped",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", SUB "c3", NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "two different inner ones",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:O c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "done is the fifth argument, and no X_ex2 tells",
	  PLAIN5, "49 89 c8 31 c9 jmp:I", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "half of the address of a local",
	  SUB "8d 4c 24 08 " WIDEN "call:I c3", SUB8 "call:I c3", PUSH, NULL, 0,
	  "plain+0 single-stepped ex+0 single-stepped" },
	{ "the local is found by a frame pointer",
	  "55 48 89 e5 " SUB "48 8d 4d f8 " WIDEN "call:I c3", "55 48 89 e5 call:I c3", PUSH, NULL, 0, "inner+0" },
	{ "rbp is no frame pointer",
	  "55 " SUB "48 8d 4d f8 " WIDEN "call:I c3", "55 call:I c3", PUSH, NULL, 0,
	  "plain+0 symbol ex+0 symbol" },
	{ "rbp was one",
	  "55 48 89 e5 5d 48 8d 4d f8 " WIDEN "call:I c3", "55 call:I c3", PUSH, NULL, 0,
	  "plain+0 symbol ex+0 symbol" },
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
	  SUB LOCAL WIDEN "call:I c3", NULL, PUSH, NULL, 0, "plain+0 single-stepped" },
	{ "only X_ex",
	  NULL, "41 54 c3", PUSH, NULL, 0, "ex+0 symbol" },
};

static void say_site(char *text, size_t size, const char *name, uint64_t start, const struct probe_site *site)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s+%d %s", len ? " " : "", name, (int)(site->address - start),
		 probe_rule_name(site->rule));
}

struct texts {
	const char *name, *plain, *ex, *ex2, *inner, *peek;	/* NULL: there is none */
	char pointer;
};

static void assemble_function(struct image *image, uint64_t at, const char *text, struct probe_function *ret)
{
	*ret = (struct probe_function){ at, text ? assemble(image, at, text) : 0 };
}

static void choose_pair(const struct texts *texts, char *ret, size_t size)
{
	static const struct { const char *name; uint64_t start; } forms[PROBE_FORMS] = {
		{ "plain", PLAIN }, { "ex", EX }, { "ex2", EX2 },
	};
	struct image image;
	struct probe_code code = { read_image, follow_image, &image };
	struct probe_pair pair = {};
	struct probe_pair_sites sites;

	image_init(&image);
	image.pointer_target = texts->pointer ? place(texts->pointer) : 0;
	assemble_function(&image, PLAIN, texts->plain, &pair.forms[PROBE_PLAIN]);
	assemble_function(&image, EX, texts->ex, &pair.forms[PROBE_EX]);
	assemble_function(&image, EX2, texts->ex2, &pair.forms[PROBE_EX2]);
	assemble_function(&image, PEEK, texts->peek, &pair.peeks[1]);
	assemble(&image, INNER, texts->inner);
	assemble(&image, OTHER, PUSH);
	assemble(&image, STUB, ENDBR "f2 jmp*X");
	cr_assert_eq(probe_pair_choose(&code, &pair, &sites), 0, "%s", texts->name);
	ret[0] = '\0';
	if (sites.is_inner)
		snprintf(ret, size, "inner+%d%s", (int)(sites.inner.address - INNER),
			 sites.is_done_fifth ? " fifth" : "");
	for (size_t i = 0; i < PROBE_FORMS; i++)
		if (sites.has_form[i])
			say_site(ret, size, forms[i].name, forms[i].start, &sites.forms[i]);
}

Test(probe_site, no_byte_of_a_pair_counts_twice)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char got[128];

		choose_pair(&(struct texts){ pairs[i].name, pairs[i].plain, pairs[i].ex, NULL, pairs[i].inner,
					     pairs[i].peek, pairs[i].pointer }, got, sizeof(got));
		cr_expect_str_eq(got, pairs[i].want, "%s: %s, wanted %s", pairs[i].name, got, pairs[i].want);
	}
}

#define EACH	"plain+0 single-stepped ex+0 single-stepped ex2+0 single-stepped"
#define NOT_EX	"plain+0 single-stepped ex2+0 single-stepped"

/* Pairs with an X_ex2. Each has the same inner function. */
static const struct {
	const char *name, *plain, *ex, *ex2, *peek;
	char pointer;
	const char *want;
} trios[] = {
	{ "OpenSSL 3.3 to 3.5", PLAIN5, EX5, EX2_5, NULL, 0, "inner+0 fifth" },
	{ "the same with endbr64 and a stack protector",
	  ENDBR SUB CANARY TEST_JS ZERO WIDEN "49 89 e0 call:I c3", ENDBR EX5, ENDBR EX2_5, NULL, 0, "inner+0 fifth" },
	{ "the same with frame pointers",
	  "55 48 89 e5 " SUB TEST_JS ZERO WIDEN "4c 8d 45 f8 call:I c3", "55 48 89 e5 " DONE5 ZERO "5d jmp:2",
	  "55 48 89 e5 call:I 5d c3", NULL, 0, "inner+0 fifth" },
	{ "X_ex2 is inlined into X_ex", PLAIN5, SUB8 DONE5 ZERO "call:I c3", EX2_5, NULL, 0, "inner+0 fifth" },
	{ "X_ex calls X_ex2", PLAIN5, SUB8 DONE5 ZERO "call:2 c3", EX2_5, NULL, 0, "inner+0 fifth" },
	{ "X_ex jumps through the linkage table", PLAIN5, DONE5 ZERO "jmp:S", EX2_5, NULL, '2', "inner+0 fifth" },
	{ "a linkage table to something else", PLAIN5, DONE5 ZERO "jmp:S", EX2_5, NULL, 'O', EACH },
	{ "X goes by X_ex2, too",
	  SUB ZERO WIDEN LOCAL5 "call:2 c3", EX5, EX2_5, NULL, 0, "inner+0 fifth" },
	{ "flags are zero by mov", SUB "b9 00 00 00 00 " WIDEN LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, "inner+0 fifth" },

	{ "X hands on flags", SUB "b9 01 00 00 00 " WIDEN LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X hands on 16 bits of zero", SUB "66 31 c9 " WIDEN LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X mixes two registers", SUB "31 d1 " WIDEN LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X hands on a local fourth", SUB LOCAL WIDEN LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X hands on no local", SUB ZERO WIDEN "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X hands on half an address", SUB ZERO WIDEN "44 8d 44 24 08 call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X widens what is not num", SUB ZERO "48 63 d1 " LOCAL5 "call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X loses done again", SUB ZERO WIDEN LOCAL5 "4d 31 c0 call:I c3", EX5, EX2_5, NULL, 0, NOT_EX },
	{ "X_ex hands on its flags, not its done", PLAIN5, ZERO "jmp:2", EX2_5, NULL, 0, NOT_EX },
	{ "X_ex clears done first", PLAIN5, ZERO DONE5 "jmp:2", EX2_5, NULL, 0, NOT_EX },
	{ "X_ex hands on half of done", PLAIN5, "41 89 c8 " ZERO "jmp:2", EX2_5, NULL, 0, NOT_EX },
	{ "X_ex does not clear the flags", PLAIN5, DONE5 "jmp:2", EX2_5, NULL, 0, NOT_EX },
	{ "X_ex swaps the two", PLAIN5, "49 87 c8 jmp:2", EX2_5, NULL, 0, NOT_EX },
	{ "X_ex2 clears the flags", PLAIN5, EX5, SUB8 ZERO "call:I c3", NULL, 0, NOT_EX },
	{ "X_ex2 hands on a local", PLAIN5, EX5, SUB LOCAL5 "call:I c3", NULL, 0, NOT_EX },
	{ "X_ex2 hands on flags as done", PLAIN5, EX5, SUB8 DONE5 "call:I c3", NULL, 0, NOT_EX },
	{ "X_ex2 has another inner one", PLAIN5, EX5, SUB8 "call:O c3", NULL, 0, NOT_EX },
	{ "X_ex2 calls itself", PLAIN5, EX5, SUB8 "call:2 c3", NULL, 0, NOT_EX },
	{ "peeking calls the inner one, too", PLAIN5, EX5, EX2_5, SUB8 "call:I c3", 0, NOT_EX },
	{ "done is fourth although there is an X_ex2",
	  SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", SUB8 "call:I c3", NULL, 0, EACH },
	{ "inlined into X and X_ex2", "55 31 f6 c3", EX5, "55 31 f6 c3", NULL, 0, "plain+0 symbol ex2+0 symbol" },
	{ "X_ex2's done is lost before the first emulated one",
	  "55 c3", EX5, "4d 31 c0 55 c3", NULL, 0, "plain+0 symbol ex2+0 single-stepped" },
	{ "all through X", "55 c3", "55 call:P c3", "55 call:E c3", NULL, 0, "plain+0 symbol" },
	{ "X and X_ex through X_ex2", "55 call:E c3", "55 call:2 c3", "55 c3", NULL, 0, "ex2+0 symbol" },
	{ "two that call each other", "55 call:E c3", "55 call:P c3", "55 c3", NULL, 0, "plain+0 symbol ex2+0 symbol" },
	{ "only X_ex2", NULL, NULL, EX2_5, NULL, 0, "ex2+0 single-stepped" },
	{ "no X", NULL, EX5, EX2_5, NULL, 0, "ex2+0 single-stepped" },
	{ "no X_ex", PLAIN5, NULL, EX2_5, NULL, 0, NOT_EX },
};

Test(probe_site, writes_with_flags_are_proven_or_each_probed_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(trios); i++) {
		char got[128];

		choose_pair(&(struct texts){ trios[i].name, trios[i].plain, trios[i].ex, trios[i].ex2, PUSH,
					     trios[i].peek, trios[i].pointer }, got, sizeof(got));
		cr_expect_str_eq(got, trios[i].want, "%s: %s, wanted %s", trios[i].name, got, trios[i].want);
	}
}

#define TEST_JE	"48 85 ff je:O "	/* test %rdi, %rdi; je */
#define LOOP	"31 c0 ff c0 74 02 eb fa c3"

/* Where in an inner function, with done fourth and with done fifth; -1 nowhere. */
static const struct {
	const char *name, *code;
	int want_fourth, want_fifth;
} inners[] = {
	{ "push", PUSH, 0, 0 },
	{ "endbr64, push", ENDBR PUSH, 4, 4 },
	{ "test, je, as OpenSSL 3.3's reads", TEST_JE PUSH, 3, 3 },
	{ "the fourth argument is gone", ZERO TEST_JE PUSH, -1, 5 },
	{ "the fifth argument is gone", "45 31 c0 " TEST_JE PUSH, 6, -1 },
	{ "the buffer is gone", "31 f6 " TEST_JE PUSH, -1, -1 },
	{ "the stack moves", SUB TEST_JE "c3", -1, -1 },
	{ "a loop", LOOP, -1, -1 },
	{ "five-byte nop", "0f 1f 44 00 00 c3", -1, -1 },
};

static void expect_inner(const struct texts *texts, int want, const char *form)
{
	char got[128], text[32];

	choose_pair(texts, got, sizeof(got));
	snprintf(text, sizeof(text), "inner+%d%s", want, form);
	if (want >= 0)
		cr_expect_str_eq(got, text, "%s: %s, wanted %s", texts->name, got, text);
	else
		cr_expect_null(strstr(got, "inner+"), "%s: %s", texts->name, got);
}

Test(probe_site, where_in_the_inner_function)
{
	for (size_t i = 0; i < ARRAY_SIZE(inners); i++) {
		expect_inner(&(struct texts){ inners[i].name, SUB LOCAL WIDEN "call:I c3", SUB8 "call:I c3", NULL,
					      inners[i].code, NULL, 0 }, inners[i].want_fourth, "");
		expect_inner(&(struct texts){ inners[i].name, PLAIN5, EX5, EX2_5, inners[i].code, NULL, 0 },
			     inners[i].want_fifth, " fifth");
	}
}

Test(probe_site, a_pair_of_nothing_is_an_error)
{
	struct image image;
	struct probe_code code = { read_image, follow_image, &image };
	struct probe_pair absent = {};
	struct probe_pair_sites sites = { .is_inner = true };

	image_init(&image);
	cr_expect_eq(probe_pair_choose(&code, &absent, &sites), -ENODATA);
	cr_expect(sites.is_inner, "an output is untouched on failure");
}
