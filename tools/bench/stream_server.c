/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves two TLS clients at once, chunk by chunk in turn, so that the two meet
 * the same machine at the same time. usage: stream_server PEM INTERVAL_US
 *
 * Says "READY <port>". Then, until a client goes: takes a request from each,
 * and sends each STREAM_CHUNKS chunks, INTERVAL_US apart.
 */
#include <sys/prctl.h>

#include "bench.h"

enum { CLIENTS = 2 };

/* A request comes in one record. False at the end. */
static bool take_request(SSL *ssl)
{
	char bytes[4096];

	return SSL_read(ssl, bytes, sizeof(bytes)) > 0;
}

static void send_bytes(SSL *ssl, const char *bytes, size_t len)
{
	if (SSL_write(ssl, bytes, len) != (int)len)
		die("SSL_write");
}

static void send_streams(SSL *const clients[CLIENTS], uint64_t interval_ns)
{
	uint64_t time_ns = clock_ns(CLOCK_MONOTONIC);
	char chunk[CHUNK_BYTES];

	stream_chunk(chunk);
	for (int i = 0; i < CLIENTS; i++)
		send_bytes(clients[i], STREAM_HEAD, strlen(STREAM_HEAD));
	for (int i = 0; i < CLIENTS * STREAM_CHUNKS; i++) {
		time_ns += interval_ns / CLIENTS;
		sleep_until_ns(time_ns);
		send_bytes(clients[i % CLIENTS], chunk, sizeof(chunk));
	}
	for (int i = 0; i < CLIENTS; i++) {
		time_ns += interval_ns / CLIENTS;
		sleep_until_ns(time_ns);
		send_bytes(clients[i], STREAM_END, strlen(STREAM_END));
	}
}

int main(int argc, char **argv)
{
	SSL *clients[CLIENTS];
	uint64_t interval_ns;
	SSL_CTX *ctx;
	int listener, port;

	if (argc != 3) {
		fprintf(stderr, "usage: stream_server PEM INTERVAL_US\n");
		return 2;
	}
	ctx = server_context(argv[1]);
	interval_ns = strtoull(argv[2], NULL, 10) * 1000;
	prctl(PR_SET_TIMERSLACK, 1);
	listener = listen_loopback(&port);
	printf("READY %d\n", port);
	fflush(stdout);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = new_ssl(ctx, accept_one(listener));
		if (SSL_accept(clients[i]) != 1)
			die("SSL_accept");
	}
	while (take_request(clients[0]) && take_request(clients[1]))
		send_streams(clients, interval_ns);
	return 0;
}
