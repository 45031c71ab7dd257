/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: from events to exchanges. The table owns connections, a
 * connection its two flows and its exchanges.
 *
 * Everything here is a function of the events alone; there is no clock.
 */
#ifndef GENTAP_CONN_CONN_H
#define GENTAP_CONN_CONN_H

#include "../../bpf/gentap.h"
#include "conn/exchange.h"

/* What a connection's owner may read. */
struct conn {
	uint64_t id;
	uint64_t key;			/* see gt_open_event.key */
	uint32_t pid, tid;		/* tid: of the last event */
	bool is_tls;
	bool is_born;			/* seen from its first byte */
	bool is_ignored;		/* user space wants no more of it */
	char comm[GT_COMM_BYTES];
	char server_name[GT_NAME_BYTES]; /* SNI; "" when not seen */
	uint16_t family;		/* as gt_open_event */
	uint16_t local_port, peer_port;
	uint8_t local_addr[16], peer_addr[16];
	uint64_t exchanges;		/* begun so far */
};

struct conn_table;

struct conn_table_options {
	const struct exchange_ops *ops;
	void *ctx;			/* for ops and ignored */
	/* The connection is of no use any more (not HTTP/1, a tunnel); the source
	 * may stop sending its bytes. May be NULL. */
	void (*ignored)(void *ctx, const struct conn *conn);
	uint64_t *losses;		/* LOSS_COUNT counters, the caller's; required */
};

/* Returns 0 or -ENOMEM. The caller owns *ret. */
int conn_table_new(struct conn_table **ret, const struct conn_table_options *options);
/* Every exchange still open ends as END_DETACHED. */
void conn_table_free(struct conn_table **table);

/* Takes one event of any type; those of processes other than EXIT are ignored. */
void conn_table_event(struct conn_table *table, const struct gt_event *event);

/* All of the process's connections end, as END_TARGET_EXITED. */
void conn_table_exit(struct conn_table *table, uint32_t pid, uint64_t time_ns);

/* Ends every open exchange as END_DETACHED, at @time_ns. */
void conn_table_detach(struct conn_table *table, uint64_t time_ns);

size_t conn_table_count(const struct conn_table *table);

/* "192.0.2.1:443", "[2001:db8::1]:443", "unix"; "" when unknown. */
void conn_peer_text(const struct conn *conn, char *ret, size_t size);

#endif
