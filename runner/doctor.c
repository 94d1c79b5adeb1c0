/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/doctor.h"

#include "runner/canary.h"
#include "supervisor/cgroup.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

struct finding {
	const char *name;
	const char *title;
	bool works;
	const char *state; /* "works", "missing", "does not hold", "not tried" */
	char why[1024];
	const char *fix; /* how to get it; NULL when it works */
};

static void settle(struct finding *f, enum sg_canary_result r, const char *fix)
{
	f->works = r == SG_CANARY_STOPPED;
	f->state = f->works ? "works" : r == SG_CANARY_MISSING ? "missing" : "does not hold";
	f->fix = f->works ? NULL : fix;
	if (r == SG_CANARY_UNTRIED) {
		f->state = "not tried";
		f->fix =
			"run doctor where it may start processes: outside of a sandbox, within the limits on processes "
			"and descriptors, with /proc mounted";
	}
}

static void check_cgroup(struct finding *f)
{
	struct sg_cgroup cg;
	struct sg_err err = {0};

	if (sg_cgroup_create(&cg, &err) < 0) {
		snprintf(f->why, sizeof(f->why), "%s", err.message);
		settle(f, SG_CANARY_MISSING,
		       "run as root, or have a cgroup delegated: systemd-run --user --scope -p "
		       "Delegate=yes; in a container mount cgroup2 read-write");
		return;
	}
	snprintf(f->why, sizeof(f->why), "below %s; controllers for limits: %s%s%s%s", cg.base,
		 cg.has_pids ? "pids " : "", cg.has_memory ? "memory " : "", cg.has_cpu ? "cpu " : "",
		 cg.has_pids || cg.has_memory || cg.has_cpu
			 ? ""
			 : "none (they are on the v1 hierarchies, or not delegated)");
	(void)sg_cgroup_remove(&cg);
	settle(f, SG_CANARY_STOPPED, NULL);
}

static void check_landlock(struct finding *f)
{
	int abi;
	enum sg_canary_result r = sg_canary_landlock(&abi, f->why, sizeof(f->why));

	if (r == SG_CANARY_STOPPED)
		snprintf(f->why, sizeof(f->why), "ABI %d", abi);
	settle(f, r, "a kernel with CONFIG_SECURITY_LANDLOCK and landlock in its LSM list (lsm=landlock,…)");
}

/* What the kernel lists, as a hint beside what the canary proved. */
static void lsm_listed(char *out, size_t size)
{
	char list[512];

	if (sg_read_file(AT_FDCWD, "/sys/kernel/security/lsm", list, sizeof(list)) < 0)
		snprintf(out, size,
			 "whether bpf is in the kernel's LSM list cannot be read: securityfs is not mounted "
			 "(mount -t securityfs none /sys/kernel/security)");
	else
		snprintf(out, size, "%s in the kernel's LSM list (%s)", strstr(list, "bpf") ? "bpf is" : "bpf is not",
			 list);
}

static void check_bpf_lsm(struct finding *f)
{
	char why[256] = "", listed[640];
	enum sg_canary_result r = sg_canary_bpf_lsm(why, sizeof(why));

	lsm_listed(listed, sizeof(listed));
	if (r == SG_CANARY_STOPPED)
		snprintf(f->why, sizeof(f->why), "a program was loaded, called, and its refusal counted; %.200s",
			 listed);
	else
		snprintf(f->why, sizeof(f->why), "%s; %.200s", why, listed);
	settle(f, r,
	       "boot with bpf in the LSM list (lsm=…,bpf) on a kernel with CONFIG_BPF_LSM and BTF, and run as root; "
	       "a host that refuses to load LSM programs has to be asked for them");
}

static void check_btf(struct finding *f)
{
	bool there = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	snprintf(f->why, sizeof(f->why), "%s",
		 there ? "/sys/kernel/btf/vmlinux" : "/sys/kernel/btf/vmlinux cannot be read");
	settle(f, there ? SG_CANARY_STOPPED : SG_CANARY_MISSING, "a kernel with CONFIG_DEBUG_INFO_BTF=y");
}

static void check_tier(struct finding *f, const char *tier, bool seccomp, const char *layer, const char *fix)
{
	settle(f, sg_canary_tier(tier, seccomp, layer, f->why, sizeof(f->why)), fix);
}

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20)
			*text = ' ';
}

static void print_text(FILE *out, const struct finding *f, size_t n, const char *kernel, const char *tier)
{
	fprintf(out, "kernel %s, best tier: %s\n", kernel, tier);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  %-13s %-28s %s\n", f[i].state, f[i].title, f[i].why);
		if (f[i].fix)
			fprintf(out, "  %-13s %-28s to get it: %s\n", "", "", f[i].fix);
	}
}

static void print_json(FILE *out, const struct finding *f, size_t n, const char *kernel, const char *tier)
{
	json_t *layers = json_object(), *all;

	for (size_t i = 0; i < n; i++)
		json_object_set_new(layers, f[i].name,
				    json_pack("{s:b, s:s, s:s, s:s?}", "works", f[i].works, "state", f[i].state,
					      "detail", f[i].why, "fix", f[i].fix));
	all = json_pack("{s:s, s:s, s:o}", "kernel", kernel, "tier", tier, "layers", layers);
	json_dumpf(all, out, JSON_INDENT(1));
	fputc('\n', out);
	json_decref(all);
}

int sg_doctor(bool json, FILE *out)
{
	enum { SECCOMP, NOTIFY, CGROUP, BTF, BPF, SYS_ENTER, LSM, LANDLOCK, N };
	struct finding f[N] = {
		[SECCOMP] = {.name = "seccomp", .title = "seccomp filter"},
		[NOTIFY] = {.name = "seccomp_notify", .title = "unprivileged tier"},
		[CGROUP] = {.name = "cgroup", .title = "cgroup v2"},
		[BTF] = {.name = "btf", .title = "kernel BTF"},
		[BPF] = {.name = "bpf", .title = "bpf tier"},
		[SYS_ENTER] = {.name = "sys_enter", .title = "sys_enter kill"},
		[LSM] = {.name = "bpf_lsm", .title = "BPF LSM"},
		[LANDLOCK] = {.name = "landlock", .title = "Landlock"},
	};
	static const char bpf_fix[] =
		"run as root, or with CAP_BPF and CAP_PERFMON and a writable cgroup2; kernel 5.10 or newer";
	struct utsname uts;
	const char *tier;

	uname(&uts);
	settle(&f[SECCOMP], sg_canary_seccomp(f[SECCOMP].why, sizeof(f[SECCOMP].why)),
	       "a kernel with CONFIG_SECCOMP_FILTER; in a container, a profile that allows seccomp");
	check_tier(&f[NOTIFY], "unprivileged", true, "seccomp",
		   "kernel 5.7 or newer; in a container, a profile that allows seccomp");
	check_cgroup(&f[CGROUP]);
	check_btf(&f[BTF]);
	check_tier(&f[BPF], "bpf", true, "seccomp", bpf_fix);
	check_tier(&f[SYS_ENTER], "bpf", false, "sys_enter", bpf_fix);
	check_bpf_lsm(&f[LSM]);
	check_landlock(&f[LANDLOCK]);
	for (size_t i = 0; i < N; i++)
		clean(f[i].why);
	tier = f[BPF].works && f[LSM].works ? "lsm" : f[BPF].works ? "bpf" : f[NOTIFY].works ? "unprivileged" : "none";
	(json ? print_json : print_text)(out, f, N, uts.release, tier);
	return f[NOTIFY].works ? 0 : 1;
}
