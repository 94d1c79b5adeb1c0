// SPDX-License-Identifier: Apache-2.0
/* Loads and attaches the BPF object, and turns what goes wrong into a sentence. */
#include "supervisor/bpf_priv.h"
#include "bpf/sg.skel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define KERNEL(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8)
#define DEFAULT_RING (256 * 1024)
#define DEFAULT_PROCS 10240
#define MAX_PROCS (1U << 20)
#define MAX_RING (1U << 30)

/*
 * libbpf's words during one call: the first line, which names the program or map, and the end, where a verifier log has
 * its reason. libbpf's print function is one for the process and has no argument of ours, hence variables.
 */
static char said_first[200];
static char said_last[1024];

static int print_hook(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	const char *text;
	char *all = NULL;
	size_t n, have;
	int len;

	if (level == LIBBPF_DEBUG)
		return 0;
	len = vasprintf(&all, fmt, ap);
	if (len < 0)
		return 0;
	if (!said_first[0])
		snprintf(said_first, sizeof(said_first), "%.*s", (int)strcspn(all, "\n"), all);
	n = (size_t)len;
	text = all;
	if (n > sizeof(said_last) - 1) {
		text += n - (sizeof(said_last) - 1);
		n = sizeof(said_last) - 1;
	}
	have = strlen(said_last);
	if (have + n > sizeof(said_last) - 1) {
		size_t drop = have + n - (sizeof(said_last) - 1);

		have -= drop;
		memmove(said_last, said_last + drop, have);
	}
	memcpy(said_last + have, text, n);
	said_last[have + n] = '\0';
	free(all);
	return 0;
}

/* Lines of libbpf and of the verifier that say nothing new. */
static bool line_is_noise(const char *line)
{
	static const char *const noise[] = {"processed ",
					    "-- END PROG",
					    "-- BEGIN PROG",
					    "failed to load object",
					    "failed to load BPF skeleton",
					    ": failed to load: "};
	size_t i;

	if (!*line)
		return true;
	for (i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (strstr(line, noise[i]))
			return true;
	return false;
}

/* The last line that says something; cuts said_last up. */
static const char *last_reason(void)
{
	const char *best = "";
	char *save = NULL, *line;

	for (line = strtok_r(said_last, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!line_is_noise(line))
			best = line;
	return strncmp(best, "libbpf: ", 8) == 0 ? best + 8 : best;
}

libbpf_print_fn_t sg_bpf_listen(void)
{
	said_first[0] = said_last[0] = '\0';
	return libbpf_set_print(print_hook);
}

int sg_bpf_load_error(int rc, const char *what, struct sg_err *err)
{
	const char *first = strncmp(said_first, "libbpf: ", 8) == 0 ? said_first + 8 : said_first;
	const char *reason = last_reason(), *advice = "";
	char detail[520] = "";

	if (rc == -EPERM)
		advice = ". This needs root, or CAP_BPF and CAP_PERFMON; before 5.11 also enough locked memory (ulimit "
			 "-l)";
	else if (rc == -ENOSYS)
		advice = ". This kernel is built without bpf(2): CONFIG_BPF_SYSCALL";
	else if (rc == -ENOMEM || rc == -E2BIG)
		advice = ". Fewer sandboxes, fewer tasks or a smaller ring buffer take less kernel memory";
	if (*first && *reason && strcmp(first, reason) != 0)
		snprintf(detail, sizeof(detail), " (%s; %.300s)", first, reason);
	else if (*first)
		snprintf(detail, sizeof(detail), " (%s)", first);
	return sg_err_set(err, -rc, "%s: %s%s%s", what, strerror(-rc), detail, advice);
}

struct attachable {
	struct bpf_program *prog;
	const char *tracepoint;
	uint32_t set; /* SG_BPF_* */
};

/* The running kernel's version; 0 when it has no number. */
static uint32_t kernel_version(void)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > 255 || minor > 255)
		return 0;
	return KERNEL(major, minor);
}

uint32_t sg_bpf_kernel(uint32_t assume)
{
	uint32_t have = kernel_version();

	return assume && assume < have ? assume : have;
}

