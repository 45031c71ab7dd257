/* SPDX-License-Identifier: Apache-2.0 */
/* A streamed chat call as events, made once and played on any number of connections. */
#ifndef GENTAP_BENCH_TRAFFIC_H
#define GENTAP_BENCH_TRAFFIC_H

#include "limits.h"
#include "pipeline.h"

/* One stream's events, back to back; their connection, offsets and times are filled in
 * when they are played. */
struct traffic {
	char *bytes;		/* owned: struct gt_data_event after struct gt_data_event */
	size_t len, size;
	size_t *starts;		/* owned: where each event begins */
	size_t count, room;
	uint64_t moved[GT_DIRECTIONS];
};

/* @kind: "h1", "h2", "gzip", "br", "zstd". 0, or -errno; -EINVAL for another kind. */
int traffic_init(struct traffic *traffic, const char *kind, uint64_t chunks, size_t chunk_bytes);
void traffic_done(struct traffic *traffic);

/* Event number @index of the stream on connection @conn, at @time_ns. */
void traffic_event(struct traffic *traffic, struct pipeline *pipeline, uint64_t conn, size_t index,
		   uint64_t time_ns);
/* All of it, and the connection's OPEN and CLOSE. */
void traffic_play(struct traffic *traffic, struct pipeline *pipeline, uint64_t conn);
void traffic_open(struct pipeline *pipeline, uint64_t conn, uint64_t time_ns);
void traffic_close(const struct traffic *traffic, struct pipeline *pipeline, uint64_t conn, uint64_t time_ns);

#endif
