# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion for sgrun and sgctl. The words come from the programs' own --help, so that they cannot fall behind.

_sandgate_options() {
	"$1" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u
}

_sandgate_languages() {
	"${1:-sgrun}" policy list 2>/dev/null | awk '{ sub(/:.*/, "", $1); print $1 }'
}

_sandgate_verbs() {
	"$1" policy 2>&1 | sed -n 's/^.*sgrun policy \([a-z]*\) .*/\1/p' | sort -u
}

_sgctl_commands() {
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
}

_sgrun() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=$1 i
	COMPREPLY=()
	# Behind -- the program's own words begin.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
			return
		fi
	done
	case $previous in
	--lang) mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_languages "$program")" -- "$word") ;;
	--tier) mapfile -t COMPREPLY < <(compgen -W "auto lsm bpf unprivileged" -- "$word") ;;
	--require) mapfile -t COMPREPLY < <(compgen -W "lsm bpf unprivileged" -- "$word") ;;
	--mode) mapfile -t COMPREPLY < <(compgen -W "enforce audit" -- "$word") ;;
	--daemon) mapfile -t COMPREPLY < <(compgen -f -W "auto off" -- "$word") ;;
	--on-supervisor-death) mapfile -t COMPREPLY < <(compgen -W "kill keep" -- "$word") ;;
	--seccomp) mapfile -t COMPREPLY < <(compgen -W "on off" -- "$word") ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
	--net) mapfile -t COMPREPLY < <(compgen -W "loopback unix netlink" -- "$word") ;;
	--chdir | test) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	--policy | --verdicts | --learn | --batch | --read | --write | --exec) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	policy) mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_verbs "$program")" -- "$word") ;;
	check | explain | diff | merge) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	*)
		if [[ $word == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_options "$program")" -- "$word")
		elif [ "$COMP_CWORD" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "policy doctor --" -- "$word")
		fi
		;;
	esac
}

_sgctl() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=$1
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ] && [[ $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_sgctl_commands "$program")" -- "$word")
		return
	fi
	case $previous in
	--lang) mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_languages)" -- "$word") ;;
	--mode) mapfile -t COMPREPLY < <(compgen -W "enforce audit" -- "$word") ;;
	--cgroup) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	policy) mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_verbs "$program")" -- "$word") ;;
	--socket | reload) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	*) [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$(_sandgate_options "$program")" -- "$word") ;;
	esac
}

complete -F _sgrun sgrun
complete -F _sgctl sgctl
