// SPDX-License-Identifier: Apache-2.0
#include "supervisor/metrics.h"

#include "policy/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER "other"
#define NAME_LEN 64

/* Upper bounds of the histogram's buckets, ns. One more holds what is above them all. */
static const uint64_t bounds[] = {50000,   100000,   200000,   500000,    1000000,   2000000,
				  5000000, 10000000, 50000000, 100000000, 500000000, 1000000000};
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct named {
	char name[NAME_LEN];
	uint64_t count;
};

/* Names in the order in which they came; the first is "other". */
struct table {
	struct named *list;
	size_t n, room, max;
};

struct language {
	char name[NAME_LEN];
	uint64_t syscalls[SG_METRIC_ACTIONS];
	uint64_t processes;
	struct table violations;
	struct table objects;
};

struct sg_metrics {
	char version[NAME_LEN];
	uint64_t value[SG_METRIC_N];
	struct language languages[SG_METRICS_LANGUAGES]; /* the first is "other" */
	size_t n_languages;
	uint64_t latency[N_BOUNDS + 1];
	uint64_t latency_sum, latency_count;
};

static const struct {
	const char *family, *labels, *type, *help;
} fixed[SG_METRIC_N] = {
	[SG_METRIC_LOST_RING] = {"sandgate_events_lost_total", "where=\"ring_buffer\"", "counter",
				 "Records that could not be delivered."},
	[SG_METRIC_LOST_LOG] = {"sandgate_events_lost_total", "where=\"log\"", "counter", NULL},
	[SG_METRIC_LOST_STREAM] = {"sandgate_events_lost_total", "where=\"stream\"", "counter", NULL},
	[SG_METRIC_MALFORMED] = {"sandgate_events_malformed_total", "", "counter",
				 "Ring buffer records that were none."},
	[SG_METRIC_SKIPPED] = {"sandgate_programs_skipped_total", "", "counter",
			       "Runs of a BPF program that the kernel skipped."},
	[SG_METRIC_SIGNAL_FAILED] = {"sandgate_signals_failed_total", "", "counter",
				     "Kills by bpf_send_signal that the kernel refused."},
	[SG_METRIC_HELPER_FAILED] = {"sandgate_helpers_failed_total", "", "counter",
				     "Reads and map updates that failed inside a BPF program."},
	[SG_METRIC_DEGRADED] = {"sandgate_degraded_sandboxes_total", "", "counter",
				"Sandboxes that ended with degraded integrity."},
	[SG_METRIC_LAUNCHES] = {"sandgate_launches_total", "result=\"ok\"", "counter", "Sandboxes launched."},
	[SG_METRIC_LAUNCHES_FAILED] = {"sandgate_launches_total", "result=\"failed\"", "counter", NULL},
	[SG_METRIC_LAUNCHES_REPEATED] = {"sandgate_launches_repeated_total", "", "counter",
					 "Sandboxes launched as one that was kept."},
	[SG_METRIC_ATTACHES] = {"sandgate_attaches_total", "", "counter", "Cgroups attached."},
	[SG_METRIC_ADOPTED] = {"sandgate_adopted_total", "", "counter",
			       "Sandboxes taken over from a supervisor that went away."},
	[SG_METRIC_RELOADS] = {"sandgate_reloads_total", "result=\"ok\"", "counter", "Reloads of the policies."},
	[SG_METRIC_RELOADS_FAILED] = {"sandgate_reloads_total", "result=\"failed\"", "counter", NULL},
	[SG_METRIC_REFUSED] = {"sandgate_requests_refused_total", "", "counter", "Control requests that were refused."},
	[SG_METRIC_LAUNCHED] = {"sandgate_sandboxes", "kind=\"launched\"", "gauge", "Sandboxes that live."},
	[SG_METRIC_ATTACHED] = {"sandgate_sandboxes", "kind=\"attached\"", "gauge", NULL},
	[SG_METRIC_LSM_ACTIVE] = {"sandgate_bpf_lsm_active", "", "gauge",
				  "1 when BPF LSM programs are loaded and were seen to act."},
	[SG_METRIC_SYS_ENTER_ATTACHED] = {"sandgate_sys_enter_attached", "", "gauge",
					  "1 while a program is attached to every system call of the host."},
};

