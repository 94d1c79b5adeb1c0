// SPDX-License-Identifier: Apache-2.0
/* A line of any bytes given to `policy explain --denial`: whatever is JSON is put into words or refused with a reason.
 */
#include "policy/denial.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sg_policy *policy;
	struct sg_err err = {0};
	struct sg_decision d, other;
	char *words = NULL;
	json_error_t why;
	json_t *record;

	if (!policy)
		must(sg_policy_resolve(NULL, "python", &policy, &err) == 0);
	record = json_loadb((const char *)data, size, 0, &why);
	if (!record)
		return 0;
	if (sg_denial_sentence(record, &words, &err))
		must(err.message[0] && !words);
	else
		must(!words || (words[0] && !strchr(words, '\n')));
	free(words);
	sg_err_reset(&err);
	if (sg_denial_decide(record, policy, &d, &other, &err))
		must(err.message[0]);
	else
		must(d.action >= SG_ACTION_ALLOW && d.action <= SG_ACTION_KILL);
	json_decref(record);
	return 0;
}
