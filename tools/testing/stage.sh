# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# stage.sh - run stages and add up what they counted; to be sourced by bash
#
# Each stage closes its stdout with a line "N passed, N failed". One that does
# not, or that fails with no failure counted, counts as a failure of its own.
# The last line is the sum in the same form. Stages go on after a failed one.

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM HUP

passed=0
failed=0
notes=()

# stage NAME COMMAND...
stage() {
	local name=$1 status last
	shift

	echo
	echo "# stage: $name"
	"$@" | tee "$out"
	status=${PIPESTATUS[0]}
	last=$(tail -n 1 "$out")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(, [0-9]+ skipped)?$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		if [ "$status" -ne 0 ] && [ "${BASH_REMATCH[2]}" -eq 0 ]; then
			failed=$((failed + 1))
			last+=", but it ended with status $status"
		fi
	else
		failed=$((failed + 1))
		last="gave no count, ended with status $status"
	fi
	notes+=("$name: $last")
}

# sum - the last lines, and whether all passed
sum() {
	echo
	printf '# %s\n' "${notes[@]}"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# compile_profile FILE - a label for tests that change theirs; without it they
# say so and are skipped
compile_profile() {
	PATH=$PATH:/usr/sbin:/sbin apparmor_parser -Q -K -o "$1" \
		tools/testing/selftests/kdbus/apparmor-profile 2>/dev/null || rm -f "$1"
}
