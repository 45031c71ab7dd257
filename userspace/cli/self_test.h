/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doctor's proof: a child of gentap's own makes one LLM call over loopback TCP
 * and one through the system's libssl, both ends of them itself, and is watched
 * as `attach` would. No other process is touched, nothing leaves the machine.
 */
#ifndef GENTAP_CLI_SELF_TEST_H
#define GENTAP_CLI_SELF_TEST_H

#include "base/slice.h"

enum self_test_path { SELF_TEST_SOCKETS, SELF_TEST_TLS, SELF_TEST_PATHS };

/* The two ends of a call, as generations name their role. */
enum self_test_end { SELF_TEST_CLIENT, SELF_TEST_SERVER, SELF_TEST_ENDS };

/* What the child says of its calls. */
struct self_test_calls {
	char libssl[32];	/* what it made the second one through; "" when there is none */
	int errors[SELF_TEST_PATHS]; /* why the call itself failed: 0 or -errno */
};

struct self_test {
	struct self_test_calls calls;
	bool is_seen[SELF_TEST_PATHS][SELF_TEST_ENDS]; /* captured whole, every text equal */
	char warning[512];	/* the loader's last; "" when it had none */
};

/* Takes two seconds at most beside loading and attaching. 0, or -errno when it
 * could not begin: *ret_error is a text for people (caller frees; NULL when
 * there is no more to say than the number). */
int self_test_run(struct self_test *ret, char **ret_error);

/* Marks in @test what the JSON line of a generation proves. */
void self_test_judge(struct self_test *test, struct slice line);

/* The child's side, in self_test_child.c. On @fd, a socket of packets: it says a
 * byte when it is ready, makes its calls when a byte comes, says its struct
 * self_test_calls, and waits for the end of @fd. */
_Noreturn void self_test_child(int fd);

#define SELF_TEST_MODEL		"gentap-self-test"
#define SELF_TEST_QUESTION	"Does anyone hear this?"
#define SELF_TEST_ANSWER	"Every word \xe2\x80\x94 to the last."

#endif