static int opts_check(const struct sg_bpf_opts *o, struct sg_err *err)
{
	uint32_t ring = o->ring_bytes ? o->ring_bytes : DEFAULT_RING;

	if (!o->programs || o->programs & ~SG_BPF_ALL)
		return sg_err_set(err, EINVAL, "unknown set of BPF programs %#x", o->programs);
	if ((o->programs & SG_BPF_SYS_EXIT) && !(o->programs & SG_BPF_SYS_ENTER))
		return sg_err_set(err, EINVAL,
				  "the sys_exit program completes what sys_enter starts: it needs SYS_ENTER");
	if (o->max_sandboxes > SG_MAX_SANDBOXES)
		return sg_err_set(err, EINVAL, "%u sandboxes: at most %u", o->max_sandboxes, SG_MAX_SANDBOXES);
	if (o->only_cgroup && !o->only_level)
		return sg_bpf_no_depth(err);
	if (o->only_cgroup && (o->max_sandboxes > 1 || o->only_level >= SG_MAX_LEVELS))
		return sg_err_set(err, EINVAL, "the only sandbox: one of one, at a depth of 1 to %u",
				  SG_MAX_LEVELS - 1);
	if (o->max_policies > SG_MAX_POLICIES)
		return sg_err_set(err, EINVAL, "%u policies: at most %u", o->max_policies, SG_MAX_POLICIES);
	if (o->max_procs > MAX_PROCS)
		return sg_err_set(err, EINVAL, "%u tasks: at most %u", o->max_procs, MAX_PROCS);
	if ((ring & (ring - 1)) || ring % (uint32_t)sysconf(_SC_PAGESIZE) || ring > MAX_RING)
		return sg_err_set(err, EINVAL, "ring buffer of %u bytes: a power of two of whole pages, at most %u",
				  ring, MAX_RING);
	return 0;
}

/* Chooses programs and sizes, before load. */
static void configure(struct sg_bpf *b, const struct sg_bpf_opts *o)
{
	struct sg_bpf_skel *s = b->skel;
	bool enter = o->programs & SG_BPF_SYS_ENTER;
	uint32_t kernel = sg_bpf_kernel(o->assume_kernel);

	s->rodata->sg_has_ancestor_id = kernel >= KERNEL(5, 14);
	s->rodata->sg_has_task_btf = kernel >= KERNEL(5, 11);
	s->rodata->sg_has_task_pt_regs = kernel >= KERNEL(5, 15);
	b->kill_by_exit = kernel < KERNEL(5, 16);
	s->rodata->sg_kill_by_exit = b->kill_by_exit && (o->programs & SG_BPF_KILLS);
	s->rodata->sg_with_sys_exit = !!(o->programs & SG_BPF_SYS_EXIT);
	s->rodata->sg_with_procs = enter;
	b->count_only = o->count_only;
	s->rodata->sg_count_only = o->count_only;
	if (o->only_cgroup) {
		b->only_cgroup = s->rodata->sg_only_cgroup = o->only_cgroup;
		b->only_level = s->rodata->sg_only_level = o->only_level;
		bpf_map__set_autocreate(s->maps.sg_slots, false);
	}

	bpf_program__set_autoload(s->progs.sg_test_decide, false);
	bpf_program__set_autoload(s->progs.sg_sys_enter, enter);
	bpf_program__set_autoload(s->progs.sg_sys_exit, o->programs & SG_BPF_SYS_EXIT);
	bpf_program__set_autoload(s->progs.sg_fork, enter);
	bpf_program__set_autoload(s->progs.sg_exec, enter);
	bpf_program__set_autoload(s->progs.sg_exit, enter || s->rodata->sg_kill_by_exit);
	bpf_program__set_autoload(s->progs.sg_signal, (o->programs & SG_BPF_KILLS) && !b->kill_by_exit);

	b->programs = o->programs;
	b->max_sandboxes = o->max_sandboxes ? o->max_sandboxes : 1;
	b->max_policies = o->max_policies ? o->max_policies : 1;
	bpf_map__set_max_entries(s->maps.sg_sandboxes, b->max_sandboxes);
	bpf_map__set_max_entries(s->maps.sg_stats, b->max_sandboxes);
	bpf_map__set_max_entries(s->maps.sg_claims, b->max_sandboxes);
	bpf_map__set_max_entries(s->maps.sg_events, o->ring_bytes ? o->ring_bytes : DEFAULT_RING);
	if (enter) {
		bpf_map__set_max_entries(s->maps.sg_policies, b->max_policies);
		bpf_map__set_max_entries(s->maps.sg_processes, o->max_procs ? o->max_procs : DEFAULT_PROCS);
		s->rodata->sg_with_discover = o->discover;
	} else {
		bpf_map__set_autocreate(s->maps.sg_policies, false);
		if (!s->rodata->sg_kill_by_exit)
			bpf_map__set_autocreate(s->maps.sg_processes, false);
	}
	if (!enter || !o->discover) {
		bpf_map__set_autocreate(s->maps.sg_interpreters, false);
		bpf_map__set_autocreate(s->maps.sg_languages, false);
	}
	b->discover = enter && o->discover;
}

