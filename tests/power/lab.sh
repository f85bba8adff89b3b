# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power lab: the integration and conformance tests on real Linux kernels, on emulated hosts.
#
# Sourced by ./run, from which it takes need, step and compile. Its entries are
#
#   lab_run WHAT HOST...      boot each HOST and run the integration tests there, the conformance program, or both
#                             (the answers are compared with those of build/bin, see tests/conformance/compare.sh)
#                             (WHAT is integration, conformance or both); several at once, a table at the end
#   lab_ask HOST ANSWERS PROGRAM [ARGUMENT...]
#                             boot HOST, run one program of the cross build there (its path below build/ARCHITECTURE/bin)
#                             and leave what it wrote to its standard output, byte by byte, in the file ANSWERS; fails
#                             when the program does, with its standard error shown
#
# All it makes lies under build/lab: emulators, kernels and sysroots out of Debian's archive, and for each host a
# directory with what its last run left: console.log, qemu.log, and answers (what the asked program wrote).
#
# LAB_PROGRAMS=DIRECTORY takes the programs from there instead of cross-compiling the tree, to ask a kernel something
# by hand: whatever lies there under tests/ with a fitting name runs as the tests would.
# LAB_FILES=DIRECTORY puts what lies there into the guest, as /lab/files.
# LAB_GUESTS=NUMBER boots so many hosts at a time; unless told otherwise one for each processor, if memory allows.

readonly LAB=$PWD/build/lab
readonly LAB_PACKAGES=(debian-archive-keyring cmake ninja-build pkg-config device-tree-compiler cpio xz-utils)
readonly LAB_INTEGRATION='test-integration-*'
readonly LAB_CONFORMANCE=tests/test-conformance

# shellcheck source=tests/power/hosts.sh
source tests/power/hosts.sh
# shellcheck source=tests/power/pieces.sh
source tests/power/pieces.sh
# shellcheck source=tests/power/guest.sh
source tests/power/guest.sh
# shellcheck source=tests/power/verdict.sh
source tests/power/verdict.sh
# shellcheck source=tests/conformance/compare.sh
source tests/conformance/compare.sh

lab_all_hosts() {
	awk 'NF { print $1 }' <<<"$LAB_HOSTS"
}

# lab_row HOST: its row of the table.
lab_row() {
	awk -v host="$1" '$1 == host { row = $0 } END { print row; exit !row }' <<<"$LAB_HOSTS" || {
		printf 'run: no such host: %s; there is: %s\n' "$1" "$(lab_all_hosts | paste -s -d ' ')" >&2
		return 2
	}
}

# lab_kernel_of ROW: where the kernel of such a host lies.
lab_kernel_of() {
	local package suite
	read -r _ _ _ package suite _ <<<"$1"
	echo "$LAB/kernel-$package-$suite"
}

# lab_fetch_kernel ROW
lab_fetch_kernel() {
	local architecture package suite kernel
	kernel=$(lab_kernel_of "$1")
	read -r _ architecture _ package suite _ <<<"$1"
	lab_piece "$kernel" "fetch the kernel ($package, $suite)" \
		lab_make_kernel "$kernel" "$architecture" "$suite" "$package" \
		"${LAB_MODULES[@]}" "${LAB_MODULES_IF_POSSIBLE[@]}"
}

# lab_prepare ROW...: all that has to be there before these hosts are booted.
lab_prepare() {
	local architecture row
	need "${LAB_PACKAGES[@]}"
	lab_make_emulator
	for architecture in $(printf '%s\n' "$@" | awk '{ print $2 }' | sort -u); do
		lab_make_programs "$architecture"
	done
	for row in "$@"; do
		lab_fetch_kernel "$row"
	done
}

# conformance_ask_real HOST FILE ARGUMENT...: what compare.sh wants to know of the host that lab_visit has chosen.
conformance_ask_real() {
	local file=$2 console
	shift 2
	{ lab_pack_guest '' "$LAB_CONFORMANCE" "$@" && lab_boot; } >"$directory/ask.log" 2>&1 </dev/null || return 1
	console=$(tr -d '\r\0' <"$directory/console.log")
	lab_unpack_answers "$console" && cp "$directory/answers" "$file"
}

# lab_compare: the answers of the host that lab_visit has chosen with those of the simulated one, or, with
# LAB_RECORD=yes, on record.
lab_compare() {
	local real=$directory/answers-of-all
	cp "$directory/answers" "$real"
	if [ "${LAB_RECORD:-no}" = yes ]; then
		conformance_record build/bin "$host" "$real"
		echo "  recorded in tests/conformance/answers/$host.txt"
		return
	fi
	conformance_run build/bin "$host" "$real" || {
		printf '  FAIL  the simulated %s answers otherwise\n' "$host"
		return 1
	}
	printf '  ok    the simulated %s says the same\n' "$host"
}

