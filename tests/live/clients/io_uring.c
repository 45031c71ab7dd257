/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes over a socket pair the way that gentap cannot see: by io_uring,
 * on the bare system calls. Says READY, waits for a line, sends, says DONE,
 * waits for another line.
 */
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One operation through a ring of its own; its result. */
static int submit(struct io_uring_sqe want)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	char *sq, *cq;
	struct io_uring_sqe *sqes;

	if (ring < 0)
		return -1;
	sq = mmap(NULL, params.sq_off.array + sizeof(unsigned), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, params.cq_off.cqes + 2 * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		    IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		return -1;
	sqes[0] = want;
	*(unsigned *)(sq + params.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	return ((struct io_uring_cqe *)(cq + params.cq_off.cqes))->res;
}

int main(void)
{
	static const char request[] = "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
	struct io_uring_sqe send = { .opcode = IORING_OP_SEND, .len = sizeof(request) - 1 };
	char line[16];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	send.fd = pair[0];
	send.addr = (unsigned long)request;
	puts("READY");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || submit(send) != (int)sizeof(request) - 1)
		return 1;
	puts("DONE");
	fflush(stdout);
	return !fgets(line, sizeof(line), stdin);
}