int sg_metrics_new(const char *version, struct sg_metrics **out, struct sg_err *err)
{
	struct sg_metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return sg_err_set(err, ENOMEM, "out of memory");
	snprintf(m->version, sizeof(m->version), "%s", version);
	snprintf(m->languages[0].name, NAME_LEN, OTHER);
	m->n_languages = 1;
	*out = m;
	return 0;
}

void sg_metrics_free(struct sg_metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_languages; i++) {
		free(m->languages[i].violations.list);
		free(m->languages[i].objects.list);
	}
	free(m);
}

void sg_metrics_add(struct sg_metrics *m, enum sg_metric which, uint64_t n)
{
	m->value[which] += n;
}

void sg_metrics_set(struct sg_metrics *m, enum sg_metric which, uint64_t value)
{
	m->value[which] = value;
}

static struct language *language_of(struct sg_metrics *m, const char *name)
{
	struct language *l;

	if (!name || strlen(name) >= NAME_LEN)
		return &m->languages[0];
	for (size_t i = 0; i < m->n_languages; i++)
		if (!strcmp(m->languages[i].name, name))
			return &m->languages[i];
	if (m->n_languages == SG_METRICS_LANGUAGES)
		return &m->languages[0];
	l = &m->languages[m->n_languages++];
	snprintf(l->name, sizeof(l->name), "%s", name);
	return l;
}

static struct named *table_new(struct table *t, const char *name)
{
	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 8;
		struct named *list = realloc(t->list, room * sizeof(*list));

		if (!list)
			return NULL;
		t->list = list;
		t->room = room;
	}
	t->list[t->n].count = 0;
	snprintf(t->list[t->n].name, NAME_LEN, "%s", name);
	return &t->list[t->n++];
}

/* Counts one. A name too many, or no memory for it, goes to "other"; without memory for that, nowhere. */
static void table_count(struct table *t, size_t max, const char *name)
{
	struct named *found = NULL;

	if (!t->n && !table_new(t, OTHER))
		return;
	for (size_t i = 0; i < t->n && !found; i++)
		if (!strcmp(t->list[i].name, name))
			found = &t->list[i];
	if (!found && t->n < max)
		found = table_new(t, name);
	if (!found)
		found = &t->list[0];
	found->count++;
}

void sg_metrics_syscalls(struct sg_metrics *m, const char *language, enum sg_metric_action action, uint64_t n)
{
	language_of(m, language)->syscalls[action] += n;
}

void sg_metrics_violation(struct sg_metrics *m, const char *language, const char *syscall)
{
	int nr;

	if (!syscall || strlen(syscall) >= NAME_LEN || sg_syscall_resolve(syscall, &nr))
		syscall = OTHER;
	table_count(&language_of(m, language)->violations, SG_METRICS_SYSCALLS, syscall);
}

void sg_metrics_object_violation(struct sg_metrics *m, const char *language, const char *cls)
{
	if (!cls || strlen(cls) >= NAME_LEN)
		cls = OTHER;
	table_count(&language_of(m, language)->objects, SG_METRICS_CLASSES, cls);
}

void sg_metrics_processes(struct sg_metrics *m, const char *language, uint64_t n)
{
	language_of(m, language)->processes += n;
}

void sg_metrics_processes_reset(struct sg_metrics *m)
{
	for (size_t i = 0; i < m->n_languages; i++)
		m->languages[i].processes = 0;
}

void sg_metrics_kill_latency(struct sg_metrics *m, uint64_t ns)
{
	size_t i = 0;

	while (i < N_BOUNDS && ns > bounds[i])
		i++;
	m->latency[i]++;
	m->latency_sum += ns;
	m->latency_count++;
}

/* ---- text ---- */

static void head(FILE *f, const char *family, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, type);
}

/* A label's value: backslash, quote and newline are escaped; other control characters have no place in one. */
static void label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		if (*value == '\n')
			fputs("\\n", f);
		else
			fputc((unsigned char)*value < 0x20 ? '?' : *value, f);
	}
	fputc('"', f);
}

