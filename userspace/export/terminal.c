/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line for people: what is known of a generation in columns, "-" for what
 * is not, and the first words of its answer as far as the terminal is wide.
 *
 * Leaves out: show.c has the whole of a generation.
 */
#include "export/terminal.h"

#include <time.h>

#include "base/text.h"
#include "export/columns.h"
#include "export/line.h"

enum column { TIME, PROCESS, ROLE, MODEL, STATUS, TTFT, RATE, TOKENS, DURATION, COLUMN_COUNT };

static const struct {
	const char *head;
	unsigned width;
	bool is_right;
} columns[COLUMN_COUNT] = {
	[TIME] = { "TIME", 12, false },
	[PROCESS] = { "PROCESS", 20, false },
	[ROLE] = { "", 1, false },
	[MODEL] = { "MODEL", 24, false },
	[STATUS] = { "STATUS", 6, false },
	[TTFT] = { "TTFT", 7, true },
	[RATE] = { "TOK/S", 6, true },
	[TOKENS] = { "IN→OUT", 11, true },
	[DURATION] = { "TOOK", 7, true },
};

enum {
	CELL_MAX = 256,
	WORDS_MAX = 400,	/* bytes looked at for the first words */
	WORDS_WIDTH = 120,	/* columns of them where the width has no limit */
};

static void add_colour(struct buf *out, const struct terminal_options *options, const char *code)
{
	if (options->has_colour && code)
		buf_add_text(out, code);
}

static void add_cell(struct buf *out, const struct terminal_options *options, enum column column,
		     const char *text, const char *colour)
{
	unsigned max = columns[column].width;
	unsigned width = columns_of(slice_of(text));
	unsigned pad = width < max ? max - width : 0;

	if (columns[column].is_right)
		buf_printf(out, "%*s", (int)pad, "");
	add_colour(out, options, colour);
	columns_add(out, slice_of(text), max);
	add_colour(out, options, colour ? COLOUR_NONE : NULL);
	if (!columns[column].is_right)
		buf_printf(out, "%*s", (int)pad, "");
	buf_add_char(out, ' ');
}

/* --- what stands in the columns ---------------------------------------------- */

static void time_text(const cJSON *line, char ret[CELL_MAX])
{
	uint64_t ns;
	struct tm tm;
	time_t s;

	snprintf(ret, CELL_MAX, "-");
	if (!line_time_ns(line, "startTime", &ns))
		return;
	s = (time_t)(ns / 1000000000);
	if (localtime_r(&s, &tm))
		snprintf(ret, CELL_MAX, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
			 (unsigned)(ns / 1000000 % 1000));
}

static void process_text(const cJSON *line, struct buf *ret)
{
	const char *comm = line_text(line, "process.comm");
	double pid;

	if (comm)
		text_add_scrubbed(ret, slice_of(comm));
	if (line_number(line, "process.pid", &pid))
		buf_printf(ret, "[%.0f]", pid);
	if (!ret->len)
		buf_add_char(ret, '-');
}

static const char *role_text(const cJSON *line)
{
	const char *role = line_text(line, "role");

	if (!role)
		return "-";
	return strcmp(role, "server") == 0 ? "←" : "→";
}

static bool is_cut(const cJSON *line)
{
	return cJSON_IsFalse(line_at(line, "evidence.complete"));
}

static bool is_error(const cJSON *line)
{
	const char *level = line_text(line, "level");

	return level && strcmp(level, "ERROR") == 0;
}

static const char *status_text(const cJSON *line, char ret[CELL_MAX])
{
	double status;

	snprintf(ret, CELL_MAX, "-");
	if (line_number(line, "http.status", &status))
		snprintf(ret, CELL_MAX, "%.0f", status);
	if (is_cut(line) && !is_error(line))
		snprintf(ret, CELL_MAX, "cut");
	return is_error(line) ? COLOUR_RED : is_cut(line) ? COLOUR_YELLOW : COLOUR_GREEN;
}

static void rate_text(const cJSON *line, char ret[CELL_MAX])
{
	double tpot_ms;

	snprintf(ret, CELL_MAX, "-");
	if (line_number(line, "timing.tpotMs", &tpot_ms) && tpot_ms > 0)
		snprintf(ret, CELL_MAX, "%.1f", 1000 / tpot_ms);
}

static void ttft_text(const cJSON *line, char ret[CELL_MAX])
{
	double ttft_ms;

	snprintf(ret, CELL_MAX, "-");
	if (line_number(line, "timing.ttftMs", &ttft_ms))
		duration_text(ttft_ms, ret, CELL_MAX);
}

static void took_text(const cJSON *line, char ret[CELL_MAX])
{
	uint64_t start_ns, end_ns;

	snprintf(ret, CELL_MAX, "-");
	if (line_time_ns(line, "startTime", &start_ns) && line_time_ns(line, "endTime", &end_ns))
		duration_text((double)elapsed_ns(start_ns, end_ns) / 1e6, ret, CELL_MAX);
}

