/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of the bench share: clocks, loopback sockets, TLS contexts
 * and the bytes of an OpenAI-compatible stream. Each program is one file, so
 * all of this is inline. An error ends the program with its reason.
 */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* One chunk of a stream as it stands in a TLS record or a send(). */
#define CHUNK_BYTES 200
#define STREAM_CHUNKS 500

#define STREAM_REQUEST_BODY \
	"{\"model\":\"bench\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"How fast?\"}]}"
#define STREAM_HEAD \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
/* "[DONE]" and the end of the chunked body, in one write. */
#define STREAM_END "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
#define BODY_END "0\r\n\r\n"

static inline _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline void sleep_until_ns(uint64_t time_ns)
{
	struct timespec until = { time_ns / 1000000000ull, time_ns % 1000000000ull };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* A listening socket on loopback; its port. */
static inline int listen_loopback(int *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		die("listen");
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static inline void set_nodelay(int fd)
{
	int is_on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is_on, sizeof(is_on)))
		die("TCP_NODELAY");
}

static inline int connect_loopback(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	set_nodelay(fd);
	return fd;
}

static inline int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		die("accept");
	set_nodelay(fd);
	return fd;
}

static inline SSL_CTX *server_context(const char *pem)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_file(ctx, pem, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) != 1)
		die("server context");
	return ctx;
}

static inline SSL_CTX *client_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		die("client context");
	return ctx;
}

static inline SSL *new_ssl(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		die("SSL_new");
	return ssl;
}

/* The request that every stream begins with. */
static inline size_t stream_request(char *ret, size_t size)
{
	return snprintf(ret, size, "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(STREAM_REQUEST_BODY), STREAM_REQUEST_BODY);
}

/* One event of a chat completion, framed as a chunk: CHUNK_BYTES in all. */
static inline void stream_chunk(char ret[CHUNK_BYTES])
{
	static const char before[] = "c2\r\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
				     "\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
	static const char after[] = "\"}}]}\n\n\r\n";

	_Static_assert(CHUNK_BYTES - 6 == 0xc2, "the chunk's size stands in its first line");
	memset(ret, 'x', CHUNK_BYTES);
	memcpy(ret, before, strlen(before));
	memcpy(ret + CHUNK_BYTES - strlen(after), after, strlen(after));
}

#endif
