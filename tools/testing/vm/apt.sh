# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# apt.sh - packages of other suites and architectures, without installing them;
# to be sourced by bash
#
# Has its own lists and state below ${KDBUS_CACHE:-...}/apt and leaves those of
# the system alone. Sources are those that the system has for Debian, with other
# suites. Whoever sources this has a function die.

cache=${KDBUS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kdbus}
mkdir -p "$cache/apt" && cache=$(cd "$cache" && pwd) || die "cannot create $cache"

# debian_sources SUITE... - print them as lines of a sources.list
debian_sources() {
	local field uri release origin key suite main='' security=''

	# shellcheck disable=SC2016 # apt expands it
	field='$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(SIGNED_BY)'
	while IFS='|' read -r uri release origin key; do
		# Before the first update, apt does not know whose it is.
		case $origin in
		Debian|*ORIGIN*) ;;
		*) continue ;;
		esac
		case $key in
		/*) ;;
		*) key=/usr/share/keyrings/debian-archive-keyring.gpg ;;
		esac
		case $release in
		*-security)	: "${security:=[signed-by=$key] $uri}" ;;
		*-*|*/*)	;;
		*)		: "${main:=[signed-by=$key] $uri}" ;;
		esac
	done < <(apt-get indextargets --format "$field" \
		'Created-By: Packages' 'Component: main' 2>/dev/null)
	[ -n "$main" ] || die "apt has no source for Debian"
	for suite; do
		case $suite in
		*-security)	[ -z "$security" ] || echo "deb $security $suite main" ;;
		*)		echo "deb $main $suite main" ;;
		esac
	done
}

# debian_bootstrap SUITE DIR PACKAGE... - make a small Debian in DIR, with packages
debian_bootstrap() {
	local suite=$1 dir=$2 key uri
	shift 2

	# deb [signed-by=KEY] URI SUITE main
	read -r _ key uri _ < <(debian_sources "$suite")
	key=${key#*=}
	debootstrap --variant=minbase --keyring="${key%]}" \
		--include="$(IFS=,; echo "$*")" "$suite" "$dir" "$uri"
}

# apt_use NAME ARCH SUITE... - let the functions below look there
#
# NAME is for the directory of its state. Of several versions, the newest counts.
apt_use() {
	local name=$1 arch=$2 native

	shift 2
	native=$(dpkg --print-architecture) || die "no dpkg here"
	apt_dir=$cache/apt/$name-$arch
	mkdir -p "$apt_dir" "$cache/apt/lists/partial" ||
		die "cannot create $apt_dir"
	debian_sources "$@" >"$apt_dir/sources.list.new" || exit 1
	# Lists are shared; which of them count is up to sources.list.
	cat >"$apt_dir/apt.conf" <<-END
		Dir::State "$apt_dir";
		Dir::State::lists "$cache/apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$apt_dir";
		Dir::Cache::pkgcache "";
		Dir::Cache::srcpkgcache "";
		Dir::Etc::sourcelist "$apt_dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::preferences "-";
		Dir::Etc::preferencesparts "-";
		APT::Architecture "$native";
		#clear APT::Architectures;
		APT::Architectures { "$native"; "$arch"; };
		APT::Get::List-Cleanup "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
	if ! cmp -s "$apt_dir/sources.list.new" "$apt_dir/sources.list"; then
		rm -f "$apt_dir/current"
		mv "$apt_dir/sources.list.new" "$apt_dir/sources.list"
	fi
	rm -f "$apt_dir/sources.list.new"
	[ -n "$(find "$apt_dir/current" -mtime -1 2>/dev/null)" ] || apt_update
}

# private COMMAND... - run a program of apt's; the lock is for the lists
#
# Unlike APT_CONFIG, the option is looked at after the system's files.
private() {
	local program=$1

	shift
	flock "$cache/apt" "$program" -c "$apt_dir/apt.conf" "$@"
}

# apt_update - fetch the lists; old ones will do where that is not possible
apt_update() {
	echo "fetching package lists: $(basename "$apt_dir")" >&2
	if private apt-get -q -o APT::Update::Error-Mode=any update \
	   >"$apt_dir/log" 2>&1; then
		: >"$apt_dir/current"
		return
	fi
	grep '^[EW]:' "$apt_dir/log" >&2
	[ -e "$apt_dir/current" ] || die "no package lists for $(basename "$apt_dir")"
	echo "older package lists have to do" >&2
}

# apt_depends PACKAGE - print the names of what it depends on, a line each
apt_depends() {
	private apt-cache show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^\(Pre-\)\{0,1\}Depends: //p' |
		tr ',' '\n' | sed 's/^ *//; s/[ (|:].*//'
}

# apt_files PACKAGE... - print the names of their files, or fail
apt_files() {
	private apt-get -qq --print-uris download "$@" 2>/dev/null |
		awk '{ print $2 } END { exit NR == 0 }'
}

# apt_unpack DIR PACKAGE... - download and unpack them
apt_unpack() {
	local dir=$1 deb
	shift

	mkdir -p "$dir.debs" "$dir" || die "cannot create $dir"
	echo "downloading $*" >&2
	if ! (cd "$dir.debs" && private apt-get -q download "$@" >"$dir.log" 2>&1); then
		# Stale lists name files that are gone.
		apt_update
		(cd "$dir.debs" && private apt-get -q download "$@" >"$dir.log" 2>&1) || {
			cat "$dir.log" >&2
			die "could not download $*"
		}
	fi
	for deb in "$dir.debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || die "cannot unpack $(basename "$deb")"
	done
	rm -rf -- "$dir.debs" "$dir.log"
}
