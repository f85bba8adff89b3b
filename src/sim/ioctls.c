/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/ioctls.h"

#include <linux/kvm.h>
#include <linux/vfio.h>
#include <string.h>

#include "sim/kvm.h"

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

#define VALUE(kind, request)                                      \
	{                                                         \
		kind, SIM_ARGUMENT_VALUE, request, #request, 0, 0 \
	}
#define FD(kind, request)                                      \
	{                                                      \
		kind, SIM_ARGUMENT_FD, request, #request, 0, 0 \
	}
#define STRING(kind, request)                                      \
	{                                                          \
		kind, SIM_ARGUMENT_STRING, request, #request, 0, 0 \
	}
#define SIZED(kind, request, in_size)                                                  \
	{                                                                              \
		kind, SIM_ARGUMENT_SIZED, request, #request, in_size, SIM_ARGUMENT_MAX \
	}
#define STRUCT(kind, request, in_size, out_size)                                \
	{                                                                       \
		kind, SIM_ARGUMENT_STRUCT, request, #request, in_size, out_size \
	}

static const struct sim_ioctl ioctl_table[] = {
	VALUE(SIM_NODE_CONTAINER, VFIO_GET_API_VERSION),
	VALUE(SIM_NODE_CONTAINER, VFIO_CHECK_EXTENSION),
	VALUE(SIM_NODE_CONTAINER, VFIO_SET_IOMMU),
	/* The same number as VFIO_IOMMU_GET_INFO, which begins with as many bytes. */
	SIZED(SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
	      END_OF(struct vfio_iommu_spapr_tce_info, dma32_window_size)),
	STRUCT(SIM_NODE_CONTAINER, VFIO_IOMMU_MAP_DMA,
	       END_OF(struct vfio_iommu_type1_dma_map, size), 0),
	/* May have a bitmap behind it (sim/type1.h). */
	SIZED(SIM_NODE_CONTAINER, VFIO_IOMMU_UNMAP_DMA,
	      END_OF(struct vfio_iommu_type1_dma_unmap, size)),
	VALUE(SIM_NODE_CONTAINER, VFIO_IOMMU_ENABLE),
	VALUE(SIM_NODE_CONTAINER, VFIO_IOMMU_DISABLE),
	/* The same number as VFIO_IOMMU_DIRTY_PAGES, which may have a bitmap behind it. */
	SIZED(SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
	      END_OF(struct vfio_iommu_type1_dirty_bitmap, flags)),
	STRUCT(SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
	       END_OF(struct vfio_iommu_spapr_register_memory, size), 0),
	STRUCT(SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_TCE_CREATE,
	       END_OF(struct vfio_iommu_spapr_tce_create, start_addr),
	       END_OF(struct vfio_iommu_spapr_tce_create, start_addr)),
	STRUCT(SIM_NODE_CONTAINER, VFIO_IOMMU_SPAPR_TCE_REMOVE,
	       END_OF(struct vfio_iommu_spapr_tce_remove, start_addr), 0),
	SIZED(SIM_NODE_CONTAINER, VFIO_EEH_PE_OP, END_OF(struct vfio_eeh_pe_op, op)),
	STRUCT(SIM_NODE_GROUP, VFIO_GROUP_GET_STATUS, END_OF(struct vfio_group_status, flags),
	       END_OF(struct vfio_group_status, flags)),
	FD(SIM_NODE_GROUP, VFIO_GROUP_SET_CONTAINER),
	VALUE(SIM_NODE_GROUP, VFIO_GROUP_UNSET_CONTAINER),
	STRING(SIM_NODE_GROUP, VFIO_GROUP_GET_DEVICE_FD),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_GET_INFO, END_OF(struct vfio_device_info, num_irqs)),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_GET_REGION_INFO,
	      END_OF(struct vfio_region_info, offset)),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_GET_IRQ_INFO, END_OF(struct vfio_irq_info, count)),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_SET_IRQS, END_OF(struct vfio_irq_set, count)),
	VALUE(SIM_NODE_DEVICE, VFIO_DEVICE_RESET),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
	      END_OF(struct vfio_pci_hot_reset_info, count)),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_PCI_HOT_RESET, END_OF(struct vfio_pci_hot_reset, count)),
	STRUCT(SIM_NODE_DEVICE, VFIO_DEVICE_IOEVENTFD, END_OF(struct vfio_device_ioeventfd, fd), 0),
	SIZED(SIM_NODE_DEVICE, VFIO_DEVICE_FEATURE, END_OF(struct vfio_device_feature, flags)),
	VALUE(SIM_NODE_KVM, KVM_GET_API_VERSION),
	VALUE(SIM_NODE_KVM, KVM_CREATE_VM),
	VALUE(SIM_NODE_KVM, KVM_CHECK_EXTENSION),
	VALUE(SIM_NODE_KVM_VM, KVM_CHECK_EXTENSION),
	STRUCT(SIM_NODE_KVM_VM, KVM_CREATE_DEVICE, sizeof(struct kvm_create_device),
	       sizeof(struct kvm_create_device)),
	{
		SIM_NODE_KVM_VM,
		SIM_ARGUMENT_STRUCT,
		SIM_KVM_CREATE_SPAPR_TCE_64,
		"KVM_CREATE_SPAPR_TCE_64",
		sizeof(struct sim_kvm_create_spapr_tce_64),
		0,
	},
	STRUCT(SIM_NODE_KVM_VFIO, KVM_SET_DEVICE_ATTR, sizeof(struct kvm_device_attr), 0),
	STRUCT(SIM_NODE_KVM_VFIO, KVM_GET_DEVICE_ATTR, sizeof(struct kvm_device_attr), 0),
	STRUCT(SIM_NODE_KVM_VFIO, KVM_HAS_DEVICE_ATTR, sizeof(struct kvm_device_attr), 0),
};