static void tokens_text(const cJSON *line, char ret[CELL_MAX])
{
	uint64_t in, out;
	bool has_in = line_tokens(line, "input", &in), has_out = line_tokens(line, "output", &out);
	char in_text[32] = "-", out_text[32] = "-";

	if (has_in)
		snprintf(in_text, sizeof(in_text), "%llu", (unsigned long long)in);
	if (has_out)
		snprintf(out_text, sizeof(out_text), "%llu", (unsigned long long)out);
	if (has_in || has_out)
		snprintf(ret, CELL_MAX, "%s→%s", in_text, out_text);
	else
		snprintf(ret, CELL_MAX, "-");
}

/* --- the first words --------------------------------------------------------- */

static void add_words(struct buf *out, const char *text)
{
	struct slice words = slice_of(text);

	while (words.len && (words.ptr[0] == ' ' || words.ptr[0] == '\n' || words.ptr[0] == '\r'))
		slice_take(&words, 1);
	text_add_scrubbed(out, (struct slice){ words.ptr, utf8_prefix(words, WORDS_MAX) });
}

static void add_tool_names(struct buf *out, const cJSON *message)
{
	const cJSON *tool;

	cJSON_ArrayForEach(tool, line_at(message, "tool_calls")) {
		const char *name = line_text(tool, "function.name");

		if (out->len)
			buf_add_text(out, ", ");
		text_add_scrubbed(out, slice_of(name ? name : "tool"));
		buf_add_text(out, "()");
	}
}

/* Of an error its message; of an answer its text, else the tools it calls. */
static void first_words(const cJSON *line, struct buf *ret)
{
	const char *message = line_text(line, "statusMessage");
	const cJSON *output = line_at(line, "output");
	char *json;

	if (cJSON_IsArray(output))
		output = output->child;
	if (message && (is_error(line) || !output)) {
		add_words(ret, message);
	} else if (cJSON_IsString(output)) {
		add_words(ret, output->valuestring);
	} else if (line_text(output, "content")) {
		add_words(ret, line_text(output, "content"));
	} else if (line_at(output, "tool_calls")) {
		add_tool_names(ret, output);
	} else if (output) {
		json = cJSON_PrintUnformatted(output);
		add_words(ret, json ? json : "");
		cJSON_free(json);
	}
}

static unsigned words_width(const struct terminal_options *options)
{
	unsigned used = 0;

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		used += columns[i].width + 1;
	if (!options->width)
		return WORDS_WIDTH;
	return options->width > used ? options->width - used : 0;
}

/* --- the line ---------------------------------------------------------------- */

static void add_columns(const struct terminal_options *options, const cJSON *line, struct buf *out)
{
	_cleanup_(buf_done) struct buf process = BUF_INIT(CELL_MAX), model = BUF_INIT(CELL_MAX);
	const char *name = line_text(line, "model");
	char text[CELL_MAX];
	const char *colour;

	time_text(line, text);
	add_cell(out, options, TIME, text, COLOUR_DIM);
	process_text(line, &process);
	add_cell(out, options, PROCESS, buf_text(&process), NULL);
	add_cell(out, options, ROLE, role_text(line), NULL);
	text_add_scrubbed(&model, slice_of(name ? name : "-"));
	add_cell(out, options, MODEL, buf_text(&model), COLOUR_BOLD);
	colour = status_text(line, text);
	add_cell(out, options, STATUS, text, colour);
	ttft_text(line, text);
	add_cell(out, options, TTFT, text, NULL);
	rate_text(line, text);
	add_cell(out, options, RATE, text, NULL);
	tokens_text(line, text);
	add_cell(out, options, TOKENS, text, NULL);
	took_text(line, text);
	add_cell(out, options, DURATION, text, NULL);
}

/* Nothing but padding stands at the end of a line without words. */
static void end_line(struct buf *out)
{
	while (out->len && out->ptr[out->len - 1] == ' ')
		out->ptr[--out->len] = '\0';
	buf_add_char(out, '\n');
}

void terminal_line(const struct terminal_options *options, const cJSON *generation, struct buf *ret)
{
	_cleanup_(buf_done) struct buf words = BUF_INIT(4 * WORDS_MAX);

	add_columns(options, generation, ret);
	first_words(generation, &words);
	add_colour(ret, options, is_error(generation) ? COLOUR_RED : NULL);
	columns_add(ret, buf_slice(&words), words_width(options));
	add_colour(ret, options, is_error(generation) ? COLOUR_NONE : NULL);
	end_line(ret);
}

void terminal_heads(const struct terminal_options *options, struct buf *ret)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		add_cell(ret, options, (enum column)i, columns[i].head, COLOUR_DIM);
	end_line(ret);
}
