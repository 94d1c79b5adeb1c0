// SPDX-License-Identifier: Apache-2.0
/* Loads and attaches the LSM programs and says how long each step took, and which hooks this kernel lacks. */
#include "supervisor/bpf.h"
#include "supervisor/util.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t last;

static void step(const char *what)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	if (last)
		printf("%-8s %8.2f ms\n", what, (double)(now - last) / 1e6);
	last = sg_clock_ns(CLOCK_MONOTONIC);
}

int main(void)
{
	struct sg_bpf_opts opts = {.programs = SG_BPF_KILLS | SG_BPF_LSM};
	const struct sg_missing_hook *missing;
	struct sg_err err = {0};
	struct sg_bpf *b;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < 3; i++) {
		opts.only_cgroup = i < 2;
		opts.only_level = i < 2;
		last = 0;
		step("");
		if (sg_bpf_lsm_probe(NULL, &err) || (step("probe"), sg_bpf_open(&opts, &b, &err))) {
			printf("%s\n", err.message);
			return 1;
		}
		step("load");
		for (__u32 id = 0; i != 1 && bpf_prog_get_next_id(id, &id) == 0;) {
			struct bpf_prog_info info = {};
			__u32 size = sizeof(info);
			int fd = bpf_prog_get_fd_by_id(id);

			if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
				printf("  %-16s %8u verified %6u jited\n", info.name, info.verified_insns,
				       info.jited_prog_len);
			close(fd);
		}
		if (sg_bpf_attach(b, &err)) {
			printf("%s\n", err.message);
			sg_bpf_close(b);
			return 1;
		}
		step("attach");
		for (missing = sg_bpf_missing_hooks(b); i == 0 && missing->hook; missing++)
			printf("missing  %s: %s\n", missing->hook, missing->text);
		sg_bpf_close(b);
		step("close");
	}
	return 0;
}
