/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function a probe goes (x86-64). Pure: works on code bytes.
 *
 * The kernel emulates a probed push, 1-byte nop, jmp, jcc and call; any other
 * instruction it single-steps, which costs ten times as much on a virtual
 * machine. Of the emulated ones a nop of several bytes is never taken: kernel
 * 6.18 rewrites a 5-byte nop in a way that crashes children forked later.
 * A ret is never taken either.
 *
 * One function:
 *  1. "symbol": its first instruction after endbr64, if emulated;
 *  2. "later instruction": the first emulated one on the straight line from the
 *     entry on which the needed arguments are still in their registers and to
 *     which no loop of the function leads back. A probe of the return needs the
 *     stack pointer of the entry, too: the return address is taken from there;
 *  3. "single-stepped": the function's first byte. Correct, slow.
 *
 * A pair of functions that move bytes: X(ssl, buf, num) and X_ex(ssl, buf, num,
 * *done). OpenSSL 3.3 and later add to its writes X_ex2(ssl, buf, num, flags,
 * *done), to which X_ex jumps. No byte may be counted twice:
 *  1. "inner function": if all of them, on their straight line, pass (ssl, buf,
 *     num, done) on to one same function of the file in which an instruction
 *     fits rule "symbol" or "later instruction", that one is probed and none of
 *     them. What they hand it proves where done is: X the address of a local,
 *     X_ex and X_ex2 their own done.
 *       without an X_ex2: done is the fourth argument;
 *       with one: it is the fifth, and the fourth is flags: 0 from X and X_ex,
 *       X_ex2's own from X_ex2.
 *     A function that peeking calls too is not taken;
 *  2. otherwise one whose body calls or jumps to another one of them is left
 *     alone, and each of the others is probed where rule "one function" says.
 */
#ifndef GENTAP_LOADER_PROBE_SITE_H
#define GENTAP_LOADER_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the chooser sees a file. */
struct probe_code {
	/* Copies the code at @address, at most @size bytes; returns how many there are. */
	size_t (*read)(void *ctx, uint64_t address, void *ret, size_t size);
	/* The function that the pointer at @address leads to once the file is linked;
	 * 0 when unknown. NULL: there are no such pointers. */
	uint64_t (*follow)(void *ctx, uint64_t address);
	void *ctx;
};

/* size 0: there is none. */
struct probe_function {
	uint64_t address, size;
};

enum probe_rule {
	PROBE_SYMBOL,
	PROBE_LATER,
	PROBE_INNER,
	PROBE_STEPPED,
	PROBE_RULES
};

struct probe_site {
	uint64_t address;
	enum probe_rule rule;
};

/* Bits: which arguments a program reads at the site. */
enum {
	PROBE_ARG1 = 1 << 0,
	PROBE_ARG2 = 1 << 1,
	PROBE_ARG3 = 1 << 2,
	PROBE_ARG4 = 1 << 3,
	PROBE_ARG5 = 1 << 4,
};

const char *probe_rule_name(enum probe_rule rule);

/* 0, or -ENODATA when the function's code is not there. */
int probe_site_choose(const struct probe_code *code, const struct probe_function *function,
		      unsigned arguments, bool has_return, struct probe_site *ret);

enum probe_form {
	PROBE_PLAIN,
	PROBE_EX,
	PROBE_EX2,
	PROBE_FORMS
};

struct probe_pair {
	struct probe_function forms[PROBE_FORMS];
	struct probe_function peeks[2];	/* must not lead to the inner function */
};

/* What is probed of a pair: the inner function, or those forms that say so. */
struct probe_pair_sites {
	bool is_inner, is_done_fifth;	/* done of the inner one; else the fourth */
	struct probe_site inner;
	bool has_form[PROBE_FORMS];
	struct probe_site forms[PROBE_FORMS];
};

/* 0, or -ENODATA when no form of it is there. */
int probe_pair_choose(const struct probe_code *code, const struct probe_pair *pair,
		      struct probe_pair_sites *ret);

#endif
