/* SPDX-License-Identifier: Apache-2.0 */
/* Reads case files: facts, then marks ("@ ...") with the text that follows each. */
#include "case.h"

#include <cjson/cJSON.h>
#include <ctype.h>

#include "limits.h"
#include "llm/json.h"

struct reader {
	struct test_case *test;
	const char *path;
	unsigned line;
	uint64_t now_ns;
};

static bool bad(const struct reader *reader, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", reader->path, reader->line, what);
	return false;
}

bool case_line(struct slice *in, struct slice *ret)
{
	const char *end;

	if (!in->len)
		return false;
	end = memchr(in->ptr, '\n', in->len);
	*ret = slice_take(in, end ? (size_t)(end - in->ptr) : in->len);
	if (end)
		slice_take(in, 1);
	return true;
}

static bool split_field(struct slice line, struct slice *ret_name, struct slice *ret_value)
{
	const char *colon = line.len > 1 ? memchr(line.ptr + 1, ':', line.len - 1) : NULL;

	if (!colon)
		return false;
	*ret_name = slice_take(&line, (size_t)(colon - line.ptr));
	slice_take(&line, 1);
	*ret_value = slice_trim(line);
	return true;
}

bool case_field(struct slice head, const char *name, struct slice *ret)
{
	struct slice line, key, value;

	case_line(&head, &line);
	while (case_line(&head, &line))
		if (split_field(line, &key, &value) && slice_eq_nocase(key, slice_of(name))) {
			*ret = value;
			return true;
		}
	return false;
}

/* --- facts ------------------------------------------------------------------ */

static bool take_without(struct reader *reader, struct slice value)
{
	static const struct { const char *name; unsigned bit; } names[] = {
		{ "h2", WITHOUT_H2 }, { "codings", WITHOUT_CODINGS }, { "framings", WITHOUT_FRAMINGS },
		{ "roles", WITHOUT_ROLES }, { "gaps", WITHOUT_GAPS },
	};

	while (value.len) {
		size_t len = strcspn(value.ptr, ", \n"), i;
		struct slice word = slice_take(&value, MIN(len, value.len));

		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (slice_eq(word, slice_of(names[i].name)))
				break;
		if (i == ARRAY_SIZE(names))
			return bad(reader, "without: h2, codings, framings, roles or gaps");
		reader->test->without |= names[i].bit;
		while (value.len && (value.ptr[0] == ',' || value.ptr[0] == ' '))
			slice_take(&value, 1);
	}
	return true;
}

static bool take_framing(struct reader *reader, struct slice value)
{
	static const char *const names[] = {
		[FRAME_USUAL] = "usual", [FRAME_LENGTH] = "length",
		[FRAME_CHUNKED] = "chunked", [FRAME_CLOSE] = "close",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_eq(value, slice_of(names[i]))) {
			reader->test->framing = (enum response_framing)i;
			return true;
		}
	return bad(reader, "framing: usual, length, chunked or close");
}

static void copy(char *to, size_t size, struct slice value)
{
	snprintf(to, size, "%.*s", (int)value.len, value.ptr);
}

static bool take_fact(struct reader *reader, struct slice line)
{
	struct test_case *test = reader->test;
	struct slice name, value;

	if (!split_field(line, &name, &value))
		return bad(reader, "neither '# intent', nor 'fact: value', nor '@ mark'");
	if (slice_eq(name, SLICE("role"))) {
		test->role = slice_eq(value, SLICE("server")) ? ROLE_SERVER : ROLE_CLIENT;
		return test->role == ROLE_SERVER || slice_eq(value, SLICE("client")) ||
		       bad(reader, "role: client or server");
	}
	if (slice_eq(name, SLICE("tls"))) {
		test->is_tls = true;
		copy(test->server_name, sizeof(test->server_name), value);
		return true;
	}
	if (slice_eq(name, SLICE("comm"))) {
		copy(test->comm, sizeof(test->comm), value);
		return true;
	}
	if (slice_eq(name, SLICE("pid"))) {
		test->pid = test->tid = (uint32_t)strtoul(value.ptr, NULL, 10);
		return true;
	}
	if (slice_eq(name, SLICE("framing")))
		return take_framing(reader, value);
	if (slice_eq(name, SLICE("without")))
		return take_without(reader, value);
	return bad(reader, "no such fact");
}

/* --- marks ------------------------------------------------------------------ */

static const struct { const char *text; enum step_kind kind; } marks[] = {
	{ "request", STEP_REQUEST },
	{ "response", STEP_RESPONSE },
	{ "lost", STEP_LOST },
	{ "client", STEP_CLIENT },
	{ "server", STEP_SERVER },
	{ "cut by client", STEP_CUT_BY_CLIENT },
	{ "cut by server", STEP_CUT_BY_SERVER },
	{ "detach", STEP_DETACH },
	{ "exit", STEP_EXIT },
	{ "line", STEP_LINE },
	{ "no line", STEP_NO_LINE },
	{ "", STEP_PIECE },
};

