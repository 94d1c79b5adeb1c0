// SPDX-License-Identifier: Apache-2.0
/* The metrics' text, its bounds, and the HTTP endpoint over real loopback connections. */
#include "supervisor/http.h"
#include "supervisor/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sg_metrics *fresh(void)
{
	struct sg_metrics *m = NULL;
	struct sg_err err = {0};

	assert_int_equal(sg_metrics_new("1.2.3", &m, &err), 0);
	return m;
}

static void expect(const struct sg_metrics *m, const char *line, bool there)
{
	size_t len;
	char *text = sg_metrics_text(m, &len), *at;

	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	at = strstr(text, line);
	if (!at != !there)
		fail_msg("%s \"%s\" in\n%s", there ? "no" : "there is", line, text);
	free(text);
}

static void the_names_of_the_specification(void **state)
{
	struct sg_metrics *m = fresh();

	sg_metrics_syscalls(m, "python", SG_METRIC_ALLOWED, 40);
	sg_metrics_syscalls(m, "python", SG_METRIC_ALLOWED, 2);
	sg_metrics_violation(m, "python", "ptrace");
	sg_metrics_violation(m, "python", "ptrace");
	sg_metrics_processes(m, "python", 3);
	expect(m, "\nebpf_syscalls_total{language=\"python\",action=\"allowed\"} 42\n", true);
	expect(m, "\nebpf_syscalls_total{language=\"python\",action=\"violation\"} 0\n", true);
	expect(m, "\nebpf_syscall_violations_total{language=\"python\",syscall=\"ptrace\"} 2\n", true);
	expect(m, "\nebpf_monitored_processes{language=\"python\"} 3\n", true);
	expect(m, "# TYPE ebpf_syscalls_total counter\n", true);
	expect(m, "# TYPE ebpf_monitored_processes gauge\n", true);
	expect(m, "language=\"other\"", false);
	expect(m, "sandgate_build_info{version=\"1.2.3\"} 1\n", true);
	sg_metrics_processes_reset(m);
	expect(m, "\nebpf_monitored_processes{language=\"python\"} 0\n", true);
	sg_metrics_free(m);
}

static void every_family_is_described_once(void **state)
{
	struct sg_metrics *m = fresh();
	size_t len, families = 0;
	char *text = sg_metrics_text(m, &len);

	for (char *p = text; (p = strstr(p, "# TYPE ")); p++) {
		char name[128], again[160];

		families++;
		assert_int_equal(sscanf(p, "# TYPE %127s", name), 1);
		snprintf(again, sizeof(again), "# TYPE %s ", name);
		assert_null(strstr(p + 1, again));
	}
	assert_true(families > 15);
	free(text);
	sg_metrics_free(m);
}

