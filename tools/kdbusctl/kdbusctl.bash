# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# kdbusctl.bash - completion of bash for kdbusctl

_kdbusctl_options="--system --user --bus= --domain= --address= --json= --timeout=
	--quiet --no-legend --unique --acquired --activatable --queued --access=
	--verbose --expect-reply=no --auto-start=no --destination= --xml-interface
	--list --match= --limit-messages= --buffer= --help"
_kdbusctl_verbs="list status quota wait make-bus make-endpoint call emit get-property
	set-property introspect tree monitor capture"

# What is on the bus that the options so far name; waits for nobody
_kdbusctl_ask() { kdbusctl "${place[@]}" "$@" 2>/dev/null; }
_kdbusctl_peers() { _kdbusctl_ask --no-legend list | cut -d ' ' -f 1; }
_kdbusctl_members() {
	_kdbusctl_ask --timeout=1 --no-legend introspect "$1" "$2" | awk -v kind="$3" -v interface="${4-}" '
		$2 == "interface" { here = $1; if (kind == "interface") print $1 }
		$2 == kind && $2 != "interface" && here == interface { print substr($1, 2) }'
}

_kdbusctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} word words=() place=() kind i

	# bash splits words at : and = as well
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--bus | --domain | --address)
			place+=("$word=${COMP_WORDS[i + 2]}")
			i=$((i + 2)) ;;
		--bus=* | --domain=* | --address=* | --system | --user)
			place+=("$word") ;;
		-* | =)	;;
		*)	words+=("$word") ;;
		esac
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$_kdbusctl_options" -- "$cur")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
		return
	fi
	case ${words[0]-} in
	*property)	kind=property ;;
	*)		kind=method ;;
	esac
	case ${words[0]-}:${#words[@]} in
	:0)	kind=$_kdbusctl_verbs ;;
	status:1 | wait:1 | call:1 | *-property:1 | introspect:1 | tree:* | monitor:* | capture:*)
		kind=$(_kdbusctl_peers) ;;
	call:2 | *-property:2 | introspect:2)
		kind=$(_kdbusctl_ask --timeout=1 --list tree "${words[1]}") ;;
	call:3 | *-property:3)
		kind=$(_kdbusctl_members "${words[1]}" "${words[2]}" interface) ;;
	call:4 | *-property:4)
		kind=$(_kdbusctl_members "${words[1]}" "${words[2]}" "$kind" "${words[3]}") ;;
	*)	return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$cur")
}

complete -F _kdbusctl kdbusctl
