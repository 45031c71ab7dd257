/* SPDX-License-Identifier: Apache-2.0 */
/* What counts as proof. That the whole test works is seen live: tests/live/tests_doctor.py. */
#include <criterion/criterion.h>

#include "cli/self_test.h"

#define LINE(role, tls, complete, model, question, answer, total) \
	"{\"gentap\":1,\"type\":\"generation\",\"role\":\"" role "\",\"connection\":{\"tls\":" tls "}," \
	"\"evidence\":{\"complete\":" complete "},\"model\":\"" model "\",\"usageDetails\":{\"total\":" total "}," \
	"\"input\":[{\"role\":\"user\",\"content\":\"" question "\"}],\"output\":{\"content\":\"" answer "\"}}"

#define M	SELF_TEST_MODEL
#define Q	SELF_TEST_QUESTION
#define A	SELF_TEST_ANSWER

static const struct {
	const char *name, *line;
	bool want[SELF_TEST_PATHS][SELF_TEST_ENDS];	/* sockets, TLS: client, server */
} cases[] = {
	{ "plain client", LINE("client", "false", "true", M, Q, A, "10"), { { true, false }, {} } },
	{ "plain server", LINE("server", "false", "true", M, Q, A, "10"), { { false, true }, {} } },
	{ "TLS client", LINE("client", "true", "true", M, Q, A, "10"), { {}, { true, false } } },
	{ "TLS server", LINE("server", "true", "true", M, Q, A, "10"), { {}, { false, true } } },
	{ "incomplete", LINE("client", "true", "false", M, Q, A, "10"), {} },
	{ "another model", LINE("client", "true", "true", "gpt-4o", Q, A, "10"), {} },
	{ "a question cut short", LINE("client", "true", "true", M, "Does any", A, "10"), {} },
	{ "an answer cut short", LINE("client", "true", "true", M, Q, "Every", "10"), {} },
	{ "an answer with more", LINE("client", "true", "true", M, Q, A "!", "10"), {} },
	{ "other usage", LINE("client", "true", "true", M, Q, A, "9"), {} },
	{ "no known role", LINE("proxy", "true", "true", M, Q, A, "10"), {} },
	{ "nothing in it", "{}", {} },
	{ "no JSON", "gentap", {} },
	{ "an output of another type", "{\"role\":\"client\",\"output\":[]}", {} },
};

Test(self_test, only_a_whole_and_equal_generation_proves_its_path_and_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct self_test test = {};

		self_test_judge(&test, slice_of(cases[i].line));
		cr_expect_arr_eq(test.is_seen, cases[i].want, sizeof(test.is_seen), "%s", cases[i].name);
	}
}

Test(self_test, proofs_add_up)
{
	struct self_test test = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		self_test_judge(&test, slice_of(cases[i].line));
	for (int path = 0; path < SELF_TEST_PATHS; path++)
		for (int end = 0; end < SELF_TEST_ENDS; end++)
			cr_expect(test.is_seen[path][end], "path %d, end %d", path, end);
}
