// SPDX-License-Identifier: Apache-2.0
/*
 * What one operation costs without LSM programs, outside every sandbox while they are attached, and inside one: ratios
 * of instructions, to be run in a guest whose clock counts them:
 *   tests/vm/run 6.12 --icount -- BUILD/tests/lsm/lsm_cost [only]
 * only: the programs know their one sandbox, as a launch without the daemon has them. Checks the bounds for opening and
 * closing a file five folders deep. Each side sits in a cgroup of its own, next to the other, as services do on a host,
 * and is compared with itself. Other processes run in between and are counted with it: so many short rounds, those of
 * the two sides in turn, and the shortest of each. What a process does first is cheaper than it ever is again (59
 * instructions for opening a file, with programs or without): so all is done once before it counts.
 */
#include "policy/policy.h"
#include "supervisor/bpf.h"
#include "supervisor/cgroup.h"
#include "supervisor/places.h"
#include "supervisor/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 100
#define OUTSIDE_MOST 1.03
#define INSIDE_MOST 1.25
#define DIR "/dev/shm/lsm-cost"
#define PROGRAM DIR "/program"

#define FOLDERS 5
#define FOLDERS_DEEP 40

static char file[256], deep[256];

/* Operations return 0, or -1 where one did not do what it is to do. */

static int open_this(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int open_close(void)
{
	return open_this(file);
}

static int open_deep(void)
{
	return open_this(deep);
}

static int connect_refused(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno != ECONNREFUSED)
		return -1;
	return close(fd);
}

static int map_code(void)
{
	int fd = open(PROGRAM, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (at == MAP_FAILED || munmap(at, 4096))
		return -1;
	return close(fd);
}

static int execute(void)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execl(PROGRAM, "lsm_cost", "nothing", NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static const struct {
	const char *name;
	int (*op)(void);
	int times;
} ops[] = {{"open_close", open_close, 50},
	   {"open_deep", open_deep, 25},
	   {"connect", connect_refused, 13},
	   {"mmap", map_code, 25},
	   {"exec", execute, 2}};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

/* Nanoseconds, 0: it failed. */
static double measure(size_t i)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int n = 0; n < ops[i].times; n++)
		if (ops[i].op())
			return 0;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / ops[i].times;
}

/* A process that measures what it is told. */
struct worker {
	const char *where;
	pid_t pid;
	int to, from;
};

static int worker_start(struct worker *w)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		return -1;
	w->pid = fork();
	if (w->pid == 0) {
		size_t op;

		close(to[1]);
		close(from[0]);
		while (read(to[0], &op, sizeof(op)) == (ssize_t)sizeof(op)) {
			double took = measure(op);

			if (write(from[1], &took, sizeof(took)) != (ssize_t)sizeof(took))
				break;
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	w->to = to[1];
	w->from = from[0];
	return w->pid < 0 ? -1 : 0;
}

static int worker_measure(const struct worker *w, size_t op, double *least)
{
	double took;

	if (write(w->to, &op, sizeof(op)) != (ssize_t)sizeof(op) ||
	    read(w->from, &took, sizeof(took)) != (ssize_t)sizeof(took) || took == 0) {
		fprintf(stderr, "%s failed in the process that is %s\n", ops[op].name, w->where);
		return -1;
	}
	if (*least == 0 || took < *least)
		*least = took;
	return 0;
}

static void worker_stop(const struct worker *w)
{
	close(w->to);
	close(w->from);
	waitpid(w->pid, NULL, 0);
}

static int copy_self(void)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(PROGRAM, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755), rc = from < 0 || to < 0;
	ssize_t n;

	while (!rc && (n = sendfile(to, from, NULL, 1U << 20)) != 0)
		rc = n < 0;
	close(from);
	close(to);
	return rc;
}

/* A file so many folders below DIR. */
static int make_file(char *path, size_t size, int folders)
{
	size_t n = (size_t)snprintf(path, size, "%s", DIR);
	int fd;

	for (int i = 0; i < folders; i++) {
		n += (size_t)snprintf(path + n, size - n, "/d");
		(void)mkdir(path, 0755);
	}
	snprintf(path + n, size - n, "/file");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : close(fd);
}

static int prepare(void)
{
	(void)mkdir(DIR, 0755);
	return make_file(file, sizeof(file), FOLDERS) || make_file(deep, sizeof(deep), FOLDERS_DEEP) || copy_self();
}

