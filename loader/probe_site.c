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
	if (!code->follow)
		return false;
	len = code->read(code->ctx, address, bytes, sizeof(bytes));
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

enum {
	ARGUMENTS = 5,	/* that are followed: rdi, rsi, rdx, rcx, r8 */
	FRAME = ARGUMENTS,	/* rbp */
	TRACKED
};

/* What a tracked register holds: the argument of that number, from 0, that the
 * function was called with, or one of these. */
enum holds {
	HOLDS_LOCAL = ARGUMENTS,	/* the address of a local variable */
	HOLDS_ZERO,
	HOLDS_OTHER,
};

struct walk {
	csh capstone;
	cs_insn *insn;		/* owned; the instruction it stands on */
	const uint8_t *next;
	size_t left;
	uint64_t next_address;
	unsigned holds[TRACKED];
	bool is_stack_moved;
};

static void walk_done(struct walk *walk)
{
	if (walk->insn)
		cs_free(walk->insn, 1);
	if (walk->capstone)
		cs_close(&walk->capstone);
}

/* Goes on in this body with what the registers hold. */
static void walk_enter(struct walk *walk, const struct body *body, size_t from)
{
	walk->next = body->bytes + from;
	walk->left = body->len - from;
	walk->next_address = body->address + from;
}

static int walk_init(struct walk *walk, const struct body *body, size_t from)
{
	*walk = (struct walk){ .holds[FRAME] = HOLDS_OTHER };
	for (unsigned i = 0; i < ARGUMENTS; i++)
		walk->holds[i] = i;
	walk_enter(walk, body, from);
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

/* Which tracked register this one is, or is a part of; -1 none. */
static int tracked(unsigned reg)
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
	case X86_REG_R8: case X86_REG_R8D: case X86_REG_R8W: case X86_REG_R8B:
		return 4;
	case X86_REG_RBP: case X86_REG_EBP: case X86_REG_BP: case X86_REG_BPL:
		return FRAME;
	}
	return -1;
}

/* What this register, all 64 bits of it, holds. */
static unsigned value_of(const struct walk *walk, unsigned reg)
{
	int i = tracked(reg);

	if (reg == X86_REG_RSP)
		return HOLDS_LOCAL;
	return i >= 0 ? walk->holds[i] : HOLDS_OTHER;
}

/* What the instruction puts into its first operand, a register. */
static unsigned value_moved(const struct walk *walk)
{
	const cs_x86 *x86 = &walk->insn->detail->x86;
	const cs_x86_op *to = &x86->operands[0], *from = &x86->operands[1];

	/* Half of a register is zero-extended: it holds no address. */
	if (x86->op_count != 2 || to->size < 4)
		return HOLDS_OTHER;
	switch (walk->insn->id) {
	case X86_INS_XOR:
		return from->type == X86_OP_REG && from->reg == to->reg ? HOLDS_ZERO : HOLDS_OTHER;
	case X86_INS_MOV:
		if (from->type == X86_OP_IMM)
			return from->imm == 0 ? HOLDS_ZERO : HOLDS_OTHER;
		return from->type == X86_OP_REG && to->size == 8 ? value_of(walk, from->reg) : HOLDS_OTHER;
	case X86_INS_LEA:
		return to->size == 8 && from->mem.index == X86_REG_INVALID &&
		       value_of(walk, from->mem.base) == HOLDS_LOCAL ? HOLDS_LOCAL : HOLDS_OTHER;
	case X86_INS_MOVSXD:	/* "movslq %edx, %rdx": int num widened to size_t */
		return from->type == X86_OP_REG && from->reg == X86_REG_EDX && to->reg == X86_REG_RDX &&
		       walk->holds[2] == 2 ? 2 : HOLDS_OTHER;
	}
	return HOLDS_OTHER;
}

/* Accounts for what the instruction changes. */
static void walk_apply(struct walk *walk)
{
	unsigned value = value_moved(walk);
	cs_regs read, written;
	uint8_t read_count, written_count = 0;

	if (cs_regs_access(walk->capstone, walk->insn, read, &read_count, written, &written_count) != CS_ERR_OK) {
		walk->is_stack_moved = true;
		for (size_t i = 0; i < TRACKED; i++)
			walk->holds[i] = HOLDS_OTHER;
	}
	for (size_t i = 0; i < written_count; i++) {
		int reg = tracked(written[i]);

		if (written[i] == X86_REG_RSP || written[i] == X86_REG_ESP || written[i] == X86_REG_SP)
			walk->is_stack_moved = true;
		if (reg >= 0)
			walk->holds[reg] = value;
	}
}

