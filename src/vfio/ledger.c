/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Entries of a leaf (as many as a word has bits), children of an inner node. */
#define FANOUT 64

#define CACHE_LINE 64

/* A node with fewer entries is merged with a neighbour if both fit one node. */
#define SPARSE (FANOUT / 4)

/*
 * Two neighbours hold more than SPARSE entries together, so a node has eight children on average
 * and this height is out of reach of any memory.
 */
#define HEIGHT_MAX 24

/* What goes with a start, in the same order. */
struct tag {
	uint8_t slot; /* of the mapping's target */
	uint8_t prot;
};

/* Where a mapping ends and leads. It stays in its slot when others come and go, and a search needs
 * one of them only. */
struct target {
	uint64_t last;
	uint64_t gpa;
};

struct leaf {
	unsigned int count;
	uint64_t used; /* slots, one bit each */
	uint64_t start[FANOUT];
	struct tag tag[FANOUT];
	struct target target[FANOUT]; /* by slot */
	struct leaf *previous;
	struct leaf *next;
};

/* All starts below child[i] are at least key[i] and below key[i + 1]; key[0] is not looked at. */
struct inner {
	unsigned int count;
	uint64_t key[FANOUT];
	void *child[FANOUT];
};

struct ledger {
	void *root;          /* NULL, a leaf (height 0), or an inner node */
	unsigned int height; /* levels of inner nodes */
	uint64_t count;
	uint64_t bytes;
	void *(*allocate)(size_t size);
};

/* The way from a leaf up to the root: way[0] is the leaf's parent. */
struct way {
	struct inner *node;
	unsigned int index; /* of the child taken */
};

/* Nodes allocated before anything is changed, so that an insert can't fail half-way. */
struct spare_nodes {
	struct leaf *leaf;
	struct inner *inner[HEIGHT_MAX];
	unsigned int count;
};

int ledger_new(struct ledger **ret_ledger)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger) {
		return -ENOMEM;
	}
	ledger->allocate = malloc;
	*ret_ledger = ledger;
	return 0;
}

static void free_nodes(void *node, unsigned int height)
{
	if (node && height > 0) {
		struct inner *inner = node;

		for (unsigned int i = 0; i < inner->count; i++) {
			free_nodes(inner->child[i], height - 1);
		}
	}
	free(node);
}

struct ledger *ledger_free(struct ledger *ledger)
{
	if (ledger) {
		free_nodes(ledger->root, ledger->height);
		free(ledger);
	}
	return NULL;
}

void ledger_set_allocator(struct ledger *ledger, void *(*allocate)(size_t size))
{
	ledger->allocate = allocate;
}

uint64_t ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}

uint64_t ledger_bytes(const struct ledger *ledger)
{
	return ledger->bytes;
}

/* How many of the keys are not above key. Without a branch that depends on the data. */
static unsigned int count_up_to(const uint64_t *keys, unsigned int count, uint64_t key)
{
	const uint64_t *base = keys;

	if (count == 0) {
		return 0;
	}
	while (count > 1) {
		unsigned int half = count / 2;

		base += base[half] <= key ? half : 0;
		count -= half;
	}
	return (unsigned int)(base - keys) + (*base <= key ? 1 : 0);
}

/* Have all keys of a leaf come from memory at once: a search would wait for one after the other.
 * What is above the leaves is used so often that it is near already. */
static void prefetch_keys(const struct leaf *leaf)
{
	const char *bytes = (const char *)leaf;

	for (size_t i = 0; i < offsetof(struct leaf, target); i += CACHE_LINE) {
		__builtin_prefetch(bytes + i);
	}
}

/* The leaf where a mapping with this start is or would be; way may be NULL. */
static struct leaf *descend(const struct ledger *ledger, uint64_t start, struct way *way)
{
	void *node = ledger->root;

	for (unsigned int level = ledger->height; level > 0; level--) {
		struct inner *inner = node;
		unsigned int index = count_up_to(inner->key + 1, inner->count - 1, start);

		if (way) {
			way[level - 1] = (struct way){.node = inner, .index = index};
		}
		node = inner->child[index];
	}
	prefetch_keys(node);
	return node;
}

static uint64_t leaf_last(const struct leaf *leaf, unsigned int index)
{
	return leaf->target[leaf->tag[index].slot].last;
}

static struct mapping leaf_mapping(const struct leaf *leaf, unsigned int index)
{
	const struct tag *tag = &leaf->tag[index];
	const struct target *target = &leaf->target[tag->slot];

