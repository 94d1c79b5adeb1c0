// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		unsigned d = (unsigned)(*text - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	for (; units->name; units++) {
		if (strcmp(units->name, text))
			continue;
		/* Half of the range: these numbers go through signed interfaces later. */
		if (v > (UINT64_MAX / 2) / units->factor)
			return -ERANGE;
		*out = v * units->factor;
		return 0;
	}
	return -EINVAL;
}

int sg_parse_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {{"", 1},          {"K", 1 << 10},    {"M", 1 << 20},
					    {"G", 1 << 30},   {"KiB", 1 << 10},  {"MiB", 1 << 20},
					    {"GiB", 1 << 30}, {"T", 1ULL << 40}, {NULL, 0}};

	return parse(text, units, bytes);
}

int sg_parse_time(const char *text, uint64_t *ms)
{
	static const struct unit units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
					    {"m", 60000}, {"h", 3600000}, {NULL, 0}};
	uint64_t v;
	int rc = parse(text, units, &v);

	if (rc)
		return rc;
	/* It is nanoseconds later, and is added to a clock. */
	if (v > INT64_MAX / 1000000)
		return -ERANGE;
	*ms = v;
	return 0;
}

int sg_parse_cpus(const char *text, uint64_t *milli)
{
	static const struct unit plain[] = {{"", 1000}, {NULL, 0}};
	char whole[24];
	size_t n = strcspn(text, ".");
	uint64_t v, scale = 100;
	int rc;

	if (n >= sizeof(whole))
		return -ERANGE;
	memcpy(whole, text, n);
	whole[n] = '\0';
	rc = parse(whole, plain, &v);
	if (rc)
		return rc;
	if (text[n] == '.') {
		if (!isdigit((unsigned char)text[++n]))
			return -EINVAL;
		for (; scale && isdigit((unsigned char)text[n]); n++, scale /= 10)
			v += (uint64_t)(text[n] - '0') * scale;
		if (text[n])
			return -EINVAL;
	}
	/* cpu.max knows no less than a hundredth (1 ms in a period of 100), and no machine has more than a million. */
	if (v && (v < 10 || v > 1000000000ULL))
		return -ERANGE;
	*milli = v;
	return 0;
}
