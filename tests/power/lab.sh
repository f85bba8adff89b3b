# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power lab: the integration and conformance tests on a real Linux kernel, on an emulated POWER host.
#
# Sourced by ./run, from which it takes need, step and compile; its one entry is lab_run. All it makes lies under
# build/lab: an emulator, kernels and a ppc64el sysroot out of Debian's archive, without root and without touching
# the package sources of the machine, and for each host a directory with what its last run left.
#
# LAB_PROGRAMS=DIRECTORY takes the programs from there instead of cross-compiling the tree, to ask a kernel something
# by hand: whatever lies there under tests/ with a fitting name runs as the tests would.

readonly LAB=$PWD/build/lab
readonly LAB_PACKAGES=(debian-archive-keyring gcc-powerpc64le-linux-gnu cmake ninja-build pkg-config
	device-tree-compiler cpio xz-utils)

readonly LAB_BUILD=build/ppc64el
# In the guest this directory is /lab/bin, with the tests where they are here: those of both worlds.
readonly LAB_TESTS=tests

readonly LAB_SECONDS=900
readonly LAB_TEST_SECONDS=120

readonly LAB_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly LAB_EMULATOR_SUITES=bookworm-backports,bookworm
readonly LAB_SYSROOT_SUITE=bookworm
readonly LAB_SYSROOT_PACKAGES=(libc6-dev linux-libc-dev libdbus-1-dev libfdt-dev libinih-dev libsystemd-dev libcmocka-dev
	libseccomp-dev libsmartcols-dev libexpat1-dev dbus-daemon dbus-bin busybox-static systemd)

# Inserted in this order where the kernel has them as modules; e1000e is there to make a group that is not viable.
readonly LAB_MODULES=(irqbypass vfio vfio_iommu_spapr_tce vfio-pci-core vfio-pci e1000e)
readonly LAB_GUEST_PROGRAMS=(usr/bin/dbus-daemon usr/bin/dbus-send usr/bin/busctl)

# name          QEMU machine  kernel package               its suite           devices
readonly LAB_HOSTS='
powernv9        powernv9      linux-image-powerpc64le      bookworm-backports  powernv
powernv9-64k    powernv9      linux-image-powerpc64le-64k  bookworm-backports  powernv
powernv8        powernv8      linux-image-powerpc64le      bookworm-backports  powernv8
powernv10       powernv10     linux-image-powerpc64le      bookworm-backports  powernv
pseries         pseries       linux-image-powerpc64le      bookworm-backports  pseries
'

# The devices of a host: PCI address in the guest, driver there (none: unbound), and QEMU's -device options; those that
# only carry others have no address.
# edu reaches 28 bits unless told otherwise, the second DMA window starts at 1 << 59.
# On powernv each root port is a PE of its own; the functions of one multifunction device share theirs.
# shellcheck disable=SC2034 # lab_run picks it by the host's last column
readonly LAB_DEVICES_powernv='
0000:01:00.0  vfio-pci  edu,bus=pcie.0,addr=0,dma_mask=0xffffffffffffffff
0001:01:00.0  vfio-pci  e1000e,bus=pcie.1,addr=0,romfile=
0002:01:00.0  vfio-pci  edu,bus=pcie.2,addr=0,dma_mask=0xffffffffffffffff
0003:01:00.0  vfio-pci  e1000e,bus=pcie.3,addr=0.0,multifunction=on,romfile=
0003:01:00.1  e1000e    e1000e,bus=pcie.3,addr=0.1,romfile=
0004:01:00.0  none      e1000e,bus=pcie.4,addr=0,romfile=
'

# Three root ports are all there is.
# shellcheck disable=SC2034
readonly LAB_DEVICES_powernv8='
0000:01:00.0  vfio-pci  edu,bus=pcie.0,addr=0,dma_mask=0xffffffffffffffff
0001:01:00.0  vfio-pci  e1000e,bus=pcie.1,addr=0,romfile=
0002:01:00.0  vfio-pci  e1000e,bus=pcie.2,addr=0.0,multifunction=on,romfile=
0002:01:00.1  e1000e    e1000e,bus=pcie.2,addr=0.1,romfile=
'

