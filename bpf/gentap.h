/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the kernel side and user space say to each other: event records, map
 * keys and values, and the names of what can be lost in the kernel.
 *
 * Widths are fixed, padding is explicit, sizes are asserted. In BPF, include
 * the kernel types before this header; in user space it brings <linux/types.h>.
 */
#ifndef GENTAP_H
#define GENTAP_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/* Most bytes that one data record carries; longer moves become several. */
#define GT_CHUNK_BYTES		16384u
/* Most bytes captured of one read or write; the rest is a gap of known length. */
#define GT_CALL_BYTES		(1u << 20)
#define GT_NAME_BYTES		256u
#define GT_COMM_BYTES		16u

enum gt_event_type {
	GT_EVENT_OPEN = 1,	/* struct gt_open_event: first word of a connection */
	GT_EVENT_NAME,		/* struct gt_name_event: TLS server name (SNI) */
	GT_EVENT_DATA,		/* struct gt_data_event */
	GT_EVENT_EOF,		/* struct gt_end_event: no more bytes in one direction */
	GT_EVENT_CLOSE,		/* struct gt_end_event: the connection is gone */
	/* Of a process, not a connection; on the control ring: */
	GT_EVENT_FORK,		/* struct gt_process_event: peer_pid is the child */
	GT_EVENT_EXEC,		/* struct gt_process_event */
	GT_EVENT_EXIT,		/* struct gt_process_event: its last thread ended */
	GT_EVENT_MAP,		/* struct gt_process_event: mapped a file to execute */
	GT_EVENT_IO_URING,	/* struct gt_process_event: moved a socket's bytes by io_uring */
};

/* As the traced process sees it. */
enum gt_direction {
	GT_READ = 0,
	GT_WRITE = 1,
	GT_DIRECTIONS
};

/* Bits of gt_event.flags. */
enum gt_event_flags {
	GT_FLAG_TLS		= 1 << 0, /* bytes are plaintext inside TLS */
	GT_FLAG_BORN		= 1 << 1, /* OPEN: seen from its first byte (accept, connect) */
	GT_FLAG_ACCEPTED	= 1 << 2, /* OPEN: came from accept, not connect */
	GT_FLAG_RESET		= 1 << 4, /* EOF: the peer reset the connection */
	/* Why bytes of this connection before (or, captured_len < len, in) this
	 * record are missing: */
	GT_FLAG_RING_FULL	= 1 << 8,
	GT_FLAG_UNREADABLE	= 1 << 9,
	GT_FLAG_CALL_LIMIT	= 1 << 10, /* one call moved more than GT_CALL_BYTES */
	GT_FLAG_SENDFILE	= 1 << 11, /* bytes went from file to socket in the kernel */
};

struct gt_event {
	__u64 time_ns;		/* CLOCK_MONOTONIC; a write's is its start, a read's its end */
	__u64 conn_id;		/* unique per boot; 0 for events of a process */
	__u32 pid;		/* process (tgid), in the initial pid namespace */
	__u32 tid;
	__u16 type;		/* enum gt_event_type */
	__u16 flags;		/* enum gt_event_flags */
	__u32 _pad;
};

struct gt_open_event {
	struct gt_event event;
	__u64 key;		/* SSL * with GT_FLAG_TLS, else file descriptor */
	__u16 family;		/* AF_INET, AF_INET6, AF_UNIX; 0 unknown (TLS) */
	__u16 local_port;	/* host byte order */
	__u16 peer_port;
	__u16 _pad;
	__u8 local_addr[16];	/* AF_INET uses the first four bytes */
	__u8 peer_addr[16];
	char comm[GT_COMM_BYTES]; /* of the process (thread group leader) */
};

struct gt_name_event {
	struct gt_event event;
	char name[GT_NAME_BYTES]; /* NUL-terminated */
};

