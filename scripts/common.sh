# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, and how they are built.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# BUILD may be set to keep build products out of the tree.
BUILD=${BUILD:-$ROOT/build}
# Fixed, so that every tool is the distribution's own and not what a version manager puts in front of it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# build DIR [meson option...]: builds the tree into DIR; prints the log only when it fails.
build() {
	local dir=$1 log
	shift
	mkdir -p "$dir"
	log=$dir/build.log
	if [ ! -f "$dir/build.ninja" ]; then
		meson setup "$dir" "$ROOT" "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
	fi
	ninja -C "$dir" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}