	return (struct mapping){
		.iova = {leaf->start[index], target->last - leaf->start[index] + 1},
		.gpa = target->gpa,
		.prot = tag->prot,
	};
}

/* Take a free slot, of which there is one. */
static uint8_t leaf_take_slot(struct leaf *leaf)
{
	unsigned int slot = (unsigned int)__builtin_ctzll(~leaf->used);

	leaf->used |= UINT64_C(1) << slot;
	return (uint8_t)slot;
}

/* Move the entries from one index on to another. */
static void leaf_shift(struct leaf *leaf, unsigned int to, unsigned int from)
{
	unsigned int count = leaf->count - from;

	memmove(leaf->start + to, leaf->start + from, count * sizeof(*leaf->start));
	memmove(leaf->tag + to, leaf->tag + from, count * sizeof(*leaf->tag));
}

static void leaf_put(struct leaf *leaf, unsigned int index, const struct mapping *mapping)
{
	uint8_t slot = leaf_take_slot(leaf);

	leaf_shift(leaf, index + 1, index);
	leaf->start[index] = mapping->iova.start;
	leaf->tag[index] = (struct tag){.slot = slot, .prot = (uint8_t)mapping->prot};
	leaf->target[slot] =
		(struct target){.last = range_last(mapping->iova), .gpa = mapping->gpa};
	leaf->count++;
}

static void leaf_drop(struct leaf *leaf, unsigned int index)
{
	leaf->used &= ~(UINT64_C(1) << leaf->tag[index].slot);
	leaf_shift(leaf, index, index + 1);
	leaf->count--;
}

/* Move all entries from an index on to the end of another leaf, which has room for them. */
static void leaf_move(struct leaf *to, struct leaf *from, unsigned int index)
{
	unsigned int keep = index;

	for (; index < from->count; index++) {
		const struct tag *tag = &from->tag[index];
		uint8_t slot = leaf_take_slot(to);

		from->used &= ~(UINT64_C(1) << tag->slot);
		to->start[to->count] = from->start[index];
		to->tag[to->count] = (struct tag){.slot = slot, .prot = tag->prot};
		to->target[slot] = from->target[tag->slot];
		to->count++;
	}
	from->count = keep;
}

static void leaf_init(struct leaf *leaf)
{
	leaf->count = 0;
	leaf->used = 0;
	leaf->previous = NULL;
	leaf->next = NULL;
}

static void leaf_unchain(struct leaf *leaf)
{
	if (leaf->previous) {
		leaf->previous->next = leaf->next;
	}
	if (leaf->next) {
		leaf->next->previous = leaf->previous;
	}
}

static void inner_move(struct inner *to, unsigned int to_index, const struct inner *from,
		       unsigned int from_index, unsigned int count)
{
	memmove(to->key + to_index, from->key + from_index, count * sizeof(*to->key));
	memmove(to->child + to_index, from->child + from_index, count * sizeof(*to->child));
}

static void inner_put(struct inner *inner, unsigned int index, uint64_t key, void *child)
{
	inner_move(inner, index + 1, inner, index, inner->count - index);
	inner->key[index] = key;
	inner->child[index] = child;
	inner->count++;
}

static void inner_drop(struct inner *inner, unsigned int index)
{
	inner_move(inner, index, inner, index + 1, inner->count - index - 1);
	inner->count--;
}

static void spare_nodes_done(struct spare_nodes *spare)
{
	free(spare->leaf);
	while (spare->count > 0) {
		free(spare->inner[--spare->count]);
	}
}

/* Allocate what splitting the leaf under `way` takes. */
static int spare_nodes_fill(struct spare_nodes *spare, const struct ledger *ledger,
			    const struct way *way)
{
	unsigned int need = 0;

	while (need < ledger->height && way[need].node->count == FANOUT) {
		need++;
	}
	/* Every node up to the root is full: a new root comes on top. */
	need += need == ledger->height ? 1 : 0;
	if (need > ledger->height && ledger->height + 1 >= HEIGHT_MAX) {
		return -ENOMEM;
	}
	spare->leaf = ledger->allocate(sizeof(*spare->leaf));
	if (!spare->leaf) {
		return -ENOMEM;
	}
	while (spare->count < need) {
		struct inner *inner = ledger->allocate(sizeof(*inner));

		if (!inner) {
			spare_nodes_done(spare);
			return -ENOMEM;
		}
		spare->inner[spare->count++] = inner;
	}
	return 0;
}

static struct inner *spare_nodes_take(struct spare_nodes *spare)
{
	if (spare->count == 0 || !spare->inner[spare->count - 1]) {
		abort(); /* spare_nodes_fill has counted */
	}
	return spare->inner[--spare->count];
}