struct gt_data_event {
	struct gt_event event;
	__u64 offset;		/* of bytes[0] in its direction of the connection */
	__u32 direction;	/* enum gt_direction */
	__u32 len;		/* bytes of the move that this record stands for */
	__u32 captured_len;	/* of those, bytes that follow; fewer means a gap after them */
	__u32 _pad;
	char bytes[];
};

struct gt_end_event {
	struct gt_event event;
	__u64 offset[GT_DIRECTIONS]; /* bytes moved in all, so that a lost tail shows */
	__u32 direction;	/* EOF: GT_READ the peer ended, GT_WRITE this side did */
	__u32 _pad;
};

struct gt_process_event {
	struct gt_event event;
	__u32 peer_pid;		/* FORK: the child */
	__u32 tls_unseen;	/* EXIT: see gt_target */
	char comm[GT_COMM_BYTES];
};

/* A traced process; key of the map is its tgid. */
struct gt_target {
	__u32 flags;		/* enum gt_target_flags */
	__u32 tls_sockets;	/* its sockets that carried TLS records */
	__u32 tls_conns;	/* its connections that TLS probes saw from a message on; those
				 * short of tls_sockets went unseen: no hooks, or too late */
	__u32 _pad;
};

enum gt_target_flags {
	GT_TARGET_SOCKETS	= 1 << 0, /* capture its plain sockets */
	GT_TARGET_CHILDREN	= 1 << 1, /* processes it forks are targets too */
	GT_TARGET_IO_URING	= 1 << 2, /* the loader was told that it uses io_uring */
};

struct gt_conn_key {
	__u64 key;		/* SSL * or file descriptor */
	__u32 pid;
	__u32 _pad;
};

/* What the kernel knows of a connection's protocol. */
enum gt_conn_state {
	GT_CONN_UNKNOWN = 0,	/* no message start seen yet: bytes are counted, not captured */
	GT_CONN_HTTP,		/* captured */
	GT_CONN_IGNORED,	/* not HTTP, or user space wants no more of it */
};

struct gt_conn {
	__u64 id;
	__u64 offset[GT_DIRECTIONS];
	__u32 state;		/* enum gt_conn_state */
	__u32 flags;		/* enum gt_event_flags to say with the next event */
};

/* Everything the kernel side can lose, by name. The names are part of the
 * command line's contract (summary line, `evidence.reasons`). */
#define GT_LOSSES(X)								\
	X(RING_FULL,		"ring_full",		"records that found the ring full")		\
	X(UNREADABLE,		"unreadable",		"records whose memory could not be read")	\
	X(CONNS_FULL,		"conns_full",		"connections beyond the kernel's table")	\
	X(CALL_LIMIT,		"call_limit",		"reads and writes longer than captured of one call") \
	X(IOVEC_LIMIT,		"iovec_limit",		"vectored calls with more segments than followed") \
	X(SENDFILE,		"sendfile",		"sendfile and splice calls into a captured socket") \
	X(IO_URING,		"io_uring",		"socket operations through io_uring")		\
	X(CONTROL_FULL,		"control_full",		"process events that found the control ring full") \
	X(TARGETS_FULL,		"targets_full",		"processes beyond the kernel's table")		\
	X(STATE,		"no_task_state",	"calls that found no memory for their state")

enum gt_loss {
#define X(name, text, help) GT_LOSS_##name,
	GT_LOSSES(X)
#undef X
	GT_LOSS_COUNT
};

#define GT_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "ABI: " #type " changed size")
GT_ASSERT_SIZE(gt_event, 32);
GT_ASSERT_SIZE(gt_open_event, 96);
GT_ASSERT_SIZE(gt_name_event, 288);
GT_ASSERT_SIZE(gt_data_event, 56);
GT_ASSERT_SIZE(gt_end_event, 56);
GT_ASSERT_SIZE(gt_process_event, 56);
GT_ASSERT_SIZE(gt_conn_key, 16);
GT_ASSERT_SIZE(gt_conn, 32);

#endif
