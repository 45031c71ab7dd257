/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/notify.h"
#include "cli/sample.h"
#include "cli/summary.h"

static const struct {
	struct summary summary;
	const char *want;
	bool has_loss;
} cases[] = {
	{ { .generations = 200, .detach_ns = 48000000 },
	  "200 generations, nothing lost, detached in 48 ms", false },
	{ { .generations = 1, .detach_ns = 600000 },
	  "1 generation, nothing lost, detached in 1 ms", false },
	{ { .generations = 12, .kernel[GT_LOSS_RING_FULL] = 3, .kernel[GT_LOSS_CONNS_FULL] = 1,
	    .has_langfuse = true, .unsent = 5, .store = "/s.db", .detach_ns = 51000000 },
	  "12 generations, lost: ring_full 3, conns_full 1; 5 unsent in /s.db: send them with `gentap ship`; "
	  "detached in 51 ms", true },
	{ { .generations = 2, .losses[LOSS_GAP] = 7, .losses[LOSS_JOINED_LATE] = 1 },
	  "2 generations, lost: lost_bytes 7; noted: joined_late 1, detached in 0 ms", true },
	{ { .losses[LOSS_JOINED_LATE] = 1, .losses[LOSS_DETACHED] = 2, .sampled_out = 9 },
	  "0 generations, nothing lost; noted: joined_late 1, detached 2, sampled_out 9, detached in 0 ms", false },
	{ { .generations = 3, .has_langfuse = true, .sent = 3, .store = "/s.db" },
	  "3 generations, nothing lost; 3 sent; detached in 0 ms", false },
	{ { .generations = 3, .recorded_to = "a.gtcap", .recorded_events = 540, .recorded_bytes = 41260,
	    .detach_ns = 57000000 },
	  "3 generations, nothing lost; 540 events, 41.3 kB in a.gtcap; detached in 57 ms", false },
	{ { .recorded_to = "a.gtcap", .recorded_events = 7, .recorded_bytes = 1234567, .losses[LOSS_SCRUB_UNSURE] = 9 },
	  "0 generations, nothing lost; noted: scrub_unsure 9; 7 events, 1.2 MB in a.gtcap; detached in 0 ms", false },
	{ { .generations = 3, .is_replay = true, .recorded_ns = 61230000000, .replayed_ns = 35400000,
	    .losses[LOSS_CAPTURE_TRUNCATED] = 1 },
	  "3 generations, lost: capture_truncated 1, 61.2 s replayed in 35 ms", true },
	{ { .generations = 3, .has_langfuse = true, .sent = 1, .unsent = 2 },
	  "3 generations, nothing lost; 1 sent; 2 unsent and, with --no-store, gone; detached in 0 ms", false },
};

Test(summary, says_generations_losses_and_the_time_to_detach)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT(4096);

		summary_text(&cases[i].summary, &text);
		cr_expect_str_eq(buf_text(&text), cases[i].want, "case %zu", i);
		cr_expect_eq(summary_has_loss(&cases[i].summary), cases[i].has_loss, "case %zu", i);
	}
}

Test(summary, each_counter_alone_is_named_and_counts_as_what_it_is)
{
	for (size_t i = 0; i < GT_LOSS_COUNT + LOSS_COUNT; i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
		bool is_kernel = i < GT_LOSS_COUNT;
		struct summary summary = {};

		*(is_kernel ? &summary.kernel[i] : &summary.losses[i - GT_LOSS_COUNT]) = 4711;
		summary_text(&summary, &text);
		cr_expect(strstr(buf_text(&text), " 4711"), "counter %zu: %s", i, buf_text(&text));
		cr_expect_eq(summary_has_loss(&summary), is_kernel || loss_is_loss(i - GT_LOSS_COUNT), "counter %zu", i);
	}
}

/* --- sampling ------------------------------------------------------------------ */

static const struct {
	const char *low;	/* the lower half of the trace id */
	double rate;
	bool is_kept;
} samples[] = {
	{ "0000000000000000", 1, true },
	{ "ffffffffffffffff", 1, true },
	{ "0000000000000000", 0, false },
	{ "0000000000000000", 0.5, true },
	{ "7fffffffffffffff", 0.5, true },
	{ "8000000000000000", 0.5, false },
	{ "3fffffffffffffff", 0.25, true },
	{ "4000000000000000", 0.25, false },
};

Test(sample, keeps_what_the_sdk_keeps)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char line[256];

		snprintf(line, sizeof(line), "{\"gentap\":1,\"id\":\"00\",\"traceId\":\"ffffffffffffffff%s\"}",
			 samples[i].low);
		cr_expect_eq(sample_keeps(slice_of(line), samples[i].rate), samples[i].is_kept, "%s at %g",
			     samples[i].low, samples[i].rate);
	}
}

Test(sample, keeps_a_line_that_it_cannot_judge)
{
	const char *const lines[] = {
		"", "{}", "{\"traceId\":\"", "{\"traceId\":\"0123\"}",
		"{\"traceId\":\"0000000000000000zzzzzzzzzzzzzzzz\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect(sample_keeps(slice_of(lines[i]), 0.0), "%s", lines[i]);
}

/* --- readiness ------------------------------------------------------------------ */

static void expect_message(const char *path, const struct sockaddr_un *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char message[64] = "";

	cr_assert_eq(bind(fd, (const struct sockaddr *)address, len), 0, "%s: %m", path);
	setenv("NOTIFY_SOCKET", path, 1);
	cr_expect_eq(notify("READY=1"), 0, "%s", path);
	cr_expect(recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT) == 7, "%s: %m", path);
	cr_expect_str_eq(message, "READY=1", "%s", path);
	close(fd);
}

Test(notify, reaches_sockets_in_the_file_system_and_abstract_ones)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[64];

	snprintf(path, sizeof(path), "/tmp/gentap-notify-%d", getpid());
	strcpy(address.sun_path, path);
	expect_message(path, &address, sizeof(address));
	unlink(path);

	snprintf(path, sizeof(path), "@gentap-notify-%d", getpid());
	strcpy(address.sun_path, path);
	address.sun_path[0] = '\0';
	expect_message(path, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

Test(notify, is_silent_without_a_socket_and_fails_on_a_bad_one)
{
	unsetenv("NOTIFY_SOCKET");
	cr_expect_eq(notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_expect_eq(notify("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	cr_expect_eq(notify("READY=1"), -ENOENT);
}
