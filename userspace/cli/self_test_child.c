/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that the self-test watches: both ends of one HTTP exchange over
 * loopback TCP, then of one over TLS in memory. All of OpenSSL is reached
 * through the libssl that is found at run time, which may be of another version
 * than what gentap is linked with.
 */
#include "cli/self_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define REQUEST_BODY \
	"{\"model\":\"" SELF_TEST_MODEL "\",\"messages\":[{\"role\":\"user\",\"content\":\"" SELF_TEST_QUESTION "\"}]}"
#define RESPONSE_BODY \
	"{\"id\":\"chatcmpl-0\",\"object\":\"chat.completion\",\"model\":\"" SELF_TEST_MODEL "\",\"choices\":[{\"index\":0," \
	"\"message\":{\"role\":\"assistant\",\"content\":\"" SELF_TEST_ANSWER "\"},\"finish_reason\":\"stop\"}]," \
	"\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":6,\"total_tokens\":10}}"

struct texts {
	char request[512], response[512];
};

static void write_texts(struct texts *ret)
{
	snprintf(ret->request, sizeof(ret->request), "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(REQUEST_BODY), REQUEST_BODY);
	snprintf(ret->response, sizeof(ret->response), "HTTP/1.1 200 OK\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(RESPONSE_BODY), RESPONSE_BODY);
}

/* --- plain ------------------------------------------------------------------- */

static int pass_plain(int from, int to, const char *text)
{
	size_t len = strlen(text), got = 0;
	char bytes[512];

	if (write(from, text, len) != (ssize_t)len)
		return -EIO;
	while (got < len) {
		ssize_t n = read(to, bytes, sizeof(bytes));

		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		got += (size_t)n;
	}
	return 0;
}

static int call_plain(const struct texts *texts)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_(closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_(closep) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_(closep) int server = -1;
	socklen_t len = sizeof(address);
	int r;

	if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
	    connect(client, (struct sockaddr *)&address, len) < 0)
		return -errno;
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		return -errno;
	r = pass_plain(client, server, texts->request);
	return r < 0 ? r : pass_plain(server, client, texts->response);
}

/* --- TLS --------------------------------------------------------------------- */

#define SSL_FUNCTIONS(X) \
	X(TLS_method) X(SSL_CTX_new) X(SSL_CTX_use_certificate) X(SSL_CTX_use_PrivateKey) \
	X(SSL_new) X(SSL_set_bio) X(SSL_set_connect_state) X(SSL_set_accept_state) X(SSL_do_handshake) \
	X(SSL_read) X(SSL_write) X(SSL_read_ex) X(SSL_write_ex) X(BIO_new_bio_pair) \
	X(EVP_PKEY_CTX_new_id) X(EVP_PKEY_keygen_init) X(EVP_PKEY_keygen) \
	X(X509_new) X(X509_getm_notBefore) X(X509_getm_notAfter) X(X509_gmtime_adj) X(X509_set_pubkey) X(X509_sign)

static struct {
#define X(function) __typeof__(&function) function;
	SSL_FUNCTIONS(X)
#undef X
} ssl;

static bool load_functions(void *library)
{
	bool has_all = true;

	/* Also finds what is in the libcrypto that this libssl came with. */
#define X(function) has_all &= (ssl.function = (__typeof__(ssl.function))dlsym(library, #function)) != NULL;
	SSL_FUNCTIONS(X)
#undef X
	return has_all;
}

/* Stays loaded. */
static void load_libssl(struct self_test_calls *ret)
{
	static const char *const names[] = { "libssl.so.3", "libssl.so.1.1" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);

		if (library && load_functions(library)) {
			snprintf(ret->libssl, sizeof(ret->libssl), "%s", names[i]);
			return;
		}
	}
}

/* A certificate for this once: nobody verifies it. What is made here and below
 * is freed by the end of the process. */
static bool use_certificate(SSL_CTX *context)
{
	EVP_PKEY_CTX *generator = ssl.EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	X509 *certificate = ssl.X509_new();
	EVP_PKEY *key = NULL;

	return generator && certificate && ssl.EVP_PKEY_keygen_init(generator) > 0 &&
	       ssl.EVP_PKEY_keygen(generator, &key) > 0 &&
	       ssl.X509_gmtime_adj(ssl.X509_getm_notBefore(certificate), 0) &&
	       ssl.X509_gmtime_adj(ssl.X509_getm_notAfter(certificate), 3600) &&
	       ssl.X509_set_pubkey(certificate, key) && ssl.X509_sign(certificate, key, NULL) &&
	       ssl.SSL_CTX_use_certificate(context, certificate) == 1 &&
	       ssl.SSL_CTX_use_PrivateKey(context, key) == 1;
}

static bool connect_tls(SSL *client, SSL *server)
{
	BIO *client_side, *server_side;
	bool is_done = false;

	if (!ssl.BIO_new_bio_pair(&client_side, 0, &server_side, 0))
		return false;
	ssl.SSL_set_bio(client, client_side, client_side);
	ssl.SSL_set_bio(server, server_side, server_side);
	ssl.SSL_set_connect_state(client);
	ssl.SSL_set_accept_state(server);
	for (int flight = 0; flight < 4 && !is_done; flight++) {
		is_done = ssl.SSL_do_handshake(client) == 1;
		is_done &= ssl.SSL_do_handshake(server) == 1;
	}
	return is_done;
}

/* One end with the functions of old, the other with those that Python uses. */
static bool exchange_tls(SSL *client, SSL *server, const struct texts *texts)
{
	int request = (int)strlen(texts->request), response = (int)strlen(texts->response);
	char bytes[512];
	size_t len;

	return ssl.SSL_write(client, texts->request, request) == request &&
	       ssl.SSL_read_ex(server, bytes, sizeof(bytes), &len) == 1 && len == (size_t)request &&
	       ssl.SSL_write_ex(server, texts->response, (size_t)response, &len) == 1 &&
	       ssl.SSL_read(client, bytes, sizeof(bytes)) == response;
}

static int call_tls(const struct texts *texts)
{
	SSL_CTX *context = ssl.SSL_CTX_new(ssl.TLS_method());
	SSL *client, *server;

	if (!context || !use_certificate(context))
		return -ENOTSUP;
	client = ssl.SSL_new(context);
	server = ssl.SSL_new(context);
	if (!client || !server || !connect_tls(client, server))
		return -EPROTO;
	return exchange_tls(client, server, texts) ? 0 : -EIO;
}

/* --- all of it --------------------------------------------------------------- */

_Noreturn void self_test_child(int fd)
{
	struct self_test_calls calls = {};
	struct texts texts;
	char byte = 0;

	write_texts(&texts);
	load_libssl(&calls);
	if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0 || recv(fd, &byte, 1, 0) != 1)
		_exit(EXIT_FAILURE);
	calls.errors[SELF_TEST_SOCKETS] = call_plain(&texts);
	if (*calls.libssl)
		calls.errors[SELF_TEST_TLS] = call_tls(&texts);
	send(fd, &calls, sizeof(calls), MSG_NOSIGNAL);
	/* The end of a target ends its connections: not before all was read. */
	recv(fd, &byte, 1, 0);
	_exit(EXIT_SUCCESS);
}
