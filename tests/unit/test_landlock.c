// SPDX-License-Identifier: Apache-2.0
/* Object rules as a Landlock domain: a child enters it and reports what it can still do. */
#include "supervisor/landlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define READ SG_RIGHT_READ
#define FULL (SG_RIGHT_READ | SG_RIGHT_WRITE | SG_RIGHT_CREATE | SG_RIGHT_DELETE)

static char root[PATH_MAX];

/* What lies in root: directories open/ and shut/ and in/, each with a file f; in/deep/f; in/g. */
static const char *const dirs[] = {"open", "shut", "in", "in/deep", "in/deep/est"};
static const char *const files[] = {"open/f", "shut/f", "in/f", "in/g", "in/deep/f", "in/deep/est/f"};

static void path_of(char out[PATH_MAX], const char *name)
{
	assert_true(snprintf(out, PATH_MAX, "%s/%s", root, name) < PATH_MAX);
}

static int set_up(void **state)
{
	char path[PATH_MAX], real[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/sandgate-landlock.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(path) || !realpath(path, real))
		return -1;
	memcpy(root, real, sizeof(root));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		path_of(path, dirs[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		path_of(path, files[i]);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
		if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12 || close(fd))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	char path[PATH_MAX];

	for (size_t i = sizeof(files) / sizeof(files[0]); i--;) {
		path_of(path, files[i]);
		(void)unlink(path);
	}
	for (size_t i = sizeof(dirs) / sizeof(dirs[0]); i--;) {
		path_of(path, dirs[i]);
		(void)rmdir(path);
	}
	return rmdir(root);
}

/* Nothing is confined but what confine names. */
static struct sg_objects objects(uint32_t confine)
{
	struct sg_objects o = {.size = sizeof(o), .version = SG_OBJECTS_VERSION, .exec_max = SG_EXEC_UNBOUNDED};

	for (int i = 0; i < SG_CLASS_N; i++)
		o.cls[i] = (struct sg_class_mode){.mode = SG_MODE_ALLOW, .origin = SG_ORIGIN_UNLISTED};
	for (int i = 0; i < SG_N_RIGHTS; i++)
		if (confine & (1U << i))
			o.cls[i].mode = SG_MODE_KILL;
	return o;
}

/* One thing to try in the domain: 'r' read, 'w' write, 't' truncate by name, 'l' list, 'c' create and remove, 'x'
 * execute (or not EACCES), 'C' connect to a port, 'B' bind to one. */
struct attempt {
	char what;
	const char *name;
	bool works;
};

static int try_port(char what, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rc = what == 'C' ? connect(fd, (struct sockaddr *)&a, sizeof(a)) : bind(fd, (struct sockaddr *)&a, sizeof(a));
	rc = rc < 0 && errno == EACCES ? -1 : 0;
	close(fd);
	return rc;
}

static int attempt(const struct attempt *a)
{
	char path[PATH_MAX];
	int fd = -1;

	if (a->what == 'C' || a->what == 'B')
		return try_port(a->what, a->name);
	if (a->name[0] == '/')
		snprintf(path, sizeof(path), "%s", a->name);
	else
		path_of(path, a->name);
	switch (a->what) {
	case 'r':
		fd = open(path, O_RDONLY | O_CLOEXEC);
		break;
	case 'w':
		fd = open(path, O_WRONLY | O_CLOEXEC);
		break;
	case 'l':
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		break;
	case 't':
		return truncate(path, 12);
	case 'c':
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)unlink(path);
		break;
	case 'x':
		execl(path, path, (char *)NULL);
		return errno == EACCES ? -1 : 0;
	default:
		return -1;
	}
	if (fd >= 0)
		close(fd);
	return fd;
}

static void in_domain(const struct sg_landlock *l, const struct attempt *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sg_landlock_enforce(l))
				_exit(99);
			_exit(attempt(&list[i]) < 0 ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != (list[i].works ? 0 : 1))
			fail_msg("%c %s: status %x, expected %s", list[i].what, list[i].name, (unsigned)status,
				 list[i].works ? "success" : "refusal");
	}
}

struct rules {
	struct sg_objects o;
	struct sg_tree trees[8];
	size_t n;
	struct sg_landlock_rules r;
	struct sg_places places;
	struct sg_landlock l;
};

/* Builds; skips where the kernel has less than abi. */
static void build(struct rules *r, int abi)
{
	struct sg_place_vars vars = {.cwd = root, .no_mounts = true};
	struct sg_err err = {0};

	if (sg_places_open(&r->places, r->trees, r->n, &vars, &err))
		fail_msg("%s", err.message);
	r->r.objects = &r->o;
	r->r.places = &r->places;
	if (!r->r.cgroup_dir)
		r->r.cgroup_dir = "";
	if (sg_landlock_build(&r->l, &r->r, &err)) {
		sg_places_close(&r->places);
		if (err.code == EOPNOTSUPP)
			skip();
		fail_msg("%s", err.message);
	}
	if (r->l.abi < abi) {
		close(r->l.fd);
		sg_places_close(&r->places);
		skip();
	}
}

