// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

/* libyaml counts characters; people and editors want bytes. Positions come in rising order, so walking on is cheap. */
struct cursor {
	size_t chars, bytes;
};

struct reader {
	struct sg_parser *p;
	yaml_parser_t yaml;
	struct cursor at, line;
	struct sg_node *stack[SG_POLICY_MAX_DEPTH];
	unsigned depth;
	unsigned nodes;
	struct sg_node *root;
};

static size_t byte_offset(struct cursor *c, const struct sg_parser *p, size_t chars)
{
	if (chars < c->chars)
		c->chars = c->bytes = 0;
	while (c->chars < chars && c->bytes < p->len) {
		c->bytes++;
		while (c->bytes < p->len && ((unsigned char)p->text[c->bytes] & 0xc0) == 0x80)
			c->bytes++;
		c->chars++;
	}
	return c->bytes;
}

static struct sg_pos position(struct reader *r, yaml_mark_t mark)
{
	size_t at = byte_offset(&r->at, r->p, mark.index);
	size_t start = byte_offset(&r->line, r->p, mark.index - mark.column);

	return (struct sg_pos){.line = (unsigned)mark.line + 1, .column = (unsigned)(at - start) + 1};
}

/* Length of the UTF-8 sequence at s, 0 when it is not one. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c;
	size_t n, i;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
		return 0;
	c = s[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* libyaml takes NUL for the end of the file and says little about the rest, so the bytes are looked at first. */
static int check_bytes(struct sg_parser *p)
{
	struct sg_pos pos = {1, 1};
	size_t i, n;

	for (i = 0; i < p->len; i += n) {
		unsigned char c = (unsigned char)p->text[i];

		n = utf8_length((const unsigned char *)p->text + i, p->len - i);
		if (!n)
			return sg_perr(p, pos, "the file is not valid UTF-8 here (byte 0x%02x)", c);
		if (!c)
			return sg_perr(p, pos, "the file contains a NUL byte");
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)p->text[i + 1] < 0xa0))
			return sg_perr(p, pos, "the file contains a control character (0x%02x)",
				       n == 2 ? (unsigned char)p->text[i + 1] : c);
		/* What a reviewer sees would not be what is read. */
		if (n == 3 && sg_reorders(p->text + i))
			return sg_perr(p, pos, "the file contains a character that changes the order of text (U+%04X)",
				       0x2000u | ((unsigned char)p->text[i + 1] & 0x3fu) << 6 |
					       ((unsigned char)p->text[i + 2] & 0x3fu));
		/* YAML ends a line, and a comment, where an editor and a reviewer see none. */
		if ((c == '\r' && (i + 1 == p->len || p->text[i + 1] != '\n')) ||
		    (n == 3 && !memcmp(p->text + i, "\xe2\x80", 2) && ((unsigned char)p->text[i + 2] & 0xfe) == 0xa8))
			return sg_perr(p, pos, "the file contains a line end that is neither LF nor CR LF (%s)",
				       n == 1               ? "CR alone"
				       : p->text[i + 2] & 1 ? "U+2029"
							    : "U+2028");
		if (c == '\n') {
			pos.line++;
			pos.column = 1;
		} else {
			pos.column += (unsigned)n;
		}
	}
	return 0;
}

static int add_node(struct reader *r, enum sg_node_type type, yaml_mark_t mark, struct sg_node **out)
{
	struct sg_node *n, *parent = r->depth ? r->stack[r->depth - 1] : NULL;
	struct sg_pos pos = position(r, mark);

	if (++r->nodes > SG_POLICY_MAX_NODES) {
		sg_err_at(r->p->err, E2BIG, r->p->name, pos.line, pos.column, "more than %u YAML nodes",
			  SG_POLICY_MAX_NODES);
		return -E2BIG;
	}
	n = sg_arena_alloc(r->p->arena, sizeof(*n));
	if (!n)
		return sg_pnomem(r->p);
	n->type = type;
	n->pos = pos;
	if (!parent) {
		r->root = n;
	} else {
		if (parent->last)
			parent->last->next = n;
		else
			parent->first = n;
		parent->last = n;
		parent->n++;
		if (parent->type == SG_NODE_MAPPING && parent->n % 2 && type != SG_NODE_SCALAR)
			return sg_perr(r->p, pos, "a key must be a plain word");
	}
	*out = n;
	return 0;
}

