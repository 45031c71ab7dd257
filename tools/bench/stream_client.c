/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client as a C program writes it: non-blocking socket; poll, SSL_read until
 * it wants more. usage: stream_client PORT
 *
 * Says "READY". For each line "N" on stdin it takes N streams and answers with
 * one line: the thread's CPU time of each turn (poll to poll) in ns.
 */
#include <fcntl.h>
#include <poll.h>

#include "bench.h"

enum { TURNS_MAX = 64 * (STREAM_CHUNKS + 8) };

static uint32_t turns_ns[TURNS_MAX];
static size_t turn_count;

static void send_request(SSL *ssl)
{
	char request[1024];
	size_t len = stream_request(request, sizeof(request));

	if (SSL_write(ssl, request, len) != (int)len)
		die("SSL_write");
}

/* Reads what is there. True when it was the end of the stream. */
static bool read_all(SSL *ssl)
{
	bool is_end = false;
	char bytes[16384];
	int len;

	while ((len = SSL_read(ssl, bytes, sizeof(bytes))) > 0)
		is_end = len >= (int)strlen(BODY_END) &&
			memcmp(bytes + len - strlen(BODY_END), BODY_END, strlen(BODY_END)) == 0;
	if (SSL_get_error(ssl, len) != SSL_ERROR_WANT_READ)
		die("SSL_read");
	return is_end;
}

static void take_stream(SSL *ssl, int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	uint64_t before_ns, after_ns;
	bool is_end = false;

	send_request(ssl);
	before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (!is_end) {
		if (poll(&readable, 1, -1) != 1)
			die("poll");
		is_end = read_all(ssl);
		after_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		if (turn_count < TURNS_MAX)
			turns_ns[turn_count++] = after_ns - before_ns;
		before_ns = after_ns;
	}
}

static void say_turns(void)
{
	for (size_t i = 0; i < turn_count; i++)
		printf("%u ", turns_ns[i]);
	printf("\n");
	fflush(stdout);
	turn_count = 0;
}

int main(int argc, char **argv)
{
	char line[32];
	SSL *ssl;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: stream_client PORT\n");
		return 2;
	}
	fd = connect_loopback(atoi(argv[1]));
	ssl = new_ssl(client_context(), fd);
	if (SSL_connect(ssl) != 1)
		die("SSL_connect");
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		die("O_NONBLOCK");
	printf("READY\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = atoi(line); i > 0; i--)
			take_stream(ssl, fd);
		say_turns();
	}
	return 0;
}
