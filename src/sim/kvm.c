/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "sim/container.h"
#include "sim/kvm_private.h"
#include "sim/model.h"

#define VM_TYPE_DEFAULT 0
#define VM_TYPE_PPC_HV  1

/* virtual machines */

static int vm_new(struct sim_model *model, struct sim_mm *mm, struct sim_kvm_vm **ret_vm)
{
	struct sim_kvm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		return -ENOMEM;
	}
	vm->model = model;
	vm->mm = sim_mm_ref(mm);
	vm->references = 1;
	*ret_vm = vm;
	return 0;
}

struct sim_kvm_vm *kvm_vm_ref(struct sim_kvm_vm *vm)
{
	vm->references++;
	return vm;
}

void kvm_vm_unref(struct sim_kvm_vm *vm)
{
	if (--vm->references == 0) {
		(void)sim_mm_unref(vm->mm);
		free(vm);
	}
}

/* the VFIO device */

struct held_file {
	struct held_file *next;
	struct sim_node node;
	int fd; /* -1: none */
};

struct sim_kvm_vfio {
	struct sim_kvm_vm *vm;
	struct held_file *files;
};

static int vfio_new(struct sim_kvm_vm *vm, struct sim_kvm_vfio **ret_vfio)
{
	struct sim_kvm_vfio *vfio;

	if (vm->vfio) {
		return -EBUSY;
	}
	vfio = calloc(1, sizeof(*vfio));
	if (!vfio) {
		return -ENOMEM;
	}
	vfio->vm = kvm_vm_ref(vm);
	vm->vfio = vfio;
	*ret_vfio = vfio;
	return 0;
}

static void drop_file(struct held_file **link)
{
	struct held_file *file = *link;

	*link = file->next;
	cleanup_fd(&file->fd);
	free(file);
}

/* kvm_vfio_release: a VM may have another VFIO device at once. */
static void vfio_close(struct sim_kvm_vfio *vfio)
{
	while (vfio->files) {
		drop_file(&vfio->files);
	}
	vfio->vm->vfio = NULL;
	kvm_vm_unref(vfio->vm);
	free(vfio);
}

/* The same file: a group's node opens once in its life, and a device file is one open. */
static bool is_same_node(struct sim_node a, struct sim_node b)
{
	if (a.kind != b.kind) {
		return false;
	}
	return (a.kind == SIM_NODE_GROUP && a.group == b.group && a.life == b.life) ||
	       (a.kind == SIM_NODE_DEVICE && a.device_file == b.device_file);
}

static struct held_file **find_file(struct sim_kvm_vfio *vfio, struct sim_node node)
{
	struct held_file **link = &vfio->files;

	while (*link && !is_same_node((*link)->node, node)) {
		link = &(*link)->next;
	}
	return link;
}

/* kvm_vfio_file_add: device files are VFIO's, too. */
static int add_file(struct sim_kvm_vfio *vfio, struct sim_argument_fd *fd)
{
	struct held_file **link;

	if (!fd) {
		return -EBADF;
	}
	if (fd->node.kind != SIM_NODE_GROUP && fd->node.kind != SIM_NODE_DEVICE) {
		return -EINVAL;
	}
	link = find_file(vfio, fd->node);
	if (*link) {
		return -EEXIST;
	}
	*link = calloc(1, sizeof(**link));
	if (!*link) {
		return -ENOMEM;
	}
	(*link)->node = fd->node;
	(*link)->fd = fd->fd;
	fd->fd = -1;
	return 0;
}

static int delete_file(struct sim_kvm_vfio *vfio, const struct sim_argument_fd *fd)
{
	struct held_file **link = fd ? find_file(vfio, fd->node) : NULL;

	if (!link) {
		return -EBADF;
	}
	if (!*link) {
		return -ENOENT;
	}
	drop_file(link);
	return 0;
}

