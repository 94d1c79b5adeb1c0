/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sgd and its configuration file: the same options by the same names. */
#include "daemon/sgd.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define CONFIG_MAX 65536

static const char help[] =
	"usage: sgd [options]\n"
	"\n"
	"The supervisor of all sandboxes of this host: sgrun and sgctl find it by its socket.\n"
	"\n"
	"  --socket PATH         where it listens (default: " SG_PROTO_SOCKET ")\n"
	"  --group NAME|GID      who may connect besides root (default: nobody)\n"
	"  --log FILE|-|none     where every verdict goes, as JSON lines (default: -, standard output)\n"
	"  --log-size SIZE       rotate FILE when it is longer than this: 10M, 1G (default: never)\n"
	"  --policy FILE         policies that replace the built-in ones of the same name\n"
	"  --cgroup NAME         cgroup below the mount point, for the sandboxes it launches (default: sandgate)\n"
	"  --bpffs DIR           where BPF programs and maps are kept (default: /sys/fs/bpf/sandgate; none: nowhere)\n"
	"  --state DIR           where it is written down which sandboxes there are (default: /run/sandgate/state)\n"
	"  --discover RULE       cgroups to supervise by themselves: '/kubepods.slice/*/*' or '... audit'; each "
	"process by\n"
	"                        the language of the interpreter it executes. May be given again\n"
	"  --max-sandboxes N     at most (default and maximum: 4096)\n"
	"  --metrics-port PORT   where /metrics, /healthz and /readyz are served (default: 9100 if it is free; 0: "
	"nowhere)\n"
	"  --metrics-address IP  on this address (default: 127.0.0.1)\n"
	"  --config FILE         these options as YAML, without the dashes; the command line goes before it\n"
	"  --help  --version\n"
	"\n"
	"SIGHUP: opens the log anew, reads --policy again. SIGTERM: ends the sandboxes that are not to outlive it, and "
	"itself.\n";

static int number(const char *name, const char *value, uint64_t min, uint64_t max, uint64_t *out, struct sg_err *err)
{
	if (sg_parse_u64(value, max, out) < 0 || *out < min)
		return sg_err_set(err, EINVAL, "--%s %s: expected %llu to %llu", name, value, (unsigned long long)min,
				  (unsigned long long)max);
	return 0;
}

/* Everything but log and the numbers is kept as it is: a value lives as long as the options. */
static int set(struct sgd_options *o, const char *name, const char *value, struct sg_err *err)
{
	const struct {
		const char *name;
		const char **to;
	} texts[] = {{"socket", &o->socket}, {"group", &o->group}, {"policy", &o->policy},
		     {"cgroup", &o->cgroup}, {"state", &o->state}, {"metrics-address", &o->metrics_address},
		     {"config", &o->config}, {"bpffs", &o->bpffs}, {"log", &o->log}};
	uint64_t n = 0;
	int rc;

	for (size_t i = 0; i < SG_ARRAY_SIZE(texts); i++) {
		if (strcmp(name, texts[i].name))
			continue;
		*texts[i].to = value;
		if (!strcmp(name, "bpffs") && !strcmp(value, "none"))
			o->bpffs = NULL;
		if (!strcmp(name, "log"))
			o->log = !strcmp(value, "-") || !strcmp(value, "stdout") ? NULL
				 : !strcmp(value, "none")                        ? ""
										 : value;
		return 0;
	}
	if (!strcmp(name, "discover")) {
		if (o->n_rules == SGD_DISCOVER_RULES)
			return sg_err_set(err, E2BIG, "more than %d times --discover", SGD_DISCOVER_RULES);
		rc = sgd_rule_parse(value, &o->rules[o->n_rules], err);
		o->n_rules += !rc;
		return rc;
	}
	if (!strcmp(name, "log-size")) {
		if (sg_parse_size(value, &o->log_max) < 0 || o->log_max < 65536)
			return sg_err_set(err, EINVAL, "--log-size %s: expected a size of at least 64K", value);
		return 0;
	}
	if (!strcmp(name, "max-sandboxes")) {
		rc = number(name, value, 1, SG_MAX_SANDBOXES, &n, err);
		o->max_sandboxes = rc ? o->max_sandboxes : (unsigned)n;
		return rc;
	}
	if (!strcmp(name, "metrics-port")) {
		rc = number(name, value, 0, 65535, &n, err);
		o->metrics_port = rc ? o->metrics_port : (uint16_t)n;
		o->metrics_asked = true;
		return rc;
	}
	return sg_err_set(err, ENOENT, "unknown option %s", name);
}