static void done(struct rules *r)
{
	close(r->l.fd);
	sg_places_close(&r->places);
}

static bool has_gap(const struct sg_landlock *l, bool asked, const char *begin)
{
	for (unsigned i = 0; i < l->n_gaps; i++)
		if (l->gaps[i].asked == asked && !strncmp(l->gaps[i].text, begin, strlen(begin)))
			return true;
	return false;
}

#define TRY(r, ...)                                                                                                    \
	do {                                                                                                           \
		const struct attempt list_[] = {__VA_ARGS__};                                                          \
		in_domain(&(r)->l, list_, sizeof(list_) / sizeof(list_[0]));                                           \
	} while (0)

static void without_rules_files_stay_open(void **state)
{
	struct rules r = {.o = objects(0)};

	build(&r, 2);
	assert_false(r.l.files);
	assert_int_equal(r.l.n_gaps, 0);
	TRY(&r, {'r', "shut/f", true}, {'w', "shut/f", true}, {'c', "new", true}, {'r', "/proc/1/comm", true},
	    {'w', "/proc/self/comm", false}, {'w', "/dev/null", true}, {'x', "in/f", true});
	done(&r);
}

static void trees_give_rights(void **state)
{
	struct rules r = {.o = objects(SG_RIGHTS),
			  .trees = {{"$CWD/open", {.allow = FULL}},
				    {"$CWD/in", {.allow = READ}},
				    {"$CWD/in/g", {.allow = SG_RIGHT_WRITE}},
				    {"$CWD/in/deep", {.allow = FULL}},
				    {"$CWD/open/f", {.allow = SG_RIGHT_EXEC}}},
			  .n = 5};

	build(&r, 3);
	assert_true(r.l.files);
	TRY(&r, {'r', "open/f", true}, {'w', "open/f", true}, {'c', "open/new", true}, {'l', "open", true},
	    {'t', "open/f", true}, {'r', "shut/f", false}, {'w', "shut/f", false}, {'c', "shut/new", false},
	    {'l', "shut", false}, {'t', "shut/f", false}, {'c', "new", false}, {'l', "", false}, {'r', "in/f", true},
	    {'w', "in/f", false}, {'t', "in/f", false}, {'c', "in/new", false}, {'w', "in/g", true},
	    {'r', "in/g", true}, {'c', "in/deep/new", true}, {'x', "in/f", false}, {'r', "/etc/passwd", false},
	    {'r', "/proc/self/status", false});
	assert_true(has_gap(&r.l, false, "record: "));
	assert_true(has_gap(&r.l, false, "map: "));
	done(&r);
}

static void what_is_denied_is_gone_around(void **state)
{
	struct rules r = {.o = objects(READ | SG_RIGHT_WRITE),
			  .trees = {{"$CWD", {.allow = READ | SG_RIGHT_WRITE}},
				    {"$CWD/in/deep", {.deny = SG_RIGHTS}},
				    {"$CWD/in/g", {.deny = SG_RIGHTS}},
				    {"$CWD/in/deep/est", {.allow = READ}}},
			  .n = 4};

	build(&r, 2);
	TRY(&r, {'r', "open/f", true}, {'w', "open/f", true}, {'l', "open", true}, {'r', "in/f", true},
	    {'w', "in/f", true}, {'r', "in/g", false}, {'w', "in/g", false}, {'r', "in/deep/f", false},
	    {'w', "in/deep/f", false}, {'l', "in/deep", false}, {'r', "in/deep/est/f", true},
	    {'w', "in/deep/est/f", false}, {'l', "in", false});
	assert_true(has_gap(&r.l, true, "deny: nothing can be made or listed in the directories from /"));
	done(&r);
}

static void a_denial_alone_leaves_the_rest_open(void **state)
{
	struct rules r = {.o = objects(0), .trees = {{"$CWD/shut", {.deny = SG_RIGHTS}}}, .n = 1};

	build(&r, 2);
	TRY(&r, {'r', "shut/f", false}, {'w', "shut/f", false}, {'r', "open/f", true}, {'c', "open/new", true},
	    {'r', "/etc/passwd", true}, {'x', "in/f", true}, {'x', "shut/f", false});
	done(&r);
}

static void the_kernels_own_is_never_written(void **state)
{
	struct rules r = {.o = objects(FULL), .trees = {{"/", {.allow = FULL}}, {"/sys", {.allow = FULL}}}, .n = 2};

	build(&r, 2);
	TRY(&r, {'w', "/proc/self/comm", false}, {'w', "/sys/kernel/mm/transparent_hugepage/enabled", false},
	    {'r', "/proc/self/comm", true}, {'r', "/sys/kernel/mm/transparent_hugepage/enabled", true},
	    {'w', "/dev/null", true}, {'w', "open/f", true}, {'c', "open/new", true});
	assert_true(has_gap(&r.l, true, "write: /sys is the kernel's"));
	done(&r);
	r.r.cgroup_dir = root; /* as if the cgroup file system were mounted there */
	build(&r, 2);
	TRY(&r, {'w', "open/f", false}, {'r', "open/f", true});
	done(&r);
}

