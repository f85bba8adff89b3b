# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pieces of the power lab, out of Debian's archive: an emulator, kernels, and for each architecture of a guest a
# sysroot to compile against and to take the guest's programs from. Nothing needs root or touches the machine's own
# package sources.

readonly LAB_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly LAB_EMULATOR_SUITES=bookworm-backports,bookworm
readonly LAB_EMULATOR_PACKAGES=(qemu-system-ppc qemu-system-x86)
readonly LAB_SYSROOT_SUITE=bookworm
readonly LAB_SYSROOT_PACKAGES=(libc6-dev linux-libc-dev libdbus-1-dev libfdt-dev libinih-dev libsystemd-dev libcmocka-dev
	libseccomp-dev libsmartcols-dev libexpat1-dev systemtap-sdt-dev dbus-daemon dbus-bin busybox-static systemd)

# lab_piece DIRECTORY TITLE COMMAND...: make DIRECTORY by COMMAND, unless the same command made it before. The stamp
# in it is written last, so what an interrupted run left is made again. Where the tree lies is no part of the stamp.
lab_piece() {
	local directory=$1 title=$2 stamp=$1/.made-by made_by
	shift 2
	made_by="$*"$'\n'"$(declare -f "$1")"
	made_by=${made_by//"$PWD/"/}
	[ "$(cat "$stamp" 2>/dev/null || true)" != "$made_by" ] || return 0
	rm -rf "$directory"
	mkdir -p "$directory"
	step "$title" "$@"
	printf '%s\n' "$made_by" >"$stamp"
}

# The mirrors to try: the one this machine takes Debian from, then Debian's own.
lab_mirrors() {
	# shellcheck disable=SC2016 # apt-get expands these, not the shell
	apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)' |
		awk '$1 == "Debian" && $2 == "main" && $3 !~ /-security$/ { print $4; exit }'
	echo http://deb.debian.org/debian
}

# lab_apt FOR ARCHITECTURE SUITES TOOL ARGUMENT...: apt-get or apt-cache in an apt root of its own, which knows the
# SUITES (with commas between, the preferred one first). FOR is "here" for what runs on this machine: then it also knows
# what is installed, so that only what is missing is fetched. For a "guest" nothing is.
lab_apt() {
	local for=$1 architecture=$2 suites=$3 tool=$4 root=$LAB/apt-$1-$2-$3 status=/dev/null
	shift 4
	[ "$for" != here ] || status=/var/lib/dpkg/status
	"$tool" -o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$root/state" -o Dir::State::status="$status" -o Dir::Cache="$root/cache" \
		-o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
		-o APT::Sandbox::User= -o Debug::NoLocking=true -o Acquire::Retries=5 -o Acquire::Languages=none \
		-o APT::Default-Release="${suites%%,*}" "$@"
}