/* Put a new child right of the one that `way` took, splitting full nodes on the way up. An append
 * leaves the left node full, so that ascending inserts fill their nodes. */
static void insert_child(struct ledger *ledger, const struct way *way, struct spare_nodes *spare,
			 uint64_t key, void *child, bool append)
{
	struct inner *root;

	for (unsigned int level = 0; level < ledger->height; level++) {
		struct inner *left = way[level].node;
		unsigned int index = way[level].index + 1;
		unsigned int keep = append ? FANOUT : FANOUT / 2;
		struct inner *right;

		if (left->count < FANOUT) {
			inner_put(left, index, key, child);
			return;
		}
		right = spare_nodes_take(spare);
		right->count = FANOUT - keep;
		inner_move(right, 0, left, keep, right->count);
		left->count = keep;
		/* At the border the child goes to the left unless the left is kept full. */
		if (index <= keep && left->count < FANOUT) {
			inner_put(left, index, key, child);
		} else {
			inner_put(right, index - keep, key, child);
		}
		key = right->key[0];
		child = right;
	}
	root = spare_nodes_take(spare);
	root->count = 2;
	root->key[0] = 0;
	root->child[0] = ledger->root;
	root->key[1] = key;
	root->child[1] = child;
	ledger->root = root;
	ledger->height++;
}

static int insert_by_split(struct ledger *ledger, struct leaf *left, const struct way *way,
			   unsigned int index, const struct mapping *mapping)
{
	struct spare_nodes spare = {.leaf = NULL, .count = 0};
	bool append = index == FANOUT && !left->next;
	unsigned int keep = append ? FANOUT : FANOUT / 2;
	struct leaf *right;
	int r;

	r = spare_nodes_fill(&spare, ledger, way);
	if (r < 0) {
		return r;
	}
	right = spare.leaf;
	leaf_init(right);
	leaf_move(right, left, keep);
	right->previous = left;
	right->next = left->next;
	if (right->next) {
		right->next->previous = right;
	}
	left->next = right;
	if (index <= keep && left->count < FANOUT) {
		leaf_put(left, index, mapping);
	} else {
		leaf_put(right, index - keep, mapping);
	}
	insert_child(ledger, way, &spare, right->start[0], right, append);
	return 0;
}

/* The first mapping that a range overlaps, given where it would be put. */
static bool find_overlap(const struct leaf *leaf, unsigned int index, struct range iova,
			 struct mapping *ret_overlap)
{
	const struct leaf *before = index > 0 ? leaf : leaf->previous;
	const struct leaf *after = index < leaf->count ? leaf : leaf->next;

	if (before) {
		unsigned int i = index > 0 ? index - 1 : before->count - 1;

		if (leaf_last(before, i) >= iova.start) {
			*ret_overlap = leaf_mapping(before, i);
			return true;
		}
	}
	if (after) {
		unsigned int i = index < leaf->count ? index : 0;

		if (after->start[i] <= range_last(iova)) {
			*ret_overlap = leaf_mapping(after, i);
			return true;
		}
	}
	return false;
}

static int insert_first(struct ledger *ledger, const struct mapping *mapping)
{
	struct leaf *leaf = ledger->allocate(sizeof(*leaf));

	if (!leaf) {
		return -ENOMEM;
	}
	leaf_init(leaf);
	leaf_put(leaf, 0, mapping);
	ledger->root = leaf;
	return 0;
}

static int insert_at(struct ledger *ledger, const struct mapping *mapping,
		     struct mapping *ret_overlap)
{
	struct way way[HEIGHT_MAX];
	struct mapping overlap;
	struct leaf *leaf;
	unsigned int index;

	if (!ledger->root) {
		return insert_first(ledger, mapping);
	}
	leaf = descend(ledger, mapping->iova.start, way);
	index = count_up_to(leaf->start, leaf->count, mapping->iova.start);
	if (find_overlap(leaf, index, mapping->iova, &overlap)) {
		if (ret_overlap) {
			*ret_overlap = overlap;
		}
		return -EEXIST;
	}
	if (leaf->count == FANOUT) {
		return insert_by_split(ledger, leaf, way, index, mapping);
	}
	leaf_put(leaf, index, mapping);
	return 0;
}