static int push(struct reader *r, enum sg_node_type type, yaml_mark_t mark)
{
	struct sg_node *n = NULL;
	int rc;

	if (r->depth == SG_POLICY_MAX_DEPTH) {
		struct sg_pos pos = position(r, mark);

		return sg_err_at(r->p->err, E2BIG, r->p->name, pos.line, pos.column, "nested more than %d levels deep",
				 SG_POLICY_MAX_DEPTH);
	}
	rc = add_node(r, type, mark, &n);
	if (!rc)
		r->stack[r->depth++] = n;
	return rc;
}

static int add_scalar(struct reader *r, const yaml_event_t *e)
{
	const struct sg_parser *p = r->p;
	struct sg_node *n = NULL;
	size_t at;
	int rc;

	rc = add_node(r, SG_NODE_SCALAR, e->start_mark, &n);
	if (rc)
		return rc;
	n->len = e->data.scalar.length;
	n->value = sg_arena_strndup(p->arena, (const char *)e->data.scalar.value, n->len);
	if (!n->value)
		return sg_pnomem(r->p);
	/* "\0" in double quotes is the one way left for a NUL to get in. */
	if (memchr(n->value, 0, n->len))
		return sg_perr(r->p, n->pos, "a value contains a NUL character");
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	at = byte_offset(&r->at, p, e->start_mark.index) + (n->quoted ? 1 : 0);
	if (at <= p->len && p->len - at >= n->len && !memcmp(p->text + at, n->value, n->len))
		n->raw = p->text + at;
	return 0;
}

static int refuse_extras(struct reader *r, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (e->data.document_start.version_directive ||
		    e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
			return sg_perr(r->p, position(r, e->start_mark), "YAML directives are not part of a policy");
		break;
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
		break;
	case YAML_ALIAS_EVENT:
		anchor = e->data.alias.anchor;
		break;
	default:
		break;
	}
	if (anchor)
		return sg_perr(r->p, position(r, e->start_mark),
			       "YAML anchors and aliases are not part of a policy; use \"inherit\" to share rules");
	if (tag)
		return sg_perr(r->p, position(r, e->start_mark), "YAML tags are not part of a policy: \"%.64s\"",
			       (const char *)tag);
	return 0;
}

/* Returns 1 at the end of the stream. */
static int take_event(struct reader *r, const yaml_event_t *e)
{
	int rc = refuse_extras(r, e);

	if (rc)
		return rc;
	switch (e->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			return sg_perr(r->p, position(r, e->start_mark),
				       "a policy file holds one YAML document, not several");
		return 0;
	case YAML_SCALAR_EVENT:
		return add_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return push(r, SG_NODE_SEQUENCE, e->start_mark);
	case YAML_MAPPING_START_EVENT:
		return push(r, SG_NODE_MAPPING, e->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

/* Whether there is a tab at a place with nothing but blanks before it on its line. */
static bool starts_with_tab(const struct sg_parser *p, size_t at)
{
	if (at >= p->len || p->text[at] != '\t')
		return false;
	while (at && (p->text[at - 1] == ' ' || p->text[at - 1] == '\t'))
		at--;
	return !at || p->text[at - 1] == '\n';
}

static int yaml_error(struct reader *r)
{
	const yaml_parser_t *y = &r->yaml;
	struct sg_pos pos;

	if (y->error == YAML_MEMORY_ERROR)
		return sg_pnomem(r->p);
	pos = position(r, y->problem_mark);
	if (y->error == YAML_SCANNER_ERROR && starts_with_tab(r->p, byte_offset(&r->at, r->p, y->problem_mark.index)))
		return sg_perr(r->p, pos, "not valid YAML: a line cannot begin with a tab; indent with spaces");
	return sg_perr(r->p, pos, "not valid YAML: %s%s%s", y->context ? y->context : "", y->context ? ", " : "",
		       y->problem ? y->problem : "syntax error");
}

int sg_yaml_read(struct sg_parser *p, struct sg_node **root)
{
	struct reader r = {.p = p};
	yaml_event_t event;
	int rc;

	rc = check_bytes(p);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&r.yaml))
		return sg_pnomem(p);
	yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)p->text, p->len);
	while (!rc) {
		if (!yaml_parser_parse(&r.yaml, &event)) {
			rc = yaml_error(&r);
			break;
		}
		rc = take_event(&r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&r.yaml);
	if (rc < 0)
		return rc;
	*root = r.root;
	return 0;
}