static bool walk_has_arguments(const struct walk *walk, unsigned arguments)
{
	for (unsigned i = 0; i < ARGUMENTS; i++)
		if (arguments & 1u << i && walk->holds[i] != i)
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

/* The code of its forms, and which of them there are. */
struct pair_code {
	const struct probe_code *code;
	struct body bodies[PROBE_FORMS];
	bool has[PROBE_FORMS];
};

/* What a program reads at each form: the buffer, and done. */
static const unsigned form_arguments[] = {
	[PROBE_PLAIN]	= PROBE_ARG1 | PROBE_ARG2,
	[PROBE_EX]	= PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG4,
	[PROBE_EX2]	= PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG5,
};
_Static_assert(ARRAY_SIZE(form_arguments) == PROBE_FORMS, "arguments of every form");

/* What each form hands the inner function as its fourth and fifth argument. */
struct convention {
	unsigned fourth, fifth;
};

#define ANY HOLDS_OTHER
static const struct convention done_fourth[] = {
	[PROBE_PLAIN]	= { HOLDS_LOCAL, ANY },
	[PROBE_EX]	= { 3, ANY },
};
static const struct convention done_fifth[] = {
	[PROBE_PLAIN]	= { HOLDS_ZERO, HOLDS_LOCAL },
	[PROBE_EX]	= { HOLDS_ZERO, 3 },
	[PROBE_EX2]	= { 3, 4 },
};
_Static_assert(ARRAY_SIZE(done_fifth) == PROBE_FORMS, "a convention for every form");

static bool has_convention(const struct walk *walk, const struct convention *want)
{
	return walk_has_arguments(walk, PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG3) && walk->holds[3] == want->fourth &&
	       (want->fifth == ANY || walk->holds[4] == want->fifth);
}

/* The function at the end of this form's straight line, past X_ex2, if it is
 * called by the convention; else 0. */
static uint64_t find_forwarded(const struct pair_code *forms, enum probe_form form, const struct convention *want)
{
	const struct body *body = &forms->bodies[form], *ex2 = &forms->bodies[PROBE_EX2];
	_cleanup_(walk_done) struct walk walk;

	if (walk_init(&walk, body, endbr_bytes(body->bytes, body->len)) < 0)
		return 0;
	while (walk_step(&walk)) {
		uint64_t target = branch_target(&walk);

		if (!is_end_of_line(&walk)) {
			walk_apply(&walk);
		} else if (forms->has[PROBE_EX2] && body != ex2 && leads_to(forms->code, target, ex2->address)) {
			body = ex2;
			walk_enter(&walk, ex2, endbr_bytes(ex2->bytes, ex2->len));
		} else {
			bool leaves = target < body->address || target >= body->address + body->len;

			return leaves && has_convention(&walk, want) ? target : 0;
		}
	}
	return 0;
}

/* Where to probe the inner function, whose end is not known; false when that
 * would be single-stepped. */
static bool inner_site(const struct probe_code *code, uint64_t address, unsigned arguments,
		       struct probe_site *ret)
{
	struct probe_function inner = { address, BODY_MAX };
	struct probe_site site;

	if (probe_site_choose(code, &inner, arguments, true /* has_return */, &site) < 0 ||
	    site.rule == PROBE_STEPPED)
		return false;
	*ret = (struct probe_site){ site.address, PROBE_INNER };
	return true;
}

static bool find_inner(const struct pair_code *forms, const struct probe_pair *pair, struct probe_site *ret)
{
	const struct convention *want = forms->has[PROBE_EX2] ? done_fifth : done_fourth;
	unsigned arguments = form_arguments[forms->has[PROBE_EX2] ? PROBE_EX2 : PROBE_EX];
	uint64_t inner;

	if (!forms->has[PROBE_PLAIN] || !forms->has[PROBE_EX])
		return false;
	inner = find_forwarded(forms, PROBE_PLAIN, &want[PROBE_PLAIN]);
	if (!inner || find_forwarded(forms, PROBE_EX, &want[PROBE_EX]) != inner)
		return false;
	if (forms->has[PROBE_EX2] && find_forwarded(forms, PROBE_EX2, &want[PROBE_EX2]) != inner)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(pair->peeks); i++)
		if (function_reaches(forms->code, &pair->peeks[i], inner))
			return false;
	return inner_site(forms->code, inner, arguments, ret);
}

static bool form_reaches(const struct pair_code *forms, unsigned from, unsigned to)
{
	return forms->has[from] && forms->has[to] &&
	       reaches(forms->code, &forms->bodies[from], forms->bodies[to].address);
}

/* Whether its bytes pass through another form. Of two that seem to call each
 * other, the simpler one stays. */
static bool is_covered(const struct pair_code *forms, unsigned form)
{
	for (unsigned other = 0; other < PROBE_FORMS; other++)
		if (other != form && form_reaches(forms, form, other) &&
		    (other < form || !form_reaches(forms, other, form)))
			return true;
	return false;
}

static void choose_forms(const struct pair_code *forms, const struct probe_pair *pair,
			 struct probe_pair_sites *ret)
{
	for (unsigned i = 0; i < PROBE_FORMS; i++)
		ret->has_form[i] = forms->has[i] && !is_covered(forms, i) &&
				   probe_site_choose(forms->code, &pair->forms[i], form_arguments[i],
						     true /* has_return */, &ret->forms[i]) == 0;
}

int probe_pair_choose(const struct probe_code *code, const struct probe_pair *pair,
		      struct probe_pair_sites *ret)
{
	struct probe_pair_sites sites = {};
	struct pair_code forms;
	bool is_there = false;

	forms.code = code;
	for (unsigned i = 0; i < PROBE_FORMS; i++) {
		forms.has[i] = read_body(code, &pair->forms[i], &forms.bodies[i]);
		is_there |= forms.has[i];
	}
	if (!is_there)
		return -ENODATA;
	sites.is_inner = find_inner(&forms, pair, &sites.inner);
	sites.is_done_fifth = sites.is_inner && forms.has[PROBE_EX2];
	if (!sites.is_inner)
		choose_forms(&forms, pair, &sites);
	*ret = sites;
	return 0;
}