/* kvm_vfio_file_set_spapr_tce. That a table is tied to a group twice is no error. */
static int set_spapr_tce(struct sim_kvm_vfio *vfio, const struct sim_argument_fd *group,
			 const struct sim_argument_fd *table)
{
	if (!group) {
		return -EBADF;
	}
	if (!*find_file(vfio, group->node)) {
		return -ENOENT;
	}
	if (group->node.kind != SIM_NODE_GROUP || sim_group_is_revoked(group->node)) {
		return -EIO; /* a device file has no group of its own, a revoked one none any more
			      */
	}
	if (!table) {
		return -EBADF;
	}
	if (table->node.kind != SIM_NODE_KVM_TCE) {
		return -EINVAL;
	}
	return kvm_tce_attach(vfio->vm, table->node.kvm_tce, group->node.group);
}

static bool has_attribute(const struct sim_kvm_vfio *vfio, const struct kvm_device_attr *attribute)
{
	unsigned int fds = sim_kvm_attribute_fds(attribute);

	return fds == 1 || (fds == 2 && vfio->vm->model->host->platform != SIM_TYPE1);
}

static int set_attribute(struct sim_kvm_vfio *vfio, const struct kvm_device_attr *attribute,
			 struct sim_argument *argument)
{
	size_t size = sim_kvm_attribute_fds(attribute) * sizeof(int32_t);
	int32_t index[SIM_KVM_ATTRIBUTE_FDS_MAX] = {SIM_FD_CLOSED, SIM_FD_CLOSED};
	struct sim_argument_fd *fd;

	if (!has_attribute(vfio, attribute)) {
		return -ENXIO;
	}
	if (argument->size < sizeof(*attribute) + size) {
		return -EFAULT;
	}
	memcpy(index, (const uint8_t *)argument->data + sizeof(*attribute), size);
	fd = sim_argument_fd(argument, index[0]);
	switch (attribute->attr) {
	case KVM_DEV_VFIO_GROUP_ADD:
		return add_file(vfio, fd);
	case KVM_DEV_VFIO_GROUP_DEL:
		return delete_file(vfio, fd);
	default:
		return set_spapr_tce(vfio, fd, sim_argument_fd(argument, index[1]));
	}
}

static int vfio_ioctl(struct sim_kvm_vfio *vfio, const struct sim_caller *caller,
		      unsigned long request, struct sim_argument *argument)
{
	struct kvm_device_attr attribute;

	if (caller->mm != vfio->vm->mm) {
		return -EIO;
	}
	if (request == KVM_GET_DEVICE_ATTR) {
		return -EPERM; /* it has nothing to get */
	}
	if (request != KVM_SET_DEVICE_ATTR && request != KVM_HAS_DEVICE_ATTR) {
		return -ENOTTY;
	}
	if (!argument->data) {
		return -EFAULT;
	}
	memcpy(&attribute, argument->data, sizeof(attribute));
	if (request == KVM_SET_DEVICE_ATTR) {
		return set_attribute(vfio, &attribute, argument);
	}
	return has_attribute(vfio, &attribute) ? 0 : -ENXIO;
}

/* /dev/kvm and the VM */

/* Of the many that there are, those that matter to who uses VFIO. */
static int check_extension(const struct sim_model *model, uint64_t extension)
{
	switch (extension) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DEVICE_CTRL:
	case KVM_CAP_CHECK_EXTENSION_VM:
		return 1;
	case KVM_CAP_SPAPR_TCE:
	case KVM_CAP_SPAPR_TCE_64:
	case KVM_CAP_SPAPR_TCE_VFIO:
		return model->host->platform != SIM_TYPE1;
	default:
		return 0;
	}
}

/* kvm_ioctl_create_device. Of device types there is VFIO's alone. */
static int create_device(struct sim_kvm_vm *vm, struct sim_argument *argument)
{
	struct kvm_create_device create;
	struct sim_kvm_vfio *vfio = NULL;
	int r;

	if (!argument->data) {
		return -EFAULT;
	}
	memcpy(&create, argument->data, sizeof(create));
	if (create.type != KVM_DEV_TYPE_VFIO) {
		return -ENODEV;
	}
	if (create.flags & KVM_CREATE_DEVICE_TEST) {
		argument->out_size = sizeof(create);
		return 0;
	}
	r = vfio_new(vm, &vfio);
	if (r == 0) {
		argument->out_size = sizeof(create);
		argument->new_node = (struct sim_node){.kind = SIM_NODE_KVM_VFIO, .kvm_vfio = vfio};
		argument->fd_offset = offsetof(struct kvm_create_device, fd);
	}
	return r;
}

