/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The type1 backend of the kernel model in use: who pays for locked memory, dirty pages, DMA,
 * groups that come and go, many mappings. */
#include "sim_type1_fixture.h"

/* owners and vaddrs */

static void test_each_process_pays_for_what_it_maps(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);
	struct sim_caller caller = {.mm = other, .memlock_limit = 4 * PAGE};

	assert_int_equal(map_nothing(fixture, IOVA, 8 * PAGE), 0);
	assert_int_equal(map_pieces(fixture, &caller, map_of(0, 4 * PAGE),
				    one_piece(&nothing_operations, NULL, 4 * PAGE, 12)),
			 0);
	assert_int_equal(map_pieces(fixture, &caller, map_of(4 * PAGE, PAGE),
				    one_piece(&nothing_operations, NULL, PAGE, 12)),
			 -ENOMEM);
	assert_int_equal(other->locked_pages, 4);
	assert_int_equal(fixture->mm->locked_pages, 8);
	/* Anyone may unmap; the one who mapped has it back. */
	expect_unmap(fixture, 0, 4 * PAGE, 0, 4 * PAGE);
	assert_int_equal(other->locked_pages, 0);
	assert_int_equal(fixture->mm->locked_pages, 8);
	(void)sim_mm_unref(other);
}

/* Two pages of registers with two of memory on each side. */
static struct sim_pieces memory_and_registers(void)
{
	struct sim_pieces pieces = {.piece = calloc(3, sizeof(*pieces.piece)), .count = 3};

	for (size_t i = 0; i < pieces.count; i++) {
		pieces.piece[i] = (struct sim_piece){
			.operations = &nothing_operations,
			.size = 2 * PAGE,
			.page_shift = 12,
			.registers = i == 1,
		};
	}
	return pieces;
}

/* The kernel has no page for them that it could pin or count (is_invalid_reserved_pfn). */
static void test_device_registers_cost_no_locked_memory(void **state)
{
	struct fixture *fixture = *state;

	fixture->caller.memlock_limit = 4 * PAGE;
	assert_int_equal(map_pieces(fixture, &fixture->caller, map_of(IOVA, 6 * PAGE),
				    memory_and_registers()),
			 0);
	assert_int_equal(locked(fixture), 4 * PAGE);
	assert_int_equal(statistics(fixture).pinned_bytes, 4 * PAGE);
	assert_int_equal(mapped(fixture), 6 * PAGE);
	assert_int_equal(reads(fixture, IOVA + 3 * PAGE), 0);
	assert_int_equal(
		map_pieces(fixture, &fixture->caller, map_of(0, 3 * PAGE), memory_and_registers()),
		-ENOMEM);
	expect_unmap(fixture, IOVA, 6 * PAGE, 0, 6 * PAGE);
	assert_int_equal(locked(fixture), 0);
	assert_int_equal(
		map_pieces(fixture, &fixture->caller, map_of(0, 7 * PAGE), memory_and_registers()),
		-EFAULT);
	assert_int_equal(locked(fixture), 0);
}

static void test_a_mapping_outlives_its_owner(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);
	struct sim_caller caller = {.mm = other, .memlock_limit = NO_LIMIT};

	assert_int_equal(map_pieces(fixture, &caller, map_of(IOVA, PAGE),
				    one_piece(&nothing_operations, NULL, PAGE, 12)),
			 0);
	(void)sim_mm_unref(other);
	assert_int_equal(statistics(fixture).live_mms, 2);
	assert_int_equal(reads(fixture, IOVA), 0);
	expect_unmap(fixture, IOVA, PAGE, 0, PAGE);
	assert_int_equal(statistics(fixture).live_mms, 1);
}

static int set_vaddr(struct fixture *fixture, const struct sim_caller *caller, uint64_t iova,
		     uint64_t size, uint64_t vaddr)
{
	struct vfio_iommu_type1_dma_map dma = map_of(iova, size);

	dma.flags = VFIO_DMA_MAP_FLAG_VADDR;
	dma.vaddr = vaddr;
	return map_pieces(fixture, caller, dma, SIM_PIECES_NONE);
}

