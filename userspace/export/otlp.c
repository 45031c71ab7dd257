/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines as OTLP/HTTP JSON in Langfuse's terms: one span per line, one
 * resource per process name. Written straight into the buffer, in the order of
 * the lines, so that a batch sent again is the same to the byte.
 *
 * The scope's name begins with "langfuse-sdk": the server then takes metadata
 * from its own attributes instead of dumping all of them into it.
 *
 * Leaves out: what is not in the line.
 */
#include "export/langfuse.h"

#include <errno.h>

#include "export/line.h"

enum { TRACE_ID_DIGITS = 32, SPAN_ID_DIGITS = 16 };

/* OTel's SpanKind */
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };

/* Line member -> attribute; a string as it is, a structure as compact JSON. */
struct field {
	const char *path;	/* of at most two members */
	const char *attribute;
};

#define OBSERVATION "langfuse.observation."

static const struct field fields[] = {
	{ "type",		OBSERVATION "type" },
	{ "level",		OBSERVATION "level" },
	{ "statusMessage",	OBSERVATION "status_message" },
	{ "model",		OBSERVATION "model.name" },
	{ "modelParameters",	OBSERVATION "model.parameters" },
	{ "input",		OBSERVATION "input" },
	{ "output",		OBSERVATION "output" },
	{ "usageDetails",	OBSERVATION "usage_details" },
	{ "costDetails",	OBSERVATION "cost_details" },
	{ "userId",		"user.id" },
	{ "sessionId",		"session.id" },
	{ "environment",	"langfuse.environment" },
	{ "release",		"langfuse.release" },
	{ "version",		"langfuse.version" },
};

#define METADATA OBSERVATION "metadata."

/* What the line says in members of its own, as metadata: the line's metadata
 * repeats none of it. Metadata is typed: a string that would read as JSON must
 * be quoted. */
static const struct field facts[] = {
	{ "finishReason",	METADATA "finish_reason" },
	{ "role",		METADATA "gentap.role" },
	{ "provider",		METADATA "gentap.provider" },
	{ "dialect",		METADATA "gentap.dialect" },
	{ "operation",		METADATA "gentap.operation" },
	{ "process.comm",	METADATA "gentap.process" },
	{ "process.pid",	METADATA "gentap.pid" },
	{ "http.host",		METADATA "gentap.host" },
	{ "http.path",		METADATA "gentap.path" },
	{ "http.status",	METADATA "gentap.httpStatus" },
	{ "http.requestId",	METADATA "gentap.requestId" },
	{ "timing.ttftMs",	METADATA "gentap.ttftMs" },
	{ "timing.tpotMs",	METADATA "gentap.tpotMs" },
	{ "timing.itlP99Ms",	METADATA "gentap.itlP99Ms" },
	{ "timing.itlMaxMs",	METADATA "gentap.itlMaxMs" },
	{ "timing.chunks",	METADATA "gentap.chunks" },
	{ "evidence.usage",	METADATA "gentap.usage" },
	{ "evidence.parent",	METADATA "gentap.parent" },
	{ "evidence.complete",	METADATA "gentap.complete" },
	{ "evidence.reasons",	METADATA "gentap.reasons" },
	{ "evidence.lostBytes",	METADATA "gentap.lostBytes" },
};

/* --- JSON text --------------------------------------------------------------- */

/* The escape of a character that JSON cannot hold raw, or NULL. */
static const char *escape(unsigned char c, char ret_hex[7])
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	}
	if (c >= 0x20)
		return NULL;
	snprintf(ret_hex, 7, "\\u%04x", c);
	return ret_hex;
}

static void add_string(struct buf *out, const char *text)
{
	const char *from = text;
	char hex[7];

	buf_add_char(out, '"');
	for (; *text; text++) {
		const char *escaped = escape((unsigned char)*text, hex);

		if (!escaped)
			continue;
		buf_add(out, from, (size_t)(text - from));
		buf_add_text(out, escaped);
		from = text + 1;
	}
	buf_add(out, from, (size_t)(text - from));
	buf_add_char(out, '"');
}