static void series_are_bounded(void **state)
{
	struct sg_metrics *m = fresh();
	size_t len, lines = 0;
	char *text;

	for (int i = 0; i < 5000; i++) {
		char name[128];

		snprintf(name, sizeof(name), "lang\"\\\n%d", i);
		sg_metrics_syscalls(m, name, SG_METRIC_DENIED, 1);
		sg_metrics_violation(m, name, name);
		snprintf(name, sizeof(name), "class%d", i);
		sg_metrics_object_violation(m, "python", name);
		memset(name, 'x', sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		sg_metrics_syscalls(m, name, SG_METRIC_DENIED, 1);
	}
	text = sg_metrics_text(m, &len);
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(lines < 64 * 5 + 32 + 100);
	assert_non_null(strstr(text, "{language=\"lang\\\"\\\\\\n0\",action=\"denied\"} 1\n"));
	assert_non_null(strstr(text, "{language=\"lang\\\"\\\\\\n0\",syscall=\"other\"} 1\n"));
	free(text);
	expect(m, "sandgate_object_violations_total{language=\"other\",class=\"other\"}", false);
	expect(m, "ebpf_syscalls_total{language=\"other\",action=\"denied\"} 9938\n", true);
	sg_metrics_free(m);
}

static void latency_buckets_add_up(void **state)
{
	struct sg_metrics *m = fresh();

	sg_metrics_kill_latency(m, 50000);
	sg_metrics_kill_latency(m, 50001);
	sg_metrics_kill_latency(m, 3000000000ULL);
	expect(m, "sandgate_kill_latency_seconds_bucket{le=\"5e-05\"} 1\n", true);
	expect(m, "sandgate_kill_latency_seconds_bucket{le=\"0.0001\"} 2\n", true);
	expect(m, "sandgate_kill_latency_seconds_bucket{le=\"1\"} 2\n", true);
	expect(m, "sandgate_kill_latency_seconds_bucket{le=\"+Inf\"} 3\n", true);
	expect(m, "sandgate_kill_latency_seconds_sum 3.000100001\n", true);
	expect(m, "sandgate_kill_latency_seconds_count 3\n", true);
	sg_metrics_free(m);
}

/* ---- the endpoint ---- */

static bool is_ready;

static char *text_of(void *ctx, size_t *len)
{
	return sg_metrics_text(ctx, len);
}

static bool ready(void *ctx, char *why, size_t size)
{
	snprintf(why, size, "no BPF programs are loaded");
	return is_ready;
}

static struct sg_http *serve(struct sg_metrics *m)
{
	const struct sg_http_handlers handlers = {.metrics = text_of, .ready = ready, .ctx = m};
	struct sg_http *h = NULL;
	struct sg_err err = {0};

	if (sg_http_start(&h, "127.0.0.1", 0, &handlers, &err))
		fail_msg("%s", err.message);
	assert_true(sg_http_port(h) > 0);
	assert_true(sg_http_fd(h) >= 0);
	return h;
}

static int connected(const struct sg_http *h)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(sg_http_port(h))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Sends a request and runs the server until the connection ends or 2 s are over. Returns the length of the answer. */
static size_t exchange(struct sg_http *h, const char *request, size_t n, char *out, size_t size)
{
	int fd = connected(h);
	size_t got = 0;

	assert_int_equal(send(fd, request, n, MSG_NOSIGNAL), (ssize_t)n);
	for (int i = 0; i < 200; i++) {
		struct pollfd p[2] = {{.fd = sg_http_fd(h), .events = POLLIN}, {.fd = fd, .events = POLLIN}};
		ssize_t r;

		poll(p, 2, 10);
		sg_http_run(h);
		if (!(p[1].revents & (POLLIN | POLLHUP)))
			continue;
		r = recv(fd, out + got, size - 1 - got, MSG_DONTWAIT);
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	close(fd);
	out[got] = '\0';
	return got;
}

static void get(struct sg_http *h, const char *what, const char *status, const char *body)
{
	static char out[65536];
	char request[256];
	int n = snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", what);

	exchange(h, request, (size_t)n, out, sizeof(out));
	if (strncmp(out, status, strlen(status)) || !strstr(out, body))
		fail_msg("%s: %s", what, out);
}

static void endpoints(void **state)
{
	struct sg_metrics *m = fresh();
	struct sg_http *h = serve(m);

	sg_metrics_add(m, SG_METRIC_LAUNCHES, 7);
	get(h, "GET /metrics", "HTTP/1.1 200", "sandgate_launches_total{result=\"ok\"} 7\n");
	get(h, "HEAD /metrics", "HTTP/1.1 200", "version=0.0.4");
	get(h, "GET /healthz", "HTTP/1.1 200", "ok\n");
	is_ready = false;
	get(h, "GET /readyz", "HTTP/1.1 503", "no BPF programs are loaded\n");
	is_ready = true;
	get(h, "GET /readyz", "HTTP/1.1 200", "ok\n");
	get(h, "GET /etc/passwd", "HTTP/1.1 404", "there are /metrics");
	get(h, "DELETE /metrics", "HTTP/1.1 405", "Allow: GET, HEAD");
	sg_http_stop(h);
	sg_metrics_free(m);
}

static void garbage_costs_a_connection_and_no_more(void **state)
{
	static char big[70000], out[4096];
	struct sg_metrics *m = fresh();
	struct sg_http *h = serve(m);

	memset(big, 'A', sizeof(big));
	exchange(h, big, 20000, out, sizeof(out));
	exchange(h, "\0\1\2\r\n\r\n", 7, out, sizeof(out));
	exchange(h, "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 45, out, sizeof(out));
	get(h, "GET /healthz", "HTTP/1.1 200", "ok\n");
	sg_http_stop(h);
	sg_metrics_free(m);
}

/* As an event loop does: only when there is something to do. */
static void run_when_due(struct sg_http *h)
{
	struct pollfd p = {.fd = sg_http_fd(h), .events = POLLIN};

	for (int i = 0; i < 1000; i++) {
		int due = sg_http_timeout(h);

		if (poll(&p, 1, due >= 0 && due < 100 ? due : 100) == 0 && (due < 0 || due > 100))
			return;
		sg_http_run(h);
	}
}

static void answers_soon(struct sg_http *h)
{
	static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
	int fd = connected(h);
	char out[64] = "";

	assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(request) - 1);
	run_when_due(h);
	assert_true(recv(fd, out, sizeof(out) - 1, MSG_DONTWAIT) > 0);
	assert_memory_equal(out, "HTTP/1.1 200", 12);
	close(fd);
}

static void it_listens_again_after_its_limit(void **state)
{
	struct sg_metrics *m = fresh();
	struct sg_http *h = serve(m);
	int fds[64];

	for (size_t i = 0; i < 64; i++) {
		fds[i] = connected(h);
		sg_http_run(h);
	}
	for (size_t i = 0; i < 64; i++)
		close(fds[i]);
	run_when_due(h);
	answers_soon(h);
	sg_http_stop(h);
	sg_metrics_free(m);
}

/* Each byte renews the time that they may be idle; those that do not read what they asked for hold a place, too. */
static void the_slow_hold_nobody_up(void **state)
{
	static const char *const said[] = {"G", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET", ""};
	struct sg_metrics *m = fresh();
	struct sg_http *h = serve(m);
	int fds[210];

	for (size_t i = 0; i < 210; i++) {
		fds[i] = connected(h);
		(void)send(fds[i], said[i % 3], strlen(said[i % 3]), MSG_NOSIGNAL);
		sg_http_run(h);
		if (i == 70)
			answers_soon(h);
	}
	answers_soon(h);
	for (size_t i = 0; i < 210; i++)
		close(fds[i]);
	answers_soon(h);
	sg_http_stop(h);
	sg_metrics_free(m);
}

static void errors_say_what_to_do(void **state)
{
	struct sg_metrics *m = fresh();
	struct sg_http *h = serve(m), *second = NULL;
	const struct sg_http_handlers handlers = {.metrics = text_of, .ready = ready, .ctx = m};
	struct sg_err err = {0};
	char text[256];

	assert_int_equal(sg_http_start(&second, "127.0.0.1", sg_http_port(h), &handlers, &err), -EADDRINUSE);
	snprintf(text, sizeof(text),
		 "cannot serve metrics on 127.0.0.1 port %u: Address already in use; another program has it "
		 "(node-exporter's default is 9100 too): choose another with --metrics-port, or 0 for none",
		 sg_http_port(h));
	assert_string_equal(err.message, text);
	sg_err_reset(&err);
	assert_int_equal(sg_http_start(&second, "localhost", 0, &handlers, &err), -EINVAL);
	assert_string_equal(err.message,
			    "the metrics address localhost is no IPv4 or IPv6 address; use 127.0.0.1, ::1, "
			    "0.0.0.0 …");
	assert_null(second);
	sg_http_stop(h);
	sg_metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_names_of_the_specification),
		cmocka_unit_test(every_family_is_described_once),
		cmocka_unit_test(series_are_bounded),
		cmocka_unit_test(latency_buckets_add_up),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(garbage_costs_a_connection_and_no_more),
		cmocka_unit_test(it_listens_again_after_its_limit),
		cmocka_unit_test(the_slow_hold_nobody_up),
		cmocka_unit_test(errors_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
