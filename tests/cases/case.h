/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case: what two sides said to each other over one connection, as readable
 * text, and the JSON lines that must come of it. README.md has the format.
 */
#ifndef GENTAP_TESTS_CASES_CASE_H
#define GENTAP_TESTS_CASES_CASE_H

#include "base/buf.h"
#include "conn/conn.h"

enum side { SIDE_REQUEST, SIDE_RESPONSE };	/* who asks, who answers */

enum step_kind {
	STEP_REQUEST,		/* a head, and what of the body came with it */
	STEP_RESPONSE,
	STEP_PIECE,		/* more of the body of the message before */
	STEP_LOST,		/* the same, but nobody captured it */
	STEP_CLIENT,		/* WebSocket messages, one a line, of who asked */
	STEP_SERVER,
	STEP_CUT_BY_CLIENT,	/* it closes here */
	STEP_CUT_BY_SERVER,
	STEP_DETACH,		/* gentap stops watching */
	STEP_EXIT,		/* the process ends */
	STEP_LINE,		/* no step of the exchange: what must come out */
	STEP_NO_LINE,
};

struct step {
	enum step_kind kind;
	uint64_t at_ns;		/* since the case began */
	struct slice text;	/* up to the next mark; points into the case's text */
	unsigned line;		/* of the file, from 1 */
};

enum response_framing {		/* of HTTP/1 */
	FRAME_USUAL,		/* streams chunked, everything else by length */
	FRAME_LENGTH,
	FRAME_CHUNKED,
	FRAME_CLOSE,		/* until the connection ends */
};

/* Variants that a case may say make no sense for it. */
enum without {
	WITHOUT_H2	= 1 << 0,
	WITHOUT_CODINGS	= 1 << 1,
	WITHOUT_FRAMINGS = 1 << 2,
	WITHOUT_ROLES	= 1 << 3,
	WITHOUT_GAPS	= 1 << 4,
};

enum { CASE_STEPS = 1024, CASE_LINES = 16 };

struct test_case {
	char name[128];		/* "openai.chat/stream" */
	struct buf text;	/* owned: the file */
	/* facts */
	enum role role;
	bool is_tls;
	char server_name[GT_NAME_BYTES];
	uint32_t pid, tid;
	char comm[GT_COMM_BYTES];
	enum response_framing framing;
	unsigned without;	/* enum without */
	/* what happens */
	struct step steps[CASE_STEPS];
	size_t step_count;
	/* what must come of it: compact JSON, owned */
	char *lines[CASE_LINES];
	size_t line_count;
	bool has_expectation;	/* a line, or that there is none */
};

/* Reads the file. On failure says on stderr where and why, and returns false. */
bool case_load(struct test_case *ret, const char *path);
void case_done(struct test_case *test);

/* Whether something of its bytes is lost in the case itself. */
bool case_is_broken(const struct test_case *test);

/* Next line of *in, without its end. False when there is none. */
bool case_line(struct slice *in, struct slice *ret);
/* A field of a head as the case writes it: first line, then fields. */
bool case_field(struct slice head, const char *name, struct slice *ret);

#endif