/* Before all but the first member of what was opened. */
static void add_comma(struct buf *out)
{
	char last = out->len ? out->ptr[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_add_char(out, ',');
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	add_comma(out);
	add_string(out, name);
	buf_add_char(out, ':');
	add_string(out, text);
}

static void add_attribute(struct buf *out, const char *key, const char *text)
{
	add_comma(out);
	buf_add_text(out, "{\"key\":");
	add_string(out, key);
	buf_add_text(out, ",\"value\":{\"stringValue\":");
	add_string(out, text);
	buf_add_text(out, "}}");
}

static void add_attribute_if(struct buf *out, const char *key, const char *text)
{
	if (text)
		add_attribute(out, key, text);
}

static void add_json_attribute(struct buf *out, const char *key, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	if (text)
		add_attribute(out, key, text);
	else
		out->is_failed = true;
	cJSON_free(text);
}

/* Nothing is known where a member is missing, null, or an empty structure. */
static bool is_empty(const cJSON *value)
{
	return !value || cJSON_IsNull(value) ||
	       ((cJSON_IsObject(value) || cJSON_IsArray(value)) && !value->child);
}

/* --- attributes -------------------------------------------------------------- */

static void add_field(struct buf *out, const struct field *field, const cJSON *line)
{
	const cJSON *value = line_at(line, field->path);

	if (is_empty(value))
		return;
	if (cJSON_IsString(value))
		add_attribute(out, field->attribute, value->valuestring);
	else
		add_json_attribute(out, field->attribute, value);
}

static bool reads_as_json(const char *text)
{
	cJSON *parsed = cJSON_ParseWithOpts(text, NULL, true);

	cJSON_Delete(parsed);
	return parsed;
}

/* Servers parse each metadata value as JSON and fall back on the text: a plain
 * string goes as it is, one that would turn into something else goes quoted. */
static void add_metadata(struct buf *out, const char *key, const cJSON *value)
{
	if (is_empty(value))
		return;
	if (cJSON_IsString(value) && !reads_as_json(value->valuestring))
		add_attribute(out, key, value->valuestring);
	else
		add_json_attribute(out, key, value);
}

static void add_user_metadata(struct buf *out, const cJSON *metadata)
{
	const cJSON *value;

	cJSON_ArrayForEach(value, metadata) {
		_cleanup_(buf_done) struct buf key = BUF_INIT(1024);

		if (!value->string)	/* an array, where an object belongs */
			return;
		buf_printf(&key, METADATA "%s", value->string);
		if (buf_ok(&key))
			add_metadata(out, buf_text(&key), value);
	}
}

/* The SDK's precision: microseconds. */
static void add_completion_start(struct buf *out, const cJSON *line)
{
	const char *time = line_text(line, "completionStartTime");
	const char *dot = time ? strchr(time, '.') : NULL;
	char cut[40];

	if (!dot || strlen(dot) <= sizeof(".000000Z") - 1 || dot - time > 30)
		add_attribute_if(out, OBSERVATION "completion_start_time", time);
	else {
		snprintf(cut, sizeof(cut), "%.*sZ", (int)(dot - time) + 7, time);
		add_attribute(out, OBSERVATION "completion_start_time", cut);
	}
}

/* Name and version go together or not at all: half of it costs the observation. */
static void add_prompt(struct buf *out, const cJSON *line)
{
	const char *name = line_text(line, "promptName");
	const cJSON *version = line_at(line, "promptVersion");

	if (!name || !cJSON_IsNumber(version))
		return;
	add_attribute(out, OBSERVATION "prompt.name", name);
	buf_printf(out, ",{\"key\":\"" OBSERVATION "prompt.version\",\"value\":{\"intValue\":%d}}",
		   version->valueint);
}

static void add_tags(struct buf *out, const cJSON *line)
{
	const cJSON *tags = line_at(line, "tags"), *tag;

	if (!cJSON_IsArray(tags) || is_empty(tags))
		return;
	add_comma(out);
	buf_add_text(out, "{\"key\":\"langfuse.trace.tags\",\"value\":{\"arrayValue\":{\"values\":[");
	cJSON_ArrayForEach(tag, tags) {
		if (!cJSON_IsString(tag))
			continue;
		add_comma(out);
		buf_add_char(out, '{');
		add_member(out, "stringValue", tag->valuestring);
		buf_add_char(out, '}');
	}
	buf_add_text(out, "]}}}");
}

static void add_attributes(struct buf *out, const cJSON *line, bool is_root)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		add_field(out, &fields[i], line);
	add_completion_start(out, line);
	add_prompt(out, line);
	add_tags(out, line);
	add_user_metadata(out, line_at(line, "metadata"));
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		add_metadata(out, facts[i].attribute, line_at(line, facts[i].path));
	if (!is_root)
		return;
	add_attribute_if(out, "langfuse.trace.name", line_text(line, "name"));
	add_comma(out);
	buf_add_text(out, "{\"key\":\"langfuse.internal.is_app_root\",\"value\":{\"boolValue\":true}}");
}

/* --- spans ------------------------------------------------------------------- */

/* The server keeps ids as they come: anything but lower-case hex would be a
 * different id, and all zeros a parent that nobody has. */
static bool is_id(const char *text, size_t digits)
{
	return text && strlen(text) == digits && strspn(text, "0123456789abcdef") == digits &&
	       strspn(text, "0") != digits;
}

