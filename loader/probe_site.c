/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/probe_site.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"

enum {
	BODY_MAX = 16384,	/* bytes looked at of one function */
	ENTRY_BYTES = 16,	/* enough for endbr64 and an instruction */
	ENDBR_BYTES = 4,
};

struct body {
	uint64_t address;
	size_t len;
	uint8_t bytes[BODY_MAX];
};

static const char *const rule_names[] = {
	[PROBE_SYMBOL]	= "symbol",
	[PROBE_LATER]	= "later instruction",
	[PROBE_INNER]	= "inner function",
	[PROBE_STEPPED]	= "single-stepped",
};
_Static_assert(ARRAY_SIZE(rule_names) == PROBE_RULES, "a name for every rule");

const char *probe_rule_name(enum probe_rule rule)
{
	return rule_names[rule];
}

static bool read_body(const struct probe_code *code, const struct probe_function *function, struct body *ret)
{
	ret->address = function->address;
	ret->len = function->size ? code->read(code->ctx, function->address, ret->bytes,
					       MIN(function->size, (uint64_t)BODY_MAX)) : 0;
	return ret->len > 0;
}

/* --- instructions by their bytes ------------------------------------------- */

static size_t endbr_bytes(const uint8_t *code, size_t len)
{
	static const uint8_t endbr64[ENDBR_BYTES] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return len >= ENDBR_BYTES && memcmp(code, endbr64, ENDBR_BYTES) == 0 ? ENDBR_BYTES : 0;
}

static bool is_push(const uint8_t *code, size_t len)
{
	if (len && code[0] == 0x41) {	/* REX.B: r8 to r15 */
		code++;
		len--;
	}
	return len && (code[0] & 0xf8) == 0x50;
}

/* What arch/x86/kernel/uprobes.c emulates (push_setup_xol_ops since 5.0,
 * branch_setup_xol_ops), without prefixes. */
static bool is_emulated(const uint8_t *code, size_t len)
{
	if (is_push(code, len))
		return true;
	if (!len)
		return false;
	switch (code[0]) {
	case 0x90:			/* nop */
		return true;
	case 0xeb:			/* jmp, jcc rel8 */
	case 0x70 ... 0x7f:
		return len >= 2;
	case 0xe8:			/* call, jmp rel32 */
	case 0xe9:
		return len >= 5;
	case 0x0f:			/* jcc rel32 */
		return len >= 6 && (code[1] & 0xf0) == 0x80;
	}
	return false;
}