/* Whether the command line had it: that goes before the file. */
static bool given(char **argv, const char *name)
{
	size_t n = strlen(name);

	for (char **a = argv + 1; *a; a++)
		if (!strncmp(*a, "--", 2) && !strncmp(*a + 2, name, n) && ((*a)[2 + n] == '\0' || (*a)[2 + n] == '='))
			return true;
	return false;
}

static int config_value(struct sgd_options *o, const char *name, const yaml_node_t *value, struct sg_err *err)
{
	struct sg_err why = {0};
	const char *text = (const char *)value->data.scalar.value;
	char *copy;
	int rc;

	if (value->type != YAML_SCALAR_NODE || strlen(text) != value->data.scalar.length)
		return sg_err_at(err, EINVAL, o->config, (unsigned)value->start_mark.line + 1,
				 (unsigned)value->start_mark.column + 1, "expected a plain value");
	copy = strdup(text); /* kept until the end */
	if (!copy)
		return sg_err_set(err, ENOMEM, "out of memory");
	rc = set(o, name, copy, &why);
	if (!rc && !*copy)
		rc = sg_err_set(&why, EINVAL, "a value is missing for %s", name);
	if (rc)
		return sg_err_at(err, -rc, o->config, (unsigned)value->start_mark.line + 1,
				 (unsigned)value->start_mark.column + 1, "%s", why.message);
	return 0;
}

static int config_pair(struct sgd_options *o, char **argv, yaml_document_t *doc, const yaml_node_pair_t *pair,
		       struct sg_err *err)
{
	const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
	const yaml_node_t *value = yaml_document_get_node(doc, pair->value);
	const char *name = (const char *)key->data.scalar.value;
	const bool list =
		value->type == YAML_SEQUENCE_NODE && key->type == YAML_SCALAR_NODE && !strcmp(name, "discover");
	int rc = 0;

	if (key->type != YAML_SCALAR_NODE || (value->type != YAML_SCALAR_NODE && !list))
		return sg_err_at(err, EINVAL, o->config, (unsigned)key->start_mark.line + 1,
				 (unsigned)key->start_mark.column + 1, "expected NAME: VALUE, both plain");
	if (strlen(name) != key->data.scalar.length || !strcmp(name, "config"))
		return sg_err_at(err, EINVAL, o->config, (unsigned)key->start_mark.line + 1, 1,
				 "that does not belong into a configuration file");
	if (given(argv, name))
		return 0;
	if (!list)
		return config_value(o, name, value, err);
	for (const yaml_node_item_t *i = value->data.sequence.items.start; !rc && i < value->data.sequence.items.top;
	     i++)
		rc = config_value(o, name, yaml_document_get_node(doc, *i), err);
	return rc;
}

/* Both are names: scalars without a NUL. */
static int config_twice(const struct sgd_options *o, const yaml_node_t *first, const yaml_node_t *again,
			struct sg_err *err)
{
	const char *name = (const char *)again->data.scalar.value;

	if (strcmp((const char *)first->data.scalar.value, name))
		return 0;
	return sg_err_at(err, EINVAL, o->config, (unsigned)again->start_mark.line + 1,
			 (unsigned)again->start_mark.column + 1, "%s was given in line %u already", name,
			 (unsigned)first->start_mark.line + 1);
}

