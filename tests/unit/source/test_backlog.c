/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "limits.h"
#include "source/backlog.h"

static void add(struct backlog *backlog, uint64_t time_ns, uint32_t number, size_t len)
{
	struct {
		struct gt_data_event event;
		char bytes[GT_CHUNK_BYTES];
	} record = { .event = { .event = { .time_ns = time_ns, .tid = number, .type = GT_EVENT_DATA },
				.captured_len = (uint32_t)len } };

	memset(record.bytes, (int)('a' + number % 26), len);
	cr_assert(backlog_make_room(backlog));
	backlog_add(backlog, &record.event.event, sizeof(record.event) + len);
}

/* The next record is number @number, whole. */
static void expect(struct backlog *backlog, uint64_t until_ns, uint32_t number)
{
	const struct gt_data_event *event = (const void *)backlog_take(backlog, until_ns);

	cr_assert_not_null(event, "no record number %u", number);
	cr_expect_eq(event->event.tid, number, "%u instead of %u", event->event.tid, number);
	for (uint32_t i = 0; i < event->captured_len; i++)
		cr_assert_eq(event->bytes[i], (char)('a' + number % 26), "record %u at %u", number, i);
}

Test(backlog, records_come_out_by_time_and_equal_ones_as_they_came)
{
	_cleanup_(backlog_done) struct backlog backlog = BACKLOG_INIT;

	add(&backlog, 10, 1, 3);
	add(&backlog, 30, 4, 5);
	add(&backlog, 20, 2, 0);
	add(&backlog, 30, 5, 1);
	add(&backlog, 20, 3, 7);
	for (uint32_t i = 1; i <= 5; i++)
		expect(&backlog, UINT64_MAX, i);
	cr_expect_null(backlog_take(&backlog, UINT64_MAX));
}

Test(backlog, a_young_record_waits_and_an_older_one_overtakes_it)
{
	_cleanup_(backlog_done) struct backlog backlog = BACKLOG_INIT;

	add(&backlog, 100, 2, 1);
	cr_expect_null(backlog_take(&backlog, 99));
	cr_expect_eq(backlog_time_ns(&backlog), 100);
	add(&backlog, 90, 1, 1);
	expect(&backlog, 99, 1);
	cr_expect_null(backlog_take(&backlog, 99));
	/* Older than what was delivered: late is better than never. */
	add(&backlog, 50, 3, 1);
	expect(&backlog, 99, 3);
	expect(&backlog, 100, 2);
	cr_expect_eq(backlog_time_ns(&backlog), UINT64_MAX);
}

Test(backlog, many_records_in_disorder_are_kept_whole)
{
	_cleanup_(backlog_done) struct backlog backlog = BACKLOG_INIT;
	uint32_t taken = 0;

	/* Pairs come the wrong way round; three come in for every two that go. */
	for (uint32_t i = 0; i < 6000; i += 2) {
		add(&backlog, i + 1, i + 1, (i * 37) % 2000);
		add(&backlog, i, i, (i * 31) % 2000);
		for (int n = 0; n < 1 + (i % 4 != 0) && taken < i; n++)
			expect(&backlog, UINT64_MAX, taken++);
	}
	while (taken < 6000)
		expect(&backlog, UINT64_MAX, taken++);
	cr_expect(backlog_is_empty(&backlog));
	backlog_shrink(&backlog);
	cr_expect_eq(backlog.end, 0);
}

Test(backlog, room_ends_at_the_limit_and_comes_back)
{
	_cleanup_(backlog_done) struct backlog backlog = BACKLOG_INIT;
	uint32_t count = 0;

	for (; backlog_make_room(&backlog); count++)
		add(&backlog, count, count, GT_CHUNK_BYTES);
	cr_expect_leq(backlog.size, LIMIT_BACKLOG);
	cr_expect_gt(count, LIMIT_BACKLOG / BACKLOG_RECORD_MAX);
	for (uint32_t i = 0; i < count; i++)
		expect(&backlog, UINT64_MAX, i);
	cr_expect(backlog_make_room(&backlog), "what was taken makes room");
	backlog_shrink(&backlog);
	cr_expect_eq(backlog.size, 0, "a burst's memory is given back");
}
