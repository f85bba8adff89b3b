#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The conformance program's answers of two worlds, side by side.
#
#   compare.sh check BIN HOST           put the questions to the simulated HOST, with the programs in BIN, and compare
#                                       with what a real kernel said, as recorded in answers/HOST.txt
#   compare.sh compare HOST REAL OTHER  compare two files of answers
#
# Sourced, it has also
#
#   conformance_run BIN HOST REAL       compare the answers in the file REAL with those of the simulated HOST, and make
#                                       walks that differ short; conformance_ask_real must be there: see below
#   conformance_record BIN HOST REAL    make answers/HOST.txt out of the file REAL

CONFORMANCE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly CONFORMANCE

# As many walks that differ are made short; as many candidates are asked at a time.
readonly CONFORMANCE_WALKS=2
readonly CONFORMANCE_CANDIDATES=24
readonly CONFORMANCE_FIRST_STEPS=5 # of a walk: what the others mostly need (walk.c)

# --- asking ---

# conformance_settings HOST: the simulated host that shall be like one of the lab. Nothing blocks, and DMA where
# nothing is mapped does not freeze a PE: the emulated bridges of the lab don't either.
conformance_settings() {
	local settings=pace=0,faults=ignore,memlock=own
	case $1 in
	*-64k) settings=page-size=65536,$settings ;;
	*-newer) settings=kernel=7.2,$settings ;;
	esac
	echo "${1%%-*},$settings"
}

# conformance_ask BIN HOST [ARGUMENT...]: the answers of the simulated host. A failure of the program shows in them.
conformance_ask() {
	local bin=$1 host=$2
	shift 2
	"$bin/spaprctl" sim exec --host "$(conformance_settings "$host")" -- "$bin/tests/test-conformance" "$@" || true
}

# --- comparing ---

# conformance_facts HOST: the patterns and reasons that are for it, as two lines each.
conformance_facts() {
	local line rest
	while read -r line; do
		rest=${line#* | }
		# shellcheck disable=SC2254 # a pattern
		case $1 in
		${line%% | *}) printf '%s\n%s\n' "${rest%% | *}" "${rest#* | }" ;;
		esac
	done < <(sed -e '/^#/d' -e '/^$/d' "$CONFORMANCE/platform-facts")
}

# conformance_compare HOST REAL OTHER: what differs, as text; fails when anything does that is no platform fact, or when
# a platform fact shows in nothing any more (FACTS_MAY_REST=yes: it may).
conformance_compare() {
	awk -v rest="${FACTS_MAY_REST:-no}" '
		function question(line) { return index(line, " = ") ? substr(line, 1, index(line, " = ") - 1) : line }
		function answer(line) { return index(line, " = ") ? substr(line, index(line, " = ") + 3) : "(said)" }
		function fact(asked, i) {
			for (i = 1; i <= facts; i++)
				if (asked ~ pattern[i]) { used[i]++; return 1 }
			return 0
		}
		function tell(asked, first, second) {
			printf "    %s\n        a real kernel: %s\n        simulated:     %s\n", asked, first, second
			differences++
		}
		FILENAME == ARGV[1] {
			if (FNR % 2) pattern[++facts] = $0
			else reason[facts] = $0
			next
		}
		FILENAME == ARGV[2] { real[question($0)] = answer($0); order[++asked] = question($0); next }
		{
			simulated[question($0)] = answer($0)
			if (!(question($0) in real)) extra[++extras] = question($0)
		}
		END {
			for (i = 1; i <= asked; i++) {
				q = order[i]
				s = (q in simulated) ? simulated[q] : "(not answered)"
				if (s != real[q] && !fact(q)) tell(q, real[q], s)
			}
			for (i = 1; i <= extras; i++)
				if (!fact(extra[i])) tell(extra[i], "(not answered)", simulated[extra[i]])
			for (i = 1; i <= facts; i++)
				if (!used[i] && rest != "yes") {
					printf "    platform-facts: \"%s\" is no difference any more\n", pattern[i]
					differences++
				}
			if (!asked) { print "    there are no answers of a real kernel"; differences++ }
			if (differences) printf "    %d differences\n", differences
			exit differences > 0
		}' <(conformance_facts "$1") "$2" "$3"
}

# --- walks that differ, made short ---

# Sets answers to the lists of steps, one line each, of the candidates that still differ, cut after the first step that
# does; the shortest first. conformance_ask_real HOST FILE ARGUMENT... asks a real kernel and leaves what it says in FILE.
conformance_try() {
	local bin=$1 host=$2 seed=$3 list arguments=(walk --seed "$3" --steps 1000)
	shift 3
	for list in "$@"; do
		arguments+=(--only "$list")
	done
	conformance_ask_real "$host" "$work/real" "${arguments[@]}" || return 1
	conformance_ask "$bin" "$host" "${arguments[@]}" >"$work/simulated"
	paste -d '\n' "$work/real" "$work/simulated" | awk -v seed="$seed" '
		# Both say the same questions in the same order, as long as they end alike.
		NR % 2 { real = $0; next }
		{
			split(real, part, "/")
			number = part[1]
			sub(/.*\./, "", number)
			if (number in done) next
			steps[number] = steps[number] (steps[number] == "" ? "" : ",") (substr(part[2], 1, index(part[2], " ") - 1) + 0)
			if (real != $0) done[number] = 1
		}
		END { for (number in done) print gsub(",", ",", steps[number]) + 1, steps[number] }' |
		sort -n | cut -d ' ' -f 2
}

