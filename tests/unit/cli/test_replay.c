/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded file through the whole program. */
#include "program.h"

#include <fcntl.h>

#include "../source/recording.h"
#include "cli/say.h"
#include "llm/json.h"

#define REQUEST "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example\r\nContent-Length: 57\r\n\r\n" \
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define BODY "{\"id\":\"c-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"yo\"}," \
	"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 187\r\n\r\n" BODY

static char path[64], line[256];

static void set_up(void)
{
	unset_surroundings();
	snprintf(path, sizeof(path), "/tmp/gentap-replay-%d.gtcap", getpid());
}

static void tear_down(void)
{
	unlink(path);
}

TestSuite(replay, .init = set_up, .fini = tear_down);

/* @calls whole calls, one that is in flight, and the end. */
static void record_calls(size_t calls, bool has_end)
{
	struct capture_header header = RECORDING_HEADER;
	uint64_t kernel[GT_LOSS_COUNT] = {}, losses[LOSS_COUNT] = {};
	struct capture_writer *writer = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	strcpy(header.environment, "staging");
	cr_assert(fd >= 0);
	cr_assert_eq(capture_writer_new(&writer, fd, &header), 0);
	for (uint64_t id = 1; id <= calls + 1; id++) {
		record_open(writer, id, GT_FLAG_BORN);
		record_data(writer, id, GT_WRITE, 0, SLICE(REQUEST));
		if (id <= calls)
			record_data(writer, id, GT_READ, 0, SLICE(RESPONSE));
	}
	kernel[GT_LOSS_RING_FULL] = has_end ? 0 : 2;
	capture_writer_losses(writer, kernel, losses);
	if (has_end)
		cr_assert_eq(capture_writer_end(writer, 9000), 0);
	else
		cr_assert_eq(capture_writer_flush(writer), 0);
	capture_writer_free(&writer);
}

static void replay(const char *options, struct program_result *ret)
{
	snprintf(line, sizeof(line), "replay %s %s", path, options);
	run_program(line, ret);
}

Test(replay, gives_the_calls_and_says_what_the_recording_was)
{
	struct program_result result;
	_cleanup_(json_freep) cJSON *first = NULL;

	record_calls(2, /* has_end */ true);
	replay("--json", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	first = cJSON_Parse(strtok(result.out, "\n"));
	cr_expect_str_eq(json_string(first, "model"), "m-1");
	cr_expect_str_eq(json_string(first, "environment"), "staging");
	cr_expect_str_eq(json_string(first, "startTime"), "2023-11-14T22:13:20.000003000Z");
	cr_expect(strtok(NULL, "\n"), "the second call");
	cr_expect(strstr(strtok(NULL, "\n"), "\"detached\""), "what was in flight when the recording ended");
	cr_expect_null(strtok(NULL, "\n"));
	cr_expect(strstr(result.err, "gentap: 3 generations, nothing lost; noted: detached 1, 0.0 s replayed in "),
		  "%s", result.err);
}

Test(replay, the_same_file_gives_the_same_bytes_whatever_surrounds_it)
{
	static struct program_result results[2];

	record_calls(3, /* has_end */ true);
	replay("--json", &results[0]);
	setenv("LANGFUSE_TRACING_ENVIRONMENT", "production", 1);
	setenv("GITHUB_SHA", "0123456789", 1);
	setenv("LANGFUSE_SAMPLE_RATE", "0", 1);
	setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1", 1);
	setenv("LANGFUSE_SECRET_KEY", "sk-lf-1", 1);
	setenv("TZ", "Asia/Tokyo", 1);
	replay("--json", &results[1]);
	cr_assert_gt(strlen(results[0].out), 1000);
	cr_expect_str_eq(results[0].out, results[1].out);
}

Test(replay, options_are_stronger_than_the_recording)
{
	struct program_result result;

	record_calls(1, /* has_end */ true);
	replay("--json --environment production --content metadata", &result);
	cr_expect(strstr(result.out, "\"environment\":\"production\""), "%s", result.out);
	cr_expect_null(strstr(result.out, "\"content\":\"hi\""), "%s", result.out);
}

Test(replay, unless_asked_only_the_terminal_is_written_to)
{
	struct program_result result;

	record_calls(1, /* has_end */ true);
	setenv("GENTAP_STORE", "/nonexistent/store.db", 1);
	setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1", 1);
	setenv("LANGFUSE_SECRET_KEY", "sk-lf-1", 1);
	setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:1", 1);
	replay("", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect(strstr(result.out, "m-1"), "%s", result.out);
	cr_expect_null(strstr(result.err, "unsent"), "%s", result.err);
}

Test(replay, stdin_is_a_file_too)
{
	struct program_result result;
	int fd;

	record_calls(1, /* has_end */ true);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	run_program("replay - --json", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect(strstr(result.out, "m-1"), "%s", result.out);
}

Test(replay, what_was_lost_before_the_file_counts)
{
	struct program_result result;

	record_calls(1, /* has_end */ false);
	replay("--json", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect(strstr(result.err, "lost: ring_full 2, capture_truncated 1"), "%s", result.err);
	replay("--json --strict", &result);
	cr_expect_eq(result.code, EXIT_LOST, "%s", result.err);
}

Test(replay, a_damaged_file_is_an_error_after_what_stands_before)
{
	struct program_result result;
	struct capture_block block = { .magic = 1 };
	int fd;

	record_calls(1, /* has_end */ false);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(write(fd, &block, sizeof(block)), (ssize_t)sizeof(block));
	close(fd);
	replay("--json", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect(strstr(result.out, "m-1"), "%s", result.out);
	cr_expect(strstr(result.err, "capture_damaged 1"), "%s", result.err);
	cr_expect(strstr(result.err, "is damaged at byte "), "%s", result.err);
}

static void expect_refused(const void *bytes, size_t len, const char *want)
{
	struct program_result result;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	replay("--json", &result);
	cr_expect_eq(result.code, EXIT_FAILED, "%s", want);
	cr_expect_str_eq(result.out, "", "%s", want);
	cr_expect(strstr(result.err, want), "%s instead of %s", result.err, want);
}

Test(replay, says_what_to_do_with_what_it_cannot_read)
{
	struct capture_preamble newer = { .magic = CAPTURE_MAGIC, .major = 7 };
	struct program_result result;

	expect_refused("", 0, "is not a gentap capture; make one with `gentap record");
	expect_refused("{\"gentap\":1}\n", 13, "is not a gentap capture; make one with `gentap record");
	expect_refused(&newer, sizeof(newer), "has version 7 of the capture format, this gentap reads version 1");
	newer.major = CAPTURE_MAJOR;
	newer.header_len = 99;
	expect_refused(&newer, sizeof(newer), "the header of '/tmp/");
	newer.header_len = sizeof(struct capture_header);
	expect_refused(&newer, sizeof(newer), "ends within its header");
	run_program("replay /nonexistent.gtcap", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect_str_eq(result.err, "gentap: cannot read '/nonexistent.gtcap': No such file or directory\n");
	run_program("replay /tmp", &result);
	cr_expect_str_eq(result.err, "gentap: cannot read '/tmp': Is a directory\n");
	run_program("replay", &result);
	cr_expect_eq(result.code, EXIT_USAGE);
}