# All devices of a host bridge share one PE.
# shellcheck disable=SC2034
readonly LAB_DEVICES_pseries='
-             -         spapr-pci-host-bridge,index=1,id=phb1
-             -         spapr-pci-host-bridge,index=2,id=phb2
-             -         spapr-pci-host-bridge,index=3,id=phb3
-             -         spapr-pci-host-bridge,index=4,id=phb4
0000:00:01.0  vfio-pci  edu,bus=pci.0,addr=1,dma_mask=0xffffffffffffffff
0001:00:01.0  vfio-pci  e1000e,bus=phb1.0,addr=1,romfile=
0002:00:01.0  vfio-pci  edu,bus=phb2.0,addr=1,dma_mask=0xffffffffffffffff
0003:00:01.0  vfio-pci  e1000e,bus=phb3.0,addr=1,romfile=
0003:00:02.0  e1000e    e1000e,bus=phb3.0,addr=2,romfile=
0004:00:01.0  none      e1000e,bus=phb4.0,addr=1,romfile=
'

# What a kernel says when something is wrong with it, as extended regular expression after its time stamp.
readonly LAB_KERNEL_COMPLAINT='WARNING: |\bBUG\b|Oops|Kernel panic|rcu: INFO|blocked for more than|[Mm]achine check'

# --- pieces out of Debian's archive ---

