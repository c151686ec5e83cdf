#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the header with abi.tsv, row by row, for 64-bit and 32-bit user
# space, and compiles the header alone in several dialects. Nothing is linked
# and nothing is run, so that it needs a compiler and the kernel's headers only.
#
#	abi.sh DIRECTORY	(the one that holds linux/kdbus.h)

set -u

here=$(cd "$(dirname "$0")" && pwd)
uapi=$(cd "${1:-$here/../../../../include/uapi}" && pwd) || exit 2
table=$here/abi.tsv
CC=${CC:-gcc}
CXX=${CXX:-g++}

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 2

number=0
passed=0
failed=0

# result NAME STATUS: one line; what is in the file "log" is shown on failure
result()
{
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok $number $1"
	else
		failed=$((failed + 1))
		sed 's/^/# /' log | head -n 10
		echo "not ok $number $1"
	fi
}

# Where gcc's own 32-bit headers are not installed, those of 64-bit user space
# do: nothing here depends on the C library.
m32="-m32 -idirafter /usr/include/x86_64-linux-gnu"

compile()	# OPTIONS FILE
{
	# shellcheck disable=SC2086
	$CC $1 -I"$uapi" -Werror -fsyntax-only "$2" >log 2>&1
}

generate()	# TABLE C-FILE
{
	awk -f "$here/abi-gen.awk" "$1" >"$2" 2>log
}

rows=$(grep -c '^[^#]' "$table")

# How many checks are there to be: the plan
mutations='
KDBUS_ITEM_FDS	4:0x4:0x5
KDBUS_PAYLOAD_DBUS	4:0x4442757344427573:0x4442757344427574
KDBUS_FLAG_KERNEL	4:0x8000000000000000:0x4000000000000000
KDBUS_CMD_HELLO	4:0xc0589530:0xc0589531
KDBUS_CMD_FREE	3:IOW:IOWR
KDBUS_CMD_MSG_SEND	5:72:80
kdbus_cmd_make	5:24:32
kdbus_msg	4:64:56
kdbus_memfd	5:4:8
'
dialects='gnu89 c99 c11 gnu11 c17'
cxx_dialects='c++98 c++11 c++20'

n_mutations=$(echo "$mutations" | grep -c .)
n=$((3 + n_mutations * 2 + 2 + 2 * $(echo "$dialects" | wc -w) + \
	2 * $(echo "$cxx_dialects" | wc -w)))
echo "KTAP version 1"
echo "1..$n"

generate "$table" abi.c
result "table: all $rows rows are understood" $?

for bits in 64 32; do
	[ $bits = 32 ] && opt=$m32 || opt=-m64
	compile "-std=gnu11 $opt" abi.c
	result "table: $(grep -c ^CHECK abi.c) checks, $bits bit" $?
done

# A check that cannot fail is none. One row at a time is altered; then the
# compiler must complain about that row and no other.
while IFS='	' read -r row change; do
	[ -n "$row" ] || continue
	awk -v row="$row" -v change="$change" 'BEGIN {
		FS = OFS = "\t"; split(change, c, ":")
	}
	!done && $2 == row && sub("^" c[2], c[3], $c[1]) { done = 1 }
	{ print }
	END { exit !done }' "$table" >bad.tsv 2>log
	status=$?
	[ $status -eq 0 ] && generate bad.tsv bad.c
	status=$?
	for bits in 64 32; do
		[ $bits = 32 ] && opt=$m32 || opt=-m64
		if [ $status -ne 0 ]; then
			bad=1
		elif compile "-std=gnu11 $opt" bad.c; then
			echo "the altered table was accepted" >log
			bad=1
		else
			line=$(diff "$table" bad.tsv | sed -n 's/c.*//p')
			grep -q "static assertion failed.*bad.tsv:$line:" log &&
				! grep "static assertion failed" log |
				grep -vq "bad.tsv:$line:"
			bad=$?
		fi
		result "fails as it must: $row with $(echo "${change#*:}" | sed "s/:/ made /") in column ${change%%:*}, $bits bit" $bad
	done
done <<END
$mutations
END

# Rows that make no sense, or that the table forgot to fill in
grep -v KDBUS_ITEM_DST_NAME "$table" | sed 's/^const	KDBUS_ITEM_ID	/konst	KDBUS_ITEM_ID	/' >bad.tsv
if generate bad.tsv bad.c; then
	echo "an unknown kind of row was accepted" >log
	result "fails as it must: unknown kind" 1
else
	result "fails as it must: unknown kind" 0
fi
printf 'field\tkdbus_msg\tnonsense\t64\t8\n' | cat "$table" - >bad.tsv
generate bad.tsv bad.c
if compile -std=gnu11 bad.c; then
	echo "a member that does not exist was accepted" >log
	result "fails as it must: unknown member" 1
else
	result "fails as it must: unknown member" 0
fi

# The header alone, every macro and type of it used by someone pedantic
{
	echo '#include <linux/kdbus.h>'
	awk -F '\t' '$1 == "const" || $1 == "ioctl" {
		printf "static const __u64 use%d = %s;\n", NR, $2
	}
	$1 == "struct" {
		printf "static unsigned long size%d(struct %s *p) { return p ? sizeof(*p) : 0; }\n", NR, $2
	}
	$1 == "const" || $1 == "ioctl" { sum = sum " + use" NR }
	$1 == "struct" { sum = sum " + size" NR "((struct " $2 " *)0)" }
	END {
		print "__u64 use_all(void);"
		print "__u64 use_all(void) { return 0" sum "; }"
	}' "$table"
} >use.c
cp use.c use.cc
strict="-Wall -Wextra -pedantic -Werror -fsyntax-only"
for std in $dialects; do
	for opt in -m64 "$m32"; do
		# shellcheck disable=SC2086
		$CC -std=$std $opt $strict -I"$uapi" use.c >log 2>&1
		result "header alone: -std=$std ${opt%% *}" $?
	done
done
for std in $cxx_dialects; do
	for opt in -m64 "$m32"; do
		# shellcheck disable=SC2086
		$CXX -std=$std $opt $strict -I"$uapi" use.cc >log 2>&1
		result "header alone: -std=$std ${opt%% *}" $?
	done
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $number -eq $n ]
