/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MARK UINT64_C(0x1234567)

/* -- arguments -- */

uint64_t address_of(const struct scene *scene, const struct arguments *with)
{
	uint64_t start = (uintptr_t)scene->memory[with->memory];

	if (with->alignment) {
		start = (start + with->alignment - 1) & ~(with->alignment - 1);
	}
	return start + with->offset;
}

uint64_t iova_of(const struct scene *scene, const struct arguments *with)
{
	uint64_t base = with->of_made ? scene->made : 0;

	return (with->from_end ? world.window_start + world.window_size : base) + with->iova;
}

uint64_t size_of(const struct arguments *with)
{
	return (with->whole_window ? world.window_size : 0) + with->size;
}

int pick_fd(const struct scene *scene, const struct arguments *with, int *ret_opened)
{
	switch (with->container) {
	case FIRST:
	case SECOND:
		return scene->container[with->container];
	case NOT_OPEN:
		return 999;
	case DEV_NULL:
		*ret_opened = open("/dev/null", O_RDWR | O_CLOEXEC);
		return *ret_opened;
	case A_SOCKET:
		*ret_opened = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		return *ret_opened;
	case AN_EVENT:
		*ret_opened = eventfd(0, EFD_CLOEXEC);
		return *ret_opened;
	case ITS_OWN_GROUP:
		return scene->group[with->group];
	case ITS_DEVICE:
		return scene->device[with->group];
	case MINUS_ONE:
	case CONTAINERS:
		break;
	}
	return -1;
}

void ask_bad_pointer(int fd, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd, with->number, (void *)(uintptr_t)8));
}

static int fd_of(const struct scene *scene, const struct arguments *with)
{
	return with->container < CONTAINERS ? scene->container[with->container] : -1;
}

static void close_opened(int opened)
{
	if (opened >= 0) {
		(void)close(opened);
	}
}

/* -- any container -- */

static void ask_version(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	int opened = -1;

	answer_call(answer, ioctl(pick_fd(scene, with, &opened), VFIO_GET_API_VERSION, 0));
	close_opened(opened);
}

static void ask_extension(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_CHECK_EXTENSION, with->number));
}

static void ask_set_iommu(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_SET_IOMMU, with->number));
}

static void ask_unknown(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), UNKNOWN_IOCTL, 0));
}

static void ask_group_ioctl(struct scene *scene, const struct arguments *with,
			    struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_GROUP_UNSET_CONTAINER, 0));
}

static void ask_pointer(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	ask_bad_pointer(fd_of(scene, with), with, answer);
}

static void ask_enable(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_ENABLE, 0));
}

static void ask_disable(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_DISABLE, 0));
}

/* -- memory and mappings -- */

static void ask_memory(struct scene *scene, const struct arguments *with, struct answer *answer,
		       unsigned long request)
{
	struct vfio_iommu_spapr_register_memory memory = {
		.argsz = argsz_of(with, sizeof(memory)),
		.flags = with->flags,
		.vaddr = address_of(scene, with),
		.size = with->size,
	};

	answer_call(answer, ioctl(fd_of(scene, with), request, &memory));
}

static void ask_register(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	ask_memory(scene, with, answer, VFIO_IOMMU_SPAPR_REGISTER_MEMORY);
}

static void ask_unregister(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	ask_memory(scene, with, answer, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY);
}

static void ask_map(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	const uint32_t both = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map map = {
		.argsz = argsz_of(with, sizeof(map)),
		.flags = with->flags || with->no_flags ? with->flags : both,
		.vaddr = address_of(scene, with),
		.iova = iova_of(scene, with),
		.size = with->size,
	};

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_MAP_DMA, &map));
}

static void ask_unmap(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_iommu_type1_dma_unmap, argsz),
		FIELD(struct vfio_iommu_type1_dma_unmap, flags),
		FIELD(struct vfio_iommu_type1_dma_unmap, iova),
		FIELD(struct vfio_iommu_type1_dma_unmap, size),
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = argsz_of(with, sizeof(unmap)),
		.flags = with->flags,
		.iova = iova_of(scene, with),
		.size = size_of(with),
	};
	const struct vfio_iommu_type1_dma_unmap before = unmap;

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_UNMAP_DMA, &unmap));
	ANSWER_CHANGES(answer, fields, &before, &unmap);
}

static void ask_dirty(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	struct vfio_iommu_type1_dirty_bitmap bitmap = {
		.argsz = argsz_of(with, sizeof(bitmap)),
		.flags = with->flags,
	};

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_DIRTY_PAGES, &bitmap));
}

/* -- windows -- */

static void ask_create(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_iommu_spapr_tce_create, argsz),
		FIELD(struct vfio_iommu_spapr_tce_create, flags),
		FIELD(struct vfio_iommu_spapr_tce_create, page_shift),
		FIELD(struct vfio_iommu_spapr_tce_create, window_size),
		FIELD(struct vfio_iommu_spapr_tce_create, levels),
		FIELD(struct vfio_iommu_spapr_tce_create, start_addr),
	};
	struct vfio_iommu_spapr_tce_create create = {
		.argsz = argsz_of(with, sizeof(create)),
		.flags = with->flags,
		.page_shift = with->page_shift || with->no_page_shift ? with->page_shift : 12,
		.levels = with->levels || with->no_levels ? with->levels : 1,
		.window_size = with->size,
		.start_addr = START_MARK,
	};
	const struct vfio_iommu_spapr_tce_create before = create;

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_SPAPR_TCE_CREATE, &create));
	ANSWER_CHANGES(answer, fields, &before, &create);
	answer->start = create.start_addr;
	if (answer->result == 0) {
		scene->made = create.start_addr;
	}
}

