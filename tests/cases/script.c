/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include "limits.h"

void script_done(struct script *script)
{
	for (size_t i = 0; i < script->count; i++)
		buf_done(&script->list[i].bytes);
	free(script->list);
	*script = (struct script){ 0 };
}

static struct move *add(struct script *script, enum move_kind kind, enum side side, uint64_t at_ns)
{
	struct move *move;

	if (script->count == script->size) {
		script->size = script->size ? 2 * script->size : 64;
		script->list = realloc(script->list, script->size * sizeof(*script->list));
		assert(script->list);
	}
	move = &script->list[script->count++];
	*move = (struct move){ .kind = kind, .side = side, .at_ns = at_ns, .bytes = BUF_INIT(64 * MiB) };
	return move;
}

void script_add(struct script *script, enum side side, uint64_t at_ns, bool is_lost, struct slice bytes)
{
	enum move_kind kind = is_lost ? MOVE_LOST : MOVE_BYTES;
	struct move *move = script->count ? &script->list[script->count - 1] : NULL;

	if (!bytes.len)
		return;
	if (!move || move->kind != kind || move->side != side || move->at_ns != at_ns)
		move = add(script, kind, side, at_ns);
	buf_add_slice(&move->bytes, bytes);
	assert(buf_ok(&move->bytes));
	script->bytes += bytes.len;
}

void script_add_begin(struct script *script)
{
	assert(script->begin_count < CASE_LINES);
	script->begins[script->begin_count++] = script->bytes;
}

void script_add_end(struct script *script, enum move_kind kind, enum side side, uint64_t at_ns)
{
	add(script, kind, side, at_ns);
}

void script_add_cut(struct script *script, const struct item *cut)
{
	switch (cut->cut) {
	case STEP_CUT_BY_CLIENT:
		script_add_end(script, MOVE_CLOSE, SIDE_REQUEST, cut->at_ns);
		break;
	case STEP_CUT_BY_SERVER:
		script_add_end(script, MOVE_CLOSE, SIDE_RESPONSE, cut->at_ns);
		break;
	case STEP_DETACH:
		script_add_end(script, MOVE_DETACH, cut->side, cut->at_ns);
		break;
	default:
		script_add_end(script, MOVE_EXIT, cut->side, cut->at_ns);
	}
}
