/* SPDX-License-Identifier: Apache-2.0 */
/* What cppcheck must know of the libraries' macros; it reads no system headers. */
#define LIBBPF_OPTS(type, name, ...) struct type name = {__VA_ARGS__}
#define bpf_object__for_each_program(prog, obj) while ((prog = bpf_object__next_program(obj, prog)))
#define json_array_foreach(array, index, value) for (index = 0; (value = json_array_get(array, index)); index++)
#define json_object_foreach(object, key, value) while ((value = json_object_next(object, &key)))
