/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/capture.h"
#include "cli/commands.h"
#include "cli/say.h"

int attach_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	int code;

	if (!options_has_target(options))
		return fail(EXIT_USAGE, "say which processes: --pid N, --port N or --name GLOB; "
			    "see `gentap attach --help`");
	code = options_settings(options, &settings);
	if (code != EXIT_OK)
		return code;
	return capture(options, &settings, /* command */ NULL, /* recording */ NULL);
}
