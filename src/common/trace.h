/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trace points: places where bpftrace, perf or SystemTap can look at a running process, each with
 * its arguments. One that nobody looks at costs one instruction that does nothing.
 *
 * They are static probes (sys/sdt.h) of the provider "spaprd", in the program that does the work:
 * spaprd-worker, spaprd, or what is linked with libspapr. spaprd-trace(7) lists them; a test holds
 * that list against the programs.
 *
 * `result` is what the kernel said: 0, a negative errno, or the positive number of a refusal.
 * Addresses and sizes are in bytes, texts end with a zero.
 */
#pragma once

#include <stdint.h>
#include <sys/sdt.h>

#define TRACE_PROVIDER "spaprd"

/* -- containers and groups -- */

/* A container took its kind of IOMMU. */
static inline void trace_container_open(uint32_t container, const char *iommu_type, int fd)
{
	DTRACE_PROBE3(spaprd, container_open, container, iommu_type, fd);
}

static inline void trace_container_close(uint32_t container)
{
	DTRACE_PROBE1(spaprd, container_close, container);
}

static inline void trace_group_attach(uint32_t group, int container_fd, int result)
{
	DTRACE_PROBE3(spaprd, group_attach, group, container_fd, result);
}

static inline void trace_group_detach(uint32_t group, int result)
{
	DTRACE_PROBE2(spaprd, group_detach, group, result);
}

/* -- memory -- */

/* A section comes to an address space, which has no containers perhaps. */
static inline void trace_section_add(uint64_t gpa, uint64_t size, uint32_t flags)
{
	DTRACE_PROBE3(spaprd, section_add, gpa, size, flags);
}

/* One that no container has. */
static inline void trace_section_skip(uint64_t gpa, uint64_t size, const char *why)
{
	DTRACE_PROBE3(spaprd, section_skip, gpa, size, why);
}

static inline void trace_section_remove(uint64_t gpa, uint64_t size)
{
	DTRACE_PROBE2(spaprd, section_remove, gpa, size);
}

static inline void trace_prereg_register(uint64_t address, uint64_t size, int result)
{
	DTRACE_PROBE3(spaprd, prereg_register, address, size, result);
}

static inline void trace_prereg_unregister(uint64_t address, uint64_t size, int result)
{
	DTRACE_PROBE3(spaprd, prereg_unregister, address, size, result);
}

/* -- windows and mappings -- */

/* start: where the kernel put it, if result is 0. */
static inline void trace_window_create(uint32_t page_shift, uint32_t levels, uint64_t size,
				       uint64_t start, int result)
{
	DTRACE_PROBE5(spaprd, window_create, page_shift, levels, size, start, result);
}

static inline void trace_window_remove(uint64_t start, int result)
{
	DTRACE_PROBE2(spaprd, window_remove, start, result);
}

/* One MAP or UNMAP of the kernel: a request may need several. flags: VFIO_DMA_MAP_FLAG_*. */
static inline void trace_map(uint64_t iova, uint64_t size, uint64_t address, uint32_t flags,
			     int result)
{
	DTRACE_PROBE5(spaprd, map, iova, size, address, flags, result);
}

static inline void trace_unmap(uint64_t iova, uint64_t size, int result)
{
	DTRACE_PROBE3(spaprd, unmap, iova, size, result);
}

/* -- KVM -- */

static inline void trace_kvm_group_add(int group_fd, int result)
{
	DTRACE_PROBE2(spaprd, kvm_group_add, group_fd, result);
}

static inline void trace_kvm_group_remove(int group_fd, int result)
{
	DTRACE_PROBE2(spaprd, kvm_group_remove, group_fd, result);
}

static inline void trace_kvm_group_attach(int group_fd, int table_fd, int result)
{
	DTRACE_PROBE3(spaprd, kvm_group_attach, group_fd, table_fd, result);
}

/* -- devices -- */

/* flags: VFIO_DEVICE_FLAGS_*. */
static inline void trace_device_open(const char *name, uint32_t flags, uint32_t regions,
				     uint32_t irqs)
{
	DTRACE_PROBE4(spaprd, device_open, name, flags, regions, irqs);
}

static inline void trace_device_close(const char *name)
{
	DTRACE_PROBE1(spaprd, device_close, name);
}

