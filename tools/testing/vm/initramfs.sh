# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# initramfs.sh - make the root of a guest; to be sourced by bash
#
# Whoever sources this has functions say and die. The root is made by skeleton,
# then add and copy, then libraries, and becomes an initramfs with pack.
#
# Nothing of an initramfs is cached: making one takes a fraction of a second,
# runs share no state that way, and none can be stale.

# programs that were added
elfs=()

# skeleton DIR BUSYBOX INIT - begin it in DIR, which is $root from then on
skeleton() {
	local d

	root=$1
	mkdir -p "$root"/{dev,proc,sys,tmp,run,root,etc,mnt,var,vm-run} \
		"$root"/usr/{bin,sbin,lib,lib32,lib64,libx32,local/bin,local/sbin} || die "no space"
	# One /usr, as on the host: both names of a library or program work.
	for d in bin sbin lib lib32 lib64 libx32; do
		ln -s usr/$d "$root/$d"
	done
	chmod 1777 "$root/tmp"
	cp -L "$2" "$root/usr/bin/busybox" || die "no space"
	ln -s busybox "$root/usr/bin/sh"
	cp "$3" "$root/init"
	chmod 755 "$root/init" "$root/usr/bin/busybox"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/:/bin/false \
		nobody:x:65534:65534:nobody:/:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: daemon:x:1: tty:x:5: nogroup:x:65534: >"$root/etc/group"
}

# copy FROM TO - copy a file or directory to a path of the guest
copy() {
	local from=$1 to=$root$2 dir

	# A link that came with an earlier directory may point anywhere.
	dir=$(realpath -m -- "$(dirname -- "$to")")
	case $dir/ in
	"$root"/*) ;;
	*) die "$2 is behind a link that leaves the guest" ;;
	esac
	mkdir -p -- "$dir" || die "cannot create $(dirname "$2") in the guest"
	if [ -d "$from" ]; then
		case $(realpath -m -- "$to")/ in
		"$root"/*) ;;
		*) die "$2 is a link that leaves the guest" ;;
		esac
		mkdir -p -- "$to" &&
		cp -a --no-preserve=ownership --remove-destination -- \
			"$from/." "$to/" || die "cannot copy $from"
	else
		cp -L --preserve=mode,timestamps --remove-destination -- \
			"$from" "$to" || die "cannot copy $from"
	fi
}

# add WHAT - as --add of vm-run has it
add() {
	local from=$1 to='' found

	case $1 in
	*:/*)
		# A host path may hold this, too.
		if [ ! -e "$1" ]; then
			from=${1%:/*}
			to=/${1##*:/}
		fi ;;
	esac
	[ -e "$from" ] || die "--add $1: no such file"
	case $to in
	'')	# Without dots, that could lead out of the guest's root.
		to=$(realpath -ms --relative-base="$PWD" -- "$from")
		case $from in
		/*) to=$(realpath -ms -- "$from") ;;
		esac
		to=/${to#/} ;;
	*/)	to=$to$(basename -- "$from") ;;
	esac
	to=$(realpath -ms -- "$to")
	copy "$from" "$to"
	if [ -d "$from" ]; then
		# Modules and objects have the same first bytes; ldd sorts them out.
		mapfile -d '' -t found < <(find -L "$from" -type f \
			! -name '*.ko' ! -name '*.o' -size +0 -print0 |
			xargs -0 -r grep -lsaZ $'^\177ELF' --)
		elfs+=(${found[@]+"${found[@]}"})
	elif [ "$(head -c 4 -- "$from" | tr -d '\0')" = $'\177ELF' ]; then
		elfs+=("$(realpath -- "$from")")
	fi
}

# libraries - those that the added programs are linked with
libraries() {
	local lib name needed

	[ ${#elfs[@]} -gt 0 ] || return 0
	# Static programs make ldd fail, which is fine.
	needed=$(ldd "${elfs[@]}" 2>/dev/null)
	grep 'not found' <<<"$needed" | sort -u | while read -r name _; do
		[ -n "$(find "$root" -name "$name" -print -quit)" ] ||
			say "library $name, needed by what --add names, is not here"
	done
	# "<tab>libc.so.6 => /lib/.../libc.so.6 (0x...)", "<tab>/lib64/ld... (0x...)"
	while IFS= read -r lib; do
		[ -e "$root$lib" ] || copy "$lib" "$lib"
	done < <(sed -n 's/^\t\(.* => \)\{0,1\}\(\/.*\) (0x[0-9a-f]*)$/\2/p' <<<"$needed" |
		sort -u)
}

# pack FILE - all of it as the initramfs; the directory is gone then
pack() {
	chmod 755 "$root"
	(cd "$root" && find . -print0 | sort -z |
		cpio --quiet --null -o -H newc -R 0:0) >"$1" ||
		die "cannot make the initramfs"
	rm -rf -- "$root"
}
