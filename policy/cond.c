// SPDX-License-Identifier: Apache-2.0
#include "policy/consts.h"
#include "policy/model.h"
#include "policy/names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/*
 *   condition  := comparison { "and" comparison }
 *   comparison := ARG [ "&" value ] OP value | ARG [ "&" value ] "in" "{" value { "," value } "}"
 *               | ARG "in" "sandbox" | ARG [ "&" value ] "==" "self"
 *   value      := [ "(" ] term { "|" term } [ ")" ]        term := NAME | NUMBER | "-" NUMBER
 */

#define WORD_MAX 48

enum token { T_END, T_WORD, T_NUMBER, T_OP, T_PUNCT, T_BAD };

struct lexer {
	struct sg_parser *p;
	struct sg_item *item;
	const struct sg_node *node;
	const char *s;     /* next character */
	const char *start; /* of the current token */
	enum token type;
	char word[WORD_MAX]; /* the token, or its first characters */
	uint64_t number;
	bool overflow;
};

struct operand {
	const struct sg_arg *named; /* NULL for argN */
	unsigned index;
	uint64_t width_mask;
	enum sg_family family;
	uint64_t mask;
	bool masked;
};

static int width_of(const struct operand *o)
{
	return o->width_mask >> 32 ? 64 : o->width_mask >> 16 ? 32 : 16;
}

static struct sg_pos token_pos(const struct lexer *l, const char *at)
{
	struct sg_pos pos = l->node->pos;

	/* Folded or escaped scalars have no place of their own for a token: point at the scalar. */
	if (l->node->raw && !memchr(l->node->value, '\n', l->node->len))
		pos.column += (unsigned)(at - l->node->value) + (l->node->quoted ? 1 : 0);
	return pos;
}

#define FAIL_AT(l, at, ...) sg_perr((l)->p, token_pos(l, at), __VA_ARGS__)
#define FAIL(l, ...) FAIL_AT(l, (l)->start, __VA_ARGS__)

static void lex_number(struct lexer *l)
{
	unsigned base = 10, digit;
	const char *s = l->s;

	l->type = T_NUMBER;
	l->number = 0;
	l->overflow = false;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
		if (!isxdigit((unsigned char)*s))
			l->type = T_BAD;
	} else if (s[0] == '0' && isdigit((unsigned char)s[1])) {
		base = 8;
	}
	for (; isalnum((unsigned char)*s) || *s == '_'; s++) {
		if (isdigit((unsigned char)*s))
			digit = (unsigned)(*s - '0');
		else if (isalpha((unsigned char)*s))
			digit = (unsigned)((*s | 0x20) - 'a') + 10;
		else
			digit = base;
		if (digit >= base) {
			l->type = T_BAD;
			continue;
		}
		if (l->number > (UINT64_MAX - digit) / base)
			l->overflow = true;
		l->number = l->number * base + digit;
	}
	l->s = s;
}

static void next(struct lexer *l)
{
	size_t n;

	while (isspace((unsigned char)*l->s))
		l->s++;
	l->start = l->s;
	if (!*l->s) {
		l->type = T_END;
	} else if (isalpha((unsigned char)*l->s) || *l->s == '_') {
		l->type = T_WORD;
		while (isalnum((unsigned char)*l->s) || *l->s == '_')
			l->s++;
	} else if (isdigit((unsigned char)*l->s)) {
		lex_number(l);
	} else if (strchr("=!<>", *l->s)) {
		l->type = T_OP;
		l->s++;
		if (*l->s == '=')
			l->s++;
	} else {
		l->type = strchr("&|{},-()", *l->s) ? T_PUNCT : T_BAD;
		l->s++;
		while (l->type == T_BAD && ((unsigned char)*l->s & 0xc0) == 0x80)
			l->s++;
	}
	n = (size_t)(l->s - l->start);
	if (n >= sizeof(l->word))
		n = sizeof(l->word) - 1;
	memcpy(l->word, l->start, n);
	l->word[n] = '\0';
}

static bool is(const struct lexer *l, const char *what)
{
	return l->type != T_END && l->type != T_BAD && !strcmp(l->word, what);
}

static int unexpected(struct lexer *l, const char *wanted)
{
	if (l->type == T_END)
		return FAIL(l, "the condition ends where %s is expected", wanted);
	return FAIL(l, "expected %s, not \"%s\"", wanted, l->word);
}

