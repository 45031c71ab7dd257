/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side of Langfuse: one request at a time over one kept connection,
 * through libcurl, and what each answer means.
 *
 * A request is driven by a multi handle only so that another thread can end it:
 * gentap must not wait for a hung server when it is told to stop.
 *
 * Secrets stay here: no answer's text holds a key, even when the server sends
 * it back. Leaves out: what is sent (otlp.c), and when (shipper.c).
 */
#include "export/langfuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <curl/curl.h>
#include <zlib.h>

#include "base/text.h"
#include "export/note.h"

enum {
	DEFAULT_TIMEOUT_MS = 30000,	/* one that did arrive and timed out becomes a duplicate */
	CONNECT_TIMEOUT_MS = 10000,
	BODY_MAX = 1024,		/* of an answer that is only shown */
	CHECK_BODY_MAX = 64 * 1024,	/* of one that is read */
	SHOWN_MAX = 160,		/* of a body, in a text for people */
	KEY_MAX = 512,
};

struct langfuse {
	CURL *easy;
	CURLM *multi;
	struct curl_slist *send_headers, *check_headers;
	char *traces_url, *projects_url;
	char *shown_url;		/* the base without user and password */
	char *public_key, *secret_key, *credentials; /* what no text may hold */
	long timeout_ms;
	_Atomic uint64_t deadline_ns;	/* UINT64_MAX: none */
	char error[CURL_ERROR_SIZE];
};

/* --- making one -------------------------------------------------------------- */

/* Base64 of what goes into Basic authentication (RFC 7617). */
static char *base64(struct slice in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((in.len + 2) / 3 * 4 + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < in.len; i += 3) {
		size_t have = MIN(in.len - i, (size_t)3);
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < have ? (unsigned char)in.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*out++ = k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=';
	}
	*out = '\0';
	return text;
}

/* Printable ASCII without ':': the server splits at the first one, and a line
 * end would begin another header. */
static bool is_key(const char *key)
{
	if (!key || !*key || strlen(key) > KEY_MAX)
		return false;
	for (; *key; key++)
		if (*key <= ' ' || *key >= 0x7f || *key == ':')
			return false;
	return true;
}