static void test_a_vaddr_is_set_anew_by_another_process(void **state)
{
	struct fixture *fixture = *state;
	struct sim_mm *other = sim_model_mm_new(fixture->model);
	struct sim_caller heir = {.mm = other, .memlock_limit = PAGE};
	struct sim_node second;
	uint64_t size = 4 * PAGE;

	assert_int_equal(map_nothing(fixture, IOVA, 2 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 2 * PAGE, 2 * PAGE), 0);
	assert_int_equal(set_vaddr(fixture, &heir, 0, PAGE, USER_ADDRESS), -ENOENT);
	assert_int_equal(set_vaddr(fixture, &heir, IOVA, 2 * PAGE, USER_ADDRESS), -EINVAL);

	assert_int_equal(unmap_flags(fixture, IOVA, &size, VFIO_DMA_UNMAP_FLAG_VADDR), 0);
	assert_int_equal(size, 4 * PAGE);
	assert_int_equal(reads(fixture, IOVA), 0);
	assert_int_equal(unmap_flags(fixture, IOVA, &size, VFIO_DMA_UNMAP_FLAG_VADDR), -EINVAL);

	/* Until all are set no group may join. */
	assert_int_equal(open_group_of(fixture, SECOND_DEVICE, &second), 0);
	assert_int_equal(join(fixture, second, fixture->container), -EBUSY);
	assert_int_equal(set_vaddr(fixture, &heir, IOVA, PAGE, USER_ADDRESS), -EINVAL);
	assert_int_equal(set_vaddr(fixture, &heir, IOVA, 2 * PAGE, USER_ADDRESS), -ENOMEM);
	heir.memlock_limit = 4 * PAGE;
	assert_int_equal(set_vaddr(fixture, &heir, IOVA, 2 * PAGE, USER_ADDRESS + MIB), 0);
	assert_int_equal(other->locked_pages, 2);
	assert_int_equal(fixture->mm->locked_pages, 2);
	assert_int_equal(
		set_vaddr(fixture, &fixture->caller, IOVA + 2 * PAGE, 2 * PAGE, USER_ADDRESS), 0);
	assert_int_equal(fixture->mm->locked_pages, 2);
	assert_int_equal(join(fixture, second, fixture->container), 0);
	sim_node_close(second);

	size = 4 * PAGE;
	assert_int_equal(unmap_flags(fixture, IOVA, &size, 0), 0);
	assert_int_equal(other->locked_pages, 0);
	(void)sim_mm_unref(other);
}

static void test_all_vaddrs_are_taken_back_or_none(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node second;
	uint64_t size = PAGE;

	assert_int_equal(map_nothing(fixture, IOVA, PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + PAGE, PAGE), 0);
	assert_int_equal(unmap_flags(fixture, IOVA + PAGE, &size, VFIO_DMA_UNMAP_FLAG_VADDR), 0);
	size = 0;
	assert_int_equal(
		unmap_flags(fixture, 0, &size, VFIO_DMA_UNMAP_FLAG_VADDR | VFIO_DMA_UNMAP_FLAG_ALL),
		-EINVAL);
	/* The first kept its own. */
	assert_int_equal(set_vaddr(fixture, &fixture->caller, IOVA, PAGE, USER_ADDRESS), -EINVAL);
	assert_int_equal(open_group_of(fixture, SECOND_DEVICE, &second), 0);
	assert_int_equal(join(fixture, second, fixture->container), -EBUSY);
	/* Unmapping forgets that one is missing. */
	expect_unmap(fixture, IOVA + PAGE, PAGE, 0, PAGE);
	assert_int_equal(join(fixture, second, fixture->container), 0);
	sim_node_close(second);
	size = PAGE;
	assert_int_equal(unmap_flags(fixture, IOVA, &size, VFIO_DMA_UNMAP_FLAG_VADDR), 0);
}

/* dirty pages */

struct dirty_call {
	uint32_t argsz;
	uint32_t flags;
	struct vfio_iommu_type1_dirty_bitmap_get range;
	uint64_t bits[16];
};

_Static_assert(offsetof(struct dirty_call, bits) == SIM_TYPE1_BITMAP_OFFSET, "the bitmap follows");

static int dirty_pages(struct fixture *fixture, struct dirty_call *call, size_t size)
{
	struct sim_argument argument = {.data = fixture->data, .size = size};
	int result;

	memset(fixture->data, 0, sizeof(fixture->data));
	memcpy(fixture->data, call, sizeof(*call));
	result = sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_DIRTY_PAGES,
				&argument);
	if (result == 0) {
		memcpy(call, fixture->data, argument.out_size);
	}
	return result;
}