/* "12ms", "0.5ms", "3s", "40us" */
static bool take_delay(struct reader *reader, const char *text)
{
	static const struct { const char *name; double ns; } units[] = {
		{ "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 },
	};
	char *unit;
	double value = strtod(text, &unit);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (unit != text && value >= 0 && strcmp(unit, units[i].name) == 0) {
			reader->now_ns += (uint64_t)(value * units[i].ns + 0.5);
			return true;
		}
	return bad(reader, "a time is '+12ms', '+3s' or '+40us'");
}

/* @text: "response +300ms" */
static bool take_mark(struct reader *reader, struct slice text, struct step *ret)
{
	char mark[64], *plus;
	size_t len;

	copy(mark, sizeof(mark), text);
	plus = strchr(mark, '+');
	if (plus && !take_delay(reader, plus + 1))
		return false;
	len = plus ? (size_t)(plus - mark) : strlen(mark);
	while (len && mark[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (len == strlen(marks[i].text) && memcmp(mark, marks[i].text, len) == 0) {
			*ret = (struct step){ .kind = marks[i].kind, .at_ns = reader->now_ns,
					      .line = reader->line };
			return true;
		}
	return bad(reader, "no such mark");
}

static bool take_line_wanted(struct reader *reader, const struct step *step)
{
	struct test_case *test = reader->test;
	_cleanup_(json_freep) cJSON *json = NULL;

	test->has_expectation = true;
	if (step->kind == STEP_NO_LINE)
		return true;
	json = cJSON_ParseWithLength(step->text.ptr, step->text.len);
	if (!json)
		return bad(reader, "the line wanted is no JSON");
	if (test->line_count == CASE_LINES)
		return bad(reader, "more lines wanted than a case may have");
	test->lines[test->line_count++] = cJSON_PrintUnformatted(json);
	return true;
}

static bool add_step(struct reader *reader, const struct step *step)
{
	struct test_case *test = reader->test;

	if (step->kind == STEP_LINE || step->kind == STEP_NO_LINE)
		return take_line_wanted(reader, step);
	if (!test->step_count && step->kind != STEP_REQUEST)
		return bad(reader, "a case begins with '@ request'");
	if (test->step_count == CASE_STEPS)
		return bad(reader, "more steps than a case may have");
	test->steps[test->step_count++] = *step;
	return true;
}

static bool is_mark(struct slice line)
{
	return slice_starts(line, SLICE("@ "));
}

/* The text of @step: up to the next mark. */
static void take_text(struct reader *reader, struct slice *in, struct step *step)
{
	struct slice rest = *in, line;

	step->text = (struct slice){ in->ptr, 0 };
	while (case_line(&rest, &line) && !is_mark(line)) {
		step->text.len = (size_t)(rest.ptr - step->text.ptr);
		*in = rest;
		reader->line++;
	}
}

static bool read_case(struct reader *reader)
{
	struct slice in = buf_slice(&reader->test->text), line;
	struct step step;

	while (case_line(&in, &line)) {
		reader->line++;
		if (!line.len || line.ptr[0] == '#')
			continue;
		if (!is_mark(line)) {
			if (!take_fact(reader, line))
				return false;
			continue;
		}
		slice_take(&line, 2);
		if (!take_mark(reader, line, &step))
			return false;
		take_text(reader, &in, &step);
		if (!add_step(reader, &step))
			return false;
	}
	if (reader->test->text.ptr[0] != '#')
		return bad(reader, "the first line says what the case is about: '# ...'");
	return reader->test->step_count || bad(reader, "no '@ request'");
}

/* --- files ------------------------------------------------------------------ */

/* "openai.chat/stream" of "tests/cases/openai.chat/stream.case" */
static void set_name(struct test_case *test, const char *path)
{
	struct slice name = slice_of(path);

	for (const char *at = path; (at = strchr(at, '/')); at++)
		if (strchr(at + 1, '/'))
			name = slice_of(at + 1);
	if (slice_ends(name, SLICE(".case")))
		name.len -= strlen(".case");
	copy(test->name, sizeof(test->name), name);
}

static bool read_file(struct buf *buf, const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	char bytes[4096];
	size_t n;

	while (file && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(buf, bytes, n);
	return file && !ferror(file) && buf_ok(buf) && buf->len;
}

bool case_load(struct test_case *ret, const char *path)
{
	struct reader reader = { .test = ret, .path = path };

	*ret = (struct test_case){ .text = BUF_INIT(4 * MiB), .pid = 4242, .tid = 4250, .comm = "app" };
	set_name(ret, path);
	if (!read_file(&ret->text, path))
		return bad(&reader, "cannot be read, or is empty");
	return read_case(&reader);
}

void case_done(struct test_case *test)
{
	buf_done(&test->text);
	for (size_t i = 0; i < test->line_count; i++)
		cJSON_free(test->lines[i]);
	test->line_count = 0;
}

bool case_is_broken(const struct test_case *test)
{
	for (size_t i = 0; i < test->step_count; i++)
		if (test->steps[i].kind == STEP_LOST)
			return true;
	return false;
}
