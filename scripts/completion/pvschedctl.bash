# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of pvschedctl for bash. tests/unit/test_completion.py compares it with src/ctl/args.c.

# The running domains, one a line: as the daemon knows them, else as libvirt does.
_pvschedctl_domains()
{
	local json
	if json=$(pvschedctl list --json 2>/dev/null); then
		grep -o '"name":"\([^"\\]\|\\.\)*"' <<<"$json" | sed 's/^"name":"//; s/"$//; s/\\\(["\\/]\)/\1/g'
	else
		virsh --readonly --quiet list --name 2>/dev/null | sed '/^$/d'
	fi
}

# All domains that are defined, one a line: what is attached may be shut off.
_pvschedctl_defined()
{
	virsh --readonly --quiet list --all --name 2>/dev/null | sed '/^$/d'
}

_pvschedctl_profiles()
{
	printf '%s\n' off observe interactive latency
	# Those of the configuration: the objects one level below "profiles".
	[[ -r /etc/pvschedd/pvschedd.json ]] &&
		sed -n '/^\t"profiles"/,/^\t}/s/^\t\t"\([a-z0-9_-]*\)": *{.*/\1/p' /etc/pvschedd/pvschedd.json
}

# Offers the lines of its input that begin with $cur, quoted where the shell needs it.
_pvschedctl_offer()
{
	local line plain
	plain=$(printf '%b' "${cur//\\ / }")
	while IFS= read -r line; do
		[[ -n $line && $line == "$plain"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
	done
	((${#COMPREPLY[@]})) && mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | sort -u)
	! declare -F __ltrim_colon_completions >/dev/null || __ltrim_colon_completions "$cur"
}

_pvschedctl()
{
	local cur prev words cword i
	local -a plain=()
	COMPREPLY=()
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
		words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi

	case $prev in
	--socket) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--state-dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--for) _pvschedctl_offer < <(printf '%s\n' 5ms 500ms 10s 10m 2h); return ;;
	--vcpu) _pvschedctl_offer < <(seq 0 7); return ;;
	esac

	# The words before the cursor that are neither options nor their values.
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--socket|--state-dir|--for|--vcpu) ((++i)) ;;
		-*) ;;
		*) plain+=("${words[i]}") ;;
		esac
	done

	if [[ $cur == -* ]]; then
		local options="--json --socket --state-dir --help --version"
		case ${plain[0]-}:${plain[1]-} in
		explain:*) options+=" --vcpu" ;;
		boost:*) options+=" --vcpu --for" ;;
		attach:*|detach:*) options+=" --live --persist --dry-run" ;;
		doctor:*) options+=" --probe" ;;
		policy:set) options+=" --for --persist" ;;
		esac
		_pvschedctl_offer < <(printf '%s\n' $options)
		return
	fi
	case ${#plain[@]}:${plain[0]-}:${plain[1]-} in
	0:*) _pvschedctl_offer < <(printf '%s\n' status list show explain policy boost release enable disable reload doctor attach detach) ;;
	1:policy:*) _pvschedctl_offer < <(printf '%s\n' get set) ;;
	1:show:*|1:explain:*|1:boost:*|1:release:*|2:policy:get|2:policy:set) _pvschedctl_offer < <(_pvschedctl_domains) ;;
	1:attach:*|1:detach:*) _pvschedctl_offer < <(_pvschedctl_defined) ;;
	3:policy:set) _pvschedctl_offer < <(_pvschedctl_profiles) ;;
	esac
}

complete -F _pvschedctl pvschedctl
