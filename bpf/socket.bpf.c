/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Plain sockets of targets, at the two raw system call tracepoints.
 *
 * At sys_exit the argument registers still hold what the call was given, so a
 * read needs no state and one that was already blocked when gentap attached is
 * seen whole. A write leaves its start time in task storage: a reply must not
 * seem to leave after its reader has it. The number of the call is asked first,
 * then whether the process is a target; nobody else pays more.
 *
 * A connection is (process, file descriptor, birth): accept and connect make
 * it, close and dup2 onto it end it. A descriptor first seen in a read or write
 * is looked up once; what is no stream socket is remembered as uninteresting.
 */
#include "bpf/capture.bpf.h"

/* System calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl). */
enum {
	NR_READ = 0, NR_WRITE = 1, NR_CLOSE = 3, NR_MMAP = 9, NR_READV = 19, NR_WRITEV = 20,
	NR_DUP2 = 33, NR_SENDFILE = 40, NR_CONNECT = 42, NR_ACCEPT = 43, NR_SENDTO = 44,
	NR_RECVFROM = 45, NR_SENDMSG = 46, NR_RECVMSG = 47, NR_SPLICE = 275, NR_ACCEPT4 = 288,
	NR_DUP3 = 292, NR_CLOSE_RANGE = 436,
};

enum {
	S_IFMT = 0170000, S_IFSOCK = 0140000, SOCK_STREAM = 1,
	AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10,
	PROT_EXEC = 4, MSG_OOB = 1, MSG_PEEK = 2, MSG_ERRQUEUE = 0x2000, MSG_TRUNC = 0x20,
	EPIPE = 32, ECONNRESET = 104, EINPROGRESS = 115,
	CLOSE_RANGE_MOST = 1024,
	EMPTY_SEGMENTS = 4,	/* passed over before the first bytes of a move */
};

struct socket_call {
	__u64 start_ns;		/* of the write under way, or of the one before */
	struct move move;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_call);
} socket_calls SEC(".maps");

static __always_inline struct gt_conn_key socket_key(__u32 fd)
{
	return (struct gt_conn_key){ .key = fd, .pid = bpf_get_current_pid_tgid() >> 32 };
}

/* --- which socket is it --------------------------------------------------- */

/* The stream socket behind a descriptor of the current process, or NULL. */
static __always_inline struct sock *stream_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = NULL;
	struct socket *socket;
	__u16 family;
	struct sock *sk;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slot = BPF_CORE_READ(table, fd) + fd;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return NULL;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 || family == AF_UNIX ? sk : NULL;
}

static __always_inline void read_addresses(struct gt_open_event *ev, struct sock *sk)
{
	ev->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (ev->family == AF_UNIX)
		return;
	ev->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	ev->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (ev->family == AF_INET) {
		BPF_CORE_READ_INTO((__u32 *)ev->local_addr, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__u32 *)ev->peer_addr, sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&ev->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&ev->peer_addr, sk, __sk_common.skc_v6_daddr);
	}
}

static __noinline int announce(struct gt_conn *conn, __u32 fd, __u64 time_ns, __u32 flags)
{
	struct gt_open_event *ev = begin_open(conn, fd, time_ns, flags);
	struct sock *sk;

	if (!ev)
		return 0;
	sk = stream_of(fd);
	if (sk)
		read_addresses(ev, sk);
	bpf_ringbuf_submit(ev, wake_flags(0));
	return 0;
}

/* --- life and death of a descriptor --------------------------------------- */

static __noinline int forget(__u32 fd)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn *conn = bpf_map_lookup_elem(&sockets, &key);

	if (!conn)
		return 0;
	send_end(conn, GT_EVENT_CLOSE, GT_WRITE, 0);
	bpf_map_delete_elem(&sockets, &key);
	return 0;
}

static __noinline int born(__u32 fd, __u32 flags)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn conn = {};

	forget(fd);	/* its close was not seen */
	conn.id = new_conn_id();
	conn.flags = flags;
	if (bpf_map_update_elem(&sockets, &key, &conn, BPF_ANY))
		lost(GT_LOSS_CONNS_FULL);
	return 0;
}

static long forget_step(__u32 step, __u32 *first)
{
	forget(*first + step);
	return 0;
}

/* First move on a descriptor that was open before, or came by another way. */
static __noinline struct gt_conn *first_sight(__u32 fd)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn conn = {};

	conn.id = new_conn_id();
	conn.state = stream_of(fd) ? GT_CONN_UNKNOWN : GT_CONN_IGNORED;
	if (bpf_map_update_elem(&sockets, &key, &conn, BPF_NOEXIST))
		lost(GT_LOSS_CONNS_FULL);
	return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline struct gt_conn *find_conn(__u32 fd)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn *conn = bpf_map_lookup_elem(&sockets, &key);

	return conn ? conn : first_sight(fd);
}

/* --- bytes ---------------------------------------------------------------- */

