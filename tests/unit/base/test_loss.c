/* SPDX-License-Identifier: Apache-2.0 */
/* Every loss has a name of its own and a help text. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/loss.h"

Test(loss, every_one_has_its_own_name_and_help)
{
	for (int i = 0; i < LOSS_COUNT; i++) {
		cr_expect_gt(strlen(loss_name(i)), 0, "%d", i);
		cr_expect_gt(strlen(loss_help(i)), 0, "%s", loss_name(i));
		cr_expect_eq(strspn(loss_name(i), "abcdefghijklmnopqrstuvwxyz_"), strlen(loss_name(i)), "%s", loss_name(i));
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(loss_name(i), loss_name(k));
	}
}

Test(loss, a_mark_is_no_loss)
{
	cr_expect(loss_is_loss(LOSS_GAP));
	cr_expect_not(loss_is_loss(LOSS_JOINED_LATE));
}
