// SPDX-License-Identifier: Apache-2.0
/*
 * What one operation costs without LSM programs, outside every sandbox while they are attached, and inside one: ratios,
 * medians of several rounds. To be run in a guest whose clock counts instructions:
 *   tests/vm/run 6.12 --icount -- BUILD/tests/lsm/lsm_cost [only]
 * only: the programs know their one sandbox, as a launch without the daemon has them.
 */
#include "policy/policy.h"
#include "supervisor/bpf.h"
#include "supervisor/cgroup.h"
#include "supervisor/places.h"
#include "supervisor/util.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9

static char file[256];

static void open_close(void)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

static void connect_refused(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
}

static void map_code(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (at != MAP_FAILED)
		munmap(at, 4096);
	close(fd);
}

static void execute(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/proc/self/exe", "lsm_cost", "nothing", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double measure(void (*op)(void), int times)
{
	double round[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < times; i++)
			op();
		clock_gettime(CLOCK_MONOTONIC, &b);
		round[r] = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / times;
	}
	qsort(round, ROUNDS, sizeof(round[0]), ascending);
	return round[ROUNDS / 2];
}

static const struct {
	const char *name;
	void (*op)(void);
	int times;
} ops[] = {{"open_close", open_close, 2000},
	   {"connect", connect_refused, 300},
	   {"mmap", map_code, 1000},
	   {"exec", execute, 20}};
#define N_OPS (sizeof(ops) / sizeof(ops[0]))

static void measure_all(double *out)
{
	for (size_t i = 0; i < N_OPS; i++)
		out[i] = measure(ops[i].op, ops[i].times);
}

static int die(const struct sg_err *err)
{
	fprintf(stderr, "%s\n", err->message);
	return 1;
}

/* The measurements of a child that is moved into the cgroup. */
static int measure_inside(const struct sg_cgroup *cg, double *out)
{
	int fds[2], status = 0;
	pid_t pid;

	if (pipe(fds))
		return 1;
	pid = fork();
	if (pid == 0) {
		char text[32];
		double inside[N_OPS];

		snprintf(text, sizeof(text), "%d", getpid());
		if (sg_write_file(cg->dirfd, "cgroup.procs", text))
			_exit(1);
		measure_all(inside);
		_exit(write(fds[1], inside, sizeof(inside)) != sizeof(inside));
	}
	close(fds[1]);
	if (read(fds[0], out, sizeof(*out) * N_OPS) != (ssize_t)(sizeof(*out) * N_OPS))
		status = 1;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return status;
}

int main(int argc, char **argv)
{
	static const char dir[] = "/dev/shm/lsm-cost";
	struct sg_bpf_opts opts = {.programs = SG_BPF_KILLS | SG_BPF_LSM};
	struct sg_sandbox cfg = {.flags = SG_SANDBOX_ENFORCE};
	double bare[N_OPS], outside[N_OPS], inside[N_OPS];
	const struct sg_place_vars vars = {0};
	const struct sg_objects *objects;
	const struct sg_tree *trees;
	struct sg_places places = {0};
	struct sg_policy *policy;
	struct sg_err err = {0};
	struct sg_cgroup cg;
	struct sg_doc *doc;
	struct sg_bpf *b;
	uint32_t index;
	char text[1024];
	size_t n;
	int fd;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	snprintf(text, sizeof(text), "%s", dir);
	(void)mkdir(text, 0755);
	for (const char *c = "abcde"; *c; c++) {
		n = strlen(text);
		snprintf(text + n, sizeof(text) - n, "/%c", *c);
		(void)mkdir(text, 0755);
	}
	snprintf(file, sizeof(file), "%s/file", text);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return 1;
	close(fd);
	measure_all(bare);

	n = (size_t)snprintf(text, sizeof(text),
			     "t: {inherit: [\"builtin:compiled\"], allow: [execve], files: {read: [%s]}, exec: {allow: "
			     "[/usr, /lib, /lib64, "
			     "/tmp, /dev/shm]}, net: {allow: [loopback, \"tcp *:9\"]}}",
			     dir);
	if (sg_doc_parse("cost", text, n, &doc, &err) || sg_policy_resolve(doc, "t", &policy, &err))
		return die(&err);
	objects = sg_policy_objects(policy);
	trees = sg_policy_trees(policy, &n);
	if (sg_places_open(&places, trees, n, &vars, &err) || sg_cgroup_create(&cg, &err))
		return die(&err);
	if (argc > 1) {
		opts.only_cgroup = cg.id;
		opts.only_level = cg.level;
		opts.objects = objects;
	}
	cfg.cgroup_id = cg.id;
	if (sg_bpf_open(&opts, &b, &err) || sg_bpf_attach(b, &err) ||
	    sg_bpf_add_sandbox(b, &cfg, cg.level, &index, &err) || sg_bpf_set_objects(b, index, objects, &places, &err))
		return die(&err);
	measure_all(outside);
	if (measure_inside(&cg, inside))
		fprintf(stderr, "the child inside did not come to its end\n");
	for (size_t i = 0; i < N_OPS; i++)
		printf("%-11s bare %7.0f ns, outside %.3f, inside %.3f\n", ops[i].name, bare[i], outside[i] / bare[i],
		       inside[i] / bare[i]);
	sg_bpf_close(b);
	(void)sg_cgroup_remove(&cg);
	return 0;
}