/* Of each operation: outside, inside. */
typedef double sides[N_OPS][2];

static int measure_all(const struct worker w[2], sides least)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < N_OPS * ROUNDS * 2; i++)
		rc = worker_measure(&w[i % 2], i / 2 / ROUNDS, &least[i / 2 / ROUNDS][i % 2]);
	return rc;
}

static int report(sides bare, sides with)
{
	int failed = with[0][0] > OUTSIDE_MOST * bare[0][0];

	failed += with[0][1] > INSIDE_MOST * bare[0][1];
	for (size_t i = 0; i < N_OPS; i++)
		printf("%-11s outside %7.0f instructions %.4f, inside %7.0f instructions %.4f\n", ops[i].name,
		       bare[i][0], with[i][0] / bare[i][0], bare[i][1], with[i][1] / bare[i][1]);
	printf("%s: outside at most %.2f, inside at most %.2f: %s\n", ops[0].name, OUTSIDE_MOST, INSIDE_MOST,
	       failed ? "FAIL" : "ok");
	printf("%d passed, %d failed\n", 2 - failed, failed);
	return failed != 0;
}

static int die(const struct sg_err *err)
{
	fprintf(stderr, "%s\n", err->message);
	return 1;
}

int main(int argc, char **argv)
{
	static const char rules[] = "t: {inherit: [\"builtin:compiled\"], allow: [execve], files: {read: [" DIR
				    "]}, exec: {allow: [" DIR "], max: 10000}, net: {allow: [loopback, \"tcp *:9\"]}}";
	struct sg_bpf_opts opts = {.programs = SG_BPF_KILLS | SG_BPF_LSM, .max_sandboxes = 64};
	struct sg_sandbox cfg = {.flags = SG_SANDBOX_ENFORCE};
	struct worker w[2] = {{.where = "outside"}, {.where = "inside"}};
	sides bare = {0}, with = {0};
	const struct sg_place_vars vars = {0};
	struct sg_places places = {0};
	const struct sg_tree *trees;
	struct sg_policy *policy;
	struct sg_err err = {0};
	struct sg_cgroup parent, cg[2];
	struct sg_doc *doc;
	struct sg_bpf *b;
	uint32_t index;
	char text[32];
	size_t n;
	int rc = 0;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	if (prepare() || worker_start(&w[0]) || worker_start(&w[1])) {
		perror("cannot prepare");
		return 1;
	}
	if (sg_doc_parse("cost", rules, sizeof(rules) - 1, &doc, &err) || sg_policy_resolve(doc, "t", &policy, &err))
		return die(&err);
	trees = sg_policy_trees(policy, &n);
	if (sg_places_open(&places, trees, n, &vars, &err) || sg_cgroup_parent(&parent, "lsm-cost", &err))
		return die(&err);
	for (int i = 0; i < 2; i++) {
		if (sg_cgroup_create_below(&cg[i], &parent, w[i].where, &err))
			return die(&err);
		snprintf(text, sizeof(text), "%d", w[i].pid);
		rc |= sg_write_file(cg[i].dirfd, "cgroup.procs", text);
	}
	if (!rc)
		rc = measure_all(w, with);
	memset(with, 0, sizeof(with));
	if (!rc)
		rc = measure_all(w, bare);
	if (argc > 1) {
		opts.only_cgroup = cg[1].id;
		opts.only_level = cg[1].level;
		opts.max_sandboxes = 1;
	}
	cfg.cgroup_id = cg[1].id;
	if (sg_bpf_open(&opts, &b, &err) || sg_bpf_attach(b, &err) ||
	    sg_bpf_add_sandbox(b, &cfg, cg[1].level, &index, &err) ||
	    sg_bpf_set_objects(b, index, sg_policy_objects(policy), &places, &err))
		return die(&err);
	if (!rc)
		rc = measure_all(w, with);
	worker_stop(&w[1]); /* it holds the other's pipes, too */
	worker_stop(&w[0]);
	if (rc)
		printf("0 passed, 1 failed\n");
	else
		rc = report(bare, with);
	sg_bpf_close(b);
	for (int i = 0; i < 2; i++)
		(void)sg_cgroup_remove(&cg[i]);
	(void)sg_cgroup_remove(&parent);
	return rc != 0;
}
