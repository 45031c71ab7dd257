/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many live streams at their real rate: what the pipeline needs of a core and of memory
 * while they run.
 *
 * usage: live KIND STREAMS SECONDS
 *
 * Each of STREAMS connections of KIND (h1, h2, gzip, ...) gets 50 chunks of 200 B a second,
 * all of them interleaved, for SECONDS. Prints one JSON object: chunks, cpu (of one core,
 * in percent), rss_kib (what was added while they ran), bytes_per_stream, late_ms (how far
 * the replay fell behind at worst), generations, lost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline.h"
#include "tools/bench/pipeline/traffic.h"

enum { RATE = 50, SLICES = 100 };	/* chunks a second; parts that a period is cut in */

static uint64_t generations;

static void on_line(void *ctx, struct slice line)
{
	(void)ctx;
	(void)line;
	generations++;
}

static uint64_t rss_kib(void)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec at = { (time_t)(time_ns / 1000000000), (long)(time_ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

struct run {
	struct traffic traffic;
	struct pipeline *pipeline;
	uint64_t streams;
	uint64_t late_ns;
};

/* Event @index of every stream, spread over a period of the rate. */
static void play_round(struct run *run, size_t index, uint64_t start_ns)
{
	const uint64_t period_ns = 1000000000 / RATE;

	for (uint64_t part = 0; part < SLICES; part++) {
		uint64_t at_ns = start_ns + part * period_ns / SLICES, now_ns;

		sleep_until(at_ns);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		run->late_ns = MAX(run->late_ns, now_ns - at_ns);
		for (uint64_t i = part; i < run->streams; i += SLICES)
			traffic_event(&run->traffic, run->pipeline, i, index, now_ns);
	}
}

static void print(const struct run *run, double cpu_s, double wall_s, uint64_t added_kib)
{
	struct pipeline_totals totals = {};
	uint64_t lost = 0, chunks = run->streams * run->traffic.count;

	pipeline_totals(run->pipeline, &totals);
	for (int i = 0; i < LOSS_COUNT; i++)
		lost += loss_is_loss(i) ? totals.losses[i] : 0;
	printf("{\"chunks\": %" PRIu64 ", \"cpu\": %.1f, \"rss_kib\": %" PRIu64 ", \"bytes_per_stream\": %" PRIu64
	       ", \"late_ms\": %.1f, \"generations\": %" PRIu64 ", \"lost\": %" PRIu64 "}\n", chunks,
	       100 * cpu_s / wall_s, added_kib, (uint64_t)(added_kib * KiB / run->streams),
	       (double)run->late_ns / 1e6, generations, lost);
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	struct run run = { .streams = argc > 2 ? strtoull(argv[2], NULL, 10) : 0 };
	struct pipeline_options options = { .max_content = LIMIT_CONTENT, .line = on_line };
	uint64_t start_ns, cpu_ns, before_kib, added_kib;

	if (!run.streams || !seconds || traffic_init(&run.traffic, argv[1], seconds * RATE, 200) < 0 ||
	    pipeline_new(&run.pipeline, &options) < 0) {
		fprintf(stderr, "usage: live h1|h2|gzip|br|zstd STREAMS SECONDS\n");
		return 2;
	}
	before_kib = rss_kib();
	start_ns = clock_ns(CLOCK_MONOTONIC);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < run.streams; i++)
		traffic_open(run.pipeline, i, start_ns);
	/* All but the end of each: then they are all alive. */
	for (size_t i = 0; i + 2 < run.traffic.count; i++)
		play_round(&run, i, start_ns + i * (1000000000 / RATE));
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	start_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	added_kib = rss_kib() - before_kib;
	for (uint64_t i = 0; i < run.streams; i++) {
		for (size_t k = run.traffic.count - MIN(run.traffic.count, (size_t)2); k < run.traffic.count; k++)
			traffic_event(&run.traffic, run.pipeline, i, k, clock_ns(CLOCK_MONOTONIC));
		traffic_close(&run.traffic, run.pipeline, i, clock_ns(CLOCK_MONOTONIC));
	}
	print(&run, (double)cpu_ns / 1e9, (double)start_ns / 1e9, added_kib);
	pipeline_free(&run.pipeline);
	traffic_done(&run.traffic);
	return 0;
}
