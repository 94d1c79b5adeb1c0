/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on: records as they come, and a table that is drawn anew every second. */
#include "daemon/sgctl.h"

#include "policy/names.h"
#include "policy/policy.h"
#include "supervisor/client.h"
#include "supervisor/human.h"
#include "supervisor/util.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#define ROWS_MAX 4096
#define INTERVAL_MS 1000
#define CTRL_D 4

/* ---- tail ---- */

/*
 * Records have a language by its name, never by an alias. The word itself counts, too: a policy file may define a
 * language of that name, and others' languages are not known here.
 */
static bool of_language(const char *word, const char *language)
{
	const char *name = sg_builtin_canonical(word);

	return !strcmp(language, word) || (name && !strcmp(language, name));
}

static bool wanted(const struct sgctl *s, const json_t *record)
{
	return (!s->type || !strcmp(sgctl_text(record, "type"), s->type)) &&
	       (!s->language || of_language(s->language, sgctl_text(record, "language"))) &&
	       (!s->id || !strcmp(sgctl_text(record, "sandbox"), s->id));
}

static void print_record(const struct sgctl *s, const json_t *record)
{
	SG_FREE char *line = NULL;

	if (!wanted(s, record))
		return;
	if (s->json || !isatty(STDOUT_FILENO)) {
		sgctl_print_json(record);
		return;
	}
	line = sg_human_line(record);
	if (line)
		printf("%-18s %s\n", sgctl_text(record, "sandbox"), line);
}

/* One that there is not would be waited for without end. */
static int known_type(const char *type, struct sg_err *err)
{
	static const char *const types[] = {
		"start", "syscall_violation", "lsm_violation", "audit", "limit", "lost", "phase", "exit"};
	struct sg_suggest near;
	char text[64];

	sg_suggest_init(&near, type);
	for (size_t i = 0; i < SG_ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i], type))
			return 0;
		sg_suggest_offer(&near, types[i]);
	}
	if (near.best)
		return sg_err_set(err, EINVAL, "--type %s: there are no such records%s", type,
				  sg_suggest_text(&near, text, sizeof(text)));
	return sg_err_set(
		err, EINVAL,
		"--type %s: expected start, syscall_violation, lsm_violation, audit, limit, lost, phase or exit", type);
}

int sgctl_tail(const struct sgctl *s, struct sg_err *err)
{
	static char packet[SG_PROTO_PACKET_MAX + 1];
	SG_CLOSE int fd = -1;
	json_t *answer = NULL;
	int rc = s->type ? known_type(s->type, err) : 0;

	if (!rc)
		rc = sg_client_connect(s->socket, &fd, err);
	if (!rc) {
		json_t *request = json_pack("{s:s}", "op", "tail");

		rc = sg_client_request(fd, request, NULL, 0, NULL, NULL, &answer, err);
		json_decref(request);
	}
	json_decref(answer);
	while (!rc) {
		ssize_t n = sg_client_receive(fd, packet, sizeof(packet), 0);
		json_t *part, *record;

		if (n == 0)
			return sg_err_set(err, ECONNRESET, "the daemon has closed the connection");
		if (n < 0)
			return sg_err_set(err, (int)-n, "cannot receive: %s", strerror((int)-n));
		part = json_loadb(packet, (size_t)n, 0, NULL);
		record = json_object_get(part, "record");
		if (record)
			print_record(s, record);
		else if (sgctl_number(part, "lost"))
			fprintf(stderr, "sgctl: %lld records came too fast and are only in the log\n",
				sgctl_number(part, "lost"));
		json_decref(part);
		if (fflush(stdout))
			return 0; /* whoever read it has had enough */
	}
	return rc;
}

/* ---- top ---- */

struct row {
	json_t *sandbox;
	long long total, kills, tasks;
	double rate;
};

struct table {
	struct row *rows;
	size_t n;
	uint64_t at; /* CLOCK_MONOTONIC, ns */
};

static void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		json_decref(t->rows[i].sandbox);
	free(t->rows);
	*t = (struct table){0};
}

