/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hot loops, both ends in one thread. usage: hot PEM
 *
 * Says "READY". Each line on stdin is a command, answered with one line:
 *	plain N		send+recv of CHUNK_BYTES over TCP, on a new connection
 *			that carries a stream: ns of CPU a pair, of N bursts
 *	tls N		the same with SSL_write+SSL_read over memory BIOs
 *	getppid N	the same of a system call that no tracer wants
 *	gap MS		tls pairs for so long: the longest that one took, in ns
 *
 * Between bursts it sleeps, so that a tracer that drains on a timer keeps up.
 */
#include <sys/syscall.h>

#include "bench.h"

enum { BURST = 60, GETPPID_BURST = 1000, BURSTS_MAX = 1000, PAUSE_NS = 3000000 };

struct hot {
	int client_fd, server_fd;
	SSL *client, *server;
	char chunk[CHUNK_BYTES];
};

/* --- plain ---------------------------------------------------------------- */

static void send_all(int fd, const char *bytes, size_t len)
{
	if (send(fd, bytes, len, 0) != (ssize_t)len)
		die("send");
}

static void recv_all(int fd, size_t len)
{
	char bytes[4096];

	while (len) {
		ssize_t n = recv(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), 0);

		if (n <= 0)
			die("recv");
		len -= n;
	}
}

static void pass(int from, int to, const char *bytes, size_t len)
{
	send_all(from, bytes, len);
	recv_all(to, len);
}

static void plain_open(struct hot *hot)
{
	char request[1024];
	int port, listener = listen_loopback(&port);

	hot->client_fd = connect_loopback(port);
	hot->server_fd = accept_one(listener);
	close(listener);
	pass(hot->client_fd, hot->server_fd, request, stream_request(request, sizeof(request)));
	pass(hot->server_fd, hot->client_fd, STREAM_HEAD, strlen(STREAM_HEAD));
}

static void plain_pair(struct hot *hot)
{
	pass(hot->server_fd, hot->client_fd, hot->chunk, CHUNK_BYTES);
}

static void plain_close(struct hot *hot)
{
	pass(hot->server_fd, hot->client_fd, STREAM_END, strlen(STREAM_END));
	close(hot->client_fd);
	close(hot->server_fd);
}

/* --- TLS ------------------------------------------------------------------ */

static void tls_open(struct hot *hot, const char *pem)
{
	BIO *client, *server;

	hot->client = SSL_new(client_context());
	hot->server = SSL_new(server_context(pem));
	if (!hot->client || !hot->server || BIO_new_bio_pair(&client, 0, &server, 0) != 1)
		die("BIO pair");
	SSL_set_bio(hot->client, client, client);
	SSL_set_bio(hot->server, server, server);
	SSL_set_connect_state(hot->client);
	SSL_set_accept_state(hot->server);
	while (SSL_is_init_finished(hot->client) == 0 || SSL_is_init_finished(hot->server) == 0) {
		SSL_do_handshake(hot->client);
		SSL_do_handshake(hot->server);
	}
}

static void tls_pair(struct hot *hot)
{
	char bytes[CHUNK_BYTES];

	if (SSL_write(hot->server, hot->chunk, CHUNK_BYTES) != CHUNK_BYTES ||
	    SSL_read(hot->client, bytes, sizeof(bytes)) != CHUNK_BYTES)
		die("TLS pair");
}

static void getppid_once(struct hot *hot)
{
	(void)hot;
	syscall(SYS_getppid);
}

/* --- bursts --------------------------------------------------------------- */

static void say_bursts(struct hot *hot, void (*once)(struct hot *), int times, int bursts)
{
	static double burst_ns[BURSTS_MAX];

	if (bursts > BURSTS_MAX)
		bursts = BURSTS_MAX;
	for (int i = 0; i < bursts; i++) {
		uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		for (int j = 0; j < times; j++)
			once(hot);
		burst_ns[i] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns) / times;
		sleep_until_ns(clock_ns(CLOCK_MONOTONIC) + PAUSE_NS);
	}
	for (int i = 0; i < bursts; i++)
		printf("%.1f ", burst_ns[i]);
	printf("\n");
}

static void say_gap(struct hot *hot, int time_ms)
{
	uint64_t before_ns = clock_ns(CLOCK_MONOTONIC), longest_ns = 0, now_ns;
	uint64_t end_ns = before_ns + time_ms * 1000000ull;

	do {
		tls_pair(hot);
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns - before_ns > longest_ns)
			longest_ns = now_ns - before_ns;
		before_ns = now_ns;
	} while (now_ns < end_ns);
	printf("%llu\n", (unsigned long long)longest_ns);
}

static void obey(struct hot *hot, const char *command, int number)
{
	if (strcmp(command, "plain") == 0) {
		plain_open(hot);
		say_bursts(hot, plain_pair, BURST, number);
		plain_close(hot);
	} else if (strcmp(command, "tls") == 0) {
		say_bursts(hot, tls_pair, BURST, number);
	} else if (strcmp(command, "getppid") == 0) {
		say_bursts(hot, getppid_once, GETPPID_BURST, number);
	} else if (strcmp(command, "gap") == 0) {
		say_gap(hot, number);
	} else {
		errno = EINVAL;
		die(command);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[64], command[32];
	struct hot hot = {};
	int number;

	if (argc != 2) {
		fprintf(stderr, "usage: hot PEM\n");
		return 2;
	}
	stream_chunk(hot.chunk);
	tls_open(&hot, argv[1]);
	printf("READY\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (sscanf(line, "%31s %d", command, &number) == 2)
			obey(&hot, command, number);
	return 0;
}
