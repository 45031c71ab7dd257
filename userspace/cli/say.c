/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

/* Of the process, as stderr itself is. */
static bool has_json_errors;

void say_json_errors(bool is_json)
{
	has_json_errors = is_json;
}

static void write_line(const char *prefix, const char *text)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(SAY_TEXT_MAX);

	buf_add_text(&line, prefix);
	text_add_scrubbed(&line, slice_of(text));
	buf_add_char(&line, '\n');
	/* One write, so that lines of several threads do not mix. */
	fwrite(line.ptr, 1, line.len, stderr);
}

void json_line(cJSON *object, struct buf *ret)
{
	_cleanup_(freep) char *text = cJSON_PrintUnformatted(object);

	cJSON_Delete(object);
	if (!text) {
		ret->is_failed = true;
		return;
	}
	buf_add_text(ret, text);
	buf_add_char(ret, '\n');
}

static void write_json_error(const char *text)
{
	_cleanup_(buf_done) struct buf valid = BUF_INIT(SAY_TEXT_MAX);
	_cleanup_(buf_done) struct buf line = BUF_INIT(8 * SAY_TEXT_MAX);
	cJSON *object = cJSON_CreateObject();

	text_add_utf8(&valid, slice_of(text));
	cJSON_AddStringToObject(object, "error", buf_text(&valid));
	json_line(object, &line);
	fwrite(buf_text(&line), 1, line.len, stdout);
}

int fail(enum exit_code code, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list args;
	int r;

	va_start(args, fmt);
	r = vasprintf(&text, fmt, args);
	va_end(args);
	if (r < 0)
		text = NULL;
	if (has_json_errors)
		write_json_error(text ? text : "out of memory");
	else
		write_line("gentap: ", text ? text : "out of memory");
	return code;
}

void say(const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list args;
	int r;

	va_start(args, fmt);
	r = vasprintf(&text, fmt, args);
	va_end(args);
	if (r < 0)
		text = NULL;
	write_line("gentap: ", text ? text : "out of memory");
}

void say_line(const char *text)
{
	write_line("", text);
}

bool say_has_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

int say_result(const struct buf *buf)
{
	if (!buf_ok(buf))
		return fail(EXIT_FAILED, "out of memory");
	if (fwrite(buf_text(buf), 1, buf->len, stdout) != buf->len || fflush(stdout) != 0)
		return fail(EXIT_FAILED, "cannot write to stdout: %s", strerror(errno));
	return EXIT_OK;
}
