/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What every capturing program shares: the maps, the losses, and the way of
 * moved bytes into the ring.
 *
 * A connection is counted from its first move and captured from the first move
 * that begins like an HTTP message. Until then, and after user space has said
 * that it wants no more, a move costs one map lookup and an addition.
 *
 *   UNKNOWN --message start--> HTTP --user space: drop--> IGNORED
 *      |                                                     ^
 *      +--TLS record, or born and not HTTP-------------------+
 */
#ifndef GENTAP_CAPTURE_BPF_H
#define GENTAP_CAPTURE_BPF_H

#include "bpf/kernel.h"
#include "bpf/gentap.h"

struct targets_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);	/* set to LIMIT_TARGETS by the loader */
	__type(key, __u32);
	__type(value, struct gt_target);
};
struct conns_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);	/* set to LIMIT_KERNEL_CONNS by the loader */
	__type(key, struct gt_conn_key);
	__type(value, struct gt_conn);
};
struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);	/* set by the loader, too */
};

extern struct targets_map targets SEC(".maps");
extern struct conns_map tls_conns SEC(".maps");
extern struct conns_map sockets SEC(".maps");
extern struct ring_map ring SEC(".maps");
extern struct ring_map control_ring SEC(".maps");

extern __u64 losses[GT_LOSS_COUNT];
extern __u64 conns_made;
extern __u32 is_parked;		/* the reader sleeps until woken */

/* Set by the loader before loading. */
extern const volatile __u64 conn_id_base;
extern const volatile __u32 self_pid;
extern const volatile __u32 wake_at_bytes; /* unread bytes that wake the reader early */

/* Bits of gt_conn.flags that stay in the kernel. */
enum {
	CONN_ANNOUNCED	= 1 << 30, /* user space knows it: OPEN or NAME was sent */
	CONN_SHUT	= 1 << 29, /* this side's end was sent */
	CONN_SEEN	= 1 << 28, /* it counts in gt_target.tls_conns */
	CONN_LOSSES	= GT_FLAG_RING_FULL | GT_FLAG_UNREADABLE | GT_FLAG_CALL_LIMIT | GT_FLAG_SENDFILE,
};

static __always_inline void lost(enum gt_loss loss)
{
	if (loss < GT_LOSS_COUNT)
		__sync_fetch_and_add(&losses[loss], 1);
}

static __always_inline struct gt_target *current_target(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&targets, &pid);
}

/* The ring's wake-up: none per record. The reader drains on a timer; a parked
 * reader is woken, and one that lets large records pile up. */
static __always_inline __u64 wake_flags(__u64 size)
{
	if (is_parked)
		return BPF_RB_FORCE_WAKEUP;
	if (size > 1024 && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > wake_at_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_event(struct gt_event *ev, __u64 time_ns, __u64 conn_id,
				       __u16 type, __u32 flags)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	ev->time_ns = time_ns;
	ev->conn_id = conn_id;
	ev->pid = pid_tgid >> 32;
	ev->tid = pid_tgid;
	ev->type = type;
	ev->flags = flags;
	ev->_pad = 0;
}

/* One move of bytes between a process and a connection, and how far it got. It
 * lives in task storage, not on the stack: there the verifier would follow each
 * value through every round of the loop and give up. */
struct move {
	__u64 time_ns;
	__u64 offset;		/* of the next byte */
	__u64 base, left;	/* rest of the current segment */
	__u64 iov;		/* user's struct iovec that follow */
	__u64 segments;		/* how many of them */
	__u64 total;		/* bytes still to account for */
	__u64 budget;		/* bytes that may still be captured */
	__u32 direction;
	__u32 flags;		/* enum gt_event_flags of all its events */
};

/* What the loop over a move is given. */
struct mover {
	struct gt_conn *conn;
	struct move *move;
};

/* Reserves one size class, so that the copy goes straight into the ring. The
 * 64-bit clamp with a barrier is what the verifier can follow with clang 14. */
#define EMIT_CLASS(conn, move, want, size) do {						\
	struct gt_data_event *ev = bpf_ringbuf_reserve(&ring, sizeof(*ev) + (size), 0);	\
	__u64 n = (want);								\
											\
	if (!ev)									\
		goto full;								\
	fill_event(&ev->event, (move)->time_ns, (conn)->id, GT_EVENT_DATA,	\
		   (move)->flags | ((conn)->flags & CONN_LOSSES));		\
	(conn)->flags &= ~CONN_LOSSES;						\
	ev->offset = (move)->offset;							\
	ev->direction = (move)->direction;						\
	ev->len = n;									\
	ev->captured_len = n;								\
	ev->_pad = 0;									\
	asm volatile("" : "+r"(n));							\
	if (n > (size))									\
		n = (size);								\
	if (n && bpf_probe_read_user(ev->bytes, n, (void *)(move)->base)) {		\
		ev->captured_len = 0;							\
		ev->event.flags |= GT_FLAG_UNREADABLE;					\
		lost(GT_LOSS_UNREADABLE);						\
	}										\
	bpf_ringbuf_submit(ev, wake_flags(size));					\
} while (0)

