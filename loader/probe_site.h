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
 * A pair of functions that move bytes, X(ssl, buf, num) and X_ex(ssl, buf, num,
 * *done). No byte may be counted twice:
 *  1. one whose body calls or jumps to the other is left alone, the other one is
 *     probed where rule "one function" says;
 *  2. "inner function": if both, on their straight line, pass (ssl, buf, num,
 *     done) on to one same function of the file that begins with a push, that
 *     one is probed and neither of the two: X must hand it the address of a
 *     local for done, X_ex its own arguments untouched. This holds the
 *     convention down: OpenSSL 3.3's ssl_write_internal has done fifth. A
 *     function that peeking calls too is not taken;
 *  3. otherwise each is probed by itself. By 1 neither runs inside the other.
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
};

const char *probe_rule_name(enum probe_rule rule);

/* 0, or -ENODATA when the function's code is not there. */
int probe_site_choose(const struct probe_code *code, const struct probe_function *function,
		      unsigned arguments, bool has_return, struct probe_site *ret);

/* Which of a pair is probed: the inner one, or those of the two that say so. */
struct probe_pair {
	bool is_inner, is_plain, is_ex;
	struct probe_site inner, plain, ex;
};

/* @peeks: what must not lead to the inner function. 0, or -ENODATA when none
 * of the two is there. */
int probe_pair_choose(const struct probe_code *code, const struct probe_function *plain,
		      const struct probe_function *ex, const struct probe_function *peeks,
		      size_t peek_count, struct probe_pair *ret);

#endif