static int kind_of(const cJSON *line)
{
	const char *role = line_text(line, "role");

	if (role && strcmp(role, "client") == 0)
		return KIND_CLIENT;
	if (role && strcmp(role, "server") == 0)
		return KIND_SERVER;
	return KIND_INTERNAL;
}

static void add_status(struct buf *out, const cJSON *line)
{
	const char *level = line_text(line, "level");
	const char *message = line_text(line, "statusMessage");

	buf_add_text(out, ",\"status\":{");
	if (level && strcmp(level, "ERROR") == 0) {
		buf_add_text(out, "\"code\":2");
		if (message)
			add_member(out, "message", message);
	}
	buf_add_char(out, '}');
}

static void add_span(struct buf *out, const cJSON *line)
{
	const char *parent = line_text(line, "parentId");
	const char *name = line_text(line, "name");
	bool is_root = !is_id(parent, SPAN_ID_DIGITS);
	uint64_t start_ns = 0, end_ns;

	line_time_ns(line, "startTime", &start_ns);
	if (!line_time_ns(line, "endTime", &end_ns))
		end_ns = start_ns;

	add_comma(out);
	buf_add_char(out, '{');
	add_member(out, "traceId", line_text(line, "traceId"));
	add_member(out, "spanId", line_text(line, "id"));
	if (!is_root)
		add_member(out, "parentSpanId", parent);
	add_member(out, "name", name ? name : line_text(line, "type"));
	buf_printf(out, ",\"kind\":%d,\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\",\"attributes\":[",
		   kind_of(line), (unsigned long long)start_ns, (unsigned long long)end_ns);
	add_attributes(out, line, is_root);
	buf_add_char(out, ']');
	add_status(out, line);
	buf_add_char(out, '}');
}

/* --- the request ------------------------------------------------------------- */

/* NULL when it is not a line that can become a span. */
static cJSON *parse_line(struct slice text)
{
	cJSON *line = cJSON_ParseWithLength(text.ptr, text.len);
	uint64_t start_ns;

	if (is_id(line_text(line, "traceId"), TRACE_ID_DIGITS) &&
	    is_id(line_text(line, "id"), SPAN_ID_DIGITS) &&
	    line_text(line, "type") && line_time_ns(line, "startTime", &start_ns))
		return line;
	cJSON_Delete(line);
	return NULL;
}

static const char *service_of(const cJSON *line)
{
	const char *comm = line_text(line, "process.comm");

	return comm && *comm ? comm : "gentap";
}

static void open_resource(struct buf *out, const struct langfuse_options *options, const char *service)
{
	add_comma(out);
	buf_add_text(out, "{\"resource\":{\"attributes\":[");
	add_attribute(out, "service.name", service);
	add_attribute(out, "telemetry.sdk.name", "gentap");
	add_attribute(out, "telemetry.sdk.language", "c");
	add_attribute(out, "telemetry.sdk.version", GENTAP_VERSION);
	add_attribute_if(out, "langfuse.environment", options->environment);
	add_attribute_if(out, "langfuse.release", options->release);
	buf_add_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"langfuse-sdk-gentap\",\"version\":\""
			  GENTAP_VERSION "\"},\"spans\":[");
}

/* Writes the spans of lines[0]'s service, from there on, and forgets those lines. */
static void add_resource(struct buf *out, const struct langfuse_options *options,
			 cJSON **lines, size_t count)
{
	_cleanup_(freep) char *service = strdup(service_of(lines[0]));

	if (!service) {
		out->is_failed = true;
		return;
	}
	open_resource(out, options, service);
	for (size_t i = 0; i < count; i++) {
		if (!lines[i] || strcmp(service_of(lines[i]), service) != 0)
			continue;
		add_span(out, lines[i]);
		cJSON_Delete(TAKE_PTR(lines[i]));
	}
	buf_add_text(out, "]}]}");
}

int langfuse_encode(const struct langfuse_options *options, const struct slice *lines,
		    size_t count, struct buf *ret, size_t *ret_skipped)
{
	_cleanup_(freep) cJSON **parsed = calloc(count ? count : 1, sizeof(*parsed));
	size_t skipped = 0;

	if (!parsed)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		parsed[i] = parse_line(lines[i]);
		skipped += !parsed[i];
	}

	buf_reset(ret);
	buf_add_text(ret, "{\"resourceSpans\":[");
	for (size_t i = 0; i < count; i++)
		if (parsed[i] && buf_ok(ret))
			add_resource(ret, options, parsed + i, count - i);
	buf_add_text(ret, "]}");

	for (size_t i = 0; i < count; i++)
		cJSON_Delete(parsed[i]);
	*ret_skipped = skipped;
	return ret->is_failed ? -ENOMEM : ret->is_full ? -ENOBUFS : 0;
}