/* One record of at most GT_CHUNK_BYTES from the current segment. */
static __noinline int emit(struct gt_conn *conn, struct move *move, __u64 want)
{
	if (want <= 256)
		EMIT_CLASS(conn, move, want, 256);
	else if (want <= 1024)
		EMIT_CLASS(conn, move, want, 1024);
	else if (want <= 4096)
		EMIT_CLASS(conn, move, want, 4096);
	else
		EMIT_CLASS(conn, move, want, GT_CHUNK_BYTES);
	return 0;
full:
	lost(GT_LOSS_RING_FULL);
	conn->flags |= GT_FLAG_RING_FULL;
	return 1;
}

/* A record without bytes: @len of them passed uncaptured, for the reason in @flag. */
static __always_inline void emit_gap(struct gt_conn *conn, struct move *move, __u64 len, __u32 flag)
{
	struct gt_data_event *ev = bpf_ringbuf_reserve(&ring, sizeof(*ev), 0);

	if (!ev) {
		lost(GT_LOSS_RING_FULL);
		conn->flags |= GT_FLAG_RING_FULL | flag;
		return;
	}
	fill_event(&ev->event, move->time_ns, conn->id, GT_EVENT_DATA,
		   move->flags | flag | (conn->flags & CONN_LOSSES));
	conn->flags &= ~CONN_LOSSES;
	ev->offset = move->offset;
	ev->direction = move->direction;
	ev->len = len > 0xffffffff ? 0xffffffff : len;
	ev->captured_len = 0;
	ev->_pad = 0;
	bpf_ringbuf_submit(ev, wake_flags(0));
}

struct user_iovec {
	__u64 base, len;
};

static __always_inline bool next_segment(struct move *move)
{
	struct user_iovec segment;

	if (!move->segments || bpf_probe_read_user(&segment, sizeof(segment), (void *)move->iov))
		return false;
	move->iov += sizeof(segment);
	move->segments--;
	move->base = segment.base;
	move->left = segment.len;
	return true;
}

/* bpf_loop callback: one record or one more segment. 1 ends the loop. */
static long move_step(__u32 step, struct mover *mover)
{
	struct move *move = mover->move;
	__u64 want;

	if (!move->total || !move->budget)
		return 1;
	if (!move->left)
		return next_segment(move) ? 0 : 1;
	want = move->left;
	if (want > move->total)
		want = move->total;
	if (want > GT_CHUNK_BYTES)
		want = GT_CHUNK_BYTES;
	if (want > move->budget)
		want = move->budget;
	emit(mover->conn, move, want);
	move->base += want;
	move->left -= want;
	move->offset += want;
	move->total -= want;
	move->budget -= want;
	return 0;
}

/* Steps: the chunks of a full budget, and as many segments again. */
#define MOVE_STEPS (2 * GT_CALL_BYTES / GT_CHUNK_BYTES + 128)

static __always_inline void move_bytes(struct gt_conn *conn, struct move *move)
{
	struct mover mover = { .conn = conn, .move = move };

	if (move->left >= move->total && move->total <= GT_CHUNK_BYTES) {
		emit(conn, move, move->total);
		return;
	}
	bpf_loop(MOVE_STEPS, move_step, &mover, 0);
	if (!move->total)
		return;
	lost(move->budget ? GT_LOSS_IOVEC_LIMIT : GT_LOSS_CALL_LIMIT);
	emit_gap(conn, move, move->total, GT_FLAG_CALL_LIMIT);
}

/* --- what do these bytes begin? ------------------------------------------- */

enum {
	FRAME_HEADER = 9,
	FRAME_MAX = 1 << 20,	/* as LIMIT_HTTP2_FRAME */
};

enum beginning { BEGINS_NOTHING, BEGINS_MESSAGE, BEGINS_TLS };

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* Whether these nine bytes may be the header of an HTTP/2 frame (RFC 9113 sections
 * 4.1 and 6): how a move begins on a connection that was there before us, or of a
 * server that does not wait for the preface. */
static __always_inline bool begins_frame(const __u8 *b)
{
	__u32 len = (__u32)b[0] << 16 | (__u32)b[1] << 8 | b[2];
	__u32 id = (__u32)b[5] << 24 | (__u32)b[6] << 16 | (__u32)b[7] << 8 | b[8];
	__u32 type = b[3], flags = b[4];

	if (len > FRAME_MAX || id >> 31)
		return false;
	if (type == 4)	/* SETTINGS */
		return !id && (flags ? flags == 1 && !len : len % 6 == 0);
	if (type == 6)	/* PING */
		return !id && len == 8 && flags <= 1;
	if (type == 7)	/* GOAWAY */
		return !id && len >= 8 && !flags;
	if (type == 8)	/* WINDOW_UPDATE */
		return (!id || id & 1) && len == 4 && !flags;
	if (!(id & 1))
		return false;
	if (type == 0)	/* DATA */
		return !(flags & ~0x9);
	if (type == 1)	/* HEADERS */
		return len && !(flags & ~0x2d);
	if (type == 5)	/* PUSH_PROMISE */
		return len > 4 && !(flags & ~0xc);
	/* PRIORITY, RST_STREAM */
	return !flags && ((type == 2 && len == 5) || (type == 3 && len == 4));
}

