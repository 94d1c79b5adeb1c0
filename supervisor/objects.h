/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SUPERVISOR_OBJECTS_H
#define SG_SUPERVISOR_OBJECTS_H

#include "bpf/sg_abi.h"
#include "supervisor/session.h"

/*
 * Records of object rules: what an LSM program noted becomes an `lsm_violation` or `audit` record, with a path that a
 * reader of this host knows. The path within the file system comes from the kernel, never from the program; what it is
 * mounted on is looked up in the caller's own mount namespace ("" when it is mounted nowhere there).
 */
void sg_session_object(struct sg_session *s, const struct sg_event_object *e);

/* Whether everything that is indexed or printed by lies within its bounds. */
bool sg_object_is_whole(const struct sg_event_object *e);

/* The path of a record's file, as above. Returns out; size at least 2. */
const char *sg_object_path(const struct sg_event_object *e, char *out, size_t size);

#endif
