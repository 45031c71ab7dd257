# SPDX-License-Identifier: Apache-2.0
# Completion of gentap(1) for bash. tests/unit/cli/test_docs.c holds the lists
# below against the program's own tables.

_gentap_options() {
	local target='--pid -p --port --name -n --no-children'
	local limit='--for --count'
	local capture='--to --content --max-content --store --no-store --environment --release --strict'
	local settings='--config --quiet -q --verbose -v --help -h'

	case $1 in
	attach) echo "$target $limit $capture --json $settings" ;;
	run) echo "--as-root $limit $capture --json $settings" ;;
	record) echo "--output -o --force --scrub --no-scrub $target $limit $capture --json $settings" ;;
	replay) echo "$capture --json $settings" ;;
	ls) echo "--limit -n --store --json $settings" ;;
	show) echo "--store --json $settings" ;;
	ship) echo "--store --json $settings" ;;
	doctor) echo "--pid -p --store --json $settings" ;;
	config) echo "$capture --json $settings" ;;
	version) echo "--json --help -h" ;;
	help) echo "--help -h" ;;
	esac
}

# What the option before the cursor takes; fails when it takes nothing.
_gentap_argument() {
	local option=$1 command=$2 word=$3

	case $option in
	--pid | -p)
		COMPREPLY=($(compgen -W "$(ps -e -o pid= 2>/dev/null)" -- "$word"))
		;;
	--name)
		COMPREPLY=($(compgen -W "$(ps -e -o comm= 2>/dev/null)" -- "$word"))
		;;
	-n)
		[[ $command == attach || $command == record ]] &&
			COMPREPLY=($(compgen -W "$(ps -e -o comm= 2>/dev/null)" -- "$word"))
		;;
	--to)
		# Only where COMP_WORDBREAKS has no colon; else see _gentap.
		if [[ $word == jsonl:* ]]; then
			compopt -o nospace 2>/dev/null
			COMPREPLY=($(compgen -f -P jsonl: -- "${word#jsonl:}"))
		else
			COMPREPLY=($(compgen -W 'terminal json jsonl: langfuse none' -- "$word"))
			[[ ${COMPREPLY[*]} == jsonl: ]] && compopt -o nospace 2>/dev/null
		fi
		;;
	--content)
		COMPREPLY=($(compgen -W 'full metadata' -- "$word"))
		;;
	--config | --store | --output | -o)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$word"))
		;;
	--port | --for | --count | --max-content | --environment | --release | --limit) ;;
	*) return 1 ;;
	esac
	return 0
}

_gentap_ids() {
	gentap ls -n 100 2>/dev/null | awk 'NR > 1 { print $3 }'
}

_gentap() {
	local commands='attach run record replay ls show ship doctor config version help'
	local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local i

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$commands --help --version" -- "$word"))
		return
	fi
	# Readline begins a new word at a colon: after `--to jsonl:` comes a file.
	if [[ $word == : || $previous == : ]]; then
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "${word#:}"))
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ $command == run && ${COMP_WORDS[i]} == -- ]] || continue
		COMPREPLY=($(compgen -c -- "$word"))
		((i + 1 < COMP_CWORD)) && COMPREPLY=($(compgen -f -- "$word"))
		return
	done
	_gentap_argument "$previous" "$command" "$word" && return
	if [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$(_gentap_options "$command")" -- "$word"))
		return
	fi
	case $command in
	replay)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$word"))
		;;
	show) COMPREPLY=($(compgen -W "$(_gentap_ids)" -- "$word")) ;;
	help) COMPREPLY=($(compgen -W "$commands" -- "$word")) ;;
	run) COMPREPLY=($(compgen -c -- "$word")) ;;
	esac
}

complete -F _gentap gentap
