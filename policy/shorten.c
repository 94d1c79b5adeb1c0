// SPDX-License-Identifier: Apache-2.0
#include "policy/shorten.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The filter is written anew from its end to its beginning: jumps only go forward, so whatever an instruction leads to
 * is written already, and the same instruction that leads to the same is not written twice.
 *
 * A place is where an instruction leads: for a return the value it returns, else the number of an instruction that was
 * written, counted from the end. Conditional jumps reach 255 instructions: what is farther away is written again, as a
 * copy of a return or as a jump to the place.
 */
#define REACH 255

struct place {
	bool returns;
	uint32_t at; /* the value, or the number */
};

struct written {
	struct sock_filter insn; /* without offsets */
	uint16_t kind;           /* enum sg_patch_kind; 0: no blank */
	struct place here;       /* what it is: itself, or for a copy or a jump what that stands for */
	struct place on_true, on_false;
};

struct work {
	const struct sock_filter *old;
	unsigned n_old, n;
	bool full;
	uint16_t *kind;          /* by old instruction */
	struct place *place;     /* the same */
	bool *reached;           /* the same */
	struct written *out;     /* from the end */
	struct sock_filter *new; /* in order */
};

static bool same_place(struct place a, struct place b)
{
	return a.returns == b.returns && a.at == b.at;
}

static void put(struct work *w, struct written x)
{
	if (w->n == w->n_old)
		w->full = true; /* no shorter than it was */
	else
		w->out[w->n++] = x;
}

/* A written instruction that does what p asks for, within reach of the next one but room. NULL: none. */
static bool within_reach(const struct work *w, struct place p, unsigned room)
{
	for (unsigned i = 0; i < w->n && i + room <= REACH; i++)
		if (same_place(w->out[w->n - 1 - i].here, p))
			return true;
	return false;
}

/* An instruction of its own for a place: it returns, or jumps there. */
static void put_copy(struct work *w, struct place p)
{
	struct written x = {.here = p};

	x.insn = p.returns ? (struct sock_filter){.code = BPF_RET | BPF_K, .k = p.at}
			   : (struct sock_filter){.code = BPF_JMP | BPF_JA};
	x.on_true = p;
	put(w, x);
}

static struct place known(const struct work *w, const struct written *x)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct written *o = &w->out[i];

		if (o->insn.code == x->insn.code && o->insn.k == x->insn.k && o->kind == x->kind &&
		    same_place(o->on_true, x->on_true) && same_place(o->on_false, x->on_false))
			return o->here;
	}
	return (struct place){.returns = false, .at = UINT32_MAX};
}

static void rewrite_one(struct work *w, unsigned i)
{
	const struct sock_filter *f = &w->old[i];
	struct written x = {.insn = {.code = f->code, .k = f->k}, .kind = w->kind[i]};
	bool jumps = BPF_CLASS(f->code) == BPF_JMP;
	struct place have;

	if (BPF_CLASS(f->code) == BPF_RET) {
		w->place[i] = (struct place){.returns = true, .at = f->k};
		return;
	}
	if (f->code == (BPF_JMP | BPF_JA)) {
		w->place[i] = w->place[i + 1 + f->k];
		return;
	}
	x.on_true = w->place[i + 1 + (jumps ? f->jt : 0)];
	x.on_false = jumps ? w->place[i + 1 + f->jf] : x.on_true;
	have = known(w, &x);
	if (have.at != UINT32_MAX) {
		w->place[i] = have;
		return;
	}
	if (jumps) {
		/* One more may come in between for the other. */
		if (!within_reach(w, x.on_true, 2))
			put_copy(w, x.on_true);
		if (!within_reach(w, x.on_false, 1))
			put_copy(w, x.on_false);
	} else if (!w->n || !same_place(w->out[w->n - 1].here, x.on_true)) {
		put_copy(w, x.on_true); /* the next instruction is where it leads */
	}
	w->place[i] = x.here = (struct place){.returns = false, .at = w->n};
	put(w, x);
}

