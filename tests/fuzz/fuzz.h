/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers share. The input is what a decoder reads; what steers a run is
 * taken from its end, so that seeds are plain wire bytes.
 */
#ifndef GENTAP_TESTS_FUZZ_H
#define GENTAP_TESTS_FUZZ_H

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct slice in;
};

/* The last byte of what is left, which is then shorter; 0 when nothing is. */
static inline unsigned fuzz_byte(struct fuzz *fuzz)
{
	return fuzz->in.len ? (unsigned char)fuzz->in.ptr[--fuzz->in.len] : 0;
}

/* Stops the fuzzer when a claim about any input is false. */
#define FUZZ_CHECK(claim) do {								\
	if (!(claim)) {									\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);	\
		__builtin_trap();							\
	}										\
} while (0)

/* What came out of a decoder, in 64 bits (FNV-1a). */
static inline void digest_add(uint64_t *digest, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		*digest = (*digest ^ p[i]) * 0x100000001b3ull;
}

/* A slice and where it ends. */
static inline void digest_slice(uint64_t *digest, struct slice s)
{
	digest_add(digest, s.ptr, s.len);
	digest_add(digest, &s.len, sizeof(s.len));
}

static inline void digest_word(uint64_t *digest, uint64_t word)
{
	digest_add(digest, &word, sizeof(word));
}

/* The next piece of at most @step bytes; 0: all. */
static inline struct slice fuzz_piece(struct slice *in, size_t step)
{
	return slice_take(in, step ? MIN(step, in->len) : in->len);
}

#endif
