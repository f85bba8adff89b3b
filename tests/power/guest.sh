# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest of the power lab: what is in it, and how it is booted. These functions work on the host that lab_visit
# (lab.sh) has chosen: its row of LAB_HOSTS is in the variables host, architecture, machine, devices and arguments, and its
# directory, kernel and sysroot are those.

# Programs of the sysroot that the guest has as well.
readonly LAB_GUEST_PROGRAMS=(usr/bin/dbus-daemon usr/bin/dbus-send usr/bin/busctl)

readonly LAB_SECONDS=1500
# Resets of PEs and devices take seconds each, and an emulated host is slower than usual on a machine that is busy.
readonly LAB_TEST_SECONDS=300
readonly LAB_ASK_SECONDS=1000

# lab_needed_libraries GUEST: the names of the shared libraries that anything in GUEST wants.
lab_needed_libraries() {
	# readelf fails on what is no ELF file, such as a script.
	{ find "$1" -type f \( -perm -100 -o -name '*.so*' \) -exec "$triplet-readelf" -d {} + || true; } 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u
}

# Until nothing is wanted that is not there, since libraries want others.
lab_add_libraries() {
	local guest=$1 libraries=$1/usr/lib/$triplet loader=${LAB_LOADER[$architecture]} added=yes name
	mkdir -p "$libraries" "$guest/lib64"
	cp -L "$sysroot/usr/lib64/$loader" "$guest/lib64/"
	while [ "$added" = yes ]; do
		added=no
		for name in $(lab_needed_libraries "$guest"); do
			if [ "$name" = "$loader" ] || [ -e "$libraries/$name" ]; then
				continue
			fi
			# Ours lie among the programs.
			cp -L "$(find "$programs" "$sysroot/usr/lib/$triplet"{,/systemd} -maxdepth 1 -name "$name" |
				head -n 1)" "$libraries/"
			added=yes
		done
	done
}

lab_add_configuration() {
	local guest=$1
	mkdir -p "$guest/etc" "$guest/usr/share"
	cp -r "$sysroot/etc/dbus-1" "$guest/etc/"
	cp -r "$sysroot/usr/share/dbus-1" "$guest/usr/share/"
	printf '%s:x:%d:\n' root 0 messagebus 100 spaprd 101 tester 1000 nogroup 65534 >"$guest/etc/group"
	printf '%s:x:%d:%d::/tmp:/bin/sh\n' root 0 0 messagebus 100 100 spaprd 101 101 tester 1000 1000 nobody 65534 65534 >"$guest/etc/passwd"
	# busctl and dbus-daemon want one; no D-Bus client compares it with anything.
	echo 0123456789abcdef0123456789abcdef >"$guest/etc/machine-id"
}

# lab_pack_guest TESTS [PROGRAM ARGUMENT...]: DIRECTORY/initramfs.cpio, with no more in it than what is to be run needs.
# Not compressed: unpacking it costs the emulated processor more than loading it costs the real one.
lab_pack_guest() {
	local tests=$1 guest=$directory/guest programs=${LAB_PROGRAMS:-build/$architecture/bin} module modules=() possible=()
	shift
	rm -rf "$guest"
	mkdir -p "$guest"/{dev,proc,sys,run,tmp,bin,sbin,usr/bin,usr/sbin,lab/modules} "$guest/lab/bin/tests"
	cp "$sysroot/usr/bin/busybox" "$guest/bin/"
	cp tests/power/guest-init "$guest/init"
	cp "${LAB_GUEST_PROGRAMS[@]/#/$sysroot/}" "$guest/usr/bin/"
	find "$programs" -maxdepth 1 -type f -exec cp -t "$guest/lab/bin" {} +
	if [ -n "$tests" ]; then
		# shellcheck disable=SC2086 # a pattern
		cp "$programs"/tests/$tests "$guest/lab/bin/tests/"
		(cd "$guest/lab/bin/tests" && printf '%s\n' *) >"$guest/lab/tests"
	else
		: >"$guest/lab/tests"
	fi
	if [ $# -gt 0 ]; then
		cp "$programs/$1" "$guest/lab/bin/$1"
		# As the shell of the guest reads it.
		printf 'set -- /lab/bin/%s' "$1" >"$guest/lab/question"
		[ $# -eq 1 ] || printf ' %q' "${@:2}" >>"$guest/lab/question"
	fi
	[ -z "${LAB_FILES:-}" ] || cp -r "$LAB_FILES" "$guest/lab/files"
	lab_add_libraries "$guest"
	for module in "${LAB_MODULES[@]}" "${LAB_MODULES_IF_POSSIBLE[@]}"; do
		[ -f "$kernel/$module.ko" ] || continue
		cp "$kernel/$module.ko" "$guest/lab/modules/"
		case " ${LAB_MODULES[*]} " in
		*" $module "*) modules+=("$module") ;;
		*) possible+=("$module") ;;
		esac
	done
	# Fails on a test that is a script, and leaves it as it is. A stripped module would lose its signature.
	find "$guest/lab/bin" "$guest/usr" -type f \( -perm -100 -o -name '*.so*' \) \
		-exec "$triplet-strip" --strip-debug {} + || true
	lab_add_configuration "$guest"
	awk '$1 ~ /:/ { print $1, $2 }' <<<"$devices" >"$guest/lab/devices"
	printf '%s="%s"\n' MODULES "${modules[*]}" MODULES_IF_POSSIBLE "${possible[*]}" TEST_SECONDS "$LAB_TEST_SECONDS" \
		ASK_SECONDS "$LAB_ASK_SECONDS" >"$guest/lab/host"
	(cd "$guest" && find . | cpio --quiet --create --format newc --owner 0:0) >"$directory/initramfs.cpio"
}

# lab_boot: fails when the guest has not switched itself off in time.
lab_boot() {
	local options=() emulator option libraries share
	while read -r _ _ option; do
		[ -z "$option" ] || options+=(-device "$option")
	done <<<"$devices"
	libraries=$(find "$LAB/qemu/" -maxdepth 3 -path '*/lib/*-linux-gnu' -printf ':%p')
	for share in "$LAB/qemu"/usr/share/{qemu,seabios} /usr/share/{qemu,seabios}; do
		options+=(-L "$share")
	done
	read -ra emulator <<<"${LAB_EMULATOR[$architecture]}"
	rm -f "$directory/qemu.log"
	: >"$directory/console.log"
	# In the foreground, so that an interrupt from the terminal ends the emulator too. Where the machine has a QEMU as
	# new as the archive's, nothing was unpacked and the machine's own is found.
	timeout --foreground --kill-after=5 "$LAB_SECONDS" \
		env LD_LIBRARY_PATH="${libraries#:}" PATH="$LAB/qemu/usr/bin:$PATH" "${emulator[@]}" \
		-machine "$machine" -accel tcg -smp 1 -m 2G -nographic -vga none -nic none -monitor none -no-reboot \
		-serial "file:$directory/console.log" -d guest_errors -D "$directory/qemu.log" \
		-kernel "$kernel/kernel" -initrd "$directory/initramfs.cpio" \
		-append "${LAB_KERNEL_ARGUMENTS[$architecture]} $arguments printk.devkmsg=on oops=panic panic=1" "${options[@]}"
}