static int unknown_constant(struct lexer *l, enum sg_family family)
{
	const struct sg_const *c;
	struct sg_suggest s;
	char hint[80];
	unsigned f;
	size_t i, n;

	sg_suggest_init(&s, l->word);
	c = sg_consts(family, &n);
	for (i = 0; i < n; i++)
		sg_suggest_offer(&s, c[i].name);
	for (f = 0; !s.best && f < SG_FAMILY_COUNT; f++) {
		c = sg_consts((enum sg_family)f, &n);
		for (i = 0; i < n; i++)
			sg_suggest_offer(&s, c[i].name);
	}
	return FAIL(l, "unknown constant \"%s\"%s", l->word, sg_suggest_text(&s, hint, sizeof(hint)));
}

static int parse_term(struct lexer *l, const struct operand *o, uint64_t *value, bool *negative)
{
	const struct sg_const *c;

	*negative = false;
	if (is(l, "-")) {
		*negative = true;
		next(l);
	}
	if (l->type == T_NUMBER) {
		if (l->overflow)
			return FAIL(l, "the number \"%s\" does not fit in 64 bits", l->word);
		*value = l->number;
	} else if (l->type == T_WORD && !*negative) {
		c = sg_const_find(o->family, l->word);
		if (!c)
			return unknown_constant(l, o->family);
		*value = c->value;
	} else if (l->type == T_BAD) {
		return FAIL(l, "\"%s\" is not a number", l->word);
	} else {
		return unexpected(l, "a value");
	}
	if (*negative) {
		/* -1 is written for what the kernel sees as all ones in the argument's width. */
		if (*value > (o->width_mask >> 1) + 1)
			return FAIL(l, "-%s does not fit in %d bits", l->word, width_of(o));
		*value = (0 - *value) & o->width_mask;
	} else if (*value & ~o->width_mask) {
		return FAIL(l, "\"%s\" does not fit in the %d bits that the kernel reads of this argument", l->word,
			    width_of(o));
	}
	next(l);
	return 0;
}

static int parse_value(struct lexer *l, const struct operand *o, uint64_t *value, bool *negative)
{
	uint64_t term = 0;
	bool paren = is(l, "("), neg;
	int rc;

	if (paren)
		next(l);
	rc = parse_term(l, o, value, negative);
	while (!rc && is(l, "|")) {
		next(l);
		rc = parse_term(l, o, &term, &neg);
		if (!rc) {
			*value |= term;
			*negative |= neg;
		}
	}
	if (!rc && paren) {
		if (!is(l, ")"))
			return unexpected(l, "\")\"");
		next(l);
	}
	return rc;
}

static int parse_operand(struct lexer *l, struct operand *o)
{
	const struct sg_arg *a;
	struct sg_suggest s;
	char hint[80];
	bool negative;
	size_t i;
	int rc;

	memset(o, 0, sizeof(*o));
	if (l->type != T_WORD)
		return unexpected(l, "the name of an argument");
	a = sg_arg_find(l->item->name, l->word);
	if (a) {
		o->named = a;
		o->index = a->index;
		o->family = (enum sg_family)a->family;
		o->width_mask = sg_arg_mask(a);
	} else if (!strncmp(l->word, "arg", 3) && l->word[3] >= '0' && l->word[3] < '0' + SG_ARGS && !l->word[4]) {
		o->index = (unsigned)(l->word[3] - '0');
		o->width_mask = ~0ULL;
		for (i = 0; (a = sg_arg_at(l->item->name, i)); i++)
			if (a->index == o->index)
				o->family = (enum sg_family)a->family;
	} else {
		sg_suggest_init(&s, l->word);
		for (i = 0; (a = sg_arg_at(l->item->name, i)); i++)
			sg_suggest_offer(&s, a->name);
		return FAIL(l, "\"%s\" has no argument called \"%s\"; arg0 to arg5 always work%s", l->item->name,
			    l->word, sg_suggest_text(&s, hint, sizeof(hint)));
	}
	o->mask = o->width_mask;
	next(l);
	if (is(l, "&")) {
		next(l);
		rc = parse_value(l, o, &o->mask, &negative);
		if (rc)
			return rc;
		if (!o->mask)
			return FAIL(l, "a mask of 0 looks at nothing");
		o->masked = true;
	}
	return 0;
}

static int set_cond(struct lexer *l, const struct operand *o, struct sg_alt *alt, enum sg_op op, uint64_t value)
{
	struct sg_cond *c;

	if (alt->n == SG_CONDS_MAX)
		return FAIL(l, "more than %d comparisons in one condition", SG_CONDS_MAX);
	c = &alt->cond[alt->n++];
	c->arg = (__u8)o->index;
	c->op = (__u8)op;
	c->mask = o->mask;
	c->value = value;
	return 0;
}