#define IOCTL_COUNT (sizeof(ioctl_table) / sizeof(ioctl_table[0]))

const struct sim_ioctl *sim_ioctl_find(enum sim_node_kind node, unsigned long request)
{
	for (size_t i = 0; i < IOCTL_COUNT; i++) {
		if (ioctl_table[i].node == node && ioctl_table[i].request == request) {
			return &ioctl_table[i];
		}
	}
	return NULL;
}

/* What ioctls are called that share their number with one of the table. */
static const struct {
	const char *other;
	const char *name;
} other_names[] = {
	{"VFIO_IOMMU_GET_INFO", "VFIO_IOMMU_SPAPR_TCE_GET_INFO"},
	{"VFIO_IOMMU_DIRTY_PAGES", "VFIO_IOMMU_SPAPR_REGISTER_MEMORY"},
};

/* The table's name of an operation. */
static const char *first_name(const char *name)
{
	for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++) {
		if (strcmp(other_names[i].other, name) == 0) {
			return other_names[i].name;
		}
	}
	return name;
}

static bool is_ioctl(const char *name)
{
	name = first_name(name);
	for (size_t i = 0; i < IOCTL_COUNT; i++) {
		if (strcmp(ioctl_table[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* operations */

#define EEH_OPERATION(name) [VFIO_EEH_PE_##name] = "VFIO_EEH_PE_" #name

static const char *const eeh_operations[] = {
	EEH_OPERATION(DISABLE),     EEH_OPERATION(ENABLE),
	EEH_OPERATION(UNFREEZE_IO), EEH_OPERATION(UNFREEZE_DMA),
	EEH_OPERATION(GET_STATE),   EEH_OPERATION(RESET_DEACTIVATE),
	EEH_OPERATION(RESET_HOT),   EEH_OPERATION(RESET_FUNDAMENTAL),
	EEH_OPERATION(CONFIGURE),   EEH_OPERATION(INJECT_ERR),
};

#define EEH_OPERATION_COUNT (sizeof(eeh_operations) / sizeof(eeh_operations[0]))

const char *sim_operation_name(const struct sim_ioctl *entry, const void *data, size_t size)
{
	struct vfio_eeh_pe_op op;

	if (entry->request != VFIO_EEH_PE_OP || entry->node != SIM_NODE_CONTAINER ||
	    size < END_OF(struct vfio_eeh_pe_op, op)) {
		return entry->name;
	}
	memcpy(&op, data, END_OF(struct vfio_eeh_pe_op, op));
	return op.op < EEH_OPERATION_COUNT ? eeh_operations[op.op] : entry->name;
}

const char *sim_operation_ioctl(const char *operation)
{
	for (size_t i = 0; i < EEH_OPERATION_COUNT; i++) {
		if (strcmp(eeh_operations[i], operation) == 0) {
			return "VFIO_EEH_PE_OP";
		}
	}
	return NULL;
}

bool sim_operation_is_same(const char *a, const char *b)
{
	return strcmp(first_name(a), first_name(b)) == 0;
}

bool sim_operation_is_known(const char *operation)
{
	return sim_operation_ioctl(operation) || is_ioctl(operation);
}
