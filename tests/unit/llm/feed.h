/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds wire texts to a call and compares JSON by meaning. */
#ifndef GENTAP_TESTS_LLM_FEED_H
#define GENTAP_TESTS_LLM_FEED_H

#include <criterion/criterion.h>
#include <inttypes.h>

#include "limits.h"
#include "llm/json.h"
#include "llm/openai.h"

/* Event number n of a fed stream comes at n * EVENT_NS. */
#define EVENT_NS 1000000ull

static inline struct call *feed_request(const struct dialect *dialect, const char *request)
{
	struct call *call = call_new(dialect, LIMIT_CONTENT);

	cr_assert_not_null(call);
	call_read_request(call, slice_of(request), /* is_truncated */ false);
	return call;
}

/* @events: the data of one event a line. */
static inline void feed_events(struct call *call, const char *events)
{
	uint64_t number = 0;

	while (*events) {
		size_t len = strcspn(events, "\n");

		struct stream_event event = { .data = { events, len } };

		call_read_event(call, ++number * EVENT_NS, &event);
		events += len + (events[len] == '\n');
	}
}

static inline void feed_response(struct call *call, unsigned status, const char *body)
{
	call_read_response(call, status, slice_of(body), /* is_truncated */ false);
}

/* Frees @got. @want NULL: nothing is wanted. */
static inline void expect_json(cJSON *got, const char *want, const char *name, const char *what)
{
	_cleanup_(json_freep) cJSON *owned = got;
	_cleanup_(json_freep) cJSON *wanted = want ? cJSON_Parse(want) : NULL;
	_cleanup_(freep) char *text = got ? cJSON_PrintUnformatted(got) : NULL;
	/* Numbers that went in as text are numbers only when read again. */
	_cleanup_(json_freep) cJSON *again = text ? cJSON_Parse(text) : NULL;

	cr_assert(!want || wanted, "%s: the wanted %s is no JSON: %s", name, what, want ? want : "");
	cr_expect((!got && !want) || cJSON_Compare(again, wanted, /* case_sensitive */ 1),
		  "%s: %s is %s, not %s", name, what, text ? text : "absent", want ? want : "absent");
}

/* The buckets that are known, as JSON. */
static inline cJSON *usage_json(const struct usage *usage)
{
	cJSON *json = usage->is_reported ? cJSON_CreateObject() : NULL;

	for (int i = 0; json && i < USAGE_COUNT; i++)
		if (usage->tokens[i] != COUNT_UNKNOWN)
			cJSON_AddNumberToObject(json, usage_key(i), (double)usage->tokens[i]);
	return json;
}

/* A request and its whole answer, and what must come of them. NULL: absent. */
struct whole {
	const char *name, *request, *body;
	const char *input, *output, *usage, *facts;	/* JSON */
};

static inline void expect_whole(const struct dialect *dialect, const struct whole *want)
{
	_cleanup_(call_free) struct call *call = feed_request(dialect, want->request);

	feed_response(call, 200, want->body);
	expect_json(dialect->input(call), want->input, want->name, "input");
	expect_json(dialect_output(dialect, call), want->output, want->name, "output");
	expect_json(usage_json(&call->usage), want->usage, want->name, "usage");
	expect_json(call->facts ? cJSON_Duplicate(call->facts, /* recurse */ 1) : NULL, want->facts, want->name, "facts");
	cr_expect(call->is_settled || !*want->body, "%s: the answer has not the dialect's shape", want->name);
	cr_expect(call_is_recognised(call), "%s", want->name);
	cr_expect_eq(call->marks, 0, "%s: marks %" PRIx64, want->name, call->marks);
}

#endif