static bool is_base_url(const char *url)
{
	return url && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

/* NULL when out of memory. */
static char *make_url(const char *base, const char *path)
{
	size_t len = strlen(base);
	char *url;

	while (len && base[len - 1] == '/')
		len--;
	path += strspn(path, "/");
	return asprintf(&url, "%.*s/%s", (int)len, base, path) < 0 ? NULL : url;
}

/* "https://user:password@host/x" without "user:password@". */
static char *make_shown_url(const char *base)
{
	const char *host = strstr(base, "://") + 3;
	size_t authority = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', authority);
	char *url;

	return asprintf(&url, "%.*s%s", (int)(host - base), base, at ? at + 1 : host) < 0 ? NULL : url;
}

static char *make_credentials(const struct langfuse_options *options)
{
	_cleanup_(freep) char *pair = NULL;

	if (asprintf(&pair, "%s:%s", options->public_key, options->secret_key) < 0) {
		pair = NULL;
		return NULL;
	}
	return base64(slice_of(pair));
}

_printf_(2, 3)
static int add_header(struct curl_slist **headers, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	struct curl_slist *longer;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		text = NULL;
		return -ENOMEM;
	}
	longer = curl_slist_append(*headers, text);
	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

static int make_headers(struct langfuse *langfuse)
{
	struct curl_slist **send = &langfuse->send_headers;

	if (add_header(send, "Authorization: Basic %s", langfuse->credentials) < 0 ||
	    add_header(send, "Content-Type: application/json") < 0 ||
	    add_header(send, "Content-Encoding: gzip") < 0 ||
	    add_header(send, "Expect:") < 0 ||		/* no 100-continue, no second of waiting */
	    add_header(send, "x-langfuse-ingestion-version: 4") < 0 ||
	    add_header(send, "x-langfuse-sdk-name: gentap") < 0 ||
	    add_header(send, "x-langfuse-sdk-version: %s", GENTAP_VERSION) < 0 ||
	    add_header(send, "x-langfuse-public-key: %s", langfuse->public_key) < 0)
		return -ENOMEM;
	return add_header(&langfuse->check_headers, "Authorization: Basic %s", langfuse->credentials);
}

static int make_handles(struct langfuse *langfuse)
{
	langfuse->easy = curl_easy_init();
	langfuse->multi = curl_multi_init();
	if (!langfuse->easy || !langfuse->multi)
		return -ENOMEM;
	curl_easy_setopt(langfuse->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(langfuse->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(langfuse->easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* A proxy that tunnels must not see the keys. */
	curl_easy_setopt(langfuse->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(langfuse->easy, CURLOPT_USERAGENT, "gentap/" GENTAP_VERSION);
	curl_easy_setopt(langfuse->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 MIN(langfuse->timeout_ms, (long)CONNECT_TIMEOUT_MS));
	curl_easy_setopt(langfuse->easy, CURLOPT_ERRORBUFFER, langfuse->error);
	return 0;
}

int langfuse_new(struct langfuse **ret, const struct langfuse_options *options)
{
	_cleanup_(langfuse_free) struct langfuse *langfuse = NULL;
	const char *path = options->export_path ? options->export_path : "api/public/otel/v1/traces";
	int r;

	if (!is_base_url(options->base_url) || !is_key(options->public_key) || !is_key(options->secret_key))
		return -EINVAL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	langfuse = calloc(1, sizeof(*langfuse));
	if (!langfuse) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	langfuse->timeout_ms = options->timeout_ms ? (long)options->timeout_ms : (long)DEFAULT_TIMEOUT_MS;
	atomic_init(&langfuse->deadline_ns, UINT64_MAX);
	langfuse->traces_url = make_url(options->base_url, path);
	langfuse->projects_url = make_url(options->base_url, "api/public/projects");
	langfuse->shown_url = make_shown_url(options->base_url);
	langfuse->public_key = strdup(options->public_key);
	langfuse->secret_key = strdup(options->secret_key);
	langfuse->credentials = make_credentials(options);
	if (!langfuse->traces_url || !langfuse->projects_url || !langfuse->shown_url ||
	    !langfuse->public_key || !langfuse->secret_key || !langfuse->credentials)
		return -ENOMEM;

	r = make_headers(langfuse);
	if (r == 0)
		r = make_handles(langfuse);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(langfuse);
	return 0;
}

void langfuse_free(struct langfuse **langfuse)
{
	struct langfuse *l = *langfuse;

	*langfuse = NULL;
	if (!l)
		return;
	curl_easy_cleanup(l->easy);
	curl_multi_cleanup(l->multi);
	curl_slist_free_all(l->send_headers);
	curl_slist_free_all(l->check_headers);
	free(l->traces_url);
	free(l->projects_url);
	free(l->shown_url);
	free(l->public_key);
	free(l->secret_key);
	free(l->credentials);
	free(l);
	curl_global_cleanup();
}

void langfuse_limit(struct langfuse *langfuse, uint64_t deadline_ns)
{
	atomic_store(&langfuse->deadline_ns, deadline_ns);
	curl_multi_wakeup(langfuse->multi);
}

/* --- one request ------------------------------------------------------------- */

/* The whole answer is taken from the socket, so that the connection can be used
 * again; of its body only the front is kept. */
static size_t keep_body(char *bytes, size_t size, size_t count, void *body)
{
	buf_add(body, bytes, size * count);
	return size * count;
}

static long left_ms(const struct langfuse *langfuse)
{
	uint64_t deadline_ns = atomic_load(&langfuse->deadline_ns);

	if (deadline_ns == UINT64_MAX)
		return langfuse->timeout_ms;
	return (long)MIN(elapsed_ns(monotonic_ns(), deadline_ns) / 1000000, (uint64_t)langfuse->timeout_ms);
}

/* Until the transfer ends by itself, or the deadline that langfuse_limit may
 * set meanwhile. */
static CURLcode drive(struct langfuse *langfuse)
{
	for (;;) {
		CURLMsg *message;
		int running = 0, waiting;

		if (curl_multi_perform(langfuse->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		message = curl_multi_info_read(langfuse->multi, &waiting);
		if (message && message->msg == CURLMSG_DONE)
			return message->data.result;
		if (left_ms(langfuse) == 0)
			return CURLE_OPERATION_TIMEDOUT;
		/* At the latest in a moment: a wake-up may have come before the wait. */
		curl_multi_poll(langfuse->multi, NULL, 0, (int)MIN(left_ms(langfuse), 1000L), NULL);
	}
}

static CURLcode perform(struct langfuse *langfuse, const char *url, struct curl_slist *headers,
			struct buf *body)
{
	CURLcode code;

	langfuse->error[0] = '\0';
	if (left_ms(langfuse) == 0)
		return CURLE_OPERATION_TIMEDOUT;
	curl_easy_setopt(langfuse->easy, CURLOPT_URL, url);
	curl_easy_setopt(langfuse->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(langfuse->easy, CURLOPT_TIMEOUT_MS, left_ms(langfuse));
	curl_easy_setopt(langfuse->easy, CURLOPT_WRITEFUNCTION, keep_body);
	curl_easy_setopt(langfuse->easy, CURLOPT_WRITEDATA, body);
	if (curl_multi_add_handle(langfuse->multi, langfuse->easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	code = drive(langfuse);
	curl_multi_remove_handle(langfuse->multi, langfuse->easy);
	return code;
}

/* --- what an answer means ---------------------------------------------------- */

static enum langfuse_verdict verdict_of(long status)
{
	if (status >= 200 && status < 300)
		return LANGFUSE_SENT;
	switch (status) {
	case 400:
		return LANGFUSE_REFUSED;
	case 413:
		return LANGFUSE_TOO_LARGE;
	case 408:
	case 422:	/* the database had no room for it */
	case 425:
	case 429:
		return LANGFUSE_LATER;
	}
	return status >= 500 || status < 300 ? LANGFUSE_LATER : LANGFUSE_STOP;
}

static void hide(struct buf *text, const char *secret)
{
	size_t len = strlen(secret);
	char *at;

	while (text->len && (at = memmem(text->ptr, text->len, secret, len)))
		memset(at, '*', len);
}

/* The front of the body, fit for a terminal and without secrets: ": …" or "". */
static void add_body(const struct langfuse *langfuse, struct buf *body, struct buf *text)
{
	hide(body, langfuse->secret_key);
	hide(body, langfuse->credentials);
	if (!body->len)
		return;
	buf_add_text(text, ": ");
	text_add_scrubbed(text, (struct slice){ body->ptr, utf8_prefix(buf_slice(body), SHOWN_MAX) });
}

static void add_cause(const struct langfuse *langfuse, CURLcode code, struct buf *text)
{
	buf_printf(text, "no answer from Langfuse at %s: ", langfuse->shown_url);
	text_add_scrubbed(text, slice_of(langfuse->error[0] ? langfuse->error : curl_easy_strerror(code)));
}

static void add_stop_text(const struct langfuse *langfuse, long status, struct buf *body, struct buf *text)
{
	switch (status) {
	case 401:
		buf_printf(text, "Langfuse refused the keys (%.8s…): check LANGFUSE_PUBLIC_KEY and "
			   "LANGFUSE_SECRET_KEY, then `gentap ship`", langfuse->public_key);
		break;
	case 403:
		buf_add_text(text, "Langfuse does not let these keys write (403)");
		add_body(langfuse, body, text);
		buf_add_text(text, "; use the keys of a project, then `gentap ship`");
		break;
	default:
		buf_printf(text, "%s is not a Langfuse that takes OpenTelemetry (status %ld): check "
			   "LANGFUSE_BASE_URL, then `gentap ship`", langfuse->shown_url, status);
	}
}

static void add_text(const struct langfuse *langfuse, const struct langfuse_answer *answer,
		     struct buf *body, struct buf *text)
{
	switch (answer->verdict) {
	case LANGFUSE_SENT:
		break;
	case LANGFUSE_REFUSED:
		buf_add_text(text, "Langfuse refused what was sent (400)");
		add_body(langfuse, body, text);
		break;
	case LANGFUSE_TOO_LARGE:
		buf_add_text(text, "too large for Langfuse (413): lower --max-content, or raise the limit there");
		break;
	case LANGFUSE_STOP:
		add_stop_text(langfuse, answer->status, body, text);
		break;
	case LANGFUSE_LATER:
		buf_printf(text, "Langfuse at %s cannot take more now (%ld)", langfuse->shown_url, answer->status);
		add_body(langfuse, body, text);
		break;
	}
}

/* Seconds or a date (RFC 9110 10.2.3); curl turns both into seconds from now. */
static unsigned retry_after_ms(struct langfuse *langfuse)
{
	enum { LONGEST_S = 3600 };
	curl_off_t seconds = 0;

	curl_easy_getinfo(langfuse->easy, CURLINFO_RETRY_AFTER, &seconds);
	return seconds <= 0 ? 0 : (unsigned)MIN(seconds, (curl_off_t)LONGEST_S) * 1000;
}

static void judge(struct langfuse *langfuse, CURLcode code, struct buf *body, struct langfuse_answer *ret)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(2 * sizeof(ret->text));
	struct langfuse_answer answer = { .verdict = LANGFUSE_LATER };

	if (code == CURLE_OK) {
		curl_easy_getinfo(langfuse->easy, CURLINFO_RESPONSE_CODE, &answer.status);
		answer.verdict = verdict_of(answer.status);
		answer.retry_after_ms = retry_after_ms(langfuse);
		add_text(langfuse, &answer, body, &text);
	} else {
		add_cause(langfuse, code, &text);
	}
	snprintf(answer.text, sizeof(answer.text), "%.*s",
		 (int)utf8_prefix(buf_slice(&text), sizeof(answer.text) - 1), buf_text(&text));
	*ret = answer;
}

/* --- the two requests -------------------------------------------------------- */

/* The best speed: CPU of a host that serves users is dearer than bytes on the
 * way. 0 or -ENOMEM. */
static int compress_gzip(struct slice in, struct buf *ret)
{
	enum { GZIP = 15 + 16 };	/* the largest window, and gzip's header */
	z_stream stream = { .next_in = (Bytef *)in.ptr, .avail_in = (uInt)in.len };
	unsigned char out[16384];
	int rc;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	do {
		stream.next_out = out;
		stream.avail_out = sizeof(out);
		rc = deflate(&stream, Z_FINISH);
		buf_add(ret, out, sizeof(out) - stream.avail_out);
	} while (rc == Z_OK && buf_ok(ret));
	deflateEnd(&stream);
	return rc == Z_STREAM_END && buf_ok(ret) ? 0 : -ENOMEM;
}

void langfuse_send(struct langfuse *langfuse, struct slice request, struct langfuse_answer *ret)
{
	/* What does not compress grows by a few bytes for each block. */
	_cleanup_(buf_done) struct buf packed = BUF_INIT(request.len + request.len / 100 + 1024);
	_cleanup_(buf_done) struct buf body = BUF_INIT(BODY_MAX);
	CURLcode code = CURLE_OUT_OF_MEMORY;

	langfuse->error[0] = '\0';
	if (compress_gzip(request, &packed) == 0) {
		curl_easy_setopt(langfuse->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(langfuse->easy, CURLOPT_POSTFIELDS, packed.ptr);
		curl_easy_setopt(langfuse->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)packed.len);
		code = perform(langfuse, langfuse->traces_url, langfuse->send_headers, &body);
	}
	judge(langfuse, code, &body, ret);
}

void langfuse_check(struct langfuse *langfuse, struct buf *ret_project, struct langfuse_answer *ret)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(CHECK_BODY_MAX);
	const char *name;
	CURLcode code;
	cJSON *answer;

	curl_easy_setopt(langfuse->easy, CURLOPT_HTTPGET, 1L);
	code = perform(langfuse, langfuse->projects_url, langfuse->check_headers, &body);
	judge(langfuse, code, &body, ret);
	if (ret->verdict != LANGFUSE_SENT || !ret_project)
		return;

	answer = cJSON_ParseWithLength(buf_text(&body), body.len);
	name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
		cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "data"), 0), "name"));
	if (name)
		buf_add_text(ret_project, name);
	cJSON_Delete(answer);
}
