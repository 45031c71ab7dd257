/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Plaintext at TLS libraries with OpenSSL's API (BoringSSL and LibreSSL too).
 *
 * A connection is (process, SSL *, birth): asyncio, uvloop and Node encrypt into
 * memory BIOs, so there is no file descriptor behind the SSL *. Bytes are taken
 * when the function returns, when it is known how many moved: a retried or
 * partial write must not be counted twice. A write keeps its entry's time.
 *
 * The link's cookie is the enum tls_op of the site. Reads and writes sit on one
 * session link where the kernel has it (6.13), else on an entry and a return
 * link; the rest needs the entry only. Probes are scoped to one process by
 * their links, so there is no filter here.
 */
#include "bpf/capture.bpf.h"
#include "loader/tls_op.h"

/* SSL_ctrl's command for SSL_set_tlsext_host_name (openssl/tls1.h). */
#define SSL_CTRL_SET_TLSEXT_HOSTNAME 55

struct tls_call {
	__u64 ssl, buf, done;
	__u64 time_ns;		/* of a write's start */
};

/* TLS inside TLS (a client behind an HTTPS proxy) calls from within a call. */
enum { CALLS_NESTED = 2 };

/* The calls under way of one thread, outermost first. */
struct tls_calls {
	struct tls_call call[CALLS_NESTED];
	__u64 depth;
	struct move move;	/* of the call that returns */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tls_calls);
} tls_calls SEC(".maps");

extern bool bpf_session_is_return(void) __ksym __weak;

static __always_inline struct gt_conn *find_conn(__u64 ssl)
{
	struct gt_conn_key key = { .key = ssl, .pid = bpf_get_current_pid_tgid() >> 32 };

	return bpf_map_lookup_elem(&tls_conns, &key);
}

static __noinline struct gt_conn *make_conn(__u64 ssl)
{
	struct gt_conn_key key = { .key = ssl, .pid = bpf_get_current_pid_tgid() >> 32 };
	struct gt_conn conn = {};

	conn.id = new_conn_id();
	if (bpf_map_update_elem(&tls_conns, &key, &conn, BPF_NOEXIST))
		lost(GT_LOSS_CONNS_FULL);
	return bpf_map_lookup_elem(&tls_conns, &key);
}

static __noinline int announce(struct gt_conn *conn, __u64 ssl, __u64 time_ns, __u32 flags)
{
	struct gt_open_event *ev = begin_open(conn, ssl, time_ns, flags | GT_FLAG_TLS);

	if (ev)
		bpf_ringbuf_submit(ev, wake_flags(0));
	return 0;
}

/* The probes came in time for this connection: it began under them, or a message
 * did. What only ends under them stays unseen. */
static __noinline int seen(struct gt_conn *conn)
{
	struct gt_target *target = current_target();

	if (target && !(conn->flags & CONN_SEEN))
		__sync_fetch_and_add(&target->tls_conns, 1);
	conn->flags |= CONN_SEEN;
	return 0;
}

/* Decides from the first bytes of a move; true when it is to be captured. */
static __noinline bool recognise(struct gt_conn *conn, struct move *move, __u64 ssl)
{
	switch (move_begins(move)) {
	case BEGINS_MESSAGE:
		conn->state = GT_CONN_HTTP;
		seen(conn);
		announce(conn, ssl, move->time_ns, 0);
		return true;
	default:
		/* Perhaps joined in the middle of a body: look at the next move. A client
		 * that writes first speaks another protocol. */
		if (move->direction == GT_WRITE)
			seen(conn);
		return false;
	}
}

static __always_inline void tls_moved(const struct tls_call *call, struct move *move, __u64 len,
				      __u32 direction, __u64 time_ns)
{
	struct gt_conn *conn = find_conn(call->ssl);

	direction &= 1;
	if (!conn)
		conn = make_conn(call->ssl);
	if (!conn)
		return;
	move->offset = conn->offset[direction];
	conn->offset[direction] += len;
	if (conn->state == GT_CONN_IGNORED)
		return;
	move->time_ns = time_ns;
	move->base = call->buf;
	move->left = move->total = len;
	move->segments = 0;
	move->budget = GT_CALL_BYTES;
	move->direction = direction;
	move->flags = GT_FLAG_TLS;
	if (conn->state == GT_CONN_UNKNOWN && !recognise(conn, move, call->ssl))
		return;
	move_bytes(conn, move);
}

static __always_inline bool is_write(__u64 op)
{
	return op == TLS_WRITE || op == TLS_WRITE_EX || op == TLS_WRITE_EX2;
}