static int dirty_flags(struct fixture *fixture, uint32_t flags)
{
	struct dirty_call call = {.argsz = 8, .flags = flags};

	return dirty_pages(fixture, &call, 8);
}

static struct dirty_call bitmap_of(uint64_t iova, uint64_t size)
{
	struct dirty_call call = {
		.argsz = SIM_TYPE1_BITMAP_OFFSET,
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.range =
			{
				.iova = iova,
				.size = size,
				.bitmap =
					{
						.pgsize = PAGE,
						.size = sizeof(call.bits),
						.data = (__u64 *)(uintptr_t)USER_ADDRESS,
					},
			},
	};

	memset(call.bits, 0x5a, sizeof(call.bits));
	return call;
}

static void test_dirty_tracking_is_of_v2_and_one_thing_at_a_time(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(dirty_flags(fixture, 0), -EINVAL);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START |
						      VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP),
			 -EINVAL);
	assert_int_equal(dirty_flags(fixture, 1U << 3), -EINVAL);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP), -EINVAL);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP), 0);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
}

static void test_v1_has_no_dirty_pages(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), -EACCES);
}

static void test_get_bitmap_refuses_what_it_cannot_say(void **state)
{
	struct fixture *fixture = *state;
	struct dirty_call call = bitmap_of(IOVA, 4 * PAGE);

	assert_int_equal(map_nothing(fixture, IOVA, 4 * PAGE), 0);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), 0);
	call = bitmap_of(IOVA, 4 * PAGE);
	call.argsz--;
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(IOVA, 0);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(IOVA, 4 * PAGE);
	call.range.bitmap.pgsize = 2 * MIB;
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call.range.bitmap.pgsize = 0;
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(IOVA, 4 * PAGE);
	call.range.bitmap.size = 7;
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call.range.bitmap.size = 256 * MIB + 1;
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(IOVA, 4 * PAGE);
	call.range.bitmap.data = (__u64 *)(uintptr_t)(UINT64_C(1) << 63);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(-PAGE, 2 * PAGE);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	/* The last page ends where a range may only in later kernels. */
	call = bitmap_of(-PAGE, PAGE);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	fixture->host->settings.kernel = SIM_KERNEL(7, 2);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), 0);
	/* Part of a mapping, from either end. */
	call = bitmap_of(IOVA, 2 * PAGE);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	call = bitmap_of(IOVA + PAGE, 3 * PAGE);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), -EINVAL);
	/* The bitmap's memory can't be read. */
	call = bitmap_of(IOVA, 4 * PAGE);
	assert_int_equal(dirty_pages(fixture, &call, SIM_TYPE1_BITMAP_OFFSET), -EFAULT);
}

static void test_every_mapped_page_is_dirty(void **state)
{
	struct fixture *fixture = *state;
	struct dirty_call call = bitmap_of(IOVA, 320 * PAGE);

	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 4 * PAGE, 8 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 12 * PAGE, 64 * PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 192 * PAGE, PAGE), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 258 * PAGE, PAGE), 0);
	assert_int_equal(dirty_pages(fixture, &call, sizeof(call)), 0);
	/* Bits below a mapping stay what they were, words without one, too; those above are lost.
	 */
	assert_int_equal(call.bits[0], UINT64_C(0xfffffffffffffffa));
	assert_int_equal(call.bits[1], 0xfff);
	assert_int_equal(call.bits[2], UINT64_C(0x5a5a5a5a5a5a5a5a));
	assert_int_equal(call.bits[3], 1);
	assert_int_equal(call.bits[4], 6);
	assert_int_equal(call.bits[5], UINT64_C(0x5a5a5a5a5a5a5a5a));
}

