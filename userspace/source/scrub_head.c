/* SPDX-License-Identifier: Apache-2.0 */
/* Heads: which fields and parameters a replay needs, and all others overwritten. */
#include "source/scrub_private.h"

/* What decoding, the line of a generation, or a reader of a bug report needs, and
 * no account or session is told by. A '*' at the end stands for any rest. */
static const char *const fields[] = {
	":authority", ":method", ":protocol", ":scheme", ":status",
	"accept*", "age", "allow", "cache-control", "connection", "content-encoding", "content-language",
	"content-length", "content-type", "date", "expect", "expires", "grpc-status", "grpc-timeout", "host",
	"http2-settings", "keep-alive", "pragma", "retry-after*", "sec-websocket-extensions",
	"sec-websocket-version", "server", "server-timing", "te", "trailer", "transfer-encoding", "upgrade",
	"user-agent", "vary", "via", "x-accel-buffering", "x-powered-by",
	"traceparent", "tracestate", "x-ratelimit-*", "ratelimit-*",
	/* request ids, as generation.c has them */
	"x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "x-generation-id",
	"x-debug-trace-id", "x-litellm-call-id", "cf-ray",
	/* of providers and their clients */
	"anthropic-beta", "anthropic-ratelimit-*", "anthropic-version", "azureml-model-deployment",
	"azureml-model-group", "openai-beta", "openai-model", "openai-processing-ms", "openai-version",
	"x-amzn-bedrock-*", "x-amzn-errortype", "x-compute-*", "x-groq-region", "x-litellm-model-*",
	"x-litellm-response-cost*", "x-litellm-version", "x-ms-region", "x-prompt-tokens", "x-stainless-*",
	"x-total-tokens", "x-generated-tokens", "x-inference-time", "x-queue-time", "x-time-per-token",
	"x-total-time", "x-validation-time",
};

/* What decides on the form of the answer, or names the model. */
static const char *const parameters[] = {
	"$alt", "alt", "api-version", "beta", "deployment", "intent", "model", "stream",
};

/* --- names ------------------------------------------------------------------ */

static bool fits(struct slice name, const char *entry)
{
	size_t len = strlen(entry);

	if (entry[len - 1] == '*')
		return name.len >= len - 1 && strncasecmp(name.ptr, entry, len - 1) == 0;
	return name.len == len && strncasecmp(name.ptr, entry, len) == 0;
}

bool scrub_keeps_field(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fits(name, fields[i]))
			return true;
	return false;
}

bool scrub_keeps_parameter(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		if (fits(name, parameters[i]))
			return true;
	return false;
}

void scrub_name_add(struct scrub_name *name, char c)
{
	if (name->len == SCRUB_NAME_MAX)
		name->is_too_long = true;
	else
		name->text[name->len++] = c;
}

static struct slice name_of(const struct scrub_name *name)
{
	return (struct slice){ name->text, name->is_too_long ? 0 : name->len };
}

static void name_reset(struct scrub_name *name)
{
	name->len = 0;
	name->is_too_long = false;
}

/* --- request targets -------------------------------------------------------- */

/* "user:password@host" and then a path, a query or the end. */
static size_t take_authority(struct scrub_target *target, char *bytes, size_t len, bool is_last)
{
	size_t end = 0, userinfo = 0;

	while (end < len && bytes[end] != '/' && bytes[end] != '?' && bytes[end] != '#') {
		end++;
		if (bytes[end - 1] == '@')
			userinfo = end;
	}
	if (userinfo) {
		memset(bytes, '*', userinfo - 1);
	} else if (end == len && !is_last) {
		/* What stands here may turn out to be a password. */
		memset(bytes, '*', end);
		target->state = TARGET_UNSURE;
		return end;
	}
	if (end < len)
		target->state = TARGET_PATH;
	return end;
}