static int32_t read_rel32(const uint8_t *bytes)
{
	int32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* --- who calls whom -------------------------------------------------------- */

/* The function behind a pointer that "jmp *rel(%rip)" or "call *rel(%rip)" at
 * @code uses; 0 if it is neither, or unknown. */
static uint64_t follow_pointer(const struct probe_code *code, const uint8_t *bytes, size_t len, uint64_t address)
{
	if (!code->follow || len < 6 || bytes[0] != 0xff || (bytes[1] != 0x15 && bytes[1] != 0x25))
		return 0;
	return code->follow(code->ctx, address + 6 + read_rel32(bytes + 2));
}

/* Whether @address is, or is a stub of the linker that jumps to, @target. */
static bool leads_to(const struct probe_code *code, uint64_t address, uint64_t target)
{
	uint8_t bytes[ENTRY_BYTES];
	size_t len, at;

	if (address == target)
		return true;
	len = code->follow ? code->read(code->ctx, address, bytes, sizeof(bytes)) : 0;
	at = endbr_bytes(bytes, len);
	if (at < len && bytes[at] == 0xf2)	/* bnd jmp */
		at++;
	return at < len && follow_pointer(code, bytes + at, len - at, address + at) == target;
}

/* Whether code in @from calls or jumps to @target. Every byte is taken for a
 * possible beginning: that misses nothing, and that a wrong one hits the target
 * has odds of one to four billion. */
static bool reaches(const struct probe_code *code, const struct body *from, uint64_t target)
{
	for (size_t i = 0; i + 5 <= from->len; i++) {
		const uint8_t *bytes = from->bytes + i;
		uint64_t address = from->address + i;
		size_t opcode = bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80 ? 2 : 1;
		bool is_relative = opcode == 2 || bytes[0] == 0xe8 || bytes[0] == 0xe9;

		if (is_relative && i + opcode + 4 <= from->len &&
		    leads_to(code, address + opcode + 4 + read_rel32(bytes + opcode), target))
			return true;
		if (follow_pointer(code, bytes, from->len - i, address) == target)
			return true;
	}
	return false;
}

static bool function_reaches(const struct probe_code *code, const struct probe_function *function, uint64_t target)
{
	struct body body;

	return read_body(code, function, &body) && reaches(code, &body, target);
}

/* --- the straight line from the entry --------------------------------------- */

enum holds {
	HOLDS_ARGUMENT = 0,	/* the one it was called with */
	HOLDS_LOCAL,		/* the address of a local variable */
	HOLDS_OTHER,
};

struct walk {
	csh capstone;
	cs_insn *insn;		/* owned; the instruction it stands on */
	const uint8_t *next;
	size_t left;
	uint64_t next_address;
	enum holds holds[4];	/* rdi, rsi, rdx, rcx */
	bool is_stack_moved;
};

static void walk_done(struct walk *walk)
{
	if (walk->insn)
		cs_free(walk->insn, 1);
	if (walk->capstone)
		cs_close(&walk->capstone);
}

static int walk_init(struct walk *walk, const struct body *body, size_t from)
{
	*walk = (struct walk){
		.next = body->bytes + from,
		.left = body->len - from,
		.next_address = body->address + from,
	};
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &walk->capstone) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(walk->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	walk->insn = cs_malloc(walk->capstone);
	return walk->insn ? 0 : -ENOMEM;
}

/* Steps to the next instruction; false where the bytes end or mean nothing. */
static bool walk_step(struct walk *walk)
{
	return cs_disasm_iter(walk->capstone, &walk->next, &walk->left, &walk->next_address, walk->insn);
}

/* Which argument's register this is, as a number from 0; -1 none. */
static int argument_of(unsigned reg)
{
	switch (reg) {
	case X86_REG_RDI: case X86_REG_EDI: case X86_REG_DI: case X86_REG_DIL:
		return 0;
	case X86_REG_RSI: case X86_REG_ESI: case X86_REG_SI: case X86_REG_SIL:
		return 1;
	case X86_REG_RDX: case X86_REG_EDX: case X86_REG_DX: case X86_REG_DL: case X86_REG_DH:
		return 2;
	case X86_REG_RCX: case X86_REG_ECX: case X86_REG_CX: case X86_REG_CL: case X86_REG_CH:
		return 3;
	}
	return -1;
}

static bool is_stack_register(unsigned reg)
{
	return reg == X86_REG_RSP || reg == X86_REG_RBP;
}

/* What the instruction puts into its first operand, a register. */
static enum holds value_moved(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const cs_x86_op *from = &x86->operands[1];

	if (x86->op_count != 2)
		return HOLDS_OTHER;
	if (insn->id == X86_INS_MOV && from->type == X86_OP_REG && from->reg == X86_REG_RSP)
		return HOLDS_LOCAL;
	if (insn->id == X86_INS_LEA && from->type == X86_OP_MEM && is_stack_register(from->mem.base) &&
	    from->mem.index == X86_REG_INVALID)
		return HOLDS_LOCAL;
	/* "movslq %edx, %rdx": int num widened to size_t. */
	if (insn->id == X86_INS_MOVSXD && from->type == X86_OP_REG && from->reg == X86_REG_EDX &&
	    x86->operands[0].reg == X86_REG_RDX)
		return HOLDS_ARGUMENT;
	return HOLDS_OTHER;
}

/* Accounts for what the instruction changes. */
static void walk_apply(struct walk *walk)
{
	cs_regs read, written;
	uint8_t read_count, written_count;

	if (cs_regs_access(walk->capstone, walk->insn, read, &read_count, written, &written_count) != CS_ERR_OK)
		written_count = 0;
	for (size_t i = 0; i < written_count; i++) {
		int argument = argument_of(written[i]);

		if (written[i] == X86_REG_RSP || written[i] == X86_REG_ESP || written[i] == X86_REG_SP)
			walk->is_stack_moved = true;
		if (argument >= 0 && walk->holds[argument] != HOLDS_OTHER)
			walk->holds[argument] = value_moved(walk->insn);
	}
}

static bool walk_has_arguments(const struct walk *walk, unsigned arguments)
{
	for (size_t i = 0; i < ARRAY_SIZE(walk->holds); i++)
		if (arguments & 1u << i && walk->holds[i] != HOLDS_ARGUMENT)
			return false;
	return true;
}

/* Where the straight line ends: what follows runs later, or from elsewhere. */
static bool is_end_of_line(const struct walk *walk)
{
	return walk->insn->id == X86_INS_JMP || cs_insn_group(walk->capstone, walk->insn, X86_GRP_CALL) ||
	       cs_insn_group(walk->capstone, walk->insn, X86_GRP_RET) ||
	       cs_insn_group(walk->capstone, walk->insn, X86_GRP_INT);
}

/* Where a jump or call leads, if the instruction itself says so; else 0. */
static uint64_t branch_target(const struct walk *walk)
{
	const cs_x86 *x86 = &walk->insn->detail->x86;

	if (!cs_insn_group(walk->capstone, walk->insn, X86_GRP_JUMP) &&
	    !cs_insn_group(walk->capstone, walk->insn, X86_GRP_CALL))
		return 0;
	return x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM ? (uint64_t)x86->operands[0].imm : 0;
}

/* --- one function ----------------------------------------------------------- */

/* Whether code of the function at or after @site jumps back to before it, behind
 * the entry: then one call could pass the site several times. */
static bool is_in_loop(const struct body *body, size_t entry, uint64_t site)
{
	_cleanup_(walk_done) struct walk walk;

	if (walk_init(&walk, body, site - body->address) < 0)
		return true;
	while (walk.left) {
		uint64_t target;

		if (!walk_step(&walk)) {
			walk.next++;
			walk.left--;
			walk.next_address++;
			continue;
		}
		target = branch_target(&walk);
		if (target > body->address + entry && target <= site)
			return true;
	}
	return false;
}

static bool find_later(const struct body *body, size_t entry, unsigned arguments, bool has_return,
		       uint64_t *ret)
{
	_cleanup_(walk_done) struct walk walk;

	if (walk_init(&walk, body, entry) < 0)
		return false;
	while (walk_step(&walk)) {
		if (!walk_has_arguments(&walk, arguments) || (has_return && walk.is_stack_moved))
			return false;
		if (is_emulated(walk.insn->bytes, walk.insn->size) &&
		    !is_in_loop(body, entry, walk.insn->address)) {
			*ret = walk.insn->address;
			return true;
		}
		if (is_end_of_line(&walk))
			return false;
		walk_apply(&walk);
	}
	return false;
}

int probe_site_choose(const struct probe_code *code, const struct probe_function *function,
		      unsigned arguments, bool has_return, struct probe_site *ret)
{
	struct probe_site site = { function->address, PROBE_STEPPED };
	struct body body;
	size_t entry;

	if (!read_body(code, function, &body))
		return -ENODATA;
	entry = endbr_bytes(body.bytes, body.len);
	if (is_emulated(body.bytes + entry, body.len - entry))
		site = (struct probe_site){ body.address + entry, PROBE_SYMBOL };
	else if (find_later(&body, entry, arguments, has_return, &site.address))
		site.rule = PROBE_LATER;
	*ret = site;
	return 0;
}

/* --- a pair ----------------------------------------------------------------- */

/* The function that this one passes its arguments on to, with done in @done's
 * sense; 0 none. */
static uint64_t find_forwarded(const struct body *body, enum holds done)
{
	_cleanup_(walk_done) struct walk walk;

	if (walk_init(&walk, body, endbr_bytes(body->bytes, body->len)) < 0)
		return 0;
	while (walk_step(&walk)) {
		uint64_t target = branch_target(&walk);
		bool leaves = target < body->address || target >= body->address + body->len;

		if (is_end_of_line(&walk))
			return target && leaves && walk_has_arguments(&walk, PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG3) &&
			       walk.holds[3] == done ? target : 0;
		walk_apply(&walk);
	}
	return 0;
}

/* Where to probe the inner function; false when it does not begin with a push. */
static bool inner_site(const struct probe_code *code, uint64_t address, struct probe_site *ret)
{
	uint8_t bytes[ENTRY_BYTES];
	size_t len = code->read(code->ctx, address, bytes, sizeof(bytes));
	size_t entry = endbr_bytes(bytes, len);

	if (!is_push(bytes + entry, len - entry))
		return false;
	*ret = (struct probe_site){ address + entry, PROBE_INNER };
	return true;
}

static bool find_inner(const struct probe_code *code, const struct body *plain, const struct body *ex,
		       const struct probe_function *peeks, size_t peek_count, struct probe_site *ret)
{
	uint64_t inner = find_forwarded(plain, HOLDS_LOCAL);

	if (!inner || find_forwarded(ex, HOLDS_ARGUMENT) != inner)
		return false;
	for (size_t i = 0; i < peek_count; i++)
		if (function_reaches(code, &peeks[i], inner))
			return false;
	return inner_site(code, inner, ret);
}

int probe_pair_choose(const struct probe_code *code, const struct probe_function *plain,
		      const struct probe_function *ex, const struct probe_function *peeks,
		      size_t peek_count, struct probe_pair *ret)
{
	struct body plain_body, ex_body;
	struct probe_pair pair = {
		.is_plain = read_body(code, plain, &plain_body),
		.is_ex = read_body(code, ex, &ex_body),
	};

	if (pair.is_plain && pair.is_ex) {
		if (reaches(code, &ex_body, plain->address))
			pair.is_ex = false;
		else if (reaches(code, &plain_body, ex->address))
			pair.is_plain = false;
		else if (find_inner(code, &plain_body, &ex_body, peeks, peek_count, &pair.inner))
			pair = (struct probe_pair){ .is_inner = true, .inner = pair.inner };
	}
	if (!pair.is_inner && !pair.is_plain && !pair.is_ex)
		return -ENODATA;
	if (pair.is_plain)
		probe_site_choose(code, plain, PROBE_ARG1 | PROBE_ARG2, true, &pair.plain);
	if (pair.is_ex)
		probe_site_choose(code, ex, PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG4, true, &pair.ex);
	*ret = pair;
	return 0;
}