# lab_piece DIRECTORY TITLE COMMAND...: make DIRECTORY by COMMAND, unless the same command made it before. The stamp
# in it is written last, so what an interrupted run left is made again.
lab_piece() {
	local directory=$1 title=$2 stamp=$1/.made-by made_by
	shift 2
	made_by="$*"$'\n'"$(declare -f "$1")"
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

# lab_apt ARCHITECTURE SUITES TOOL ARGUMENT...: apt-get or apt-cache in an apt root of its own, which knows the SUITES
# (with commas between, the preferred one first). For the machine's own architecture it also knows what is installed,
# so that only what is missing is fetched; for any other nothing is.
lab_apt() {
	local architecture=$1 suites=$2 tool=$3 root=$LAB/apt-$1-$2 status=/dev/null
	shift 3
	[ "$architecture" != "$(dpkg --print-architecture)" ] || status=/var/lib/dpkg/status
	"$tool" -o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$root/state" -o Dir::State::status="$status" -o Dir::Cache="$root/cache" \
		-o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
		-o APT::Sandbox::User= -o Debug::NoLocking=true -o Acquire::Retries=5 -o Acquire::Languages=none \
		-o APT::Default-Release="${suites%%,*}" "$@"
}

# lab_update ARCHITECTURE SUITES: package lists as they are now, for the archive drops a package when its successor
# comes. Tried again for a while: a mirror that is being synchronised is out of step with itself.
lab_update() {
	local architecture=$1 suites=$2 root=$LAB/apt-$1-$2 mirror suite wait
	mkdir -p "$root/state" "$root/cache/archives/partial"
	for wait in 0 5 20; do
		sleep "$wait"
		for mirror in $(lab_mirrors); do
			for suite in ${suites//,/ }; do
				printf 'deb [signed-by=%s] %s %s main\n' "$LAB_KEYRING" "$mirror" "$suite"
			done >"$root/sources.list"
			! lab_apt "$architecture" "$suites" apt-get update --error-on=any || return 0
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

# lab_unpack_with_dependencies DIRECTORY ARCHITECTURE SUITES PACKAGE...
lab_unpack_with_dependencies() {
	local directory=$1 architecture=$2 suites=$3 archives=$LAB/apt-$2-$3/cache/archives
	shift 3
	lab_update "$architecture" "$suites"
	rm -f "$archives"/*.deb
	lab_apt "$architecture" "$suites" apt-get install --yes --no-install-recommends --download-only "$@"
	lab_unpack "$directory" "$archives"/*.deb
	rm -f "$archives"/*.deb
}

lab_make_sysroot() {
	local directory=$1 link target name
	# The packages of bookworm install into both / and /usr and count on these links.
	for name in bin sbin lib lib64; do
		mkdir -p "$directory/usr/$name"
		ln -s "usr/$name" "$directory/$name"
	done
	lab_unpack_with_dependencies "$@"
	# The linker would follow an absolute link out of the sysroot.
	find "$directory/usr/lib" "$directory/usr/lib64" -type l -lname '/*' | while read -r link; do
		target=$(readlink "$link")
		ln -sfr "$directory$target" "$link"
	done
	# What was found in the sysroot before may not be there now.
	rm -rf "$LAB_BUILD"
}

# lab_make_kernel DIRECTORY SUITE PACKAGE MODULE...: vmlinux, and those of the modules that aren't built in.
lab_make_kernel() {
	local directory=$1 suite=$2 package=$3 image module found
	shift 3
	lab_update ppc64el "$suite"
	image=$(lab_apt ppc64el "$suite" apt-cache depends --important "$package" |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
	mkdir "$directory/package"
	(cd "$directory/package" && lab_apt ppc64el "$suite" apt-get download "$image")
	lab_unpack "$directory/package" "$directory"/package/*.deb
	mv "$(find "$directory/package" -type f -name 'vmlinu*' -size +1M)" "$directory/vmlinux"
	for module in "$@"; do
		found=$(find "$directory/package" -name "$module.ko.xz")
		[ -z "$found" ] || xz --decompress --stdout "$found" >"$directory/$module.ko"
	done
	rm -rf "$directory/package"
}

# --- the guest ---

# lab_needed_libraries GUEST: the names of the shared libraries that anything in GUEST wants.
lab_needed_libraries() {
	# readelf fails on what is no ELF file, such as a script.
	{ find "$1" -type f \( -perm -100 -o -name '*.so*' \) -exec powerpc64le-linux-gnu-readelf -d {} + || true; } 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u
}

# Until nothing is wanted that is not there, since libraries want others.
lab_add_libraries() {
	local guest=$1 libraries=$1/usr/lib/powerpc64le-linux-gnu added=yes name
	mkdir -p "$libraries" "$guest/lib64"
	cp -L "$LAB/sysroot/usr/lib64/ld64.so.2" "$guest/lib64/"
	while [ "$added" = yes ]; do
		added=no
		for name in $(lab_needed_libraries "$guest"); do
			if [ "$name" = ld64.so.2 ] || [ -e "$libraries/$name" ]; then
				continue
			fi
			cp -L "$(find "$LAB"/sysroot/usr/lib/powerpc64le-linux-gnu{,/systemd} -maxdepth 1 -name "$name" |
				head -n 1)" "$libraries/"
			added=yes
		done
	done
}

lab_add_configuration() {
	local guest=$1
	mkdir -p "$guest/etc" "$guest/usr/share"
	cp -r "$LAB/sysroot/etc/dbus-1" "$guest/etc/"
	cp -r "$LAB/sysroot/usr/share/dbus-1" "$guest/usr/share/"
	printf '%s:x:%d:\n' root 0 messagebus 100 spaprd 101 tester 1000 nogroup 65534 >"$guest/etc/group"
	printf '%s:x:%d:%d::/tmp:/bin/sh\n' root 0 0 messagebus 100 100 spaprd 101 101 tester 1000 1000 nobody 65534 65534 >"$guest/etc/passwd"
	# busctl and dbus-daemon want one; no D-Bus client compares it with anything.
	echo 0123456789abcdef0123456789abcdef >"$guest/etc/machine-id"
}

# lab_pack_guest DIRECTORY KERNEL DEVICES PROGRAMS PATTERN: DIRECTORY/initramfs.cpio, with no more in it than the tests need.
# Not compressed: unpacking it costs the emulated processor more than loading it costs the real one.
lab_pack_guest() {
	local directory=$1 kernel=$2 devices=$3 programs=$4 pattern=$5 guest=$1/guest module modules=()
	rm -rf "$guest"
	mkdir -p "$guest"/{dev,proc,sys,run,tmp,bin,sbin,usr/bin,usr/sbin,lab/modules} "$guest/lab/bin/$LAB_TESTS"
	cp "$LAB/sysroot/usr/bin/busybox" "$guest/bin/"
	cp tests/power/guest-init "$guest/init"
	cp "${LAB_GUEST_PROGRAMS[@]/#/$LAB/sysroot/}" "$guest/usr/bin/"
	find "$programs" -maxdepth 1 -type f -exec cp -t "$guest/lab/bin" {} +
	# shellcheck disable=SC2086 # a pattern
	cp "$programs/$LAB_TESTS"/$pattern "$guest/lab/bin/$LAB_TESTS/"
	lab_add_libraries "$guest"
	for module in "${LAB_MODULES[@]}"; do
		[ -f "$kernel/$module.ko" ] || continue
		cp "$kernel/$module.ko" "$guest/lab/modules/"
		modules+=("$module")
	done
	# Fails on a test that is a script, and leaves it as it is. A stripped module would lose its signature.
	find "$guest/lab/bin" "$guest/usr" -type f \( -perm -100 -o -name '*.so*' \) \
		-exec powerpc64le-linux-gnu-strip --strip-debug {} + || true
	lab_add_configuration "$guest"
	awk '$1 ~ /:/ { print $1, $2 }' <<<"$devices" >"$guest/lab/devices"
	printf '%s="%s"\n' MODULES "${modules[*]}" TESTS "/lab/bin/$LAB_TESTS/*" TEST_SECONDS "$LAB_TEST_SECONDS" \
		>"$guest/lab/host"
	(cd "$guest" && find . | cpio --quiet --create --format newc --owner 0:0) >"$directory/initramfs.cpio"
}

# lab_boot DIRECTORY KERNEL MACHINE DEVICES: fails when the guest has not switched itself off in time.
lab_boot() {
	local directory=$1 kernel=$2 machine=$3 devices=$4 options=() option libraries
	while read -r _ _ option; do
		[ -z "$option" ] || options+=(-device "$option")
	done <<<"$devices"
	libraries=$(find "$LAB/qemu" -maxdepth 3 -path '*/lib/*-linux-gnu' -printf ':%p')
	rm -f "$directory/qemu.log"
	: >"$directory/console.log"
	# In the foreground, so that an interrupt from the terminal ends the emulator too. Where the machine has a QEMU as
	# new as the archive's, nothing was unpacked and the machine's own is found.
	timeout --foreground --kill-after=5 "$LAB_SECONDS" \
		env LD_LIBRARY_PATH="${libraries#:}" PATH="$LAB/qemu/usr/bin:$PATH" qemu-system-ppc64 \
		-L "$LAB/qemu/usr/share/qemu" -L /usr/share/qemu \
		-machine "$machine" -accel tcg -smp 1 -m 2G -nographic -vga none -nic none -monitor none -no-reboot \
		-serial "file:$directory/console.log" -d guest_errors -D "$directory/qemu.log" \
		-kernel "$kernel/vmlinux" -initrd "$directory/initramfs.cpio" \
		-append 'console=hvc0 printk.devkmsg=on oops=panic panic=1' "${options[@]}"
}

# --- the verdict ---

lab_quote() {
	sed 's/^/      | /'
}

# lab_judge_test CONSOLE NAME: its line, and what it wrote when it failed.
lab_judge_test() {
	local console=$1 name=$2 end status
	end=$(sed -n "s/.*\] lab: end $name \(status=.*\)/\1/p" <<<"$console")
	status=${end#status=}
	status=${status%% *}
	if [ "$status" = 0 ]; then
		printf '  ok    %-58s %6s s\n' "$name" "${end##*seconds=}"
		return
	fi
	printf '  FAIL  %-58s %s\n' "$name" "${end:-never ended}"
	sed -n "/\] lab: begin $name\$/,/\] lab: end $name /p" <<<"$console" | tail -n 200 | lab_quote
	return 1
}

# lab_judge DIRECTORY: what the console of a run says; fails unless all of it is good, from the first line on.
lab_judge() {
	local directory=$1 console complaints name failed=0
	console=$(tr -d '\r\0' <"$directory/console.log")
	for name in "$directory/guest/lab/bin/$LAB_TESTS"/*; do
		lab_judge_test "$console" "${name##*/}" || failed=1
	done
	if complaints=$(grep -E "\[ *[0-9.]+\] (.*($LAB_KERNEL_COMPLAINT)|lab: (cannot|device|.* left behind))" <<<"$console"); then
		echo '  FAIL  the kernel or the lab complained:'
		lab_quote <<<"$complaints"
		failed=1
	fi
	if ! grep -q '\] lab: all done$' <<<"$console"; then
		echo '  FAIL  the guest did not get to its end; the last it said:'
		tail -n 5 <<<"$console" | lab_quote
		failed=1
	fi
	[ "$failed" -eq 0 ] || echo "  the whole console: ${directory#"$PWD/"}/console.log; the emulator's log: qemu.log beside it"
	return "$failed"
}

# --- all of it ---

lab_make_pieces() {
	local kernel=$1 package=$2 suite=$3
	lab_piece "$LAB/qemu" "fetch the emulator" \
		lab_unpack_with_dependencies "$LAB/qemu" "$(dpkg --print-architecture)" "$LAB_EMULATOR_SUITES" qemu-system-ppc
	lab_piece "$kernel" "fetch the kernel ($package)" \
		lab_make_kernel "$kernel" "$suite" "$package" "${LAB_MODULES[@]}"
	lab_piece "$LAB/sysroot" "fetch the ppc64el sysroot" \
		lab_make_sysroot "$LAB/sysroot" ppc64el "$LAB_SYSROOT_SUITE" "${LAB_SYSROOT_PACKAGES[@]}"
}

# lab_run HOST TESTS: boot HOST, run the tests whose names fit the pattern TESTS on it, say how each went; fails unless
# all is well.
lab_run() {
	local host=$1 tests=$2 row machine package suite devices directory=$LAB/$1 kernel programs booted=0
	row=$(awk -v host="$host" '$1 == host' <<<"$LAB_HOSTS")
	if [ -z "$row" ]; then
		printf 'run: no such host: %s; there is:%s\n' "$host" "$(awk 'NF { printf " " $1 }' <<<"$LAB_HOSTS")" >&2
		return 2
	fi
	read -r _ machine package suite devices <<<"$row"
	devices=LAB_DEVICES_$devices
	kernel=$LAB/kernel-$package-$suite
	need "${LAB_PACKAGES[@]}"
	lab_make_pieces "$kernel" "$package" "$suite"
	programs=${LAB_PROGRAMS:-$LAB_BUILD/bin}
	[ -n "${LAB_PROGRAMS:-}" ] || step "compile (ppc64el)" compile ppc64el "$LAB_BUILD"
	mkdir -p "$directory"
	step "pack the guest ($host)" lab_pack_guest "$directory" "$kernel" "${!devices}" "$programs" "$tests"
	step "boot $host and run its tests" lab_boot "$directory" "$kernel" "$machine" "${!devices}" || booted=$?
	lab_judge "$directory" || return 1
	return "$booted"
}