int ledger_insert(struct ledger *ledger, const struct mapping *mapping, struct mapping *ret_overlap)
{
	int r;

	if (!range_is_valid(mapping->iova.start, mapping->iova.size) || mapping->prot > UINT8_MAX) {
		return -EINVAL;
	}
	r = insert_at(ledger, mapping, ret_overlap);
	if (r < 0) {
		return r;
	}
	ledger->count++;
	ledger->bytes += mapping->iova.size;
	return 0;
}

/* Merge child index + 1 of parent into child index, if one node holds both. */
static bool merge_leaves(struct inner *parent, unsigned int index)
{
	struct leaf *left = parent->child[index];
	struct leaf *right = parent->child[index + 1];

	if (left->count + right->count > FANOUT) {
		return false;
	}
	leaf_move(left, right, 0);
	leaf_unchain(right);
	inner_drop(parent, index + 1);
	free(right);
	return true;
}

static bool merge_inners(struct inner *parent, unsigned int index)
{
	struct inner *left = parent->child[index];
	struct inner *right = parent->child[index + 1];

	if (left->count + right->count > FANOUT) {
		return false;
	}
	/* What separated the two nodes now separates two children. */
	right->key[0] = parent->key[index + 1];
	inner_move(left, left->count, right, 0, right->count);
	left->count += right->count;
	inner_drop(parent, index + 1);
	free(right);
	return true;
}

/* A child of `parent` became sparse: merge it with a neighbour; an only child that is empty goes.
 */
static void tidy_child(struct inner *parent, unsigned int index, bool leaves)
{
	bool (*merge)(struct inner *, unsigned int) = leaves ? merge_leaves : merge_inners;

	if (index + 1 < parent->count && merge(parent, index)) {
		return;
	}
	if (index > 0) {
		(void)merge(parent, index - 1);
		return;
	}
	if (parent->count > 1) {
		return;
	}
	if (leaves) {
		struct leaf *leaf = parent->child[0];

		if (leaf->count > 0) {
			return;
		}
		leaf_unchain(leaf);
	} else if (((struct inner *)parent->child[0])->count > 0) {
		return;
	}
	free(parent->child[0]);
	parent->count = 0;
}

static void tidy_root(struct ledger *ledger)
{
	while (ledger->height > 0) {
		struct inner *root = ledger->root;

		if (root->count > 1) {
			return;
		}
		ledger->root = root->count == 1 ? root->child[0] : NULL;
		ledger->height = root->count == 1 ? ledger->height - 1 : 0;
		free(root);
	}
	if (ledger->root && ((struct leaf *)ledger->root)->count == 0) {
		free(ledger->root);
		ledger->root = NULL;
	}
}

static void tidy(struct ledger *ledger, const struct way *way)
{
	for (unsigned int level = 0; level < ledger->height; level++) {
		tidy_child(way[level].node, way[level].index, level == 0);
		if (way[level].node->count >= SPARSE) {
			return;
		}
	}
	tidy_root(ledger);
}

int ledger_erase(struct ledger *ledger, struct range iova)
{
	struct way way[HEIGHT_MAX];
	struct leaf *leaf;
	unsigned int index;

	if (!ledger->root || !range_is_valid(iova.start, iova.size)) {
		return -ENOENT;
	}
	leaf = descend(ledger, iova.start, way);
	index = count_up_to(leaf->start, leaf->count, iova.start);
	if (index == 0 || leaf->start[index - 1] != iova.start ||
	    leaf_last(leaf, index - 1) != range_last(iova)) {
		return -ENOENT;
	}
	leaf_drop(leaf, index - 1);
	ledger->count--;
	ledger->bytes -= iova.size;
	if (leaf->count < SPARSE) {
		tidy(ledger, way);
	}
	return 0;
}

struct ledger_cursor ledger_seek(const struct ledger *ledger, uint64_t from)
{
	const struct leaf *leaf = NULL;
	unsigned int index;

	if (!ledger->root) {
		return (struct ledger_cursor){.leaf = NULL, .index = 0};
	}
	leaf = descend(ledger, from, NULL);
	index = count_up_to(leaf->start, leaf->count, from);
	if (index > 0 && leaf_last(leaf, index - 1) >= from) {
		return (struct ledger_cursor){.leaf = leaf, .index = index - 1};
	}
	if (index == 0 && leaf->previous &&
	    leaf_last(leaf->previous, leaf->previous->count - 1) >= from) {
		return (struct ledger_cursor){.leaf = leaf->previous,
					      .index = leaf->previous->count - 1};
	}
	return (struct ledger_cursor){.leaf = leaf, .index = index};
}