/*
 * Opens the object. *btf_fd: an empty file that libbpf will read type information from at load, so that it need not
 * parse the kernel's own: 2 ms become 0.1. -1 where there is no such file: libbpf then does it the long way.
 */
int sg_bpf_btf_file(char *path, size_t size)
{
	int fd = memfd_create("sandgate-btf", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	snprintf(path, size, "/proc/self/fd/%d", fd);
	if (access(path, R_OK) == 0)
		return fd;
	close(fd);
	return -1;
}

static int object_open(struct sg_bpf *b, int *btf_fd, char *path, size_t path_size, struct sg_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);

	*btf_fd = sg_bpf_btf_file(path, path_size);
	if (*btf_fd >= 0)
		opts.btf_custom_path = path;
	b->skel = sg_bpf_skel__open_opts(&opts);
	if (!b->skel)
		return sg_bpf_load_error(-errno, "cannot open the BPF object", err);
	return 0;
}

int sg_bpf_open(const struct sg_bpf_opts *opts, struct sg_bpf **out, struct sg_err *err)
{
	libbpf_print_fn_t old_print;
	struct sg_bpf *b;
	int btf_fd = -1, rc;
	char path[64];

	rc = opts_check(opts, err);
	if (rc)
		return rc;
	b = calloc(1, sizeof(*b));
	if (!b)
		return sg_err_set(err, ENOMEM, "out of memory");
	old_print = sg_bpf_listen();
	rc = object_open(b, &btf_fd, path, sizeof(path), err);
	if (rc)
		goto out;
	configure(b, opts);
	if (opts->pin) {
		b->pin = strdup(opts->pin);
		rc = b->pin ? sg_bpf_pin_maps(b, b->skel->obj, &b->adopted, err)
			    : sg_err_set(err, ENOMEM, "out of memory");
		if (rc)
			goto out;
	}
	if (btf_fd >= 0) {
		rc = sg_bpf_btf_write(btf_fd, bpf_object__btf(b->skel->obj), opts->btf_cache, NULL, err);
		if (rc)
			goto out;
	}
	rc = sg_bpf_skel__load(b->skel);
	if (rc) {
		rc = sg_bpf_load_error(rc, "cannot load the BPF programs", err);
		goto out;
	}
	rc = sg_bpf_maps_open(b, err);
	if (rc)
		goto out;
	rc = sg_bpf_events_open(b, err);
	if (!rc && (opts->programs & SG_BPF_LSM))
		rc = sg_bpf_lsm_open(b, opts, err);
out:
	libbpf_set_print(old_print);
	if (btf_fd >= 0)
		close(btf_fd);
	if (rc) {
		sg_bpf_close(b);
		return rc;
	}
	*out = b;
	return 0;
}

int sg_bpf_add_lsm(struct sg_bpf *b, const struct sg_bpf_opts *opts, struct sg_err *err)
{
	libbpf_print_fn_t old_print = sg_bpf_listen();
	int rc = sg_bpf_lsm_open(b, opts, err);

	libbpf_set_print(old_print);
	if (rc)
		sg_bpf_lsm_close(b);
	return rc;
}

void sg_bpf_drop_lsm(struct sg_bpf *b)
{
	sg_bpf_lsm_close(b);
}

/* The programs and whose they are. sys_enter last: whatever it leaves pending, the others are there to finish. */
static void attach_list(const struct sg_bpf *b, struct attachable all[SG_BPF_PROGRAMS_MAX])
{
	const struct attachable list[] = {
		{b->skel->progs.sg_signal, "signal_generate", SG_BPF_KILLS},
		{b->skel->progs.sg_exit, "sched_process_exit", b->kill_by_exit ? SG_BPF_KILLS : SG_BPF_SYS_ENTER},
		{b->skel->progs.sg_fork, "sched_process_fork", SG_BPF_SYS_ENTER},
		{b->skel->progs.sg_exec, "sched_process_exec", SG_BPF_SYS_ENTER},
		{b->skel->progs.sg_sys_exit, "sys_exit", SG_BPF_SYS_EXIT},
		{b->skel->progs.sg_sys_enter, "sys_enter", SG_BPF_SYS_ENTER},
	};

	memset(all, 0, sizeof(*all) * SG_BPF_PROGRAMS_MAX);
	memcpy(all, list, sizeof(list));
}