static void ask_remove(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	struct vfio_iommu_spapr_tce_remove remove = {
		.argsz = argsz_of(with, sizeof(remove)),
		.flags = with->flags,
		.start_addr = iova_of(scene, with),
	};

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_SPAPR_TCE_REMOVE, &remove));
}

static void ask_info(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_iommu_spapr_tce_info, argsz),
		FIELD(struct vfio_iommu_spapr_tce_info, flags),
		FIELD(struct vfio_iommu_spapr_tce_info, dma32_window_start),
		FIELD(struct vfio_iommu_spapr_tce_info, dma32_window_size),
		FIELD(struct vfio_iommu_spapr_tce_info, ddw.pgsizes),
		FIELD(struct vfio_iommu_spapr_tce_info, ddw.max_dynamic_windows_supported),
		FIELD(struct vfio_iommu_spapr_tce_info, ddw.levels),
	};
	ROOMY(struct vfio_iommu_spapr_tce_info) info;
	struct vfio_iommu_spapr_tce_info before;

	memset(&info, 0xaa, sizeof(info));
	info.as.argsz = argsz_of(with, sizeof(info.as));
	info.as.flags = with->flags;
	before = info.as;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_SPAPR_TCE_GET_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.as);
}

/* -- type1 -- */

/* The bytes of each capability up to the next, or to the end of what was told. */
void answer_capabilities(struct answer *answer, const uint8_t *info, uint32_t offset, uint32_t end)
{
	struct vfio_info_cap_header header;
	unsigned int most = 8;

	while (offset && most-- && offset + sizeof(header) <= end) {
		uint32_t next;

		memcpy(&header, info + offset, sizeof(header));
		next = header.next > offset && header.next <= end ? header.next : end;
		answer_add(answer, " [capability %u version %u at %u:", header.id, header.version,
			   offset);
		answer_bytes(answer, info + offset + sizeof(header),
			     next - offset - sizeof(header));
		answer_add(answer, "]");
		offset = header.next;
	}
}

static void ask_type1_info(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_iommu_type1_info, argsz),
		FIELD(struct vfio_iommu_type1_info, flags),
		FIELD(struct vfio_iommu_type1_info, iova_pgsizes),
		FIELD(struct vfio_iommu_type1_info, cap_offset),
	};
	ROOMY(struct vfio_iommu_type1_info) info;
	struct vfio_iommu_type1_info before;

	memset(&info, 0xaa, sizeof(info));
	info.as.argsz = argsz_of(with, sizeof(info.as));
	info.as.flags = with->flags;
	before = info.as;
	answer_call(answer, ioctl(fd_of(scene, with), VFIO_IOMMU_GET_INFO, &info));
	ANSWER_CHANGES(answer, fields, &before, &info.as);
	if (answer->result == 0 && info.as.cap_offset != before.cap_offset &&
	    info.as.argsz <= sizeof(info)) {
		answer_capabilities(answer, info.bytes, info.as.cap_offset, info.as.argsz);
	}
}

/* -- EEH -- */

static void ask_eeh(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	struct vfio_eeh_pe_op op = {
		.argsz = argsz_of(with, sizeof(op)),
		.flags = with->flags,
		.op = (uint32_t)with->number,
		.err = {.type = with->errors[0], .func = with->errors[1]},
	};

	answer_call(answer, ioctl(fd_of(scene, with), VFIO_EEH_PE_OP, &op));
}

/* -- as a file -- */

static int node_of(const struct scene *scene, const struct arguments *with)
{
	switch (with->kind) {
	case A_CONTAINER:
		return scene->container[with->container];
	case A_GROUP:
		return scene->group[with->group];
	case A_DEVICE:
		return scene->device[with->group];
	}
	return -1;
}

static void ask_read(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char bytes[16];

	answer_call(answer, read(node_of(scene, with), bytes, with->size ? 1 : 0));
}

static void ask_write(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, write(node_of(scene, with), "", with->size ? 1 : 0));
}

static void ask_mmap(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	void *address = mmap(NULL, world.page_size, PROT_READ, MAP_SHARED, node_of(scene, with), 0);

	answer_call(answer, address == MAP_FAILED ? -1 : 0);
	if (address != MAP_FAILED) {
		(void)munmap(address, world.page_size);
	}
}

ask_function *const ask_of_container[ASKS] = {
	[GET_API_VERSION] = ask_version,
	[CHECK_EXTENSION] = ask_extension,
	[SET_IOMMU] = ask_set_iommu,
	[GET_INFO] = ask_info,
	[TYPE1_INFO] = ask_type1_info,
	[ENABLE] = ask_enable,
	[DISABLE] = ask_disable,
	[UNKNOWN_OF_CONTAINER] = ask_unknown,
	[GROUP_IOCTL_OF_CONTAINER] = ask_group_ioctl,
	[BAD_POINTER_OF_CONTAINER] = ask_pointer,
	[REGISTER] = ask_register,
	[UNREGISTER] = ask_unregister,
	[MAP] = ask_map,
	[UNMAP] = ask_unmap,
	[DIRTY_PAGES] = ask_dirty,
	[CREATE] = ask_create,
	[REMOVE] = ask_remove,
	[EEH] = ask_eeh,
	[READ_NODE] = ask_read,
	[WRITE_NODE] = ask_write,
	[MMAP_NODE] = ask_mmap,
};
