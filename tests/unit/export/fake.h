/* SPDX-License-Identifier: Apache-2.0 */
/* tests/live/fake_langfuse.py as a child of the test, and what to ask of it. */
#ifndef GENTAP_TESTS_EXPORT_FAKE_H
#define GENTAP_TESTS_EXPORT_FAKE_H

#include <criterion/criterion.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "base/buf.h"
#include "export/langfuse.h"
#include "limits.h"

#define FAKE_SCRIPT "tests/live/fake_langfuse.py"

struct fake {
	pid_t pid;
	int port;
	char url[64];
	struct langfuse_options options;
};

static inline void fake_exec(int ready_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(ready_fd, STDOUT_FILENO);
	execlp("python3", "python3", "-B", FAKE_SCRIPT, NULL);
	_exit(127);
}

/* Skips the test where there is no Python 3. */
static inline void fake_start(struct fake *fake)
{
	char line[64] = "";
	int fds[2], status;
	FILE *ready;

	if (system("python3 -c pass 2>/dev/null") != 0)
		cr_skip_test("python3 is missing: the fake Langfuse cannot run");
	cr_assert_eq(access(FAKE_SCRIPT, R_OK), 0, "run the tests from the top of the source: %m");
	cr_assert_eq(pipe(fds), 0);
	fake->pid = fork();
	if (fake->pid == 0)
		fake_exec(fds[1]);
	close(fds[1]);
	ready = fdopen(fds[0], "r");
	if (!fgets(line, sizeof(line), ready) || sscanf(line, "READY %d", &fake->port) != 1) {
		waitpid(fake->pid, &status, 0);
		cr_assert_fail("%s did not start: '%s'", FAKE_SCRIPT, line);
	}
	fclose(ready);
	snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%d", fake->port);
	fake->options = (struct langfuse_options){
		.base_url = fake->url, .public_key = "pk-lf-test", .secret_key = "sk-lf-test",
		.timeout_ms = 10000,
	};
}

static inline void fake_stop(struct fake *fake)
{
	kill(fake->pid, SIGTERM);
	waitpid(fake->pid, NULL, 0);
}

static inline size_t fake_keep(char *bytes, size_t size, size_t count, void *body)
{
	buf_add(body, bytes, size * count);
	return size * count;
}

/* GET, or POST of @post; the answer, parsed. The caller deletes it. */
static inline cJSON *fake_ask(const struct fake *fake, const char *path, const char *post)
{
	struct buf body = BUF_INIT(64 * MiB);
	CURL *curl = curl_easy_init();
	char url[128];
	cJSON *answer;

	snprintf(url, sizeof(url), "%s%s", fake->url, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fake_keep);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
	cr_assert_eq(curl_easy_perform(curl), CURLE_OK, "%s", path);
	curl_easy_cleanup(curl);
	answer = cJSON_Parse(buf_text(&body));
	cr_assert(answer, "%s: %s", path, buf_text(&body));
	buf_done(&body);
	return answer;
}

static inline void fake_control(const struct fake *fake, const char *control)
{
	cJSON_Delete(fake_ask(fake, "/control", control));
}

static inline int fake_count(const struct fake *fake, const char *path)
{
	cJSON *answer = fake_ask(fake, path, NULL);
	int count = cJSON_GetArraySize(answer);

	cJSON_Delete(answer);
	return count;
}

static inline void fake_expect_no_violation(const struct fake *fake)
{
	cJSON *violations = fake_ask(fake, "/violations", NULL);
	const cJSON *violation;

	cJSON_ArrayForEach(violation, violations)
		cr_expect_fail("violation: %s", violation->valuestring);
	cJSON_Delete(violations);
}

/* The JSON line of generation number @n, with @output in it, without line end. */
static inline void fake_line(struct buf *line, unsigned n, const char *output)
{
	buf_reset(line);
	buf_printf(line, "{\"gentap\":1,\"type\":\"generation\",\"id\":\"%016x\",\"traceId\":\"%032x\","
		   "\"name\":\"OpenAI-generation\",\"startTime\":\"2026-11-18T11:06:40.%09uZ\","
		   "\"endTime\":\"2026-11-18T11:06:41.%09uZ\",\"model\":\"m\",\"level\":\"DEFAULT\","
		   "\"input\":[{\"role\":\"user\",\"content\":\"%u\"}],\"output\":\"%s\","
		   "\"usageDetails\":{\"input\":1,\"output\":2,\"total\":3},\"role\":\"client\","
		   "\"process\":{\"pid\":7,\"comm\":\"app\"},\"http\":{\"status\":200}}",
		   n, n, n, n, n, output);
}

#endif
