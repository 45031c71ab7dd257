/* SPDX-License-Identifier: Apache-2.0 */
/* `gentap ls`: the newest generations of the local store, a line each. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/say.h"
#include "limits.h"

enum { DEFAULT_LIMIT = 20 };

struct listing {
	bool is_json;
	struct buf text;	/* of one row */
	bool has_failed;	/* stdout is gone: stop */
	size_t rows;
};

static bool list_row(void *ctx, const struct store_row *row)
{
	struct listing *listing = ctx;

	buf_reset(&listing->text);
	if (!listing->rows && !listing->is_json)
		list_heads(&listing->text);
	listing->rows++;
	if (!listing->is_json) {
		list_line(row->line, &listing->text);
	} else {
		buf_add_slice(&listing->text, row->line);
		buf_add_char(&listing->text, '\n');
	}
	listing->has_failed = say_result(&listing->text) != EXIT_OK;
	return !listing->has_failed;
}

int ls_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(store_close) struct store *store = NULL;
	struct listing listing = { .is_json = options->is_json, .text = BUF_INIT(LIST_LINE_MAX) };
	int r, code = options_settings(options, &settings);

	if (code == EXIT_OK)
		code = list_open(&settings, &store);
	if (code != EXIT_OK)
		return code;
	r = store_each_newest(store, options->limit ? (unsigned)options->limit : DEFAULT_LIMIT, list_row, &listing);
	buf_done(&listing.text);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot read '%s': %s", settings_text(&settings, SETTING_STORE), strerror(-r));
	if (!listing.rows && !listing.is_json)
		say("'%s' holds no generation yet", settings_text(&settings, SETTING_STORE));
	return listing.has_failed ? EXIT_FAILED : EXIT_OK;
}