/* How many instructions lie between the one with that number and the nearest that does what p asks for. */
static unsigned offset(const struct work *w, unsigned number, struct place p)
{
	unsigned i = number;

	while (i > 0 && !same_place(w->out[i - 1].here, p))
		i--;
	return number - i;
}

/* The instruction that a jump stands for itself lies behind it. */
static unsigned jump_offset(const struct work *w, unsigned number)
{
	return number - w->out[number].on_true.at - 1;
}

static void write_in_order(struct work *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct written *x = &w->out[i];
		struct sock_filter *f = &w->new[w->n - 1 - i];

		*f = x->insn;
		if (f->code == (BPF_JMP | BPF_JA)) {
			f->k = jump_offset(w, i);
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			f->jt = (__u8)offset(w, i, x->on_true);
			f->jf = (__u8)offset(w, i, x->on_false);
		}
	}
}

/* Marks what can be reached. false: a jump leads out of the filter. */
static bool mark(struct work *w)
{
	w->reached[0] = true;
	for (unsigned i = 0; i < w->n_old; i++) {
		const struct sock_filter *f = &w->old[i];
		unsigned t = 0, e = 0;

		if (!w->reached[i] || BPF_CLASS(f->code) == BPF_RET)
			continue;
		if (f->code == (BPF_JMP | BPF_JA))
			t = e = f->k < w->n_old ? f->k : w->n_old;
		else if (BPF_CLASS(f->code) == BPF_JMP)
			t = f->jt, e = f->jf;
		if (i + 1 + t >= w->n_old || i + 1 + e >= w->n_old)
			return false;
		w->reached[i + 1 + t] = w->reached[i + 1 + e] = true;
	}
	return true;
}

static void rewrite(struct work *w, struct sock_filter *insns, unsigned *n, struct sg_patch *patches,
		    unsigned *n_patches)
{
	for (unsigned i = w->n_old; i-- > 0 && !w->full;)
		if (w->reached[i])
			rewrite_one(w, i);
	if (w->n && !w->full && !same_place(w->out[w->n - 1].here, w->place[0]))
		put_copy(w, w->place[0]);
	if (w->full || w->n >= w->n_old || !w->n)
		return;
	write_in_order(w);
	memcpy(insns, w->new, w->n * sizeof(*insns));
	*n = w->n;
	*n_patches = 0;
	for (unsigned i = 0; i < w->n; i++)
		if (w->out[w->n - 1 - i].kind)
			patches[(*n_patches)++] =
				(struct sg_patch){.pc = (uint16_t)i, .kind = w->out[w->n - 1 - i].kind};
}

int sg_filter_shorten(struct sock_filter *insns, unsigned *n, struct sg_patch *patches, unsigned *n_patches,
		      struct sg_err *err)
{
	struct work w = {.old = insns, .n_old = *n};
	int rc = 0;

	w.kind = calloc(*n + 1, sizeof(*w.kind));
	w.place = calloc(*n + 1, sizeof(*w.place));
	w.reached = calloc(*n + 1, sizeof(*w.reached));
	w.out = calloc(*n + 1, sizeof(*w.out));
	w.new = calloc(*n + 1, sizeof(*w.new));
	if (!w.kind || !w.place || !w.reached || !w.out || !w.new)
		rc = sg_err_set(err, ENOMEM, "out of memory while building the seccomp filter");
	for (unsigned i = 0; !rc && i < *n_patches; i++) {
		if (patches[i].pc >= *n)
			rc = sg_err_set(err, EINVAL, "the seccomp filter has a blank behind its end");
		else
			w.kind[patches[i].pc] = patches[i].kind;
	}
	if (!rc && *n && !mark(&w))
		rc = sg_err_set(err, EINVAL, "the seccomp filter has a jump out of itself");
	if (!rc && *n)
		rewrite(&w, insns, n, patches, n_patches);
	free(w.kind);
	free(w.place);
	free(w.reached);
	free(w.out);
	free(w.new);
	return rc;
}