bool ledger_step(struct ledger_cursor *cursor, struct mapping *ret_mapping)
{
	const struct leaf *leaf = cursor->leaf;

	if (leaf && cursor->index >= leaf->count) {
		leaf = leaf->next;
		*cursor = (struct ledger_cursor){.leaf = leaf, .index = 0};
	}
	if (!leaf) {
		return false;
	}
	*ret_mapping = leaf_mapping(leaf, cursor->index);
	cursor->index++;
	return true;
}

bool ledger_next(const struct ledger *ledger, uint64_t from, struct mapping *ret_mapping)
{
	struct ledger_cursor cursor = ledger_seek(ledger, from);

	return ledger_step(&cursor, ret_mapping);
}

bool ledger_find(const struct ledger *ledger, uint64_t iova, struct mapping *ret_mapping)
{
	return ledger_overlaps(ledger, (struct range){iova, 1}, ret_mapping);
}

bool ledger_overlaps(const struct ledger *ledger, struct range iova, struct mapping *ret_overlap)
{
	struct mapping mapping;

	if (!ledger_next(ledger, iova.start, &mapping) || mapping.iova.start > range_last(iova)) {
		return false;
	}
	*ret_overlap = mapping;
	return true;
}

static enum ledger_cover cover_hole(uint64_t address, uint64_t *ret_hole)
{
	if (ret_hole) {
		*ret_hole = address;
	}
	return LEDGER_COVER_HOLE;
}

enum ledger_cover ledger_cover(const struct ledger *ledger, struct range iova, uint64_t *ret_hole,
			       struct mapping *ret_cut)
{
	struct ledger_cursor cursor = ledger_seek(ledger, iova.start);
	uint64_t address = iova.start;
	struct mapping mapping;

	for (;;) {
		if (!ledger_step(&cursor, &mapping) || mapping.iova.start > address) {
			return cover_hole(address, ret_hole);
		}
		if (mapping.iova.start < address || range_last(mapping.iova) > range_last(iova)) {
			if (ret_cut) {
				*ret_cut = mapping;
			}
			return LEDGER_COVER_CUT;
		}
		if (range_last(mapping.iova) == range_last(iova)) {
			return LEDGER_COVER_WHOLE;
		}
		address = range_last(mapping.iova) + 1;
	}
}

/* What a sweep over the tree has seen so far, in order. */
struct sweep {
	const struct leaf *previous;
	uint64_t count;
	uint64_t bytes;
	uint64_t start;
	uint64_t last;
};

static bool leaf_is_sound(const struct leaf *leaf, uint64_t low, struct sweep *sweep)
{
	uint64_t slots = 0;

	if (leaf->count == 0 || leaf->count > FANOUT || leaf->previous != sweep->previous ||
	    (sweep->previous && sweep->previous->next != leaf) || leaf->start[0] < low) {
		return false;
	}
	for (unsigned int i = 0; i < leaf->count; i++) {
		slots |= UINT64_C(1) << leaf->tag[i].slot;
		if (leaf_last(leaf, i) < leaf->start[i] ||
		    (sweep->count > 0 && leaf->start[i] <= sweep->last)) {
			return false;
		}
		sweep->count++;
		sweep->bytes += leaf_last(leaf, i) - leaf->start[i] + 1;
		sweep->start = leaf->start[i];
		sweep->last = leaf_last(leaf, i);
	}
	sweep->previous = leaf;
	/* A slot that two share leaves one too few. */
	return slots == leaf->used && (unsigned int)__builtin_popcountll(slots) == leaf->count;
}

static bool node_is_sound(const void *node, unsigned int height, uint64_t low, struct sweep *sweep)
{
	const struct inner *inner = node;

	if (height == 0) {
		return leaf_is_sound(node, low, sweep);
	}
	if (inner->count == 0 || inner->count > FANOUT) {
		return false;
	}
	for (unsigned int i = 0; i < inner->count; i++) {
		uint64_t bound = i > 0 ? inner->key[i] : low;

		if ((i > 0 && sweep->start >= bound) ||
		    !node_is_sound(inner->child[i], height - 1, bound, sweep)) {
			return false;
		}
	}
	return true;
}

bool ledger_is_sound(const struct ledger *ledger)
{
	struct sweep sweep = {.previous = NULL};

	if (!ledger->root) {
		return ledger->height == 0 && ledger->count == 0 && ledger->bytes == 0;
	}
	return node_is_sound(ledger->root, ledger->height, 0, &sweep) && !sweep.previous->next &&
	       sweep.count == ledger->count && sweep.bytes == ledger->bytes &&
	       (ledger->height == 0 || ((struct inner *)ledger->root)->count > 1);
}