# lab_update FOR ARCHITECTURE SUITES: package lists as they are now, for the archive drops a package when its successor
# comes. Tried again for a while: a mirror that is being synchronised is out of step with itself.
lab_update() {
	local suites=$3 root=$LAB/apt-$1-$2-$3 mirror suite wait
	mkdir -p "$root/state" "$root/cache/archives/partial"
	for wait in 0 5 20; do
		sleep "$wait"
		for mirror in $(lab_mirrors | sed 's,/$,,' | awk '!seen[$0]++'); do
			for suite in ${suites//,/ }; do
				printf 'deb [signed-by=%s] %s %s main\n' "$LAB_KEYRING" "$mirror" "$suite"
			done >"$root/sources.list"
			! lab_apt "$@" apt-get update --error-on=any || return 0
		done
	done
	return 1
}

# lab_unpack DIRECTORY DEB...: like dpkg-deb -x, but a symlink to a directory, as merged /usr has, stays one.
lab_unpack() {
	local directory=$1 package
	shift
	for package in "$@"; do
		# A pattern that matched nothing: all of it is installed.
		[ -f "$package" ] || continue
		dpkg-deb --fsys-tarfile "$package" |
			tar --extract --directory "$directory" --keep-directory-symlink --no-same-owner
	done
}

# lab_unpack_with_dependencies DIRECTORY FOR ARCHITECTURE SUITES PACKAGE...
lab_unpack_with_dependencies() {
	local directory=$1 for=$2 architecture=$3 suites=$4 archives=$LAB/apt-$2-$3-$4/cache/archives
	shift 4
	lab_update "$for" "$architecture" "$suites"
	rm -f "$archives"/*.deb
	lab_apt "$for" "$architecture" "$suites" apt-get install --yes --no-install-recommends --download-only "$@"
	lab_unpack "$directory" "$archives"/*.deb
	rm -f "$archives"/*.deb
}

# lab_make_sysroot DIRECTORY ARCHITECTURE SUITE PACKAGE...
lab_make_sysroot() {
	local directory=$1 architecture=$2 suite=$3 link target name
	shift 3
	# The packages of bookworm install into both / and /usr and count on these links.
	for name in bin sbin lib lib64; do
		mkdir -p "$directory/usr/$name"
		ln -s "usr/$name" "$directory/$name"
	done
	lab_unpack_with_dependencies "$directory" guest "$architecture" "$suite" "$@"
	# The linker would follow an absolute link out of the sysroot.
	find "$directory/usr/lib" "$directory/usr/lib64" -type l -lname '/*' | while read -r link; do
		target=$(readlink "$link")
		ln -sfr "$directory$target" "$link"
	done
	# What was found in the sysroot before may not be there now.
	rm -rf "build/$architecture"
}

# lab_make_kernel DIRECTORY ARCHITECTURE SUITE PACKAGE MODULE...: the kernel, and those of the modules that aren't
# built in.
lab_make_kernel() {
	local directory=$1 architecture=$2 suite=$3 package=$4 image module found
	shift 4
	lab_update guest "$architecture" "$suite"
	image=$(lab_apt guest "$architecture" "$suite" apt-cache depends --important "$package" |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
	mkdir "$directory/package"
	(cd "$directory/package" && lab_apt guest "$architecture" "$suite" apt-get download "$image")
	lab_unpack "$directory/package" "$directory"/package/*.deb
	# Of newer packages it lies with the modules.
	mv "$(find "$directory/package" -type f -name 'vmlinu*' -size +1M)" "$directory/kernel"
	for module in "$@"; do
		found=$(find "$directory/package" -name "$module.ko.xz")
		[ -z "$found" ] || xz --decompress --stdout "$found" >"$directory/$module.ko"
	done
	rm -rf "$directory/package"
}

# lab_compiler_package ARCHITECTURE: Debian's compiler for it.
lab_compiler_package() {
	if [ "$1" = "$(dpkg --print-architecture)" ]; then
		echo gcc
	else
		echo "gcc-${LAB_TRIPLET[$1]//_/-}"
	fi
}

lab_make_emulator() {
	lab_piece "$LAB/qemu" "fetch the emulators" lab_unpack_with_dependencies "$LAB/qemu" here \
		"$(dpkg --print-architecture)" "$LAB_EMULATOR_SUITES" "${LAB_EMULATOR_PACKAGES[@]}"
}

# lab_make_programs ARCHITECTURE: the tree, compiled for it.
lab_make_programs() {
	local architecture=$1
	need "$(lab_compiler_package "$architecture")"
	lab_piece "$LAB/sysroot-$architecture" "fetch the sysroot ($architecture)" \
		lab_make_sysroot "$LAB/sysroot-$architecture" "$architecture" "$LAB_SYSROOT_SUITE" "${LAB_SYSROOT_PACKAGES[@]}"
	[ -n "${LAB_PROGRAMS:-}" ] || step "compile ($architecture)" compile "$architecture" "build/$architecture"
}
