/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gentap doctor`: says beforehand what will be seen here, or in one process,
 * and proves it with a self-test.
 * Every finding is a row: how it stands, what it is about, what to know.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/loss.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/self_test.h"
#include "llm/json.h"
#include "loader/loader.h"

enum verdict { GOOD, NOTE, BAD };

static const char *const verdict_names[] = { [GOOD] = "ok", [NOTE] = "note", [BAD] = "no" };

struct report {
	bool is_json, is_impossible, has_colour;
	struct buf text;
	cJSON *json, *section;		/* section: borrowed, an array in json */
};

static void begin_section(struct report *report, const char *name, const char *title)
{
	if (report->is_json)
		report->section = cJSON_AddArrayToObject(report->json, name);
	else
		buf_printf(&report->text, "%s%s\n", report->text.len ? "\n" : "", title);
}

static _printf_(4, 5) void add(struct report *report, enum verdict verdict, const char *what, const char *fmt, ...)
{
	static const char *const colours[] = { [GOOD] = "\033[32m", [NOTE] = "\033[33m", [BAD] = "\033[31m" };
	_cleanup_(buf_done) struct buf clean = BUF_INIT(4096);
	char text[1024];
	cJSON *row;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (report->is_json) {
		/* A process may call itself anything. */
		text_add_utf8(&clean, slice_of(text));
		row = cJSON_CreateObject();
		cJSON_AddStringToObject(row, "verdict", verdict_names[verdict]);
		cJSON_AddStringToObject(row, "what", what);
		cJSON_AddStringToObject(row, "text", buf_text(&clean));
		json_append(report->section, row);
		return;
	}
	buf_printf(&report->text, "  %s%-4s%s  %-20s ", report->has_colour ? colours[verdict] : "",
		   verdict_names[verdict], report->has_colour ? "\033[0m" : "", what);
	text_add_scrubbed(&report->text, slice_of(text));
	buf_add_char(&report->text, '\n');
}

/* --- the kernel ------------------------------------------------------------- */

/* A feature without which nothing is captured. */
static void add_needed(struct report *report, bool has_it, const char *what, const char *good, const char *bad)
{
	add(report, has_it ? GOOD : BAD, what, "%s", has_it ? good : bad);
	report->is_impossible |= !has_it;
}

static void add_wanted(struct report *report, bool has_it, const char *what, const char *good, const char *lacking)
{
	add(report, has_it ? GOOD : NOTE, what, "%s", has_it ? good : lacking);
}

static void check_kernel(struct report *report, const struct features *features)
{
	bool may_kill = features->has_uretprobe_syscall && features->kernel_version < 0x060e00;

	begin_section(report, "kernel", "Kernel and privilege");
	add(report, GOOD, "kernel", "%s", features->release);
	if (features->is_privileged)
		add(report, GOOD, "privilege", "may load eBPF programs and attach probes");
	else
		add(report, BAD, "privilege", "lacks %s: try `sudo gentap doctor`",
		    features->missing_capability ? features->missing_capability : "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
	report->is_impossible |= !features->is_privileged;
	add_needed(report, features->is_initial_pid_namespace, "pid namespace", "the host's",
		   "not the host's: run gentap on the host, or in a container with --pid=host");
	add_needed(report, features->has_btf, "BTF", "/sys/kernel/btf/vmlinux",
		   "missing: use a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	/* Without privilege the kernel does not say. */
	if (!features->is_privileged)
		return;
	add_needed(report, features->has_ring_buffer, "ring buffer", "yes (5.8)", "missing: needs kernel 5.8");
	add_needed(report, features->has_bpf_loop, "bpf_loop", "yes (5.17)", "missing: needs kernel 5.17");
	add_wanted(report, features->has_uprobe_multi && features->is_multi_pid_filter_sound, "uprobe_multi",
		   "yes (6.6, sound from 6.10)", "not used before 6.10: perf links instead, slower to attach");
	add_wanted(report, features->has_uprobe_session, "uprobe session", "yes (6.13): reads cost one probe",
		   "no (6.13): reads cost an entry and a return probe");
	if (may_kill)
		add(report, NOTE, "seccomp", "return probes of 6.11 to 6.13 can kill processes under strict seccomp: "
		    "their TLS is left alone");
}

/* --- the proof --------------------------------------------------------------- */

static void add_proof(struct report *report, const struct self_test *test, enum self_test_path path, const char *what,
		      const char *through)
{
	const bool *is_seen = test->is_seen[path];

	if (test->calls.errors[path])
		add(report, BAD, what, "the call through %s failed by itself: %s", through,
		    strerror(-test->calls.errors[path]));
	else if (is_seen[SELF_TEST_CLIENT] && is_seen[SELF_TEST_SERVER])
		add(report, GOOD, what, "a call through %s was captured whole, as its client and as its server saw it",
		    through);
	else
		add(report, BAD, what, "a call through %s was not captured whole (client: %s, server: %s): %s", through,
		    is_seen[SELF_TEST_CLIENT] ? "yes" : "no", is_seen[SELF_TEST_SERVER] ? "yes" : "no",
		    *test->warning ? test->warning : "please report it with what `gentap doctor --json` says");
	report->is_impossible |= !is_seen[SELF_TEST_CLIENT] || !is_seen[SELF_TEST_SERVER];
}

/* Also finds what no single feature tells, such as programs that this kernel's
 * verifier refuses. */
static void prove(struct report *report)
{
	_cleanup_(freep) char *error = NULL;
	struct self_test test;
	int r;

	begin_section(report, "selfTest", "Self-test, on a child of its own");
	if (report->is_impossible) {
		add(report, NOTE, "self-test", "skipped: not possible without what is missing above");
		return;
	}
	r = self_test_run(&test, &error);
	if (r < 0) {
		add(report, BAD, "self-test", "%s", error ? error :
		    r == -ETIMEDOUT || r == -EPIPE ? "its child did not answer" : strerror(-r));
		report->is_impossible = true;
		return;
	}
	add_proof(report, &test, SELF_TEST_SOCKETS, "sockets", "loopback TCP");
	if (*test.calls.libssl)
		add_proof(report, &test, SELF_TEST_TLS, "TLS", test.calls.libssl);
	else
		add(report, NOTE, "TLS", "no libssl here to try it with");
}

/* --- store and Langfuse ----------------------------------------------------- */

/* The first directory above @path that exists: may it be written? */
static bool is_writable(const char *path)
{
	char parent[4096];
	char *slash;

	if (access(path, F_OK) == 0)
		return access(path, W_OK) == 0;
	snprintf(parent, sizeof(parent), "%s", path);
	while ((slash = strrchr(parent, '/')) != NULL) {
		*slash = '\0';
		if (access(*parent ? parent : "/", F_OK) == 0)
			return access(*parent ? parent : "/", W_OK) == 0;
	}
	return access(".", W_OK) == 0;
}

static void check_store(struct report *report, const struct settings *settings)
{
	const char *path = settings_text(settings, SETTING_STORE);

	if (settings_flag(settings, SETTING_NO_STORE))
		add(report, NOTE, "store", "switched off (no-store)");
	else if (!path)
		add(report, BAD, "store", "no place for it: set HOME or GENTAP_STORE");
	else if (is_writable(path))
		add(report, GOOD, "store", "%s", path);
	else
		add(report, BAD, "store", "%s: not writable: use --store FILE or --no-store", path);
}


static void check_langfuse(struct report *report, const struct settings *settings)
{
	struct langfuse_options options = settings_langfuse(settings);
	_cleanup_(langfuse_free) struct langfuse *langfuse = NULL;
	_cleanup_(buf_done) struct buf project = BUF_INIT(256);
	struct langfuse_answer answer;
	int r;

	if (!options.public_key || !options.secret_key) {
		add(report, NOTE, "langfuse", "not asked: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not both set");
		return;
	}
	r = langfuse_new(&langfuse, &options);
	if (r < 0) {
		add(report, BAD, "langfuse", "cannot be asked: %s", strerror(-r));
		return;
	}
	langfuse_check(langfuse, &project, &answer);
	if (answer.verdict == LANGFUSE_SENT)
		add(report, GOOD, "langfuse", "%s: keys of project '%s'", options.base_url, buf_text(&project));
	else
		add(report, BAD, "langfuse", "%s", answer.text);
}

/* --- one process ------------------------------------------------------------ */

static void check_tls(struct report *report, const struct doctor_process *process)
{
	for (size_t i = 0; i < process->site_count; i++) {
		const struct doctor_tls *site = &process->sites[i];

		add(report, strcmp(site->rule, "single-stepped") == 0 ? NOTE : GOOD, site->function,
		    "%s, %s at 0x%" PRIx64 " (%s)", site->library, site->path, site->offset, site->rule);
	}
	for (size_t i = 0; i < process->unhooked_count; i++)
		add(report, BAD, "TLS", "%s has no hooks yet: what goes through it is not seen", process->unhooked[i]);
	if (!process->site_count && !process->unhooked_count)
		add(report, NOTE, "TLS", "no TLS library mapped yet: one that comes later is attached to then");
}

struct inspection {
	struct report *report;
	const struct features *features;
	int pid;
};

static void add_process(void *ctx, const struct doctor_process *process)
{
	struct inspection *inspection = ctx;
	struct report *report = inspection->report;
	const struct features *features = inspection->features;
	bool may_kill = features->has_uretprobe_syscall && features->kernel_version < 0x060e00;

	begin_section(report, "process", "Process");
	add(report, GOOD, "process", "%d %.*s, %s, %u thread%s, %u descendant%s", inspection->pid, GT_COMM_BYTES,
	    process->comm, process->exe, process->threads, process->threads == 1 ? "" : "s",
	    process->descendants, process->descendants == 1 ? "" : "s");
	add(report, GOOD, "sockets", "%u, %u of them listening: plain HTTP is captured", process->sockets,
	    process->listening);
	check_tls(report, process);
	if (process->is_32bit)
		add(report, BAD, "32 bit", "a 32-bit program: its TLS libraries are not attached to");
	if (process->has_seccomp && may_kill)
		add(report, BAD, "seccomp", "under seccomp, and return probes of kernel %s could kill it: "
		    "its TLS is left alone", features->release);
	if (process->has_io_uring)
		add(report, BAD, "io_uring", "in use: what plain sockets move through it is not seen");
}

static int inspect(struct report *report, const struct features *features, int pid)
{
	struct inspection inspection = { report, features, pid };
	int r = loader_inspect(pid, add_process, &inspection);

	if (r == -ESRCH)
		return fail(EXIT_NO_TARGET, "no process with pid %d: list yours with `ps -e -o pid,args`", pid);
	if (r == -EACCES || r == -EPERM)
		return fail(EXIT_NOT_POSSIBLE, "process %d may not be looked at: try `sudo gentap doctor --pid %d`",
			    pid, pid);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot look at process %d: %s", pid, strerror(-r));
	return EXIT_OK;
}

/* --- losses ----------------------------------------------------------------- */

static const struct {
	const char *name, *help;
} kernel_losses[GT_LOSS_COUNT] = {
#define X(name, text, help) [GT_LOSS_##name] = { text, help },
	GT_LOSSES(X)
#undef X
};

static void add_name(struct report *report, const char *name, bool is_loss, const char *help)
{
	cJSON *row;

	if (!report->is_json) {
		buf_printf(&report->text, "  %-4s  %-20s %s\n", is_loss ? "loss" : "mark", name, help);
		return;
	}
	row = cJSON_CreateObject();
	cJSON_AddStringToObject(row, "name", name);
	cJSON_AddBoolToObject(row, "isLoss", is_loss);
	cJSON_AddStringToObject(row, "text", help);
	json_append(report->section, row);
}

static void add_losses(struct report *report)
{
	begin_section(report, "losses", "What the closing line and evidence.reasons may name");
	for (size_t i = 0; i < GT_LOSS_COUNT; i++)
		add_name(report, kernel_losses[i].name, /* is_loss */ true, kernel_losses[i].help);
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		add_name(report, loss_name(i), loss_is_loss(i), loss_help(i));
}

/* --- all of it -------------------------------------------------------------- */

static void report_done(struct report *report)
{
	buf_done(&report->text);
	cJSON_Delete(report->json);
}

static int conclude(struct report *report)
{
	int code;

	if (report->is_json) {
		cJSON_AddBoolToObject(report->json, "isPossible", !report->is_impossible);
		json_line(TAKE_PTR(report->json), &report->text);
	} else {
		buf_printf(&report->text, "\ncapture is %s here\n", report->is_impossible ? "not possible" : "possible");
	}
	code = say_result(&report->text);
	return code == EXIT_OK && report->is_impossible ? EXIT_NOT_POSSIBLE : code;
}

int doctor_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(report_done) struct report report = {
		.is_json = options->is_json,
		.has_colour = say_has_colour(STDOUT_FILENO),
		.text = BUF_INIT(SAY_TEXT_MAX),
		.json = cJSON_CreateObject(),
	};
	struct features features;
	int code;

	if (options->pid_count > 1)
		return fail(EXIT_USAGE, "doctor looks at one process at a time");
	code = options_settings(options, &settings);
	if (code != EXIT_OK)
		return code;
	features_probe(&features);
	check_kernel(&report, &features);
	prove(&report);
	begin_section(&report, "sinks", "Where generations would go");
	check_store(&report, &settings);
	check_langfuse(&report, &settings);
	if (options->pid_count)
		code = inspect(&report, &features, options->pids[0]);
	if (code != EXIT_OK)
		return code;
	add_losses(&report);
	return conclude(&report);
}
