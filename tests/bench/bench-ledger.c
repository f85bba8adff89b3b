/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mapping ledger beside GLib's GTree, used as QEMU keeps the mappings of an IOMMU in one
 * (util/iova-tree.c): an allocated entry for each mapping, which is key and value, and a comparison
 * that takes overlapping ranges for equal.
 *
 * Both do the same work on the same mappings in turn, round by round, so that a machine that is
 * busy for a while is busy for both. What QEMU does beyond one GTree call is left out, in GTree's
 * favour: it looks a range up before it inserts it, and again after it removed it. The ledger's
 * insert finds overlaps by itself.
 */
#include <getopt.h>
#include <glib.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vfio/ledger.h"

#define PAGE        UINT64_C(0x1000)
#define STRIDE      (2 * PAGE) /* every second page is free */
#define BASE        (UINT64_C(1) << 59)
#define ROUNDS_MAX  99
#define TIME_TARGET 4.0  /* times as fast */
#define BYTE_TARGET 0.45 /* of GTree's bytes */

enum operation {
	OPERATION_INSERT,
	OPERATION_OVERLAP,
	OPERATION_FIND,
	OPERATION_ERASE,
	OPERATION_COUNT,
};

static const char *const operation_names[OPERATION_COUNT] = {"insert", "overlap check", "find",
							     "erase"};

struct options {
	unsigned int count;
	unsigned int rounds;
	bool json;
};

/* One structure under test. All of them return what the other one must return as well. */
struct subject {
	const char *name;
	void *(*make)(void);
	uint64_t (*insert)(void *subject, struct range iova);
	uint64_t (*overlap)(void *subject, struct range iova);
	uint64_t (*find)(void *subject, uint64_t iova);
	uint64_t (*erase)(void *subject, struct range iova);
	void (*destroy)(void *subject);
};

enum { SUBJECT_GTREE, SUBJECT_LEDGER, SUBJECT_COUNT };

struct result {
	double nanoseconds[SUBJECT_COUNT][OPERATION_COUNT][ROUNDS_MAX];
	double bytes[SUBJECT_COUNT]; /* a mapping */
};

static void require(bool condition, const char *what)
{
	if (!condition) {
		(void)fprintf(stderr, "bench-ledger: %s\n", what);
		exit(EXIT_FAILURE);
	}
}

/* GTree */

struct entry {
	uint64_t iova;
	uint64_t gpa;
	uint64_t last_offset; /* the size less one */
	uint32_t prot;
};

static int compare_entries(const void *a, const void *b, void *userdata)
{
	const struct entry *left = a;
	const struct entry *right = b;

	(void)userdata;
	if (left->iova > right->iova + right->last_offset) {
		return 1;
	}
	return left->iova + left->last_offset < right->iova ? -1 : 0;
}

static void *gtree_make(void)
{
	return g_tree_new_full(compare_entries, NULL, g_free, NULL);
}

static struct entry entry_of(struct range iova)
{
	return (struct entry){
		.iova = iova.start, .last_offset = iova.size - 1, .gpa = ~iova.start, .prot = 3};
}

static uint64_t gtree_insert(void *subject, struct range iova)
{
	struct entry *entry = g_new0(struct entry, 1);

	*entry = entry_of(iova);
	g_tree_insert(subject, entry, entry);
	return 1;
}

static uint64_t gtree_overlap(void *subject, struct range iova)
{
	struct entry wanted = entry_of(iova);

	return g_tree_lookup(subject, &wanted) ? 1 : 0;
}

static uint64_t gtree_find(void *subject, uint64_t iova)
{
	struct entry wanted = entry_of((struct range){iova, 1});
	const struct entry *entry = g_tree_lookup(subject, &wanted);

	return entry ? entry->gpa : 0;
}

static uint64_t gtree_erase(void *subject, struct range iova)
{
	struct entry wanted = entry_of(iova);

	return g_tree_remove(subject, &wanted) ? 1 : 0;
}

static void gtree_destroy(void *subject)
{
	g_tree_destroy(subject);
}

/* The ledger */

static void *subject_ledger_make(void)
{
	struct ledger *ledger = NULL;

	require(ledger_new(&ledger) == 0, "no memory");
	return ledger;
}

static uint64_t subject_ledger_insert(void *subject, struct range iova)
{
	struct mapping mapping = {.iova = iova, .gpa = ~iova.start, .prot = 3};

	return ledger_insert(subject, &mapping, NULL) == 0 ? 1 : 0;
}

static uint64_t subject_ledger_overlap(void *subject, struct range iova)
{
	struct mapping mapping;

	return ledger_overlaps(subject, iova, &mapping) ? 1 : 0;
}