static __always_inline int enter(struct pt_regs *ctx)
{
	struct tls_calls *calls = bpf_task_storage_get(&tls_calls, bpf_get_current_task_btf(), 0,
						       BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	__u64 op = bpf_get_attach_cookie(ctx);
	struct tls_call *call;

	/* Both read at once: the verifier refuses a register chosen later. */
	asm volatile("" : "+r"(fourth), "+r"(fifth));
	if (!calls) {
		lost(GT_LOSS_STATE);
		return 0;
	}
	/* Deeper than that, returns must have been missed: begin anew. */
	if (calls->depth >= CALLS_NESTED) {
		lost(GT_LOSS_STATE);
		calls->depth = 0;
	}
	call = &calls->call[calls->depth & (CALLS_NESTED - 1)];
	calls->depth++;
	call->ssl = PT_REGS_PARM1(ctx);
	call->buf = PT_REGS_PARM2(ctx);
	call->done = op == TLS_WRITE_EX2 ? fifth : fourth;
	if (is_write(op))
		call->time_ns = bpf_ktime_get_ns();
	return 0;
}

/* How many bytes the call moved, by its convention; 0 none. */
static __always_inline __u64 moved_bytes(__u64 op, int result, __u64 done)
{
	__u64 len = 0;

	if (result <= 0)
		return 0;
	if (op == TLS_READ || op == TLS_WRITE)
		return result;
	bpf_probe_read_user(&len, sizeof(len), (void *)done);
	return len;
}

static __always_inline int leave(struct pt_regs *ctx)
{
	struct tls_calls *calls = bpf_task_storage_get(&tls_calls, bpf_get_current_task_btf(), 0, 0);
	__u64 op = bpf_get_attach_cookie(ctx);
	int result = PT_REGS_RC(ctx);
	struct tls_call *call;
	__u64 len;

	/* A call that was under way when the probes came: its arguments are unknown. */
	if (!calls || !calls->depth)
		return 0;
	calls->depth--;
	call = &calls->call[calls->depth & (CALLS_NESTED - 1)];
	len = moved_bytes(op, result, call->done);
	if (len) {
		tls_moved(call, &calls->move, len, is_write(op) ? GT_WRITE : GT_READ,
			  is_write(op) ? call->time_ns : bpf_ktime_get_ns());
	} else if (op == TLS_READ_INNER && result == 0) {
		struct gt_conn *conn = find_conn(call->ssl);

		if (conn)
			send_end(conn, GT_EVENT_EOF, GT_READ, GT_FLAG_TLS);
	}
	return 0;
}

SEC("uprobe")
int tls_session(struct pt_regs *ctx)
{
	return bpf_session_is_return() ? leave(ctx) : enter(ctx);
}

SEC("uprobe")
int tls_enter(struct pt_regs *ctx)
{
	return enter(ctx);
}

SEC("uprobe")
int tls_leave(struct pt_regs *ctx)
{
	return leave(ctx);
}

static __always_inline void server_name(__u64 ssl, __u64 name)
{
	struct gt_conn *conn = find_conn(ssl);
	struct gt_name_event *ev;

	if (!conn)
		conn = make_conn(ssl);
	if (!conn || !name)
		return;
	ev = bpf_ringbuf_reserve(&ring, sizeof(*ev), 0);
	if (!ev) {
		lost(GT_LOSS_RING_FULL);
		return;
	}
	fill_event(&ev->event, bpf_ktime_get_ns(), conn->id, GT_EVENT_NAME, GT_FLAG_TLS);
	if (bpf_probe_read_user_str(ev->name, sizeof(ev->name), (void *)name) <= 0) {
		lost(GT_LOSS_UNREADABLE);
		bpf_ringbuf_discard(ev, BPF_RB_NO_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(ev, wake_flags(0));
	conn->flags |= CONN_ANNOUNCED;
}

static __always_inline void freed(__u64 ssl)
{
	struct gt_conn_key key = { .key = ssl, .pid = bpf_get_current_pid_tgid() >> 32 };
	struct gt_conn *conn = bpf_map_lookup_elem(&tls_conns, &key);

	if (!conn)
		return;
	send_end(conn, GT_EVENT_CLOSE, GT_WRITE, GT_FLAG_TLS);
	bpf_map_delete_elem(&tls_conns, &key);
}

SEC("uprobe")
int tls_once(struct pt_regs *ctx)
{
	__u64 op = bpf_get_attach_cookie(ctx);
	__u64 ssl = PT_REGS_PARM1(ctx);
	struct gt_conn *conn;

	switch (op) {
	case TLS_FREE:
		freed(ssl);
		break;
	case TLS_SHUTDOWN:
		conn = find_conn(ssl);
		if (conn && !(conn->flags & CONN_SHUT)) {
			conn->flags |= CONN_SHUT;
			send_end(conn, GT_EVENT_EOF, GT_WRITE, GT_FLAG_TLS);
		}
		break;
	case TLS_CTRL:
		if ((int)PT_REGS_PARM2(ctx) == SSL_CTRL_SET_TLSEXT_HOSTNAME)
			server_name(ssl, PT_REGS_PARM4(ctx));
		break;
	case TLS_SET_NAME:
		server_name(ssl, PT_REGS_PARM2(ctx));
		break;
	}
	return 0;
}