static void test_unmap_can_say_what_was_dirty(void **state)
{
	struct fixture *fixture = *state;
	/* struct vfio_iommu_type1_dma_unmap has no room for what is behind it. */
	struct {
		struct {
			uint32_t argsz;
			uint32_t flags;
			uint64_t iova;
			uint64_t size;
		} unmap;
		struct vfio_bitmap bitmap;
		uint64_t bits[1];
	} call = {
		.unmap =
			{
				.argsz = SIM_TYPE1_BITMAP_OFFSET,
				.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
				.iova = IOVA,
				.size = 4 * PAGE,
			},
		.bitmap = {.pgsize = PAGE, .size = 8, .data = (__u64 *)(uintptr_t)USER_ADDRESS},
	};
	struct sim_argument argument = {.data = fixture->data, .size = sizeof(call)};

	assert_int_equal(map_nothing(fixture, IOVA + PAGE, 2 * PAGE), 0);
	memcpy(fixture->data, &call, sizeof(call));
	assert_int_equal(sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_UNMAP_DMA,
					&argument),
			 -EINVAL);
	/* That nothing is tracked comes before that a range wraps around. */
	fixture->host->settings.kernel = SIM_KERNEL(7, 2);
	call.unmap.iova = -PAGE;
	memcpy(fixture->data, &call, sizeof(call));
	assert_int_equal(sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_UNMAP_DMA,
					&argument),
			 -EINVAL);
	call.unmap.iova = IOVA;
	assert_int_equal(dirty_flags(fixture, VFIO_IOMMU_DIRTY_PAGES_FLAG_START), 0);
	memcpy(fixture->data, &call, sizeof(call));
	argument.size = SIM_TYPE1_BITMAP_OFFSET;
	assert_int_equal(sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_UNMAP_DMA,
					&argument),
			 -EFAULT);
	assert_int_equal(mapped(fixture), 2 * PAGE);
	memcpy(fixture->data, &call, sizeof(call));
	argument.size = sizeof(call);
	assert_int_equal(sim_node_ioctl(fixture->container, &fixture->caller, VFIO_IOMMU_UNMAP_DMA,
					&argument),
			 0);
	assert_int_equal(argument.out_size, sizeof(call));
	memcpy(&call, fixture->data, sizeof(call));
	assert_int_equal(call.unmap.size, 2 * PAGE);
	assert_int_equal(call.bits[0], 6);
	assert_int_equal(mapped(fixture), 0);
}

static void test_where_the_bitmap_of_a_call_is(void **state)
{
	struct dirty_call call = bitmap_of(IOVA, PAGE);
	uint64_t address = 0;
	uint64_t size = 0;

	(void)state;
	assert_true(sim_type1_find_bitmap(VFIO_IOMMU_DIRTY_PAGES, &call, SIM_TYPE1_BITMAP_OFFSET,
					  &address, &size));
	assert_int_equal(address, USER_ADDRESS);
	assert_int_equal(size, sizeof(call.bits));
	assert_false(sim_type1_find_bitmap(VFIO_IOMMU_DIRTY_PAGES, &call,
					   SIM_TYPE1_BITMAP_OFFSET - 1, &address, &size));
	assert_false(
		sim_type1_find_bitmap(VFIO_IOMMU_MAP_DMA, &call, sizeof(call), &address, &size));
	assert_false(
		sim_type1_find_bitmap(VFIO_IOMMU_UNMAP_DMA, &call, sizeof(call), &address, &size));
	call.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	assert_true(
		sim_type1_find_bitmap(VFIO_IOMMU_UNMAP_DMA, &call, sizeof(call), &address, &size));
	call.argsz--;
	assert_false(
		sim_type1_find_bitmap(VFIO_IOMMU_UNMAP_DMA, &call, sizeof(call), &address, &size));
}

/* DMA, groups, many mappings */

static int map_buffer(struct fixture *fixture, uint64_t iova, uint64_t size, uint32_t flags,
		      uint8_t fill)
{
	struct vfio_iommu_type1_dma_map dma = map_of(iova, size);
	struct buffer *buffer = malloc(sizeof(*buffer));

	buffer->size = size;
	buffer->bytes = malloc(size);
	memset(buffer->bytes, fill, size);
	dma.flags = flags;
	return map_pieces(fixture, &fixture->caller, dma,
			  one_piece(&buffer_operations, buffer, size, 12));
}