/* A language gets series once something happened in it; "other" only then, too. */
static bool seen(const struct language *l)
{
	return l->processes || l->violations.n || l->objects.n || l->syscalls[SG_METRIC_ALLOWED] ||
	       l->syscalls[SG_METRIC_DENIED] || l->syscalls[SG_METRIC_VIOLATION];
}

static void write_syscalls(FILE *f, const struct sg_metrics *m)
{
	static const char *const actions[SG_METRIC_ACTIONS] = {"allowed", "denied", "violation"};

	head(f, "ebpf_syscalls_total", "counter", "System calls judged, by language and action.");
	for (size_t i = 0; i < m->n_languages; i++) {
		for (size_t a = 0; a < SG_METRIC_ACTIONS && (i || seen(&m->languages[i])); a++) {
			fputs("ebpf_syscalls_total{", f);
			label(f, "language", m->languages[i].name);
			fprintf(f, ",action=\"%s\"} %llu\n", actions[a],
				(unsigned long long)m->languages[i].syscalls[a]);
		}
	}
}

static void write_table(FILE *f, const char *family, const char *key, const char *language, const struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!t->list[i].count)
			continue;
		fprintf(f, "%s{", family);
		label(f, "language", language);
		fputc(',', f);
		label(f, key, t->list[i].name);
		fprintf(f, "} %llu\n", (unsigned long long)t->list[i].count);
	}
}

static void write_languages(FILE *f, const struct sg_metrics *m)
{
	write_syscalls(f, m);
	head(f, "ebpf_syscall_violations_total", "counter",
	     "System calls that a policy forbids, by language and call.");
	for (size_t i = 0; i < m->n_languages; i++)
		write_table(f, "ebpf_syscall_violations_total", "syscall", m->languages[i].name,
			    &m->languages[i].violations);
	head(f, "sandgate_object_violations_total", "counter", "Object rules broken, by language and class.");
	for (size_t i = 0; i < m->n_languages; i++)
		write_table(f, "sandgate_object_violations_total", "class", m->languages[i].name,
			    &m->languages[i].objects);
	head(f, "ebpf_monitored_processes", "gauge", "Processes alive in sandboxes, by language.");
	for (size_t i = 0; i < m->n_languages; i++) {
		if (!i && !m->languages[i].processes)
			continue;
		fputs("ebpf_monitored_processes{", f);
		label(f, "language", m->languages[i].name);
		fprintf(f, "} %llu\n", (unsigned long long)m->languages[i].processes);
	}
}

static void write_fixed(FILE *f, const struct sg_metrics *m)
{
	for (size_t i = 0; i < SG_METRIC_N; i++) {
		if (fixed[i].help)
			head(f, fixed[i].family, fixed[i].type, fixed[i].help);
		fprintf(f, fixed[i].labels[0] ? "%s{%s} %llu\n" : "%s%s %llu\n", fixed[i].family, fixed[i].labels,
			(unsigned long long)m->value[i]);
	}
}

static void write_latency(FILE *f, const struct sg_metrics *m)
{
	uint64_t sum = 0;

	head(f, "sandgate_kill_latency_seconds", "histogram",
	     "From a violation until no process of its sandbox was left.");
	for (size_t i = 0; i < N_BOUNDS; i++) {
		sum += m->latency[i];
		fprintf(f, "sandgate_kill_latency_seconds_bucket{le=\"%g\"} %llu\n", (double)bounds[i] / 1e9,
			(unsigned long long)sum);
	}
	fprintf(f, "sandgate_kill_latency_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)m->latency_count);
	fprintf(f, "sandgate_kill_latency_seconds_sum %.9f\n", (double)m->latency_sum / 1e9);
	fprintf(f, "sandgate_kill_latency_seconds_count %llu\n", (unsigned long long)m->latency_count);
}

char *sg_metrics_text(const struct sg_metrics *m, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	bool failed;

	if (!f)
		return NULL;
	write_languages(f, m);
	write_fixed(f, m);
	write_latency(f, m);
	head(f, "sandgate_build_info", "gauge", "Always 1; the version stands in the label.");
	fputs("sandgate_build_info{", f);
	label(f, "version", m->version);
	fputs("} 1\n", f);
	failed = ferror(f);
	if (fclose(f) || failed) {
		free(text);
		return NULL;
	}
	return text;
}