static void take_unsure(struct scrub_target *target, char *c)
{
	if (*c == '/' || *c == '#')
		target->state = TARGET_PATH;
	else if (*c == '?')
		target->state = TARGET_NAME;
	else if (*c == '@')
		target->state = TARGET_AUTHORITY;
	else
		*c = '*';
}

static void take_scheme(struct scrub_target *target, char c)
{
	static const char mark[] = "://";

	target->slashes = c == mark[target->slashes] ? target->slashes + 1 : 0;
	if (target->slashes == sizeof(mark) - 1)
		target->state = TARGET_AUTHORITY;
	else if (c == '/' && !target->slashes)
		target->state = TARGET_PATH;
	else if (c == '?')
		target->state = TARGET_NAME;
}

static void take_query(struct scrub_target *target, char *c)
{
	if (*c == '&' || (target->state == TARGET_NAME && *c == '?')) {
		target->state = TARGET_NAME;
		name_reset(&target->name);
	} else if (target->state == TARGET_VALUE) {
		*c = target->is_kept ? *c : '*';
	} else if (*c == '=') {
		target->state = TARGET_VALUE;
		target->is_kept = scrub_keeps_parameter(name_of(&target->name));
	} else {
		scrub_name_add(&target->name, *c);
	}
}

void scrub_target(struct scrub_target *target, char *bytes, size_t len, bool is_last)
{
	for (size_t i = 0; i < len;) {
		switch (target->state) {
		case TARGET_AUTHORITY:
			i += take_authority(target, bytes + i, len - i, is_last);
			break;
		case TARGET_SCHEME:
			take_scheme(target, bytes[i++]);
			break;
		case TARGET_UNSURE:
			take_unsure(target, &bytes[i++]);
			break;
		case TARGET_PATH:
			if (bytes[i++] == '?') {
				target->state = TARGET_NAME;
				name_reset(&target->name);
			}
			break;
		case TARGET_NAME:
		case TARGET_VALUE:
			take_query(target, &bytes[i++]);
			break;
		}
	}
}

/* --- heads of HTTP/1 -------------------------------------------------------- */

void scrub_head_begin(struct scrub_head *head, bool is_request)
{
	*head = (struct scrub_head){ .state = is_request ? HEAD_START : HEAD_VALUE, .is_kept = true };
}

/* The target up to the space or line end behind it. */
static size_t take_target(struct scrub_head *head, char *bytes, size_t len)
{
	size_t end = 0;

	while (end < len && bytes[end] != ' ' && bytes[end] != '\r' && bytes[end] != '\n')
		end++;
	scrub_target(&head->target, bytes, end, /* is_last */ end < len);
	if (end < len)
		head->state = HEAD_VALUE;	/* the version is kept */
	return end;
}

static void take_name(struct scrub_head *head, char c)
{
	if (c == ':') {
		head->is_kept = scrub_keeps_field(name_of(&head->name));
		head->state = HEAD_VALUE;
	} else if (c == '\n') {
		head->state = HEAD_LINE;
	} else {
		scrub_name_add(&head->name, c);
	}
}

static void take_value(struct scrub_head *head, char *c)
{
	if (*c == '\n')
		head->state = HEAD_LINE;
	else if (!head->is_kept && *c != '\r' && *c != ' ' && *c != '\t')
		*c = '*';
}

void scrub_head(struct scrub_head *head, char *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		char *c = &bytes[i];

		switch (head->state) {
		case HEAD_START:	/* the method; an empty line may stand before it */
			if (*c == ' ')
				head->state = HEAD_TARGET;
			i++;
			break;
		case HEAD_TARGET:
			i += take_target(head, c, len - i);
			break;
		case HEAD_LINE:
			/* A line that begins with a space goes on with the value before. */
			if (*c == ' ' || *c == '\t')
				head->state = HEAD_VALUE;
			else
				head->state = HEAD_NAME;
			name_reset(&head->name);
			break;
		case HEAD_NAME:
			take_name(head, *c);
			i++;
			break;
		case HEAD_VALUE:
			take_value(head, c);
			i++;
			break;
		}
	}
}
