/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/learner.h"

#include "supervisor/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The file that is mapped where the call was made: its last name, "" when it is gone or memory of nobody's. */
static void mapped_file(pid_t pid, uint64_t ip, char *out, size_t size)
{
	char path[32], line[512];
	FILE *f;

	out[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *slash = strrchr(line, '/');
		uint64_t from, to;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2 || ip < from || ip > to)
			continue;
		if (slash)
			snprintf(out, size, "%.*s", (int)strcspn(slash + 1, "\n"), slash + 1);
		break;
	}
	if (f)
		fclose(f);
}

bool sg_learner_see(struct sg_learn *l, const struct sg_oracle *oracle, pid_t pid, const char *comm, uint32_t nr,
		    const uint64_t args[SG_ARGS], uint64_t ip)
{
	char shape[SG_SHAPE_MAX], where[256];
	struct sg_proc_info info = {.comm = "?"};
	struct sg_err err = {0};

	if (sg_learn_known(l, nr, args, oracle, shape))
		return false;
	if (!comm) {
		(void)sg_proc_info(pid, &info);
		comm = info.comm;
	}
	mapped_file(pid, ip, where, sizeof(where));
	return sg_learn_add(l, nr, shape, comm, where, &err) == 0;
}
