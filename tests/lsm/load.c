// SPDX-License-Identifier: Apache-2.0
/*
 * Loads and attaches the LSM programs and says how long each step took, what the verifier followed, and which hooks
 * this kernel lacks: lsm_load [WHICH]. 0: for one sandbox; 1: the same again; 2: for many, as the daemon has them.
 */
#include "supervisor/bpf.h"
#include "supervisor/util.h"

#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t before;

static void step(const char *what)
{
	uint64_t now = sg_clock_ns(CLOCK_MONOTONIC);

	if (before)
		printf("%-8s %8.2f ms\n", what, (double)(now - before) / 1e6);
	before = sg_clock_ns(CLOCK_MONOTONIC);
}

int main(int argc, char **argv)
{
	int first = argc > 1 ? atoi(argv[1]) : 0, last = argc > 1 ? first : 2;
	struct sg_bpf_opts opts = {.programs = SG_BPF_KILLS | SG_BPF_LSM};
	const struct sg_missing_hook *missing;
	uint64_t verified;
	struct sg_err err = {0};
	struct sg_bpf *b;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = first; i <= last; i++) {
		opts.only_cgroup = i < 2;
		opts.only_level = i < 2;
		before = 0;
		step("");
		if (sg_bpf_lsm_probe(NULL, &err) || (step("probe"), sg_bpf_open(&opts, &b, &err))) {
			printf("%s\n", err.message);
			return 1;
		}
		step("load");
		verified = 0;
		for (__u32 id = 0; i != 1 && bpf_prog_get_next_id(id, &id) == 0;) {
			struct bpf_prog_info info = {};
			__u32 size = sizeof(info);
			int fd = bpf_prog_get_fd_by_id(id);

			if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
				printf("  %-16s %8u verified %6u jited\n", info.name, info.verified_insns,
				       info.jited_prog_len);
			verified += info.verified_insns;
			close(fd);
		}
		if (i != 1)
			printf("  %-16s %8" PRIu64 " verified\n", "all", verified);
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
