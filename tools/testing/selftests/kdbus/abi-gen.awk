# SPDX-License-Identifier: GPL-2.0-only
#
# Turns the table of the interface, abi.tsv, into C: one _Static_assert for
# each thing that a row says. Every row gives at least one; a row that is not
# understood is an error.
#
#	awk -f abi-gen.awk abi.tsv >abi.c

BEGIN {
	FS = "\t"
	print "/* made by abi-gen.awk */"
	print "#include <stddef.h>"
	print "#include <linux/kdbus.h>"
	print "#define CHECK(cond, row) _Static_assert(cond, row)"
	# sizes of the words in the ioctl rows, as the kernel encodes them
	dir["IO"] = 0
	dir["IOW"] = 1
	dir["IOR"] = 2
	dir["IOWR"] = 3
}

function fail(why) {
	print FILENAME ":" FNR ": " why > "/dev/stderr"
	bad = 1
}

function check(cond) {
	gsub(/"/, "'", cond)
	printf "CHECK(%s, \"%s:%d: %s %s %s\");\n", cond, FILENAME, FNR, $1,
	       $2, $3
}

/^#/ || /^[ \t]*$/ {
	next
}

NF != 5 {
	fail("not five columns")
	next
}

{
	rows++
	if (seen[$1, $2, $3]++)
		fail("twice: " $1 " " $2 " " $3)
}

$1 == "const" {
	check($2 " == " $4 "ULL")
	if ($3 == "define") {
		print "#ifndef " $2
		print "#error \"" $2 " is no macro\""
		print "#endif"
	} else if ($3 ~ /^enum [a-z_]+$/) {
		check("sizeof(" $3 ") > 0")
	} else {
		fail("unknown origin " $3)
	}
	next
}

$1 == "ioctl" {
	if (split($3, w, " ") != 4 || !(w[1] in dir)) {
		fail("bad ioctl row")
		next
	}
	check($2 " == " $4 "U")
	check("((" $2 " >> 30) & 3) == " dir[w[1]] "U")
	check("((" $2 " >> 8) & 0xff) == " w[2])
	check("(" $2 " & 0xff) == " w[3])
	check("((" $2 " >> 16) & 0x3fff) == " $5)
	if (w[4] != "-")
		check("sizeof(struct " w[4] ") == " $5)
	next
}

$1 == "struct" {
	if ($3 != "-" || $4 != 0)
		fail("bad struct row")
	check("sizeof(struct " $2 ") == " $5)
	size[$2] = $5
	next
}

$1 == "field" {
	if (!($2 in size))
		fail("field of an unknown struct " $2)
	check("offsetof(struct " $2 ", " $3 ") == " $4)
	# trailing arrays have no size, but must be the end of something
	if ($5 > 0)
		check("sizeof(((struct " $2 " *)0)->" $3 ") == " $5)
	else
		check("sizeof(((struct " $2 " *)0)->" $3 "[0]) > 0")
	next
}

{
	fail("unknown kind " $1)
}

END {
	if (!rows)
		fail("no rows")
	exit bad
}