static void own_processes_in_proc(void **state)
{
	struct rules r = {.o = objects(READ), .trees = {{"/proc/self", {.allow = READ}}}, .n = 1};

	build(&r, 2);
	TRY(&r, {'r', "/proc/self/status", true}, {'l', "/proc/self/task", true}, {'r', "/proc/1/comm", false},
	    {'l', "/proc", false});
	done(&r);
	r.r.forks = true;
	build(&r, 2);
	TRY(&r, {'r', "/proc/self/status", true}, {'r', "/proc/1/comm", true});
	assert_true(has_gap(&r.l, false, "trace: "));
	done(&r);
}

static void own_processes_are_denied_inside_what_is_open(void **state)
{
	struct rules r = {.o = objects(READ),
			  .trees = {{"/", {.allow = READ}}, {"/proc/self", {.deny = SG_RIGHTS}}},
			  .r = {.forks = true},
			  .n = 2};

	build(&r, 2);
	TRY(&r, {'r', "/proc/self/status", false}, {'l', "/proc/self/task", false}, {'r', "/proc/1/comm", false},
	    {'r', "/proc/meminfo", true}, {'r', "/proc/sys/kernel/ostype", true}, {'r', "open/f", true});
	assert_true(has_gap(&r.l, true, "deny: nothing can be made or listed in the directories from /"));
	done(&r);
	r.trees[0].path = "/proc";
	build(&r, 2);
	TRY(&r, {'r', "/proc/self/status", false}, {'r', "/proc/meminfo", true});
	done(&r);
}

static void older_kernels_do_less_and_say_so(void **state)
{
	struct rules r = {.o = objects(SG_RIGHT_WRITE | SG_RIGHT_CONNECT), .r = {.max_abi = 2, .sockets = true}};

	build(&r, 2);
	assert_int_equal(r.l.abi, 2);
	assert_false(r.l.scopes_signals);
	TRY(&r, {'w', "open/f", false}, {'t', "open/f", true});
	assert_true(has_gap(&r.l, false, "write: every file that the user may write can be truncated"));
	assert_true(has_gap(&r.l, false, "unix: sockets made outside can be connected to by path and by abstract"));
	done(&r);
}

static void ports(void **state)
{
	struct rules r = {.o = objects(0)};

	r.o.cls[SG_CLASS_NET].mode = SG_MODE_ERRNO;
	r.o.families = 1ULL << AF_INET;
	r.o.net[0] = (struct sg_net_rule){
		.protos = SG_NET_TCP, .ops = SG_NET_CONNECT, .port_lo = 7, .port_hi = 8}; /* any address */
	r.o.net[1] = (struct sg_net_rule){.addr = {[10] = 0xff, 0xff, 127},
					  .prefix = 104,
					  .protos = SG_NET_TCP,
					  .ops = SG_NET_CONNECT | SG_NET_BIND,
					  .port_lo = 0,
					  .port_hi = 65535};
	r.o.n_net = 2;
	build(&r, 4);
	TRY(&r, {'C', "7", true}, {'C', "8", true}, {'C', "9", false}, {'B', "7", false}, {'B', "0", false});
	assert_true(has_gap(&r.l, true, "net: what is allowed only to some addresses is refused"));
	done(&r);
	r.o.net[1].prefix = 96; /* all of IPv4, and no IPv6 socket can be made */
	build(&r, 4);
	TRY(&r, {'C', "9", true}, {'B', "0", true});
	assert_false(has_gap(&r.l, true, "net: what is allowed only to some"));
	done(&r);
	/* UDP, of which older kernels know nothing: where it is refused in another way, that is said, too. */
	r.o.net[1].prefix = 104;
	r.o.net[1].protos = SG_NET_UDP;
	r.r.max_abi = 9;
	build(&r, 4);
	assert_false(has_gap(&r.l, true, "net: what is allowed only to some"));
	done(&r);
	r.r.no_udp = true;
	build(&r, 4);
	assert_true(has_gap(&r.l, true, "net: what is allowed only to some addresses is refused"));
	done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_files_stay_open),
		cmocka_unit_test(trees_give_rights),
		cmocka_unit_test(what_is_denied_is_gone_around),
		cmocka_unit_test(a_denial_alone_leaves_the_rest_open),
		cmocka_unit_test(the_kernels_own_is_never_written),
		cmocka_unit_test(own_processes_in_proc),
		cmocka_unit_test(own_processes_are_denied_inside_what_is_open),
		cmocka_unit_test(older_kernels_do_less_and_say_so),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