# conformance_candidates STEP...: lists to try instead: the last steps only, all but a chunk of them, or all but one.
conformance_candidates() {
	local steps=("$@") count=$# size start candidate
	{
		for ((size = 1; size < count - CONFORMANCE_FIRST_STEPS; size *= 2)); do
			echo "${steps[*]:0:CONFORMANCE_FIRST_STEPS} ${steps[*]:count - size}"
		done
		for ((size = (count + 1) / 2; size > 0; size = size > 1 ? (size + 1) / 2 : 0)); do
			# The larger chunks promise more; where all are small, none is left out.
			[ $((count / size)) -le "$CONFORMANCE_CANDIDATES" ] || break
			for ((start = 0; start < count; start += size)); do
				candidate="${steps[*]:0:start} ${steps[*]:start + size}"
				[ -z "${candidate// /}" ] || echo "$candidate"
			done
		done
	} | awk '!seen[$0]++ && NF' | sed -e 's/^ *//' -e 's/ *$//' -e 's/  */,/g'
}

# conformance_shorten BIN HOST SEED STEPS: the shortest list, from those that can be had by leaving out, that differs.
conformance_shorten() {
	local bin=$1 host=$2 seed=$3 best=$4 shorter steps candidates chunk
	while :; do
		IFS=, read -ra steps <<<"$best"
		mapfile -t candidates < <(conformance_candidates "${steps[@]}")
		[ ${#candidates[@]} -gt 0 ] || break
		shorter=$(conformance_try "$bin" "$host" "$seed" "${candidates[@]}" | head -n 1)
		if [ -z "$shorter" ] || [ "${#shorter}" -ge "${#best}" ]; then
			# Chunks of the size that was too many of before, one after the other.
			[ ${#steps[@]} -gt "$CONFORMANCE_CANDIDATES" ] || break
			chunk=$(conformance_singles "$bin" "$host" "$seed" "${steps[@]}")
			[ -n "$chunk" ] || break
			shorter=$chunk
		fi
		best=$shorter
	done
	echo "$best"
}

# conformance_singles BIN HOST SEED STEP...: all but one, for each; those that can go alone mostly can go together.
conformance_singles() {
	local bin=$1 host=$2 seed=$3 steps candidates=() place
	shift 3
	steps=("$@")
	for ((place = 0; place < $#; place++)); do
		candidates+=("$(tr ' ' , <<<"${steps[*]:0:place} ${steps[*]:place + 1}" | sed -e 's/^,//' -e 's/,$//')")
	done
	conformance_try "$bin" "$host" "$seed" "${candidates[@]}" | head -n 1
}

# conformance_shorten_walk BIN HOST WALK FIRST: a walk whose first difference is at step FIRST, and what it comes down to.
conformance_shorten_walk() {
	local bin=$1 host=$2 seed=${3#walk-} best
	best=$(conformance_shorten "$bin" "$host" "$seed" "$(seq -s , 0 "$4")")
	conformance_ask_real "$host" "$work/real" walk --seed "$seed" --steps 1000 --only "$best"
	conformance_ask "$bin" "$host" walk --seed "$seed" --steps 1000 --only "$best" >"$work/simulated"
	printf '  %s comes down to: walk --seed %s --only %s\n' "$3" "$seed" "$best"
	sed 's/^/    a real kernel: /' "$work/real"
	sed 's/^/    simulated:     /' "$work/simulated"
}

# conformance_differing_walks REAL OTHER: each with the number of its first step that differs.
conformance_differing_walks() {
	diff <(grep '^walk-' "$1") <(grep '^walk-' "$2") | sed -n 's|^< \(walk-[0-9]*\)/\([0-9]*\) .*|\1 \2|p' |
		awk '!seen[$1]++ { print $1, $2 + 0 }'
}

# --- the entries ---

conformance_run() {
	local bin=$1 host=$2 real=$3 work walk step status=0
	work=$(mktemp -d)
	conformance_ask "$bin" "$host" >"$work/all"
	conformance_compare "$host" <(grep -v '^walk-' "$real") <(grep -v '^walk-' "$work/all") || status=1
	while read -r walk step; do
		status=1
		conformance_shorten_walk "$bin" "$host" "$walk" "$step"
	done < <(conformance_differing_walks "$real" "$work/all" | head -n "$CONFORMANCE_WALKS")
	rm -rf "$work"
	return "$status"
}

conformance_record() {
	mkdir -p "$CONFORMANCE/answers"
	"$1/tests/test-conformance" sums <"$3" >"$CONFORMANCE/answers/$2.txt"
}

conformance_check() {
	local bin=$1 host=$2
	conformance_compare "$host" "$CONFORMANCE/answers/$host.txt" \
		<(conformance_ask "$bin" "$host" | "$bin/tests/test-conformance" sums)
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -euo pipefail
	case "${1:-} $#" in
	"check 3") conformance_check "$2" "$3" ;;
	"compare 4") conformance_compare "$2" "$3" "$4" ;;
	*)
		sed -n 's/^#   //p' "$0" >&2
		exit 2
		;;
	esac
fi
