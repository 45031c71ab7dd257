/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many streams at once: this process is the client of them all, a child of it
 * the server. usage: load tls|plain PEM STREAMS CHUNKS INTERVAL_MS
 *
 * Opens the connections, says "READY"; at a line on stdin it sends the requests,
 * takes CHUNKS chunks from each stream, one each INTERVAL_MS, and says "DONE
 * <streams that came to their end>". The connections stay open until the next line.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench.h"

struct peer {
	int fd;
	SSL *ssl;		/* NULL when plain */
	bool is_done;
};

struct load {
	bool is_tls;
	const char *pem;
	int streams, chunks, interval_ms;
	struct peer *peers;	/* of this process: the client's or the server's ends */
};

static int put(const struct peer *peer, const char *bytes, size_t len)
{
	return peer->ssl ? SSL_write(peer->ssl, bytes, len) : send(peer->fd, bytes, len, MSG_NOSIGNAL);
}

static int take(const struct peer *peer, char *bytes, size_t size)
{
	return peer->ssl ? SSL_read(peer->ssl, bytes, size) : recv(peer->fd, bytes, size, 0);
}

static void must_put(const struct peer *peer, const char *bytes, size_t len)
{
	if (put(peer, bytes, len) != (int)len)
		die("write");
}

/* --- the server ----------------------------------------------------------- */

static void accept_all(struct load *load, int listener)
{
	SSL_CTX *ctx = load->is_tls ? server_context(load->pem) : NULL;

	for (int i = 0; i < load->streams; i++) {
		struct peer *peer = &load->peers[i];

		peer->fd = accept_one(listener);
		if (!load->is_tls)
			continue;
		peer->ssl = new_ssl(ctx, peer->fd);
		if (SSL_accept(peer->ssl) != 1)
			die("SSL_accept");
	}
}

/* All streams, each chunk at its time: the streams stand evenly in the interval. */
static void serve_chunks(const struct load *load)
{
	uint64_t step_ns = load->interval_ms * 1000000ull / load->streams;
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	char chunk[CHUNK_BYTES];

	stream_chunk(chunk);
	for (int i = 0; i < load->streams * load->chunks; i++) {
		uint64_t time_ns = start_ns + i * step_ns;

		if (clock_ns(CLOCK_MONOTONIC) < time_ns)
			sleep_until_ns(time_ns);
		must_put(&load->peers[i % load->streams], chunk, sizeof(chunk));
	}
}

static void serve(struct load *load, int listener)
{
	char request[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	accept_all(load, listener);
	for (int i = 0; i < load->streams; i++) {
		if (take(&load->peers[i], request, sizeof(request)) <= 0)
			return;
		must_put(&load->peers[i], STREAM_HEAD, strlen(STREAM_HEAD));
	}
	serve_chunks(load);
	for (int i = 0; i < load->streams; i++)
		must_put(&load->peers[i], STREAM_END, strlen(STREAM_END));
	/* The client ends first. */
	take(&load->peers[0], request, sizeof(request));
}

/* --- the client ----------------------------------------------------------- */

static void connect_all(struct load *load, int port, int epoll)
{
	SSL_CTX *ctx = load->is_tls ? client_context() : NULL;

	for (int i = 0; i < load->streams; i++) {
		struct peer *peer = &load->peers[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

		peer->fd = connect_loopback(port);
		if (load->is_tls) {
			peer->ssl = new_ssl(ctx, peer->fd);
			if (SSL_connect(peer->ssl) != 1)
				die("SSL_connect");
		}
		if (fcntl(peer->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event))
			die("epoll");
	}
}

static void send_requests(const struct load *load)
{
	char request[1024];
	size_t len = stream_request(request, sizeof(request));

	for (int i = 0; i < load->streams; i++)
		must_put(&load->peers[i], request, len);
}

/* 1 when the peer's stream came to its end, -1 when it was cut, else 0. */
static int read_peer(struct peer *peer)
{
	char bytes[16384];
	int len, end = 0;

	while ((len = take(peer, bytes, sizeof(bytes))) > 0)
		end = len >= (int)strlen(BODY_END) &&
			memcmp(bytes + len - strlen(BODY_END), BODY_END, strlen(BODY_END)) == 0;
	if (len == 0)
		return -1;
	return end;
}

static int read_streams(const struct load *load, int epoll)
{
	struct epoll_event events[64];
	int open = load->streams, complete = 0;

	while (open) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;
			int end = peer->is_done ? 0 : read_peer(peer);

			peer->is_done |= end != 0;
			open -= end != 0;
			complete += end > 0;
		}
	}
	return complete;
}

static void be_client(struct load *load, int port)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char line[16];

	connect_all(load, port, epoll);
	printf("READY\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return;
	send_requests(load);
	printf("DONE %d\n", read_streams(load, epoll));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return;
}

int main(int argc, char **argv)
{
	struct load load = {};
	struct rlimit files;
	int listener, port;

	if (argc != 6 || atoi(argv[3]) <= 0) {
		fprintf(stderr, "usage: load tls|plain PEM STREAMS CHUNKS INTERVAL_MS\n");
		return 2;
	}
	load.is_tls = strcmp(argv[1], "tls") == 0;
	load.pem = argv[2];
	load.streams = atoi(argv[3]);
	load.chunks = atoi(argv[4]);
	load.interval_ms = atoi(argv[5]);
	load.peers = calloc(load.streams, sizeof(*load.peers));
	if (!load.peers)
		die("calloc");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	listener = listen_loopback(&port);
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		serve(&load, listener);
		_exit(0);
	}
	be_client(&load, port);
	return 0;
}