static void test_dma_goes_through_mappings_as_they_allow(void **state)
{
	struct fixture *fixture = *state;
	uint8_t bytes[2 * 0x1000];
	struct error error;

	assert_int_equal(map_buffer(fixture, IOVA, PAGE, READ_WRITE, 1), 0);
	assert_int_equal(map_buffer(fixture, IOVA + PAGE, PAGE, VFIO_DMA_MAP_FLAG_READ, 2), 0);
	assert_int_equal(map_buffer(fixture, 0, PAGE, VFIO_DMA_MAP_FLAG_WRITE, 3), 0);
	assert_int_equal(
		sim_model_dma_read(fixture->model, EDU, IOVA, bytes, sizeof(bytes), &error), 0);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[sizeof(bytes) - 1], 2);
	/* What lies before a fault has arrived. */
	memset(bytes, 9, sizeof(bytes));
	assert_int_equal(
		sim_model_dma_write(fixture->model, EDU, IOVA, bytes, sizeof(bytes), &error),
		ERROR_DMA_FAULT);
	assert_int_equal(
		sim_model_dma_read(fixture->model, EDU, IOVA, bytes, sizeof(bytes), &error), 0);
	assert_int_equal(bytes[PAGE - 1], 9);
	assert_int_equal(bytes[PAGE], 2);
	/* As with TCEs, what may be written may also be read (H15). */
	assert_int_equal(sim_model_dma_write(fixture->model, EDU, 0, bytes, 1, &error), 0);
	assert_int_equal(reads(fixture, 0), 0);
	assert_int_equal(reads(fixture, IOVA + 2 * PAGE - 1), 0);
	assert_int_equal(reads(fixture, IOVA + 2 * PAGE), ERROR_DMA_FAULT);
}

