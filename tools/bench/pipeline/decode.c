/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the pipeline makes generations of events: no capture, no sink, one thread.
 *
 * usage: decode KIND STREAMS CHUNKS [BYTES]
 *
 * KIND: h1, h2, gzip, br or zstd (of h1). STREAMS calls follow each other on as many
 * connections as fit, each with CHUNKS server-sent events of BYTES (200) each. Prints
 * one JSON object: chunks, seconds of CPU, chunks_per_s, generations, lost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "pipeline.h"
#include "tools/bench/pipeline/traffic.h"

static uint64_t generations;

static void on_line(void *ctx, struct slice line)
{
	(void)ctx;
	(void)line;
	generations++;
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t streams = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t chunks = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t bytes = argc > 4 ? strtoull(argv[4], NULL, 10) : 200;
	struct pipeline_options options = { .max_content = LIMIT_CONTENT_MAX, .line = on_line };
	struct pipeline_totals totals = {};
	struct traffic traffic = {};
	struct pipeline *pipeline = NULL;
	uint64_t lost = 0;
	double start_s, s;

	if (!streams || !chunks || traffic_init(&traffic, argv[1], chunks, bytes) < 0 ||
	    pipeline_new(&pipeline, &options) < 0) {
		fprintf(stderr, "usage: decode h1|h2|gzip|br|zstd STREAMS CHUNKS [BYTES]\n");
		return 2;
	}
	start_s = cpu_s();
	for (uint64_t i = 0; i < streams; i++)
		traffic_play(&traffic, pipeline, i);
	s = cpu_s() - start_s;
	pipeline_totals(pipeline, &totals);
	for (int i = 0; i < LOSS_COUNT; i++)
		lost += loss_is_loss(i) ? totals.losses[i] : 0;
	printf("{\"chunks\": %" PRIu64 ", \"cpu_s\": %.3f, \"chunks_per_s\": %.0f, \"generations\": %" PRIu64
	       ", \"lost\": %" PRIu64 "}\n", streams * chunks, s, (double)(streams * chunks) / s, generations, lost);
	pipeline_free(&pipeline);
	traffic_done(&traffic);
	return generations == streams && !lost ? 0 : 1;
}
