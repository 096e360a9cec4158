#compdef pvschedctl
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of pvschedctl for zsh. tests/unit/test_completion.py compares it with src/ctl/args.c.

# The running domains: as the daemon knows them, else as libvirt does.
_pvschedctl_domains()
{
	local json
	local -a names
	if json=$(pvschedctl list --json 2>/dev/null); then
		names=(${(f)"$(grep -o '"name":"\([^"\\]\|\\.\)*"' <<<$json | sed 's/^"name":"//; s/"$//; s/\\\(["\\/]\)/\1/g')"})
	else
		names=(${(f)"$(virsh --readonly --quiet list --name 2>/dev/null)"})
	fi
	compadd -a names
}

_pvschedctl_profiles()
{
	local -a names
	names=(off observe interactive latency)
	[[ -r /etc/pvschedd/pvschedd.json ]] && names+=(${(f)"$(
		sed -n '/^\t"profiles"/,/^\t}/s/^\t\t"\([a-z0-9_-]*\)": *{.*/\1/p' /etc/pvschedd/pvschedd.json)"})
	compadd -a names
}

_pvschedctl()
{
	local curcontext=$curcontext state line
	typeset -A opt_args
	local -a verbs
	verbs=(
		'status:the daemon, its sources, caps and every vCPU'
		'list:the domains'
		'show:all about one domain'
		'explain:why a vCPU is boosted, or is not'
		'policy:the profile that holds, or another one'
		'boost:boost a domain now, within its budget'
		'release:end all boosts now; the policy stays'
		'enable:allow boosts, also after a restart'
		'disable:forbid boosts, also after a restart'
		'reload:read the configuration again'
		'doctor:what hinders boosting here, and what mends it'
		'attach:give a domain the shared memory of guest pages'
		'detach:take it away'
	)
	_arguments -C \
		'--json[the answer as the daemon gave it]' \
		'--socket[the control socket]:socket:_files' \
		'--state-dir[the directory of the flag]:directory:_files -/' \
		'(-h --help)'{-h,--help}'[print a summary]' \
		'(-V --version)'{-V,--version}'[print the version]' \
		'--vcpu[only this vCPU (explain, boost)]:number:' \
		'(--persist)--for[how long (policy set, boost)]:time:(5ms 500ms 10s 10m 2h)' \
		'(--for)--persist[over restarts of the daemon (policy set), or in the definition (attach)]' \
		'--live[in the running domain (attach, detach)]' \
		'--dry-run[only print what would be done (attach, detach)]' \
		"--probe[also try the kernel's fair class (doctor)]" \
		'1:command:->verb' \
		'*::argument:->rest'
	case $state in
	verb) _describe command verbs ;;
	rest)
		case $words[1]:$CURRENT in
		show:2|explain:2|boost:2|release:2) _pvschedctl_domains ;;
		attach:2|detach:2) compadd ${(f)"$(virsh --readonly --quiet list --all --name 2>/dev/null)"} ;;
		policy:2) compadd get set ;;
		policy:3) _pvschedctl_domains ;;
		policy:4) [[ $words[2] != set ]] || _pvschedctl_profiles ;;
		esac
		;;
	esac
}

_pvschedctl "$@"