# lab_visit TESTS HOST [PROGRAM ARGUMENT...]: boot HOST, run the tests whose names fit the pattern TESTS on it (none for
# an empty one) and the program, say how each went; fails unless all is well. Leaves the host's row of the table.
lab_visit() {
	local tests=$1 host=$2 row architecture machine devices arguments directory=$LAB/$2 kernel sysroot triplet
	local start=$SECONDS booted=0 verdict=ok names
	shift 2
	row=$(lab_row "$host")
	read -r _ architecture machine _ _ devices arguments <<<"$row"
	devices=LAB_DEVICES_$devices
	devices=${!devices}
	kernel=$(lab_kernel_of "$row")
	sysroot=$LAB/sysroot-$architecture
	triplet=${LAB_TRIPLET[$architecture]}
	mkdir -p "$directory"
	rm -f "$directory"/{answers,row}
	step "pack the guest ($host)" lab_pack_guest "$tests" "$@"
	step "boot $host and run what it is for" lab_boot || booted=$?
	mapfile -t names < <(cat "$directory/guest/lab/tests"; [ $# -eq 0 ] || basename "$1")
	lab_judge "${names[@]}" || verdict=FAIL
	[ "$booted" -eq 0 ] || verdict=FAIL
	if [ "${1:-}" = "$LAB_CONFORMANCE" ] && [ "$verdict" = ok ]; then
		lab_compare || verdict=FAIL
	fi
	lab_tell_row $((SECONDS - start)) "$verdict" >"$directory/row"
	[ "$verdict" = ok ]
}

# --- several at once; visits, of process to host, is lab_visit_several's ---

# A guest has 2 GiB, and the emulator takes some for itself.
lab_guests_at_once() {
	local room
	room=$(awk '$1 == "MemAvailable:" { print int($2 / (2.5 * 1048576)) }' /proc/meminfo)
	[ "$room" -ge 1 ] || room=1
	[ "$(nproc)" -ge "$room" ] || room=$(nproc)
	echo "${LAB_GUESTS:-$room}"
}

lab_end_visits() {
	local visit
	for visit in "${!visits[@]}"; do
		# All of its process group: the emulator as well.
		kill -- "-$visit" 2>/dev/null || true
	done
}

# What the next one that is done has to say, in one piece.
lab_await_visit() {
	local visit status=0
	[ ! -t 1 ] || printf '  ..    %s\r' "${visits[*]}"
	wait -n -p visit "${!visits[@]}" || status=$?
	[ ! -t 1 ] || printf '\e[K'
	echo "${visits[$visit]}"
	cat "$LAB/${visits[$visit]}/report"
	[ "$status" -eq 0 ] || failed=1
	unset "visits[$visit]"
}

# lab_visit_several TESTS "PROGRAM" HOST...: PROGRAM is empty for none. Each in a process group of its own, so that it
# can be ended with all that it has started. Sets failed when one of them is not well.
lab_visit_several() {
	local tests=$1 program=$2 host guests
	local -A visits=()
	shift 2
	guests=$(lab_guests_at_once)
	trap lab_end_visits EXIT
	for host in "$@"; do
		[ ${#visits[@]} -lt "$guests" ] || lab_await_visit
		mkdir -p "$LAB/$host"
		set -m
		lab_visit "$tests" "$host" ${program:+"$program"} >"$LAB/$host/report" 2>&1 &
		set +m
		visits[$!]=$host
	done
	while [ ${#visits[@]} -gt 0 ]; do
		lab_await_visit
	done
	trap - EXIT
}

# --- the entries ---

# lab_look_for HOST: get its kernel if it comes from a moving suite; fails, quietly, when the archive doesn't have it.
lab_look_for() {
	local row suite
	row=$(lab_row "$1")
	read -r _ _ _ _ suite _ <<<"$row"
	[[ " $LAB_MOVING_SUITES " == *" $suite "* ]] || return 0
	mkdir -p "$LOGS"
	lab_fetch_kernel "$row" >"$LOGS/$(log_name "look for the kernel of $1")" 2>&1
}

# lab_run WHAT [HOST...]: without hosts all that there are.
lab_run() {
	local what=$1 tests=$LAB_INTEGRATION program=$LAB_CONFORMANCE hosts=("${@:2}") rows=() host row absent='' failed=0
	[ "$what" != conformance ] || tests=
	[ "$what" != integration ] || program=
	if [ ${#hosts[@]} -eq 0 ]; then
		need "${LAB_PACKAGES[@]}"
		for host in $(lab_all_hosts); do
			# A process of its own, which ends at the first failure; a condition would not.
			lab_look_for "$host" &
			if wait $!; then hosts+=("$host"); else absent+=" $host"; fi
		done
	fi
	for host in "${hosts[@]}"; do
		row=$(lab_row "$host")
		rows+=("$row")
	done
	lab_prepare "${rows[@]}"
	if [ ${#hosts[@]} -eq 1 ]; then
		lab_visit "$tests" "${hosts[0]}" ${program:+"$program"}
		return
	fi
	lab_visit_several "$tests" "$program" "${hosts[@]}"
	lab_print_table "${hosts[@]}"
	[ -z "$absent" ] || echo "  the archive does not have the kernel, at present, of:$absent"
	return "$failed"
}

lab_ask() {
	local host=$1 answers=$2 row
	shift 2
	row=$(lab_row "$host")
	lab_prepare "$row"
	lab_visit '' "$host" "$@"
	cp "$LAB/$host/answers" "$answers"
}