static int create_table(struct sim_kvm_vm *vm, const struct sim_caller *caller,
			struct sim_argument *argument)
{
	struct sim_kvm_create_spapr_tce_64 create;
	struct sim_kvm_tce *table = NULL;
	int r;

	if (vm->model->host->platform != SIM_POWERNV) {
		return -ENOTTY;
	}
	if (!argument->data) {
		return -EFAULT;
	}
	memcpy(&create, argument->data, sizeof(create));
	r = kvm_tce_new(vm, caller, &create, &table);
	if (r == 0) {
		argument->new_node = (struct sim_node){.kind = SIM_NODE_KVM_TCE, .kvm_tce = table};
	}
	return r;
}

static int vm_ioctl(struct sim_kvm_vm *vm, const struct sim_caller *caller, unsigned long request,
		    struct sim_argument *argument)
{
	if (caller->mm != vm->mm) {
		return -EIO;
	}
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return check_extension(vm->model, argument->value);
	case KVM_CREATE_DEVICE:
		return create_device(vm, argument);
	case SIM_KVM_CREATE_SPAPR_TCE_64:
		return create_table(vm, caller, argument);
	default:
		return -ENOTTY;
	}
}

/* Of kvm-hv and x86 there is one type each; kvm-pr isn't there. In an LPAR kvm is there, but not
 * kvm-hv, so no VM can be had (kvm_arch_init_vm). */
static int create_vm(struct sim_model *model, const struct sim_caller *caller,
		     struct sim_argument *argument)
{
	bool is_hv = argument->value == VM_TYPE_PPC_HV && model->host->platform == SIM_POWERNV;
	struct sim_kvm_vm *vm = NULL;
	int r;

	if (model->host->platform == SIM_PSERIES ||
	    (argument->value != VM_TYPE_DEFAULT && !is_hv)) {
		return -EINVAL;
	}
	r = vm_new(model, caller->mm, &vm);
	if (r == 0) {
		argument->new_node = (struct sim_node){.kind = SIM_NODE_KVM_VM, .kvm_vm = vm};
	}
	return r;
}

static int kvm_ioctl(struct sim_model *model, const struct sim_caller *caller,
		     unsigned long request, struct sim_argument *argument)
{
	switch (request) {
	case KVM_GET_API_VERSION:
		return argument->value ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return create_vm(model, caller, argument);
	case KVM_CHECK_EXTENSION:
		return check_extension(model, argument->value);
	default:
		return -EINVAL; /* kvm_arch_dev_ioctl knows no ENOTTY */
	}
}

/* nodes */

struct sim_node sim_kvm_open(struct sim_model *model)
{
	return (struct sim_node){.kind = SIM_NODE_KVM, .model = model};
}

int sim_kvm_ioctl(struct sim_node node, const struct sim_caller *caller, unsigned long request,
		  struct sim_argument *argument)
{
	switch (node.kind) {
	case SIM_NODE_KVM:
		return kvm_ioctl(node.model, caller, request, argument);
	case SIM_NODE_KVM_VM:
		return vm_ioctl(node.kvm_vm, caller, request, argument);
	case SIM_NODE_KVM_VFIO:
		return vfio_ioctl(node.kvm_vfio, caller, request, argument);
	case SIM_NODE_KVM_TCE:
	case SIM_NODE_NONE:
	case SIM_NODE_CONTAINER:
	case SIM_NODE_GROUP:
	case SIM_NODE_DEVICE:
	case SIM_NODE_UEVENTS:
		break;
	}
	return -ENOTTY; /* a table can only be mapped */
}

void sim_kvm_close(struct sim_node node)
{
	switch (node.kind) {
	case SIM_NODE_KVM_VM:
		kvm_vm_unref(node.kvm_vm);
		break;
	case SIM_NODE_KVM_VFIO:
		vfio_close(node.kvm_vfio);
		break;
	case SIM_NODE_KVM_TCE:
		kvm_tce_close(node.kvm_tce);
		break;
	case SIM_NODE_KVM:
	case SIM_NODE_NONE:
	case SIM_NODE_CONTAINER:
	case SIM_NODE_GROUP:
	case SIM_NODE_DEVICE:
	case SIM_NODE_UEVENTS:
		break;
	}
}
