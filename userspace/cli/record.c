/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/capture.h"
#include "cli/commands.h"
#include "cli/say.h"

int record_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	struct recording recording = {
		.path = options->output,
		.is_forced = options->is_forced,
		.is_scrubbed = !options->is_raw,
	};
	int code;

	if (!options->output)
		return fail(EXIT_USAGE, "say where to record: -o FILE.gtcap; see `gentap record --help`");
	if (!options_has_target(options))
		return fail(EXIT_USAGE, "say which processes: --pid N, --port N or --name GLOB; "
			    "see `gentap record --help`");
	code = options_settings(options, &settings);
	if (code != EXIT_OK)
		return code;
	return capture(options, &settings, /* command */ NULL, &recording);
}