static uint64_t subject_ledger_find(void *subject, uint64_t iova)
{
	struct mapping mapping;

	return ledger_find(subject, iova, &mapping) ? mapping.gpa : 0;
}

static uint64_t subject_ledger_erase(void *subject, struct range iova)
{
	return ledger_erase(subject, iova) == 0 ? 1 : 0;
}

static void subject_ledger_destroy(void *subject)
{
	(void)ledger_free(subject);
}

static const struct subject subjects[SUBJECT_COUNT] = {
	[SUBJECT_GTREE] = {"GLib GTree", gtree_make, gtree_insert, gtree_overlap, gtree_find,
			   gtree_erase, gtree_destroy},
	[SUBJECT_LEDGER] = {"ledger", subject_ledger_make, subject_ledger_insert,
			    subject_ledger_overlap, subject_ledger_find, subject_ledger_erase,
			    subject_ledger_destroy},
};

/* Measuring */

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double bytes_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)info.uordblks + (double)info.hblkhd;
}

/* xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Each number below count once, in an order of its own for each seed; seed 0: ascending. */
static void fill_order(uint32_t *order, unsigned int count, uint64_t seed)
{
	for (uint32_t i = 0; i < count; i++) {
		order[i] = i;
	}
	for (unsigned int i = count; seed != 0 && i > 1; i--) {
		uint64_t other = next_random(&seed) % i;
		uint32_t number = order[i - 1];

		order[i - 1] = order[other];
		order[other] = number;
	}
}

/* The page with that number is mapped; the one behind it isn't. */
static struct range page_of(uint32_t number, bool free_one)
{
	return (struct range){BASE + number * STRIDE + (free_one ? PAGE : 0), PAGE};
}

/* One operation on all mappings, in the order given. Returns the sum of its results. */
static uint64_t run_operation(const struct subject *subject, void *object, enum operation operation,
			      const uint32_t *order, unsigned int count)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct range page = page_of(order[i], false);

		switch (operation) {
		case OPERATION_INSERT:
			sum += subject->insert(object, page);
			break;
		case OPERATION_OVERLAP:
			/* As often in vain as not. */
			sum += subject->overlap(object, page_of(order[i], i % 2 != 0));
			break;
		case OPERATION_FIND:
			sum += subject->find(object, page.start + PAGE / 2);
			break;
		case OPERATION_ERASE:
			sum += subject->erase(object, page);
			break;
		case OPERATION_COUNT:
			break;
		}
	}
	return sum;
}

static void run_subject(unsigned int which, const uint32_t *order, unsigned int count,
			unsigned int round, bool ascending, struct result *result,
			uint64_t ret_sums[OPERATION_COUNT])
{
	const struct subject *subject = &subjects[which];
	double before = bytes_in_use();
	void *object = subject->make();
	uint32_t *other = malloc(count * sizeof(*other));

	require(other != NULL, "no memory");
	before += (double)malloc_usable_size(other);
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const uint32_t *used = operation == OPERATION_INSERT ? order : other;
		double start;

		fill_order(other, count, ascending ? 0 : (uint64_t)operation + 1000 + round);
		start = now();
		ret_sums[operation] = run_operation(subject, object, operation, used, count);
		result->nanoseconds[which][operation][round] = (now() - start) / count;
		if (operation == OPERATION_INSERT && round == 0 && !ascending) {
			/* The first time, before GLib keeps freed memory for itself. */
			result->bytes[which] = (bytes_in_use() - before) / count;
		}
	}
	subject->destroy(object);
	free(other);
}

static void measure(const struct options *options, bool ascending, struct result *result)
{
	uint32_t *order = malloc(options->count * sizeof(*order));

	require(order != NULL, "no memory");
	for (unsigned int round = 0; round < options->rounds; round++) {
		uint64_t sums[SUBJECT_COUNT][OPERATION_COUNT] = {{0}};

		fill_order(order, options->count, ascending ? 0 : round + 1);
		for (unsigned int turn = 0; turn < SUBJECT_COUNT; turn++) {
			unsigned int which = (turn + round) % SUBJECT_COUNT;

			run_subject(which, order, options->count, round, ascending, result,
				    sums[which]);
		}
		require(memcmp(sums[0], sums[1], sizeof(sums[0])) == 0,
			"the two don't agree on what is mapped");
		require(sums[0][OPERATION_INSERT] == options->count &&
				sums[0][OPERATION_ERASE] == options->count,
			"not all mappings came and went");
	}
	free(order);
}

