/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loss.h"

#include <assert.h>

static const struct {
	const char *name;
	bool is_loss;
	const char *help;
} table[LOSS_COUNT] = {
#define X(name, text, is_loss, help) { text, is_loss, help },
	LOSSES(X)
#undef X
};

const char *loss_name(enum loss loss)
{
	assert(loss < LOSS_COUNT);
	return table[loss].name;
}

const char *loss_help(enum loss loss)
{
	assert(loss < LOSS_COUNT);
	return table[loss].help;
}

bool loss_is_loss(enum loss loss)
{
	assert(loss < LOSS_COUNT);
	return table[loss].is_loss;
}
