/* SPDX-License-Identifier: Apache-2.0 */
/* A capture file that anybody may have written, through the pipeline. */
#include <sys/mman.h>

#include "fuzz.h"
#include "pipeline.h"
#include "source/replay_source.h"
#include "source/source.h"

static void on_line(void *ctx, struct slice line)
{
	(void)ctx;
	(void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pipeline_options options = { .max_content = 4 * KiB, .line = on_line };
	struct replay_options replay = {};
	struct pipeline *pipeline = NULL;
	struct source *source = NULL;
	int fd = memfd_create("gtcap", MFD_CLOEXEC);
	unsigned major;

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	FUZZ_CHECK(pipeline_new(&pipeline, &options) == 0);
	if (replay_source_new(&source, fd, &replay, &major) < 0)
		close(fd);
	else
		while (source_poll(source, pipeline_event, pipeline, 0) > 0)
			;
	source_free(&source);
	pipeline_free(&pipeline);
	return 0;
}