/* Decides from the first bytes of a move; true when it is to be captured. */
static __noinline bool recognise(struct gt_conn *conn, struct move *move, __u32 fd)
{
	struct gt_target *target;

	switch (move_begins(move)) {
	case BEGINS_MESSAGE:
		conn->state = GT_CONN_HTTP;
		announce(conn, fd, move->time_ns, 0);
		return true;
	case BEGINS_TLS:
		/* The TLS side sees the inside, if it is there. */
		conn->state = GT_CONN_IGNORED;
		target = current_target();
		if (target)
			__sync_fetch_and_add(&target->tls_sockets, 1);
		return false;
	default:
		/* From the first byte on it was no HTTP, or we are in the middle of a body. */
		if (conn->flags & GT_FLAG_BORN)
			conn->state = GT_CONN_IGNORED;
		return false;
	}
}

/* What the call's arguments say, before the connection is known. */
struct io_args {
	__u64 base, len;	/* first segment; len unused with segments */
	__u64 iov, segments;
	__u32 fd, direction;
};

static __always_inline struct socket_call *current_call(void)
{
	struct socket_call *call = bpf_task_storage_get(&socket_calls, bpf_get_current_task_btf(), 0,
							BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!call)
		lost(GT_LOSS_STATE);
	return call;
}

static __always_inline void moved(const struct io_args *io, long result)
{
	struct gt_conn *conn = find_conn(io->fd);
	__u32 direction = io->direction & 1;
	struct socket_call *call;
	struct move *move;
	__u64 offset;

	if (!conn)
		return;
	offset = conn->offset[direction];
	conn->offset[direction] += result;
	if (conn->state == GT_CONN_IGNORED)
		return;
	call = current_call();
	if (!call)
		return;
	move = &call->move;
	/* No start: the write was under way when gentap attached. */
	move->time_ns = direction == GT_WRITE && call->start_ns ? call->start_ns : bpf_ktime_get_ns();
	move->offset = offset;
	move->base = io->base;
	move->left = io->segments ? 0 : result;
	move->iov = io->iov;
	move->segments = io->segments;
	move->total = result;
	move->budget = GT_CALL_BYTES;
	move->direction = direction;
	move->flags = 0;
	for (int i = 0; i < EMPTY_SEGMENTS && !move->left; i++)
		if (!next_segment(move))
			break;
	if (conn->state == GT_CONN_UNKNOWN && !recognise(conn, move, io->fd))
		return;
	move_bytes(conn, move);
}

/* No bytes came: the peer's end, or its reset. */
static __always_inline void ended(__u32 fd, __u32 flags)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn *conn = bpf_map_lookup_elem(&sockets, &key);

	if (conn && conn->state == GT_CONN_HTTP)
		send_end(conn, GT_EVENT_EOF, GT_READ, flags);
}

struct user_msghdr___gentap {
	__u64 name, name_len, iov, iov_len;
};

static __always_inline bool read_msghdr(struct io_args *io, __u64 msg)
{
	struct user_msghdr___gentap header;

	if (bpf_probe_read_user(&header, sizeof(header), (void *)msg))
		return false;
	io->iov = header.iov;
	io->segments = header.iov_len;
	return true;
}

/* Fills @io for the calls that move bytes; false for all others, and for reads
 * that leave their bytes in the socket. */
static __always_inline bool io_of(struct io_args *io, long id, struct pt_regs___kernel *regs)
{
	io->fd = regs->di;
	io->direction = GT_READ;
	switch (id) {
	case NR_WRITE:
	case NR_SENDTO:
		io->direction = GT_WRITE;
		io->base = regs->si;
		io->len = regs->dx;
		return true;
	case NR_READ:
		io->base = regs->si;
		io->len = regs->dx;
		return true;
	case NR_RECVFROM:
		io->base = regs->si;
		io->len = regs->dx;
		return !(regs->r10 & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC));
	case NR_WRITEV:
		io->direction = GT_WRITE;
		io->iov = regs->si;
		io->segments = regs->dx;
		return true;
	case NR_READV:
		io->iov = regs->si;
		io->segments = regs->dx;
		return true;
	case NR_SENDMSG:
		io->direction = GT_WRITE;
		return read_msghdr(io, regs->si);
	case NR_RECVMSG:
		return !(regs->dx & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)) &&
		       read_msghdr(io, regs->si);
	}
	return false;
}

static __always_inline bool is_write(long id)
{
	return id == NR_WRITE || id == NR_SENDTO || id == NR_WRITEV || id == NR_SENDMSG;
}

static __noinline int bytes_exit(struct pt_regs___kernel *regs, long id, long result)
{
	struct io_args io = {};

	if (!io_of(&io, id, regs))
		return 0;
	if (result > 0)
		moved(&io, result);
	else if (result == -ECONNRESET || result == -EPIPE)
		ended(io.fd, GT_FLAG_RESET);
	else if (result == 0 && io.direction == GT_READ && (io.len || io.segments))
		ended(io.fd, 0);
	return 0;
}

/* --- what passes us by ---------------------------------------------------- */