static int take(void *ctx, json_t *part)
{
	struct table *t = ctx;
	json_t *b = json_object_get(part, "sandbox");
	struct row *rows;

	if (!b || t->n == ROWS_MAX)
		return 0;
	rows = realloc(t->rows, (t->n + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	t->rows[t->n++] = (struct row){
		.sandbox = json_incref(b),
		.total = sgctl_number(json_object_get(b, "stats"), "total"),
		.kills = sgctl_number(json_object_get(b, "counts"), "kill"),
		.tasks = sgctl_number(b, "tasks"),
	};
	return 0;
}

static int table_fill(const struct sgctl *s, struct table *t, struct sg_err *err)
{
	json_t *answer = NULL;
	int rc = sgctl_ask(s, json_pack("{s:s, s:b}", "op", "list", "all", 1), NULL, 0, take, t, &answer, err);

	t->at = sg_clock_ns(CLOCK_MONOTONIC);
	json_decref(answer);
	return rc;
}

static void table_rates(struct table *now, const struct table *before)
{
	double seconds = (double)(now->at - before->at) / 1e9;

	for (size_t i = 0; i < now->n; i++) {
		struct row *r = &now->rows[i];

		for (size_t j = 0; j < before->n; j++)
			if (!strcmp(sgctl_text(r->sandbox, "id"), sgctl_text(before->rows[j].sandbox, "id")) &&
			    r->total >= before->rows[j].total && seconds > 0)
				r->rate = (double)(r->total - before->rows[j].total) / seconds;
	}
}

/* What is worth a look first: what broke a rule, then what is busy. */
static int by_interest(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->kills != y->kills)
		return x->kills < y->kills ? 1 : -1;
	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	return x->tasks < y->tasks ? 1 : x->tasks > y->tasks ? -1 : 0;
}

static const char *short_number(double v, char *buf, size_t size)
{
	static const char units[] = " kMGT";
	size_t u = 0;

	for (; v >= 99999.5 && u + 2 < sizeof(units); u++)
		v /= 1000;
	snprintf(buf, size, u ? "%.0f%c" : "%.0f", v, units[u]);
	return buf;
}

static const char *age(long long ms, char *buf, size_t size)
{
	long long s = ms / 1000;

	if (s < 100)
		snprintf(buf, size, "%.1fs", (double)ms / 1000);
	else if (s < 6000)
		snprintf(buf, size, "%lldm%02llds", s / 60, s % 60);
	else
		snprintf(buf, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
	return buf;
}

struct screen {
	unsigned lines, columns;
};

/* One line, as far as it fits: a longer one would go on in the next and push the first one out. */
__attribute__((format(printf, 2, 3))) static void line(const struct screen *s, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("%.*s\n", (int)s->columns, text);
}

/* 80 columns, and one line less than the terminal has: the cursor is in the last. */
static void draw(const struct table *t, const struct screen *s)
{
	long long tasks = 0, kills = 0, attached = 0;
	size_t fit = s->lines - 4, rows = t->n <= fit ? t->n : fit - 1;
	double rate = 0;
	char total[16];

	for (size_t i = 0; i < t->n; i++) {
		tasks += t->rows[i].tasks;
		kills += t->rows[i].kills;
		rate += t->rows[i].rate;
		attached += json_is_true(json_object_get(t->rows[i].sandbox, "attached"));
	}
	line(s, "%zu sandboxes (%lld attached)  %lld processes  %s calls/s  %lld kills", t->n, attached, tasks,
	     short_number(rate, total, sizeof(total)), kills);
	line(s, "%s", "");
	line(s, "%-18s %-9s %-11s %-7s %5s %7s %5s %5s %5s", "ID", "STATE", "LANGUAGE", "MODE", "PROCS", "CALLS/s",
	     "KILLS", "AUDIT", "AGE");
	for (size_t i = 0; i < rows; i++) {
		const struct row *r = &t->rows[i];
		const json_t *b = r->sandbox;
		bool counted = json_is_true(json_object_get(b, "counting"));
		char calls[16], old[16];

		line(s, "%-18.18s %-9.9s %-11.11s %-7.7s %5lld %7s %5lld %5lld %5.5s", sgctl_text(b, "id"),
		     json_is_true(json_object_get(b, "attached")) ? "attached" : sgctl_text(b, "state"),
		     sgctl_text(b, "language"), sgctl_text(b, "mode"), r->tasks,
		     counted ? short_number(r->rate, calls, sizeof(calls)) : "-", r->kills,
		     sgctl_number(json_object_get(b, "counts"), "audit"),
		     age(sgctl_number(b, "age_ms"), old, sizeof(old)));
	}
	if (rows < t->n)
		line(s, "+ %zu more", t->n - rows);
}

static struct screen screen_of(void)
{
	struct screen s = {.lines = ROWS_MAX + 8, .columns = 255};
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
		return s;
	if (w.ws_row > 6)
		s.lines = w.ws_row;
	if (w.ws_col > 0)
		s.columns = w.ws_col;
	return s;
}

static struct termios before_us; /* the terminal, for whatever ends us */

static void on_end(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before_us);
	(void)raise(sig); /* which ends us now: it is caught once only */
}

/* From here on a key is there when it is pressed, and not after Enter. False: no keys are to be had. */
static bool take_keys(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction once = {.sa_handler = on_end, .sa_flags = SA_RESETHAND};
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &before_us) < 0)
		return false;
	for (size_t i = 0; i < SG_ARRAY_SIZE(ends); i++)
		(void)sigaction(ends[i], &once, NULL);
	t = before_us;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &t);
	return true;
}

/* Waits for the next drawing. False: there is to be none. */
static bool wait_for_next(bool keyed)
{
	struct pollfd keys = {.fd = keyed ? STDIN_FILENO : -1, .events = POLLIN};
	char key = 0;

	return poll(&keys, 1, INTERVAL_MS) <= 0 || (read(STDIN_FILENO, &key, 1) > 0 && key != 'q' && key != CTRL_D);
}

int sgctl_top(const struct sgctl *s, struct sg_err *err)
{
	struct table before = {0}, now = {0};
	bool live = isatty(STDOUT_FILENO) && !s->once;
	int rc = table_fill(s, &before, err);
	bool keyed = !rc && live && take_keys();

	while (!rc && wait_for_next(keyed)) {
		struct screen screen = screen_of();

		rc = table_fill(s, &now, err);
		if (rc)
			break;
		table_rates(&now, &before);
		qsort(now.rows, now.n, sizeof(*now.rows), by_interest);
		if (live)
			fputs("\033[H\033[2J", stdout);
		draw(&now, &screen);
		fflush(stdout);
		table_free(&before);
		before = now;
		now = (struct table){0};
		if (!live)
			break;
	}
	if (keyed)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before_us);
	table_free(&before);
	table_free(&now);
	return rc;
}
