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
	[ ${#notes[@]} -eq 0 ] || printf '# %s\n' "${notes[@]}"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# compile_profile - a label for tests that change theirs; without it they say so
# and are skipped
with_profile=()
compile_profile() {
	local file=$BUILD/tests/apparmor-profile

	PATH=$PATH:/usr/sbin:/sbin apparmor_parser -Q -K -o "$file" \
		tools/testing/selftests/kdbus/apparmor-profile 2>/dev/null &&
		with_profile=(--add "$file:/lib/kdbus-test.apparmor")
}

# vm_tests PROGRAM VM_RUN_ARGUMENT... - a machine with the tests and what they need
vm_tests() {
	local program=$1
	shift

	tools/testing/vm/vm-run --smp 2 --add "$program:/bin/kdbus-test" \
		--add tools/testing/vm/unload-after:/bin/unload-after \
		"${with_profile[@]}" "$@"
}
