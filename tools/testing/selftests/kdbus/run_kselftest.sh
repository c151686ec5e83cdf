#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run_kselftest.sh - run what 'make install' put beside this, for machines that have
# no kernel tree; takes the options of the script of that name there
#
#   -t COLLECTION:TEST, -c COLLECTION   these only
#   -s  the output of the tests goes to output.log, a line each to stdout
#   -o SECONDS                          in place of the timeout in settings
#   -l, -d, -h                          list; say what would be run; help
#
# Stdout is TAP, with the tests' own TAP as comments. KSELFTEST_KDBUS_TEST_ARGS has
# options for kdbus-test, as "-t names/".
#
# Exit status: 1 when a test failed, 4 when all were skipped, else 0.

cd "$(dirname "$0")" || exit 1
list=$PWD/kselftest-list.txt
tests=
timeout=
dry=
exec 4>&1	# where the output of the tests goes

usage()
{
	sed -n '/^# run_kselftest/,/^$/s/^# \{0,1\}//p' "${0##*/}"
	exit "$1"
}

# choose PATTERN - add lines of the list
choose()
{
	if ! found=$(grep -x "$1" "$list"); then
		echo "${0##*/}: no such test: $1" >&2
		exit 1
	fi
	tests="$tests $found"
}

while [ $# -gt 0 ]; do
	option=$1
	shift
	case $option in
	-c|--collection|-t|--test|-o|--override-timeout)
		[ $# -gt 0 ] || usage 1 >&2
		value=$1
		shift ;;
	esac
	case $option in
	-c|--collection)	choose "$value:.*" ;;
	-d|--dry-run)		dry=yes ;;
	-h|--help)		usage 0 ;;
	-l|--list)		cat "$list"; exit ;;
	-o|--override-timeout)	timeout=$value ;;
	-s|--summary)		exec 4>output.log ;;
	-t|--test)		choose "$value" ;;
	*)			usage 1 >&2 ;;
	esac
done
[ -n "$tests" ] || choose '.*'

# setting COLLECTION - for how many seconds one of its tests may run
setting()
{
	value=$(sed -n 's/^timeout=//p' "$1/settings" 2>/dev/null)
	echo "${timeout:-${value:-45}}"
}

status=$(mktemp) || exit 1
trap 'rm -f "$status"' EXIT

# run COLLECTION TEST - with its output as comments; status is that of the test
run()
{
	# TEST's options are in a variable that is named after it.
	name=$(echo "$2" | tr -c '[:alnum:]\n' _ | tr '[:lower:]' '[:upper:]')
	eval "options=\${KSELFTEST_${name}_ARGS-}"
	{
		# shellcheck disable=SC2086,SC2154 # words; set by eval
		(cd "$1" && timeout "$(setting .)" "./$2" $options) 2>&1 4>&-
		echo $? >"$status"
	} | sed 's/^/# /' >&4
	return "$(cat "$status")"
}

n=0
failed=0
skipped=0
echo "TAP version 13"
echo "1..$(echo "$tests" | wc -w | tr -d ' ')"
for entry in $tests; do
	collection=${entry%%:*} test=${entry#*:}
	header="selftests: $collection: $test"
	n=$((n + 1))
	echo "# $header"
	if [ -n "$dry" ]; then
		echo "# only said: $(setting "$collection") seconds for it"
		continue
	fi
	echo "# timeout set to $(setting "$collection")"
	run "$collection" "$test"
	rc=$?
	case $rc in
	0)	echo "ok $n $header" ;;
	4)	skipped=$((skipped + 1))
		echo "ok $n $header # SKIP" ;;
	124|143)
		failed=$((failed + 1))
		echo "not ok $n $header # TIMEOUT $(setting "$collection") seconds" ;;
	*)	failed=$((failed + 1))
		echo "not ok $n $header # exit=$rc" ;;
	esac
done
[ $failed -eq 0 ] || exit 1
[ $skipped -lt $n ] || exit 4
