/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which kind of TLS function a probe sits on: the cookie of its link, and what
 * the BPF side switches on to read arguments and results. */
#ifndef GENTAP_LOADER_TLS_OP_H
#define GENTAP_LOADER_TLS_OP_H

enum tls_op {
	TLS_READ = 1,	/* int f(SSL *, void *buf, int num): length, or <= 0 */
	TLS_READ_EX,	/* int f(SSL *, void *buf, size_t num, size_t *done): 1, or <= 0 */
	TLS_READ_INNER,	/* as _EX; 0 is the peer's end (close_notify), < 0 "again" or an error */
	TLS_WRITE,	/* as TLS_READ, TLS_READ_EX */
	TLS_WRITE_EX,
	TLS_WRITE_EX2,	/* int f(SSL *, const void *buf, size_t num, uint64_t flags, size_t *done) */
	TLS_FREE,	/* void f(SSL *) */
	TLS_SHUTDOWN,	/* int f(SSL *) */
	TLS_CTRL,	/* long f(SSL *, int cmd, long, void *name): cmd 55 sets the server name */
	TLS_SET_NAME,	/* int f(SSL *, const char *name): BoringSSL */
};

#endif