/* flags: VFIO_REGION_INFO_FLAG_*. */
static inline void trace_region_setup(const char *name, uint32_t region, uint32_t flags,
				      uint64_t offset, uint64_t size)
{
	DTRACE_PROBE5(spaprd, region_setup, name, region, flags, offset, size);
}

/* One of the parts of a region that can be mapped, where not all of it can. */
static inline void trace_region_sparse_area(const char *name, uint32_t region, uint64_t offset,
					    uint64_t size)
{
	DTRACE_PROBE4(spaprd, region_sparse_area, name, region, offset, size);
}

static inline void trace_region_find(const char *name, uint32_t region, uint32_t type,
				     uint32_t subtype)
{
	DTRACE_PROBE4(spaprd, region_find, name, region, type, subtype);
}

static inline void trace_region_read(const char *name, uint32_t region, uint64_t offset,
				     uint32_t size, uint64_t value)
{
	DTRACE_PROBE5(spaprd, region_read, name, region, offset, size, value);
}

static inline void trace_region_write(const char *name, uint32_t region, uint64_t offset,
				      uint32_t size, uint64_t value)
{
	DTRACE_PROBE5(spaprd, region_write, name, region, offset, size, value);
}

static inline void trace_region_map(const char *name, uint32_t region, uint64_t offset,
				    uint64_t size, int result)
{
	DTRACE_PROBE5(spaprd, region_map, name, region, offset, size, result);
}

static inline void trace_region_unmap(const char *name, uint32_t region, uint64_t offset,
				      uint64_t size)
{
	DTRACE_PROBE4(spaprd, region_unmap, name, region, offset, size);
}

static inline void trace_config_read(const char *name, uint64_t offset, uint32_t size, int result)
{
	DTRACE_PROBE4(spaprd, config_read, name, offset, size, result);
}

static inline void trace_config_write(const char *name, uint64_t offset, uint32_t size, int result)
{
	DTRACE_PROBE4(spaprd, config_write, name, offset, size, result);
}

/* -- interrupts; index: VFIO_PCI_*_IRQ_INDEX -- */

static inline void trace_irq_info(const char *name, uint32_t index, uint32_t flags, uint32_t count,
				  int result)
{
	DTRACE_PROBE5(spaprd, irq_info, name, index, flags, count, result);
}

static inline void trace_irq_set(const char *name, uint32_t index, uint32_t start, uint32_t count,
				 int result)
{
	DTRACE_PROBE5(spaprd, irq_set, name, index, start, count, result);
}

static inline void trace_irq_mask(const char *name, uint32_t index, int result)
{
	DTRACE_PROBE3(spaprd, irq_mask, name, index, result);
}

static inline void trace_irq_unmask(const char *name, uint32_t index, int result)
{
	DTRACE_PROBE3(spaprd, irq_unmask, name, index, result);
}

static inline void trace_irq_disable(const char *name, uint32_t index, int result)
{
	DTRACE_PROBE3(spaprd, irq_disable, name, index, result);
}

/* INTx is unmasked since a BAR was accessed. */
static inline void trace_intx_rearm(const char *name, int result)
{
	DTRACE_PROBE2(spaprd, intx_rearm, name, result);
}

/* -- resets -- */

/* What a device has: 1 or 0 for each. */
static inline void trace_reset_kinds(const char *name, int function_level, int power_management,
				     int works)
{
	DTRACE_PROBE4(spaprd, reset_kinds, name, function_level, power_management, works);
}

static inline void trace_device_reset(const char *name, int result)
{
	DTRACE_PROBE2(spaprd, device_reset, name, result);
}

/* Before: how many devices go through it together. */
static inline void trace_hot_reset(const char *name, uint32_t devices)
{
	DTRACE_PROBE2(spaprd, hot_reset, name, devices);
}

/* Each of them. address: domain << 16 | bus << 8 | device and function. */
static inline void trace_hot_reset_device(const char *name, uint32_t address, uint32_t group)
{
	DTRACE_PROBE3(spaprd, hot_reset_device, name, address, group);
}

static inline void trace_hot_reset_result(const char *name, int result)
{
	DTRACE_PROBE2(spaprd, hot_reset_result, name, result);
}

/* -- EEH; operation: VFIO_EEH_PE_* -- */

static inline void trace_eeh_operate(uint32_t group, uint32_t operation, int result)
{
	DTRACE_PROBE3(spaprd, eeh_operate, group, operation, result);
}