/* Methods of RFC 9110 and PATCH, and HTTP/2's preface, by their first four bytes.
 * User space looks closer; here a wrong yes costs a few records, a wrong no costs a
 * call. */
static __always_inline enum beginning beginning_of(__u32 word, __u64 len)
{
	__u32 mask = len >= 4 ? 0xffffffff : (1u << (len * 8)) - 1;

#define BEGINS(a, b, c, d) (word == (WORD(a, b, c, d) & mask))
	if (BEGINS('P', 'O', 'S', 'T') || BEGINS('H', 'T', 'T', 'P') || BEGINS('G', 'E', 'T', ' ') ||
	    BEGINS('P', 'U', 'T', ' ') || BEGINS('H', 'E', 'A', 'D') || BEGINS('P', 'A', 'T', 'C') ||
	    BEGINS('D', 'E', 'L', 'E') || BEGINS('O', 'P', 'T', 'I') || BEGINS('C', 'O', 'N', 'N') ||
	    BEGINS('T', 'R', 'A', 'C') || BEGINS('P', 'R', 'I', ' '))
		return BEGINS_MESSAGE;
#undef BEGINS
	/* Content type 20..23, version 3.0..3.4 (RFC 8446 section 5.1). */
	if (len >= 3 && (word & 0xff) >= 20 && (word & 0xff) <= 23 &&
	    (word >> 8 & 0xff) == 3 && (word >> 16 & 0xff) <= 4)
		return BEGINS_TLS;
	return BEGINS_NOTHING;
}

/* What the move's first bytes begin; fewer than four are taken for what they
 * could become. */
static __always_inline enum beginning move_begins(const struct move *move)
{
	__u64 len = move->left < move->total ? move->left : move->total;
	__u8 front[FRAME_HEADER] = {};
	enum beginning beginning;

	if (len > FRAME_HEADER)
		len = FRAME_HEADER;
	asm volatile("" : "+r"(len));
	if (len > FRAME_HEADER)
		len = FRAME_HEADER;
	bpf_probe_read_user(front, len, (void *)move->base);
	beginning = beginning_of(WORD(front[0], front[1], front[2], front[3]), len < 4 ? len : 4);
	if (beginning == BEGINS_NOTHING && len == FRAME_HEADER && begins_frame(front))
		return BEGINS_MESSAGE;
	return beginning;
}

static __always_inline __u64 new_conn_id(void)
{
	return conn_id_base + __sync_fetch_and_add(&conns_made, 1);
}

static __always_inline void leader_comm(char (*ret)[GT_COMM_BYTES])
{
	struct task_struct *leader = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader);

	BPF_CORE_READ_STR_INTO(ret, leader, comm);
}

/* --- a connection's first and last word ----------------------------------- */

/* The OPEN event, filled but for addresses; the caller submits it. NULL when the
 * ring is full: the data that follow make the connection known all the same. */
static __always_inline struct gt_open_event *begin_open(struct gt_conn *conn, __u64 key, __u64 time_ns,
							__u32 flags)
{
	struct gt_open_event *ev = bpf_ringbuf_reserve(&ring, sizeof(*ev), 0);

	conn->flags |= CONN_ANNOUNCED;
	if (!ev) {
		lost(GT_LOSS_RING_FULL);
		conn->flags |= GT_FLAG_RING_FULL;
		return NULL;
	}
	__builtin_memset(ev, 0, sizeof(*ev));
	fill_event(&ev->event, time_ns, conn->id, GT_EVENT_OPEN,
		   flags | (conn->flags & (GT_FLAG_BORN | GT_FLAG_ACCEPTED)));
	ev->key = key;
	leader_comm(&ev->comm);
	return ev;
}

/* EOF or CLOSE, for those who know the connection. */
static __always_inline void send_end(struct gt_conn *conn, __u16 type, __u32 direction, __u32 flags)
{
	struct gt_end_event *ev;

	if (!(conn->flags & CONN_ANNOUNCED))
		return;
	ev = bpf_ringbuf_reserve(&ring, sizeof(*ev), 0);
	if (!ev) {
		lost(GT_LOSS_RING_FULL);
		return;
	}
	fill_event(&ev->event, bpf_ktime_get_ns(), conn->id, type, flags | (conn->flags & CONN_LOSSES));
	ev->offset[GT_READ] = conn->offset[GT_READ];
	ev->offset[GT_WRITE] = conn->offset[GT_WRITE];
	ev->direction = direction;
	ev->_pad = 0;
	bpf_ringbuf_submit(ev, wake_flags(0));
}

#endif