int sg_bpf_attach_set(struct sg_bpf *b, uint32_t programs, struct sg_err *err)
{
	struct attachable all[SG_BPF_PROGRAMS_MAX];
	bool done[SG_BPF_PROGRAMS_MAX] = {false};
	libbpf_print_fn_t old_print;
	int rc = 0;
	size_t i;

	attach_list(b, all);
	old_print = sg_bpf_listen();
	for (i = 0; i < SG_BPF_PROGRAMS_MAX && rc == 0; i++) {
		char what[96];

		if (!all[i].prog || !bpf_program__autoload(all[i].prog) || !(all[i].set & programs) || b->links[i])
			continue;
		b->links[i] = bpf_program__attach_raw_tracepoint(all[i].prog, all[i].tracepoint);
		done[i] = b->links[i];
		if (done[i]) {
			rc = sg_bpf_pin_link(b, b->links[i], bpf_program__name(all[i].prog), err);
			continue;
		}
		rc = -errno;
		snprintf(what, sizeof(what), "cannot attach %s to the tracepoint %s", bpf_program__name(all[i].prog),
			 all[i].tracepoint);
		rc = sg_bpf_load_error(rc, what, err);
	}
	libbpf_set_print(old_print);
	if (!rc && b->lsm && (programs & SG_BPF_LSM))
		rc = sg_bpf_lsm_attach(b, err);
	for (i = 0; rc && i < SG_BPF_PROGRAMS_MAX; i++) {
		if (!done[i])
			continue;
		bpf_link__destroy(b->links[i]);
		b->links[i] = NULL;
	}
	return rc;
}

void sg_bpf_detach_set(struct sg_bpf *b, uint32_t programs)
{
	struct attachable all[SG_BPF_PROGRAMS_MAX];

	if (b->lsm && (programs & SG_BPF_LSM))
		sg_bpf_lsm_detach(b);
	attach_list(b, all);
	/* sys_enter first */
	for (size_t i = SG_BPF_PROGRAMS_MAX; i-- > 0;) {
		if (!all[i].prog || !(all[i].set & programs))
			continue;
		/* Also one that only a supervisor before us attached. */
		sg_bpf_unpin_link(b, bpf_program__name(all[i].prog));
		bpf_link__destroy(b->links[i]);
		b->links[i] = NULL;
	}
}

int sg_bpf_attach(struct sg_bpf *b, struct sg_err *err)
{
	for (size_t i = 0; i < SG_BPF_PROGRAMS_MAX; i++)
		if (b->links[i])
			return sg_err_set(err, EALREADY, "the BPF programs are attached already");
	return sg_bpf_attach_set(b, b->programs, err);
}

void sg_bpf_close(struct sg_bpf *b)
{
	if (!b)
		return;
	sg_bpf_lsm_close(b);
	for (size_t i = SG_BPF_PROGRAMS_MAX; i-- > 0;)
		bpf_link__destroy(b->links[i]);
	sg_bpf_events_close(b);
	if (b->sandboxes)
		munmap(b->sandboxes, b->sandboxes_size);
	if (b->table)
		munmap(b->table, sizeof(*b->table));
	sg_bpf_skel__destroy(b->skel);
	free(b->used);
	free(b->level);
	free(b->pin);
	free(b);
}

bool sg_bpf_kills_by_signal(const struct sg_bpf *b)
{
	return !b->kill_by_exit;
}

int sg_bpf_misses(const struct sg_bpf *b, uint64_t *misses, uint64_t *malformed, struct sg_err *err)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, b->skel->obj)
	{
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (!bpf_program__autoload(prog))
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
			return sg_err_set(err, errno, "cannot read how often %s was skipped: %s",
					  bpf_program__name(prog), strerror(errno));
		sum += info.recursion_misses; /* 5.12; stays 0 before, where the kernel does not count them */
	}
	*misses = sum;
	*malformed = b->malformed;
	return 0;
}