static int config_document(struct sgd_options *o, char **argv, yaml_document_t *doc, struct sg_err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(doc);
	int rc = 0;

	if (!root)
		return 0; /* nothing but comments */
	if (root->type != YAML_MAPPING_NODE)
		return sg_err_at(err, EINVAL, o->config, 1, 1, "a configuration is a mapping: NAME: VALUE");
	for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; !rc && p < root->data.mapping.pairs.top; p++) {
		rc = config_pair(o, argv, doc, p, err);
		for (const yaml_node_pair_t *q = root->data.mapping.pairs.start; !rc && q < p; q++)
			rc = config_twice(o, yaml_document_get_node(doc, q->key), yaml_document_get_node(doc, p->key),
					  err);
	}
	return rc;
}

/* What stands behind the configuration would be taken for a part of it by who wrote it. */
static int config_end(const struct sgd_options *o, yaml_parser_t *parser, struct sg_err *err)
{
	yaml_document_t doc;
	const yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_load(parser, &doc))
		return sg_err_at(err, EINVAL, o->config, (unsigned)parser->problem_mark.line + 1, 1,
				 "this is not YAML");
	root = yaml_document_get_root_node(&doc);
	if (root && !(root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
		rc = sg_err_at(err, EINVAL, o->config, (unsigned)root->start_mark.line + 1, 1,
			       "a configuration is one document, and here begins another");
	yaml_document_delete(&doc);
	return rc;
}

static int load_config(struct sgd_options *o, char **argv, struct sg_err *err)
{
	char text[CONFIG_MAX];
	ssize_t n = sg_read_file(AT_FDCWD, o->config, text, sizeof(text));
	yaml_parser_t parser;
	yaml_document_t doc;
	int rc;

	if (n < 0)
		return sg_err_set(err, (int)-n, "cannot read %s: %s", o->config, strerror((int)-n));
	if ((size_t)n >= sizeof(text) - 1)
		return sg_err_set(err, E2BIG, "%s is longer than %d bytes", o->config, CONFIG_MAX - 2);
	if (!yaml_parser_initialize(&parser))
		return sg_err_set(err, ENOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, (size_t)n);
	if (yaml_parser_load(&parser, &doc)) {
		rc = config_document(o, argv, &doc, err);
		yaml_document_delete(&doc);
		if (!rc)
			rc = config_end(o, &parser, err);
	} else {
		rc = sg_err_at(err, EINVAL, o->config, (unsigned)parser.problem_mark.line + 1,
			       (unsigned)parser.problem_mark.column + 1, "%s",
			       parser.problem ? parser.problem : "this is not YAML");
	}
	yaml_parser_delete(&parser);
	return rc;
}

int sgd_options_parse(struct sgd_options *o, int argc, char **argv, struct sg_err *err)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value;
		char word[32];
		size_t n;
		int rc;

		if (strncmp(name, "--", 2))
			return sg_err_set(err, EINVAL, "%s: sgd takes options only", name);
		name += 2;
		if (!strcmp(name, "help")) {
			fputs(help, stdout);
			exit(0);
		}
		if (!strcmp(name, "version")) {
			puts("sgd " SG_VERSION);
			exit(0);
		}
		n = strcspn(name, "=");
		value = name[n] ? name + n + 1 : argv[i + 1];
		if (n >= sizeof(word))
			return sg_err_set(err, EINVAL, "unknown option --%s; see sgd --help", name);
		snprintf(word, sizeof(word), "%.*s", (int)n, name);
		rc = set(o, word, value ? value : "", err);
		if (rc == -ENOENT) {
			sg_err_reset(err);
			return sg_err_set(err, EINVAL, "unknown option --%s; see sgd --help", word);
		}
		if (!value || !*value) {
			sg_err_reset(err);
			return sg_err_set(err, EINVAL, "a value is missing for --%s; see sgd --help", word);
		}
		if (rc)
			return rc;
		i += !name[n];
	}
	return o->config ? load_config(o, argv, err) : 0;
}
