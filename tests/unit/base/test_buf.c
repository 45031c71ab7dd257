/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers keep to their maximum and remember that they had to. */
#include <criterion/criterion.h>

#include <errno.h>

#include "base/buf.h"

Test(buf, holds_what_was_added_with_a_nul_behind)
{
	_cleanup_(buf_done) struct buf buf = BUF_INIT(1000);

	cr_expect_str_eq(buf_text(&buf), "");
	cr_expect_eq(buf_add_text(&buf, "one "), 0);
	cr_expect_eq(buf_add(&buf, "two three", 3), 0);
	cr_expect_eq(buf_add_char(&buf, ' '), 0);
	cr_expect_eq(buf_add_slice(&buf, SLICE("four")), 0);
	cr_expect_eq(buf_printf(&buf, " %d", 5), 0);
	cr_expect_str_eq(buf_text(&buf), "one two four 5");
	cr_expect(buf_ok(&buf));
}

Test(buf, never_passes_its_maximum)
{
	for (size_t max = 0; max < 300; max++) {
		_cleanup_(buf_done) struct buf buf = BUF_INIT(max);

		for (size_t i = 0; i < max; i++)
			cr_assert_eq(buf_add_char(&buf, 'x'), 0, "max %zu", max);
		cr_expect(buf_ok(&buf), "max %zu", max);
		cr_expect_eq(buf_add_text(&buf, "yz"), -ENOBUFS, "max %zu", max);
		cr_expect(buf.is_full, "max %zu", max);
		cr_expect_eq(buf.len, max);
		cr_expect_leq(buf.size, max + 1);
		cr_expect_eq(strspn(buf_text(&buf), "x"), max);
	}
}

Test(buf, keeps_what_fits_of_the_append_that_was_too_long)
{
	_cleanup_(buf_done) struct buf buf = BUF_INIT(5);

	cr_expect_eq(buf_add_text(&buf, "abcdefgh"), -ENOBUFS);
	cr_expect_str_eq(buf_text(&buf), "abcde");
}

Test(buf, reset_clears_the_flags_and_keeps_the_memory)
{
	_cleanup_(buf_done) struct buf buf = BUF_INIT(2);

	buf_add_text(&buf, "abc");
	buf_reset(&buf);
	cr_expect(buf_ok(&buf));
	cr_expect_str_eq(buf_text(&buf), "");
	cr_expect_not_null(buf.ptr);
	buf_done(&buf);
	cr_expect_null(buf.ptr);
	cr_expect_eq(buf_add_text(&buf, "ab"), 0, "it may be used again");
}

Test(buf, consume_drops_the_front)
{
	_cleanup_(buf_done) struct buf buf = BUF_INIT(100);

	buf_consume(&buf, 0);
	buf_add_text(&buf, "abcdef");
	buf_consume(&buf, 2);
	cr_expect_str_eq(buf_text(&buf), "cdef");
	buf_consume(&buf, 4);
	cr_expect_str_eq(buf_text(&buf), "");
}
