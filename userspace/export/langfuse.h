/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Langfuse over OTLP/HTTP JSON (POST {base}/api/public/otel/v1/traces, gzip):
 * lines become spans, an answer becomes a verdict. One request at a time, no
 * thread of its own.
 */
#ifndef GENTAP_EXPORT_LANGFUSE_H
#define GENTAP_EXPORT_LANGFUSE_H

#include <cjson/cJSON.h>

#include "base/buf.h"

struct langfuse_options {
	const char *base_url;		/* no trailing slash needed; borrowed, as all */
	const char *public_key;
	const char *secret_key;
	const char *export_path;	/* NULL: api/public/otel/v1/traces */
	const char *environment, *release; /* resource attributes; NULL when unset */
	unsigned timeout_ms;		/* of one request; 0: 30 s */
};

enum langfuse_verdict {
	LANGFUSE_SENT,		/* 2xx */
	LANGFUSE_REFUSED,	/* 400: this batch as it is, never again */
	LANGFUSE_TOO_LARGE,	/* 413 */
	LANGFUSE_STOP,		/* 401, 403, 404, 405, 3xx: configuration; keep, do not retry now */
	LANGFUSE_LATER,		/* 429, 5xx, no connection, timeout: keep, retry */
};

struct langfuse_answer {
	enum langfuse_verdict verdict;
	long status;			/* HTTP; 0 when there was no answer */
	unsigned retry_after_ms;	/* 0 when not said */
	char text[512];			/* for people: what and what to do; no secret in it */
};

struct langfuse;

/* 0 or -errno (-EINVAL: a key or the base URL cannot be one). Makes no
 * connection yet. */
int langfuse_new(struct langfuse **ret, const struct langfuse_options *options);
void langfuse_free(struct langfuse **langfuse);

/* Any thread: requests, the one under way included, end by @deadline_ns
 * (CLOCK_MONOTONIC) at the latest, with the verdict LANGFUSE_LATER. */
void langfuse_limit(struct langfuse *langfuse, uint64_t deadline_ns);

/* The spans of @lines (JSON lines of the contract) as one
 * ExportTraceServiceRequest, in place of what @ret held. Lines that do not
 * parse are left out and counted in *ret_skipped. 0 or -errno (-ENOBUFS: more
 * than @ret may hold). */
int langfuse_encode(const struct langfuse_options *options, const struct slice *lines,
		    size_t count, struct buf *ret, size_t *ret_skipped);

/* Sends an encoded request. Never fails otherwise than by its answer. */
void langfuse_send(struct langfuse *langfuse, struct slice request, struct langfuse_answer *ret);

/* GET /api/public/projects: are the keys good, and which project is it.
 * @ret_project (may be NULL) gets the project's name. */
void langfuse_check(struct langfuse *langfuse, struct buf *ret_project, struct langfuse_answer *ret);

#endif
