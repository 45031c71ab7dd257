/* SPDX-License-Identifier: Apache-2.0 */
/* ls and show over a real store. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/list.h"
#include "cli/say.h"
#include "program.h"

static char directory[] = "/tmp/gentap-test-XXXXXX";
static char store_path[64];

static const char *const lines[] = {
	"{\"gentap\":1,\"type\":\"generation\",\"id\":\"aa00000000000001\",\"traceId\":\"11110000000000000000000000000001\","
	"\"startTime\":\"2026-11-18T11:06:40.000000000Z\",\"endTime\":\"2026-11-18T11:06:41.420000000Z\",\"model\":\"gpt-x\","
	"\"output\":{\"role\":\"assistant\",\"content\":\"hello\\u001b[31m there\"},\"usageDetails\":{\"input\":20,"
	"\"input_cached_tokens\":100,\"output\":20,\"output_reasoning_tokens\":10,\"total\":150},\"role\":\"client\","
	"\"http\":{\"status\":200},\"timing\":{\"ttftMs\":310.4}}",
	"{\"gentap\":1,\"type\":\"generation\",\"id\":\"aa00000000000002\",\"traceId\":\"22220000000000000000000000000002\","
	"\"startTime\":\"2026-11-18T11:06:42.000000000Z\",\"statusMessage\":\"Rate limit reached\",\"role\":\"server\"}",
	"{\"gentap\":1,\"type\":\"embedding\",\"id\":\"bb00000000000003\",\"traceId\":\"22220000000000000000000000000002\","
	"\"startTime\":\"2026-11-18T11:06:43.000000000Z\",\"usageDetails\":{\"input\":8}}",
};

static void make_store(void)
{
	struct store *store = NULL;

	unset_surroundings();
	cr_assert_not_null(mkdtemp(directory));
	snprintf(store_path, sizeof(store_path), "%s/gentap.db", directory);
	setenv("GENTAP_STORE", store_path, 1);
	cr_assert_eq(store_open(&store, store_path, /* is_read_only */ false, NULL), 0);
	cr_assert_eq(store_begin(store), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_assert_eq(store_put(store, slice_of(lines[i]), OUTBOX_NONE), 0);
	cr_assert_eq(store_commit(store), 0);
	store_close(&store);
}

static void remove_store(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(list, .init = make_store, .fini = remove_store);

Test(list, a_row_shows_what_was_seen_and_a_dash_for_what_was_not)
{
	struct program_result result;

	run_program("ls", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect_str_eq(result.out,
		"TIME           ID               MODEL                    ROLE   STATUS      IN→OUT     TTFT     TOOK FIRST WORDS\n"
		"11-18 11:06:43 bb00000000000003 -                        -           -           8        -        - -\n"
		"11-18 11:06:42 aa00000000000002 -                        server      -           -        -        - Rate limit reached\n"
		"11-18 11:06:40 aa00000000000001 gpt-x                    client    200      120→30   310 ms  1420 ms hello\xEF\xBF\xBD[31m there\n");
}

Test(list, json_rows_are_the_lines_as_they_were_stored)
{
	_cleanup_(buf_done) struct buf want = BUF_INIT(4096);
	struct program_result result;

	buf_printf(&want, "%s\n%s\n", lines[2], lines[1]);
	run_program("ls --json -n 2", &result);
	cr_expect_eq(result.code, EXIT_OK);
	cr_expect_str_eq(result.out, buf_text(&want));
}

Test(list, show_takes_the_beginning_of_an_id_or_a_trace)
{
	_cleanup_(buf_done) struct buf want = BUF_INIT(4096);
	struct program_result result;

	buf_printf(&want, "%s\n", lines[2]);
	run_program("show bb --json", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.out);
	cr_expect_str_eq(result.out, buf_text(&want));

	run_program("show 2222 --json", &result);
	cr_expect_eq(result.code, EXIT_OK, "all of one trace: %s", result.out);
	cr_expect(strstr(result.out, "aa00000000000002") && strstr(result.out, "bb00000000000003"), "%s", result.out);
}

Test(list, show_refuses_what_is_ambiguous_or_not_there)
{
	struct program_result result;

	run_program("show aa", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect_str_eq(result.out, "");
	cr_expect(strstr(result.err, "'aa' fits several generations; use one of:"), "%s", result.err);
	cr_expect(strstr(result.err, "aa00000000000001") && strstr(result.err, "aa00000000000002"), "%s", result.err);
	run_program("show cc", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect_str_eq(result.err, "gentap: no generation 'cc'; `gentap ls` lists those there are\n");
}

Test(list, show_prints_nothing_that_moves_a_terminal)
{
	struct program_result result;

	run_program("show aa00000000000001", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect(strstr(result.out, "hello") && strstr(result.out, "gpt-x"), "%s", result.out);
	cr_expect_null(strchr(result.out, '\x1b'), "%s", result.out);
}

Test(list, a_missing_store_says_what_makes_one)
{
	struct program_result result;

	run_program("ls --store /nonexistent/gentap.db", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect(strstr(result.err, "no store at '/nonexistent/gentap.db' yet: `gentap attach` writes it"), "%s", result.err);
}

Test(list, shipping_nothing_needs_keys_and_no_network)
{
	struct program_result result;

	run_program("ship", &result);
	cr_expect_eq(result.code, EXIT_USAGE);
	setenv("LANGFUSE_PUBLIC_KEY", "pk", 1);
	setenv("LANGFUSE_SECRET_KEY", "sk", 1);
	run_program("ship --json", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.out);
	cr_expect_str_eq(result.out, "{\"sent\":0,\"refused\":0}\n");
}
