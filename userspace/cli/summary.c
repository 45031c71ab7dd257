/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include <inttypes.h>

static const char *const kernel_names[GT_LOSS_COUNT] = {
#define X(name, text, help) [GT_LOSS_##name] = text,
	GT_LOSSES(X)
#undef X
};

bool summary_has_loss(const struct summary *summary)
{
	bool has_loss = false;

	for (size_t i = 0; i < GT_LOSS_COUNT; i++)
		has_loss |= summary->kernel[i] != 0;
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		has_loss |= loss_is_loss(i) && summary->losses[i];
	return has_loss;
}

/* ", lost: a 1, b 2": @intro before the first. */
static void add_counter(struct buf *ret, const char **intro, const char *name, uint64_t count)
{
	if (!count)
		return;
	buf_printf(ret, "%s%s %" PRIu64, *intro, name, count);
	*intro = ", ";
}

static void add_losses(const struct summary *summary, struct buf *ret)
{
	const char *lost = ", lost: ", *noted = "; noted: ";

	if (!summary_has_loss(summary))
		buf_add_text(ret, ", nothing lost");
	for (size_t i = 0; i < GT_LOSS_COUNT; i++)
		add_counter(ret, &lost, kernel_names[i], summary->kernel[i]);
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		if (loss_is_loss(i))
			add_counter(ret, &lost, loss_name(i), summary->losses[i]);
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		if (!loss_is_loss(i))
			add_counter(ret, &noted, loss_name(i), summary->losses[i]);
	add_counter(ret, &noted, "sampled_out", summary->sampled_out);
}

static void add_sent(const struct summary *summary, struct buf *ret)
{
	if (!summary->has_langfuse)
		return;
	if (summary->sent || !summary->unsent)
		buf_printf(ret, "; %" PRIu64 " sent", summary->sent);
	if (!summary->unsent)
		return;
	buf_printf(ret, "; %" PRIu64 " unsent", summary->unsent);
	if (summary->store)
		buf_printf(ret, " in %s: send them with `gentap ship`", summary->store);
	else
		buf_add_text(ret, " and, with --no-store, gone");
}

static void add_recorded(const struct summary *summary, struct buf *ret)
{
	bool is_small = summary->recorded_bytes < 1000000;

	if (summary->recorded_to)
		buf_printf(ret, "; %" PRIu64 " events, %.1f %s in %s", summary->recorded_events,
			   (double)summary->recorded_bytes / (is_small ? 1e3 : 1e6), is_small ? "kB" : "MB",
			   summary->recorded_to);
}

static void add_time(const struct summary *summary, struct buf *ret)
{
	buf_add_text(ret, summary->has_langfuse || summary->recorded_to ? ";" : ",");
	if (summary->is_replay)
		buf_printf(ret, " %.1f s replayed in %" PRIu64 " ms", (double)summary->recorded_ns / 1e9,
			   (summary->replayed_ns + 500000) / 1000000);
	else
		buf_printf(ret, " detached in %" PRIu64 " ms", (summary->detach_ns + 500000) / 1000000);
}

void summary_text(const struct summary *summary, struct buf *ret)
{
	buf_printf(ret, "%" PRIu64 " generation%s", summary->generations, summary->generations == 1 ? "" : "s");
	add_losses(summary, ret);
	add_sent(summary, ret);
	add_recorded(summary, ret);
	add_time(summary, ret);
}
