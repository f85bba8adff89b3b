#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Prove that each guard against a kernel hazard is tested: take it out, and see its test fail.
#
#   prove.sh [HAZARD...]     all of the file "guards", or only these (H9 ...)
#
# Works on a copy of the tree below build/hazards, compiled once; each guard then costs one file and one test.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

readonly GUARDS=tests/hazards/guards
readonly WORK=${HAZARDS_WORK:-$PWD/build/hazards}
readonly TREE=$WORK/tree BUILD=$WORK/build LOGS=$WORK/logs

copy_tree() {
	mkdir -p "$TREE" "$LOGS"
	# As it is, with what git does not know yet. What is the same keeps its age, so that little is compiled again;
	# what differs is new, for a guard taken out by a run that was broken off is newer than the file itself.
	find . \( -path ./build -o -path ./.git \) -prune -o -type f -print |
		while read -r file; do
			cmp -s "$file" "$TREE/$file" || { install -D -p "$file" "$TREE/$file" && touch "$TREE/$file"; }
		done
	(cd "$TREE" && find . -type f -print) | while read -r file; do
		[ -e "$file" ] || rm "$TREE/$file"
	done
}

configure() {
	[ -f "$BUILD/build.ninja" ] || cmake -S "$TREE" -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Debug
}

# The records of the file: each becomes an element of all of these. Complains of what is none.
hazards=() files=() programs=() tests=() olds=() news=()
read_guards() {
	local line hazard='' file program test rest old new number=0
	while IFS= read -r line; do
		number=$((number + 1))
		case $line in
		'#'*) ;;
		-*) old+=${line#-}$'\n' ;;
		+*) new+=${line#+}$'\n' ;;
		'')
			if [ -n "$hazard" ]; then
				hazards+=("$hazard") files+=("$file") programs+=("$program") tests+=("$test")
				olds+=("$old") news+=("$new")
			fi
			hazard=''
			;;
		*)
			if [ -n "$hazard" ]; then
				printf '%s:%d: the record of %s ends without an empty line\n' "$GUARDS" "$number" "$hazard" >&2
				return 1
			fi
			read -r hazard file program test rest <<<"$line"
			if [ -z "$test" ] || [ -n "$rest" ] || [ ! -f "$file" ]; then
				printf '%s:%d: not "HAZARD FILE PROGRAM TEST": %s\n' "$GUARDS" "$number" "$line" >&2
				return 1
			fi
			old='' new=''
			;;
		esac
	done < <(cat "$GUARDS" && echo)
}

is_wanted() {
	[ $# -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]
}

# run_program PROGRAM LOG: a hazard that is met may well hang or crash.
run_program() {
	# The braces keep the shell from saying of what it died.
	{ timeout --kill-after=5 60 "$BUILD/bin/tests/$1" >"$2" 2>&1; } 2>/dev/null
}

# Whether a program's log says that a test has passed, or that it has failed (which some variants of it may).
has_passed() {
	grep -q "^\[ *OK *\] $1\$" "$2"
}

has_failed() {
	# Dead is as good as failed, if it died in that test.
	grep -q "^\[ *FAILED *\] $1\$" "$2" ||
		grep -E '^\[ *(RUN|OK|FAILED) *\]' "$2" | tail -n 1 | grep -q "^\[ *RUN *\] $1\$"
}

# With all guards in their places, every test passes.
check_sound() {
	local program index log failed=0
	for program in "$@"; do
		log=$LOGS/$program.log
		run_program "$program" "$log" || true
		for index in "${chosen[@]}"; do
			[ "${programs[index]}" = "$program" ] || continue
			if ! has_passed "${tests[index]}" "$log" || has_failed "${tests[index]}" "$log"; then
				printf '  FAIL  %-5s %-28s %s does not pass as things are\n        the log: %s\n' "${hazards[index]}" \
					"$program" "${tests[index]}" "$log"
				failed=1
			fi
		done
	done
	return "$failed"
}

# take_out FILE OLD NEW: put NEW in the place of the lines OLD, which must be there exactly once.
take_out() {
	OLD=$2 NEW=$3 perl -0777 -i -pe '
		my $count = () = /^\Q$ENV{OLD}\E/mg;
		$ENV{OLD} ne "" and $count == 1 or warn "the guard is there $count times, not once\n" and exit 1;
		s/^\Q$ENV{OLD}\E/$ENV{NEW}/m;
	' "$1"
}

# prove INDEX: whether the test fails without the guard, and nothing else is wrong.
prove() {
	local hazard=${hazards[$1]} file=${files[$1]} program=${programs[$1]} test=${tests[$1]} verdict
	local log=$LOGS/$hazard-$test.log
	cp -p "$TREE/$file" "$WORK/original"
	if ! take_out "$TREE/$file" "${olds[$1]}" "${news[$1]}" 2>"$log"; then
		verdict="$(cat "$log"): $file"
	elif ! ninja -C "$BUILD" "$program" >"$log" 2>&1; then
		verdict="does not compile without the guard in $file"
	elif run_program "$program" "$log"; then
		verdict="$test passes without the guard in $file"
	elif ! has_failed "$test" "$log"; then
		verdict="fails, but not in $test"
	fi
	cp "$WORK/original" "$TREE/$file"
	if [ -z "${verdict:-}" ]; then
		printf '  ok    %-5s %-28s %s\n' "$hazard" "$program" "$test"
		return 0
	fi
	printf '  FAIL  %-5s %-28s %s\n        the log: %s\n' "$hazard" "$program" "$verdict" "$log"
	return 1
}

read_guards
chosen=()
for index in "${!hazards[@]}"; do
	is_wanted "${hazards[index]}" "$@" && chosen+=("$index")
done
for hazard in "$@"; do
	[[ " ${hazards[*]} " == *" $hazard "* ]] || { printf '%s has no guard "%s"\n' "$GUARDS" "$hazard" >&2; exit 1; }
done
copy_tree
configure >"$WORK/configure.log" || { cat "$WORK/configure.log"; exit 1; }
mapfile -t needed < <(for index in "${chosen[@]}"; do echo "${programs[index]}"; done | sort -u)
ninja -C "$BUILD" "${needed[@]}" >"$WORK/compile.log" || { cat "$WORK/compile.log"; exit 1; }
check_sound "${needed[@]}" || exit 1
failed=0
for index in "${chosen[@]}"; do
	prove "$index" || failed=1
done
exit "$failed"
