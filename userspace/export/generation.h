/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished call as the JSON line of the command line's contract. That line is
 * the one form in which a generation is stored, printed and sent.
 */
#ifndef GENTAP_EXPORT_GENERATION_H
#define GENTAP_EXPORT_GENERATION_H

#include "conn/conn.h"
#include "llm/dialect.h"

enum content { CONTENT_FULL, CONTENT_METADATA };

struct generation_options {
	enum content content;
	uint64_t realtime_offset_ns;	/* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	char boot_id[37];		/* seed of ids; NUL-terminated */
	const char *environment;	/* NULL when unset, as the next two; borrowed */
	const char *release;
	const char *version;
};

/* 32 and 16 lower-case hex digits and a NUL: of SHA-256 of boot id, connection
 * and exchange number, and the lane if it is not 0 (Langfuse's seed rule). 0 or -ENOMEM. */
int generation_ids(const struct generation_options *options, const struct conn *conn,
		   uint64_t exchange, uint64_t lane, char ret_trace_id[33], char ret_id[17]);

/* Appends one line, without its line end, to @ret. The call must be finished;
 * @exchange gives HTTP facts, connection and marks. What is cut to
 * call->max_content is marked on the call, and what was short of memory; where there is
 * none for the texts, the line goes without. 0 or -errno (-ENOBUFS: over @ret's
 * maximum, -ENOMEM). */
int generation_line(const struct generation_options *options, struct call *call,
		    const struct exchange *exchange, struct buf *ret);

#endif