static int compare_numbers(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(const double *numbers, unsigned int count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, numbers, count * sizeof(*numbers));
	qsort(sorted, count, sizeof(*sorted), compare_numbers);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* Showing */

struct row {
	const char *name;
	double gtree;
	double ledger;
	double ratio; /* as the target counts: of time, how often it is as fast */
	double target;
	bool met;
};

static struct row time_row(const struct result *result, enum operation operation,
			   unsigned int rounds)
{
	struct row row = {
		.name = operation_names[operation],
		.gtree = median(result->nanoseconds[SUBJECT_GTREE][operation], rounds),
		.ledger = median(result->nanoseconds[SUBJECT_LEDGER][operation], rounds),
		.target = TIME_TARGET,
	};

	row.ratio = row.gtree / row.ledger;
	row.met = row.ratio >= row.target;
	return row;
}

static struct row byte_row(const struct result *result)
{
	struct row row = {
		.name = "bytes",
		.gtree = result->bytes[SUBJECT_GTREE],
		.ledger = result->bytes[SUBJECT_LEDGER],
		.target = BYTE_TARGET,
	};

	row.ratio = row.ledger / row.gtree;
	row.met = row.ratio <= row.target;
	return row;
}

/* Whether all targets are met, when they count. */
static bool show_text(const struct options *options, const struct result *result, bool ascending)
{
	struct row bytes = byte_row(result);
	bool met = bytes.met;

	(void)printf("%u mappings in %s order, medians of %u rounds\n\n", options->count,
		     ascending ? "ascending" : "random", options->rounds);
	(void)printf("  %-16s %12s %12s %10s%s\n", "ns an operation", subjects[SUBJECT_GTREE].name,
		     subjects[SUBJECT_LEDGER].name, "ratio", ascending ? "" : "      target");
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		struct row row = time_row(result, operation, options->rounds);

		(void)printf("  %-16s %12.0f %12.0f %9.1fx", row.name, row.gtree, row.ledger,
			     row.ratio);
		if (!ascending) {
			(void)printf("  at least %.1fx  %s", row.target, row.met ? "ok" : "MISSED");
		}
		(void)printf("\n");
		met = met && row.met;
	}
	if (ascending) {
		return true;
	}
	(void)printf("\n  %-16s %12.1f %12.1f %10.2f  at most %.2f   %s\n\n", "bytes a mapping",
		     bytes.gtree, bytes.ledger, bytes.ratio, bytes.target,
		     bytes.met ? "ok" : "MISSED");
	return met;
}

static bool show_json(const struct options *options, const struct result *result, bool ascending)
{
	struct row bytes = byte_row(result);
	bool met = bytes.met;

	(void)printf("\"%s\":{", ascending ? "ascending" : "random");
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		struct row row = time_row(result, operation, options->rounds);

		(void)printf("%s\"%s\":{\"gtree_ns\":%.1f,\"ledger_ns\":%.1f,\"ratio\":%.3f}",
			     operation == 0 ? "" : ",", row.name, row.gtree, row.ledger, row.ratio);
		met = met && row.met;
	}
	if (!ascending) {
		(void)printf(",\"%s\":{\"gtree\":%.2f,\"ledger\":%.2f,\"ratio\":%.3f}", bytes.name,
			     bytes.gtree, bytes.ledger, bytes.ratio);
	}
	(void)printf("}");
	return met;
}

static bool show(const struct options *options, const struct result *random,
		 const struct result *ascending)
{
	bool met;

	if (!options->json) {
		met = show_text(options, random, false);
		(void)show_text(options, ascending, true);
		return met;
	}
	(void)printf("{\"mappings\":%u,\"rounds\":%u,", options->count, options->rounds);
	met = show_json(options, random, false);
	(void)printf(",");
	(void)show_json(options, ascending, true);
	(void)printf(",\"targets\":{\"ratio\":%.1f,\"bytes\":%.2f,\"met\":%s}}\n", TIME_TARGET,
		     BYTE_TARGET, met ? "true" : "false");
	return met;
}

static unsigned int parse_number(const char *text, unsigned int most)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);

	require(*text != '\0' && *end == '\0' && number >= 1 && number <= most,
		"not a number that it takes");
	return (unsigned int)number;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"mappings", required_argument, NULL, 'm'},
		{"rounds", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	static struct result random;
	static struct result ascending;
	struct options options = {.count = 1000000, .rounds = 5};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'm':
			options.count = parse_number(optarg, 1U << 28);
			break;
		case 'r':
			options.rounds = parse_number(optarg, ROUNDS_MAX);
			break;
		case 'j':
			options.json = true;
			break;
		default:
			(void)fprintf(stderr,
				      "usage: bench-ledger [--mappings N] [--rounds N] [--json]\n");
			return EXIT_FAILURE;
		}
	}
	measure(&options, false, &random);
	measure(&options, true, &ascending);
	return show(&options, &random, &ascending) ? EXIT_SUCCESS : EXIT_FAILURE;
}