/* sendfile and splice move bytes that no one reads: a gap of known length. */
static __always_inline void kernel_moved(__u32 fd, long result)
{
	struct gt_conn_key key = socket_key(fd);
	struct gt_conn *conn = bpf_map_lookup_elem(&sockets, &key);
	struct move move = {};

	if (!conn)
		return;
	move.time_ns = bpf_ktime_get_ns();
	move.direction = GT_WRITE;
	move.offset = conn->offset[GT_WRITE];
	conn->offset[GT_WRITE] += result;
	if (conn->state != GT_CONN_HTTP)
		return;
	lost(GT_LOSS_SENDFILE);
	emit_gap(conn, &move, result, GT_FLAG_SENDFILE);
}

static __always_inline void tell_loader(__u16 type)
{
	struct gt_process_event *ev = bpf_ringbuf_reserve(&control_ring, sizeof(*ev), 0);

	if (!ev) {
		lost(GT_LOSS_CONTROL_FULL);
		return;
	}
	fill_event(&ev->event, bpf_ktime_get_ns(), 0, type, 0);
	ev->peer_pid = ev->tls_unseen = 0;
	bpf_get_current_comm(ev->comm, sizeof(ev->comm));
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
}

/* --- the two hooks -------------------------------------------------------- */

SEC("tp_btf/sys_enter")
int BPF_PROG(socket_enter, struct pt_regs___kernel *regs, long id)
{
	struct socket_call *call;
	struct gt_target *target;

	if (!is_write(id) && id != NR_CLOSE && id != NR_DUP2 && id != NR_DUP3 && id != NR_CLOSE_RANGE)
		return 0;
	target = current_target();
	if (!target || !(target->flags & GT_TARGET_SOCKETS))
		return 0;
	if (id == NR_CLOSE) {
		forget(regs->di);
	} else if (id == NR_DUP2 || id == NR_DUP3) {
		if (regs->di != regs->si)
			forget(regs->si);
	} else if (id == NR_CLOSE_RANGE) {
		__u32 first = regs->di, last = regs->si;
		__u32 count = last - first < CLOSE_RANGE_MOST ? last - first + 1 : CLOSE_RANGE_MOST;

		if (last >= first)
			bpf_loop(count, forget_step, &first, 0);
	} else {
		call = current_call();
		if (call)
			call->start_ns = bpf_ktime_get_ns();
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(socket_exit, struct pt_regs___kernel *regs, long result)
{
	long id = regs->orig_ax;
	struct gt_target *target;

	switch (id) {
	case NR_READ: case NR_WRITE: case NR_READV: case NR_WRITEV: case NR_SENDTO: case NR_RECVFROM:
	case NR_SENDMSG: case NR_RECVMSG: case NR_ACCEPT: case NR_ACCEPT4: case NR_CONNECT:
	case NR_SENDFILE: case NR_SPLICE: case NR_MMAP:
		break;
	default:
		return 0;
	}
	target = current_target();
	if (!target || !(target->flags & GT_TARGET_SOCKETS))
		return 0;
	switch (id) {
	case NR_ACCEPT:
	case NR_ACCEPT4:
		if (result >= 0)
			born(result, GT_FLAG_BORN | GT_FLAG_ACCEPTED);
		break;
	case NR_CONNECT:
		if (result == 0 || result == -EINPROGRESS)
			born(regs->di, GT_FLAG_BORN);
		break;
	case NR_SENDFILE:
		if (result > 0)
			kernel_moved(regs->di, result);
		break;
	case NR_SPLICE:
		if (result > 0)
			kernel_moved(regs->dx, result);
		break;
	case NR_MMAP:
		if ((regs->dx & PROT_EXEC) && (int)regs->r8 >= 0 && (unsigned long)result < -4095ul)
			tell_loader(GT_EVENT_MAP);
		break;
	default:
		return bytes_exit(regs, id, result);
	}
	return 0;
}

/* --- io_uring ------------------------------------------------------------- */

/* Of enum io_uring_op (uapi/linux/io_uring.h), what moves a socket's bytes. */
enum {
	OP_READV = 1, OP_WRITEV = 2, OP_SENDMSG = 9, OP_RECVMSG = 10, OP_READ = 22, OP_WRITE = 23,
	OP_SEND = 26, OP_RECV = 27, OP_SEND_ZC = 47, OP_SENDMSG_ZC = 48, OP_RECV_ZC = 58,
};

/* Such bytes are not captured: counted, and the loader says so once a process.
 * libuv's rings, which serve files and epoll, are passed over. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(io_uring_submit, struct io_kiocb *req)
{
	struct gt_target *target = current_target();

	if (!target)
		return 0;
	switch (req->opcode) {
	case OP_READV: case OP_WRITEV: case OP_READ: case OP_WRITE:
		if (!stream_of(req->cqe.fd))
			return 0;
		break;
	case OP_SENDMSG: case OP_RECVMSG: case OP_SEND: case OP_RECV:
	case OP_SEND_ZC: case OP_SENDMSG_ZC: case OP_RECV_ZC:
		break;
	default:
		return 0;
	}
	lost(GT_LOSS_IO_URING);
	/* Two threads may both tell it; the loader says it once. */
	if (!(target->flags & GT_TARGET_IO_URING)) {
		target->flags |= GT_TARGET_IO_URING;
		tell_loader(GT_EVENT_IO_URING);
	}
	return 0;
}