/* The product of what stands so far with {value, value, …}. */
static int parse_set(struct lexer *l, const struct operand *o, struct sg_alt **alts)
{
	struct sg_alt *out = NULL, **tail = &out, *a, *copy;
	unsigned n = 0;
	const char *at;
	bool negative;
	uint64_t v;
	int rc;

	do {
		next(l);
		at = l->start;
		rc = parse_value(l, o, &v, &negative);
		if (rc)
			return rc;
		if (v & ~o->mask)
			return FAIL_AT(l, at, "this value has bits outside the mask: it can never match");
		for (a = *alts; a; a = a->next) {
			if (++n > SG_RULES_PER_NR)
				return FAIL(l, "more than %d combinations in one condition", SG_RULES_PER_NR);
			if (++l->p->n_alts > SG_POLICY_MAX_ALTS)
				return sg_err_at(l->p->err, E2BIG, l->p->name, l->node->pos.line, l->node->pos.column,
						 "more than %d conditional rules in one file", SG_POLICY_MAX_ALTS);
			copy = sg_arena_alloc(l->p->arena, sizeof(*copy));
			if (!copy)
				return sg_pnomem(l->p);
			*copy = *a;
			copy->next = NULL;
			rc = set_cond(l, o, copy, SG_OP_EQ, v);
			if (rc)
				return rc;
			*tail = copy;
			tail = &copy->next;
		}
	} while (is(l, ","));
	if (!is(l, "}"))
		return unexpected(l, "\",\" or \"}\"");
	next(l);
	*alts = out;
	return 0;
}

static int set_all(struct lexer *l, const struct operand *o, struct sg_alt *alts, enum sg_op op, uint64_t value)
{
	int rc = 0;

	for (; alts && !rc; alts = alts->next)
		rc = set_cond(l, o, alts, op, value);
	return rc;
}

static int parse_comparison(struct lexer *l, struct sg_alt **alts)
{
	static const struct {
		const char *text;
		enum sg_op op;
	} ops[] = {{"==", SG_OP_EQ}, {"!=", SG_OP_NE}, {"<", SG_OP_LT},
		   {"<=", SG_OP_LE}, {">", SG_OP_GT},  {">=", SG_OP_GE}};
	struct operand o;
	enum sg_op op = 0;
	const char *at;
	bool negative;
	uint64_t v;
	size_t i;
	int rc;

	rc = parse_operand(l, &o);
	if (rc)
		return rc;
	if (is(l, "in")) {
		next(l);
		if (is(l, "{"))
			return parse_set(l, &o, alts);
		if (!is(l, "sandbox"))
			return unexpected(l, "\"sandbox\" or \"{\"");
		if (o.masked)
			return FAIL(l, "\"in sandbox\" looks at the whole argument; remove the mask");
		next(l);
		o.mask = 0xffffffffULL;
		return set_all(l, &o, *alts, SG_OP_IN_SANDBOX, 0);
	}
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (l->type == T_OP && is(l, ops[i].text))
			op = ops[i].op;
	if (!op)
		return unexpected(l, "one of == != < <= > >= or \"in\"");
	next(l);
	if (is(l, "self")) {
		if (op != SG_OP_EQ)
			return FAIL(l, "\"self\" can only be compared with ==");
		next(l);
		return set_all(l, &o, *alts, SG_OP_SELF, 0);
	}
	at = l->start;
	rc = parse_value(l, &o, &v, &negative);
	if (rc)
		return rc;
	if (negative && op != SG_OP_EQ && op != SG_OP_NE)
		return FAIL_AT(l, at, "comparisons are unsigned: a negative number can only be compared with == or !=");
	if ((op == SG_OP_EQ || op == SG_OP_NE) && (v & ~o.mask))
		return FAIL_AT(l, at, "this value has bits outside the mask: it can never match");
	return set_all(l, &o, *alts, op, v);
}

int sg_cond_parse(struct sg_parser *p, struct sg_item *item, const struct sg_node *node)
{
	struct lexer l = {.p = p, .item = item, .node = node, .s = node->value};
	struct sg_alt *alts, **tail;
	int rc;

	alts = sg_arena_alloc(p->arena, sizeof(*alts));
	if (!alts)
		return sg_pnomem(p);
	next(&l);
	if (l.type == T_END)
		return FAIL(&l, "the condition is empty");
	for (;;) {
		rc = parse_comparison(&l, &alts);
		if (rc)
			return rc;
		if (l.type == T_END)
			break;
		if (is(&l, "or"))
			return FAIL(&l, "conditions are joined by \"and\"; write alternatives as a list");
		if (!is(&l, "and"))
			return unexpected(&l, "\"and\"");
		next(&l);
	}
	for (tail = &item->alts; *tail; tail = &(*tail)->next)
		;
	*tail = alts;
	return 0;
}