static void test_all_groups_of_a_container_see_its_mappings(void **state)
{
	struct fixture *fixture = *state;
	struct sim_node second;
	struct error error;
	uint8_t byte;

	assert_int_equal(map_nothing(fixture, IOVA, PAGE), 0);
	assert_int_equal(open_group_of(fixture, SECOND_DEVICE, &second), 0);
	assert_int_equal(join(fixture, second, fixture->container), 0);
	assert_int_equal(sim_model_dma_read(fixture->model, SECOND_DEVICE, IOVA, &byte, 1, &error),
			 0);
	/* A group that goes takes nothing with it, unlike H33, until the last does. */
	assert_int_equal(value_ioctl(fixture, fixture->group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	assert_int_equal(mapped(fixture), PAGE);
	assert_int_equal(reads(fixture, IOVA), ERROR_DMA_FAULT);
	assert_int_equal(sim_model_dma_read(fixture->model, SECOND_DEVICE, IOVA, &byte, 1, &error),
			 0);
	sim_node_close(second);
	assert_int_equal(mapped(fixture), 0);
	assert_int_equal(statistics(fixture).locked_bytes, 0);
	assert_int_equal(map_nothing(fixture, IOVA, PAGE), -EINVAL); /* no IOMMU any more */
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

static void test_many_mappings_behave_as_a_plain_list_of_pages(void **state)
{
	enum { PAGES = 1024, ROUNDS = 20000 };
	struct fixture *fixture = *state;
	uint16_t begin[PAGES] = {0}; /* of the mapping that a page is in, plus one */
	uint16_t size[PAGES] = {0};  /* of the mapping that begins there */
	uint32_t seed = 1;

	fixture->host->dma_entry_limit = PAGES;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t at = next_random(&seed) % PAGES;
		uint32_t pages = 1 + next_random(&seed) % 8;
		uint32_t end = at + pages < PAGES ? at + pages : PAGES;
		bool is_free = true;
		uint64_t bytes;

		for (uint32_t page = at; page < end; page++) {
			is_free = is_free && begin[page] == 0;
		}
		if (next_random(&seed) % 2) {
			assert_int_equal(map_nothing(fixture, at * PAGE, (end - at) * PAGE),
					 is_free ? 0 : -EEXIST);
			for (uint32_t page = at; is_free && page < end; page++) {
				begin[page] = (uint16_t)(at + 1);
				size[at] = (uint16_t)(end - at);
			}
		} else if (begin[at] > 0) {
			at = begin[at] - 1U;
			bytes = size[at] * PAGE;
			assert_int_equal(unmap_flags(fixture, at * PAGE, &bytes, 0), 0);
			assert_int_equal(bytes, size[at] * PAGE);
			memset(&begin[at], 0, size[at] * sizeof(begin[0]));
		} else {
			assert_int_equal(reads(fixture, at * PAGE), ERROR_DMA_FAULT);
		}
		at = next_random(&seed) % PAGES;
		assert_int_equal(reads(fixture, at * PAGE),
				 begin[at] > 0 ? 0 : (int)ERROR_DMA_FAULT);
	}
}

static void test_a_dump_joins_neighbours(void **state)
{
	struct fixture *fixture = *state;
	const struct sim_iommu *iommu = fixture->container.container->iommu;
	struct vfio_iommu_type1_dma_map dma = map_of(IOVA + PAGE, PAGE);
	struct sim_dump *dump = calloc(1, sizeof(*dump));
	uint64_t size = PAGE;

	dma.vaddr += PAGE;
	assert_int_equal(map_nothing(fixture, IOVA, PAGE), 0);
	assert_int_equal(map_changed(fixture, dma), 0);
	assert_int_equal(map_nothing(fixture, IOVA + 2 * PAGE, PAGE), 0);
	dma = map_of(IOVA + 3 * PAGE, PAGE);
	dma.vaddr += PAGE;
	dma.flags = VFIO_DMA_MAP_FLAG_READ;
	assert_int_equal(map_changed(fixture, dma), 0);
	dump->most = 3;
	iommu->operations->dump(iommu, 0, dump);
	assert_int_equal(dump->window_count, 0);
	assert_int_equal(dump->entry_count, 3);
	assert_int_equal(dump->more, 0);
	assert_int_equal(dump->entry[0].iova, IOVA);
	assert_int_equal(dump->entry[0].size, 2 * PAGE);
	assert_int_equal(dump->entry[1].iova, IOVA + 2 * PAGE);
	assert_int_equal(dump->entry[1].permissions, 3);
	assert_int_equal(dump->entry[2].permissions, 1);

	/* From the midst of a run, and with a new vaddr. */
	assert_int_equal(unmap_flags(fixture, IOVA + 2 * PAGE, &size, VFIO_DMA_UNMAP_FLAG_VADDR),
			 0);
	assert_int_equal(set_vaddr(fixture, &fixture->caller, IOVA + 2 * PAGE, PAGE, MIB), 0);
	memset(dump, 0, sizeof(*dump));
	dump->most = 2;
	iommu->operations->dump(iommu, IOVA + PAGE, dump);
	assert_int_equal(dump->entry_count, 2);
	assert_int_equal(dump->more, 1);
	assert_int_equal(dump->entry[0].iova, IOVA + PAGE);
	assert_int_equal(dump->entry[0].ua, USER_ADDRESS + PAGE);
	assert_int_equal(dump->entry[0].size, PAGE);
	assert_int_equal(dump->entry[1].ua, MIB);
	free(dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TYPE1_TEST(test_each_process_pays_for_what_it_maps, set_up_v2),
		TYPE1_TEST(test_device_registers_cost_no_locked_memory, set_up_v2),
		TYPE1_TEST(test_a_mapping_outlives_its_owner, set_up_v2),
		TYPE1_TEST(test_a_vaddr_is_set_anew_by_another_process, set_up_v2),
		TYPE1_TEST(test_all_vaddrs_are_taken_back_or_none, set_up_v2),
		TYPE1_TEST(test_dirty_tracking_is_of_v2_and_one_thing_at_a_time, set_up_v2),
		TYPE1_TEST(test_v1_has_no_dirty_pages, set_up_v1),
		TYPE1_TEST(test_get_bitmap_refuses_what_it_cannot_say, set_up_v2),
		TYPE1_TEST(test_every_mapped_page_is_dirty, set_up_v2),
		TYPE1_TEST(test_unmap_can_say_what_was_dirty, set_up_v2),
		cmocka_unit_test(test_where_the_bitmap_of_a_call_is),
		TYPE1_TEST(test_dma_goes_through_mappings_as_they_allow, set_up_v2),
		TYPE1_TEST(test_all_groups_of_a_container_see_its_mappings, set_up_v2),
		TYPE1_TEST(test_many_mappings_behave_as_a_plain_list_of_pages, set_up_v2),
		TYPE1_TEST(test_a_dump_joins_neighbours, set_up_v2),
	};

	return cmocka_run_group_tests_name("sim-type1-use", tests, NULL, NULL);
}
