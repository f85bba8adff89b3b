# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The verdict of the power lab: what a guest's console tells, and the table of all that ran.

# What a kernel says when something is wrong with it, as extended regular expression after its time stamp.
readonly LAB_KERNEL_COMPLAINT='WARNING: |\bBUG\b|Oops|Kernel panic|rcu: INFO|blocked for more than|[Mm]achine check'

# Of these, what is the kernel's own fault, whoever asks it. KVM_DEV_VFIO_GROUP_DEL of a group that never got a TCE table
# warns, once in a boot, though nothing is wrong with that (virt/kvm/vfio.c, kvm_vfio_group_del).
readonly LAB_KERNEL_KNOWN='WARNING: .* kvm_spapr_tce_release_vfio_group\+'

lab_quote() {
	sed 's/^/      | /'
}

# lab_field NAME WORDS: what stands behind NAME= in them.
lab_field() {
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$2"
}

# lab_said CONSOLE PATTERN: what guest-init said that fits the pattern (a basic one).
lab_said() {
	sed -n "s/^\[ *[0-9.]*\] lab: \($2\)\$/\1/p" <<<"$1"
}

# lab_judge_program CONSOLE NAME: its line, the tests that it skipped, and what it wrote when it failed.
lab_judge_program() {
	local console=$1 name=$2 end
	end=$(lab_said "$console" "end $name .*")
	if [ "$(lab_field status "$end")" = 0 ]; then
		printf '  ok    %-58s %6s s\n' "$name" "$(lab_field seconds "$end")"
		lab_said "$console" "$name skipped: .*" | sed "s/^$name /        /"
		return
	fi
	printf '  FAIL  %-58s %s\n' "$name" "${end:-never ended}"
	sed -n "/\] lab: begin $name\$/,/\] lab: end $name /p" <<<"$console" | tail -n 200 | lab_quote
	return 1
}

# lab_unpack_answers CONSOLE: to the host's directory; fails when they are not whole.
lab_unpack_answers() {
	sed -n 's/^lab-answers: //p' <<<"$1" | base64 --decode | gzip --decompress >"$directory/answers"
}

# lab_judge NAME...: what the console of a run of these programs says; fails unless all of it is good, from the first
# line on.
lab_judge() {
	local console complaints name failed=0
	console=$(tr -d '\r\0' <"$directory/console.log")
	for name in "$@"; do
		lab_judge_program "$console" "$name" || failed=1
	done
	if [ -f "$directory/guest/lab/question" ] && ! lab_unpack_answers "$console"; then
		echo '  FAIL  the answers did not get here whole'
		failed=1
	fi
	if complaints=$(grep -E "\[ *[0-9.]+\] (.*($LAB_KERNEL_COMPLAINT)|lab: (cannot|device|.* left behind))" <<<"$console" |
		grep -Ev "$LAB_KERNEL_KNOWN"); then
		echo '  FAIL  the kernel or the lab complained:'
		lab_quote <<<"$complaints"
		failed=1
	fi
	if [ -z "$(lab_said "$console" 'all done')" ]; then
		echo '  FAIL  the guest did not get to its end; the last it said:'
		tail -n 5 <<<"$console" | lab_quote
		failed=1
	fi
	[ "$failed" -eq 0 ] || echo "  the whole console: ${directory#"$PWD/"}/console.log; the emulator's log: qemu.log beside it"
	return "$failed"
}

# lab_sum NAME WORDS: of the numbers behind NAME= in all lines.
lab_sum() {
	lab_field "$1" "$2" | awk '{ sum += $1 } END { print sum + 0 }'
}

# lab_count_questions: how many the conformance program has asked, "-" when it did not run.
lab_count_questions() {
	local count=
	[ ! -f "$directory/answers" ] || count=$(sed -n 's/^\([0-9]*\) questions asked$/\1/p' "$directory/answers")
	echo "${count:--}"
}

lab_print_row() {
	printf '  %-15s  %-32s  %5s  %4s  %6s  %7s  %9s  %7s  %s\n' "$@"
}

# lab_tell_row SECONDS VERDICT: the host's line of the table, from what its console says.
lab_tell_row() {
	local console kernel ends
	console=$(tr -d '\r\0' <"$directory/console.log")
	kernel=$(lab_said "$console" 'kernel .*' | head -n 1)
	kernel=${kernel#kernel }
	ends=$(lab_said "$console" 'end .*')
	lab_print_row "$host" "${kernel%% *}" "$(lab_field pages "$kernel")K" "$(lab_sum ok "$ends")" \
		"$(lab_sum failed "$ends")" "$(lab_sum skipped "$ends")" "$(lab_count_questions)" "$1" "$2"
}

# lab_print_table HOST...
lab_print_table() {
	local host
	lab_print_row host kernel pages ok failed skipped questions seconds ''
	for host in "$@"; do
		# One that did not get so far has said why.
		cat "$LAB/$host/row" 2>/dev/null || lab_print_row "$host" - - - - - - - FAIL
	done
}
