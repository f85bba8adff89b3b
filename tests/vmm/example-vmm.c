/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VMM does with libspapr, without a guest: a VM, memory, a device, windows with the guest's
 * TCE tables, mappings, DMA and an interrupt; and what becomes of it all in another process. It
 * knows nothing of spaprd but <spapr/spapr.h>.
 *
 * usage: example-vmm DEVICE [MORE-DEVICES...]
 *
 * DEVICE is QEMU's edu device ("0000:01:00.0"), which can do DMA; the groups of the others come
 * later. Says what it does, and exits with 0 when all went as it should.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spapr/spapr.h>

#define MEMORY_SIZE  ((uint64_t)4 << 20)
#define PAGE         ((uint64_t)0x10000) /* as large as any host's */
#define SOURCE_GPA   ((uint64_t)0x100000)
#define TARGET_GPA   ((uint64_t)0x200000)
#define SOURCE_IOVA  ((uint64_t)0x40000)
#define BYTES        1024U
#define WINDOWS_MAX  8U
#define DEVICES_MAX  4
#define FIRST_LIOBN  UINT64_C(0x80000001)
#define TABLE_SIZE   ((uint64_t)256 << 20) /* of the guest's view of its windows */
#define WAIT_SECONDS 20

/* QEMU's docs/specs/edu.rst; BAR 0 */
#define EDU_DMA_SOURCE  0x80
#define EDU_DMA_TARGET  0x88
#define EDU_DMA_COUNT   0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_ACKNOWLEDGE 0x64
#define EDU_BUFFER      0x40000
#define EDU_START       1U
#define EDU_TO_MEMORY   2U
#define EDU_INTERRUPT   4U
#define EDU_FINISHED    0x100U

#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY 2U
#define PCI_COMMAND_MASTER 4U

/* Linux's header has these for powerpc only. */
struct create_spapr_tce_64 {
	uint64_t liobn;
	uint32_t page_shift;
	uint32_t flags;
	uint64_t offset;
	uint64_t size;
};
#define CREATE_SPAPR_TCE_64 _IOW(KVMIO, 0xa8, struct create_spapr_tce_64)

struct vmm {
	const char *names[DEVICES_MAX];
	uint32_t groups[DEVICES_MAX];
	int device_count;
	struct spapr_host *host;
	struct spapr_space *space;
	struct spapr_container container;
	struct spapr_kvm *kvm; /* NULL: there is none */
	int vm_fd;
	int tables[WINDOWS_MAX];
	struct spapr_window windows[WINDOWS_MAX];
	unsigned int window_count;
	int memory_fd;
	uint8_t *memory;
	struct spapr_device *device;
	bool big_endian; /* the device's registers: QEMU has them in the order of its target */
};

#define say(...)                           \
	do {                               \
		(void)printf(__VA_ARGS__); \
		(void)putchar('\n');       \
		(void)fflush(stdout);      \
	} while (0)

#define give_up(...)                      \
	do {                              \
		(void)printf("failed: "); \
		say(__VA_ARGS__);         \
		exit(EXIT_FAILURE);       \
	} while (0)

/* What must work. */
static void check(const char *what, int code, const struct spapr_error *error)
{
	if (code) {
		give_up("%s: %s (%s)", what, error->text, spapr_error_name(error->code));
	}
}

/* What must be refused. */
static void expect(const char *what, int code, uint32_t wanted, const struct spapr_error *error)
{
	if (code == 0) {
		give_up("%s works", what);
	}
	if (error->code != wanted) {
		give_up("%s: %s (%s)", what, error->text, spapr_error_name(error->code));
	}
	say("refused: %s: %s", what, error->text);
}

/* the host */

static uint32_t find_group(const char *device)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0) {
		give_up("device %s has no group: %s", device, strerror(errno));
	}
	target[length] = '\0';
	return (uint32_t)strtoul(strrchr(target, '/') + 1, NULL, 10);
}

/* A VM, where KVM is; without, the VMM does what KVM would speed up. */
static void start_kvm(struct vmm *vmm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct spapr_error error;

	vmm->vm_fd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vmm->vm_fd < 0) {
		say("without KVM: %s: %s", kvm < 0 ? "/dev/kvm" : "a VM", strerror(errno));
		return;
	}
	(void)close(kvm);
	check("use the VM", spapr_kvm_new(vmm->host, vmm->vm_fd, -1, &vmm->kvm, &error), &error);
	check("have the space use KVM", spapr_space_use_kvm(vmm->space, vmm->kvm, &error), &error);
	say("with KVM");
}

static void add_memory(struct vmm *vmm)
{
	struct spapr_error error;
	uint32_t id = 0;

	vmm->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (vmm->memory_fd < 0 || ftruncate(vmm->memory_fd, (off_t)MEMORY_SIZE) < 0) {
		give_up("no memory: %s", strerror(errno));
	}
	vmm->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vmm->memory_fd, 0);
	if (vmm->memory == MAP_FAILED) {
		give_up("no memory: %s", strerror(errno));
	}
	check("add memory",
	      spapr_memory_add(vmm->space, vmm->memory_fd, 0, 0, MEMORY_SIZE, 0, &id, &error),
	      &error);
	say("memory %" PRIu32 ": 0x%" PRIx64 " bytes", id, MEMORY_SIZE);
}

static void attach(struct vmm *vmm, int index)
{
	struct spapr_error error;

	vmm->groups[index] = find_group(vmm->names[index]);
	check("attach", spapr_group_attach(vmm->space, vmm->groups[index], 0, &error), &error);
	check("look at the container",
	      spapr_group_container(vmm->space, vmm->groups[index], &vmm->container, &error),
	      &error);
	vmm->big_endian = strncmp(vmm->container.iommu_type, "spapr", 5) == 0;
	say("group %" PRIu32 " of %s attached: %s, at most %" PRIu32 " windows, EEH: %s",
	    vmm->groups[index], vmm->names[index], vmm->container.iommu_type,
	    vmm->container.max_windows, vmm->container.has_eeh ? "yes" : "no");
}

/* windows */

static void list_windows(struct vmm *vmm)
{
	vmm->window_count = spapr_windows(vmm->space, vmm->windows, WINDOWS_MAX);
	for (unsigned int i = 0; i < vmm->window_count; i++) {
		say("window 0x%" PRIx64 ", 0x%" PRIx64 " bytes in pages of 2^%" PRIu32 ", %" PRIu32
		    " levels",
		    vmm->windows[i].start, vmm->windows[i].size, vmm->windows[i].page_shift,
		    vmm->windows[i].levels);
	}
}

static bool can_have_another(const struct vmm *vmm)
{
	return strcmp(vmm->container.iommu_type, "spapr-tce-v2") == 0 &&
	       vmm->container.max_windows > 1;
}

static void create_window(const struct vmm *vmm)
{
	struct spapr_window wanted = {.start = SPAPR_WINDOW_ANYWHERE, .size = TABLE_SIZE * 4};
	struct spapr_error error;

	check("create a window", spapr_window_create(vmm->space, &wanted, 0, NULL, &error), &error);
}

/* The guest's view of a window: a table that its hypercalls fill. */
static struct spapr_kvm_table make_table(const struct vmm *vmm, const struct spapr_window *window,
					 uint64_t liobn, uint32_t page_shift)
{
	struct create_spapr_tce_64 create = {
		.liobn = liobn,
		.page_shift = page_shift,
		.offset = window->start >> page_shift,
		.size = TABLE_SIZE >> page_shift,
	};
	struct spapr_kvm_table table = {
		.fd = ioctl(vmm->vm_fd, CREATE_SPAPR_TCE_64, &create),
		.page_shift = page_shift,
		.offset = create.offset,
		.size = create.size,
	};

	if (table.fd < 0) {
		give_up("KVM makes no TCE table: %s", strerror(errno));
	}
	return table;
}

/* Tables that don't fit the window, as a guest's driver might want them. */
static void refuse_tables(const struct vmm *vmm)
{
	const struct spapr_window *window = &vmm->windows[vmm->window_count - 1];
	struct spapr_kvm_table table =
		make_table(vmm, window, FIRST_LIOBN + WINDOWS_MAX, window->page_shift);
	struct spapr_kvm_table wrong = table;
	struct spapr_error error;

	wrong.offset++;
	expect("a table that starts elsewhere",
	       spapr_window_set_kvm_table(vmm->space, window->start, &wrong, &error),
	       SPAPR_ERROR_INVALID_ARGUMENT, &error);
	wrong = table;
	wrong.page_shift--;
	expect("a table with smaller pages",
	       spapr_window_set_kvm_table(vmm->space, window->start, &wrong, &error),
	       SPAPR_ERROR_INVALID_ARGUMENT, &error);
	wrong.fd = vmm->memory_fd;
	wrong.page_shift = 0;
	expect("what is no table",
	       spapr_window_set_kvm_table(vmm->space, window->start, &wrong, &error),
	       SPAPR_ERROR_INVALID_ARGUMENT, &error);
	(void)close(table.fd);
}

static bool has_tables(const struct vmm *vmm)
{
	return vmm->kvm && strcmp(vmm->container.iommu_type, "spapr-tce-v2") == 0;
}

static void tie_table(struct vmm *vmm, unsigned int index)
{
	const struct spapr_window *window = &vmm->windows[index];
	struct spapr_kvm_table table =
		make_table(vmm, window, FIRST_LIOBN + index, window->page_shift);
	struct spapr_error error;

	check("tie a table", spapr_window_set_kvm_table(vmm->space, window->start, &table, &error),
	      &error);
	vmm->tables[index] = table.fd;
	say("window 0x%" PRIx64 " has the guest's table 0x%" PRIx64, window->start,
	    FIRST_LIOBN + index);
}

/* As a guest boots: the default window first, in which nothing was mapped yet; then the large one
 * that its driver asks for. */
static void set_up_windows(struct vmm *vmm)
{
	list_windows(vmm);
	if (has_tables(vmm)) {
		tie_table(vmm, 0);
	}
	if (can_have_another(vmm)) {
		create_window(vmm);
		list_windows(vmm);
	}
	if (!has_tables(vmm)) {
		say("no tables to be tied");
		return;
	}
	refuse_tables(vmm);
	for (unsigned int i = 1; i < vmm->window_count; i++) {
		tie_table(vmm, i);
	}
}

/* the device */

static void write_register(const struct vmm *vmm, uint64_t offset, uint64_t value)
{
	struct spapr_error error;

	check("write a register",
	      spapr_region_write(vmm->device, VFIO_PCI_BAR0_REGION_INDEX, offset, 8,
				 vmm->big_endian ? __builtin_bswap64(value) : value, &error),
	      &error);
}

static uint64_t read_register(const struct vmm *vmm, uint64_t offset)
{
	struct spapr_error error;
	uint64_t value = 0;

	check("read a register",
	      spapr_region_read(vmm->device, VFIO_PCI_BAR0_REGION_INDEX, offset, 8, &value, &error),
	      &error);
	return vmm->big_endian ? __builtin_bswap64(value) : value;
}

static void open_device(struct vmm *vmm)
{
	struct spapr_error error;
	uint64_t command = 0;

	check("open the device",
	      spapr_device_open(vmm->space, vmm->groups[0], vmm->names[0], -1, -1, &vmm->device,
				&error),
	      &error);
	check("read the command register",
	      spapr_region_read(vmm->device, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &command,
				&error),
	      &error);
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	check("make it a bus master",
	      spapr_region_write(vmm->device, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, command,
				 &error),
	      &error);
	check("map its registers",
	      spapr_region_map(vmm->device, VFIO_PCI_BAR0_REGION_INDEX, &error), &error);
	say("device %s is open", vmm->names[0]);
}

static int wire_interrupt(const struct vmm *vmm)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct spapr_error error;

	check("wire the interrupt",
	      spapr_irq_set(vmm->device, VFIO_PCI_MSI_IRQ_INDEX, 0, &event, 1, &error), &error);
	return event;
}

static void await_interrupt(int event)
{
	struct pollfd entry = {.fd = event, .events = POLLIN};
	uint64_t count = 0;

	if (poll(&entry, 1, WAIT_SECONDS * 1000) != 1 ||
	    read(event, &count, sizeof(count)) != (ssize_t)sizeof(count)) {
		give_up("no interrupt has come");
	}
}

/* The edu device takes 100 ms for each transfer, and its interrupt says when it is done. */
static void transfer(const struct vmm *vmm, uint64_t source, uint64_t target, uint64_t command,
		     int event)
{
	struct spapr_error error;
	uint32_t finished = EDU_FINISHED;

	write_register(vmm, EDU_DMA_SOURCE, source);
	write_register(vmm, EDU_DMA_TARGET, target);
	write_register(vmm, EDU_DMA_COUNT, BYTES);
	write_register(vmm, EDU_DMA_COMMAND, command | EDU_START | EDU_INTERRUPT);
	await_interrupt(event);
	if (read_register(vmm, EDU_DMA_COMMAND) & EDU_START) {
		give_up("the device has not finished");
	}
	check("acknowledge",
	      spapr_region_write(vmm->device, VFIO_PCI_BAR0_REGION_INDEX, EDU_ACKNOWLEDGE, 4,
				 vmm->big_endian ? __builtin_bswap32(finished) : finished, &error),
	      &error);
}

/* Through the first window in, through the last one out. */
static void do_dma(struct vmm *vmm)
{
	uint64_t target = vmm->windows[vmm->window_count - 1].start + TARGET_GPA;
	struct spapr_error error;
	int event = wire_interrupt(vmm);

	check("map what is read",
	      spapr_map(vmm->space, SOURCE_IOVA, SOURCE_GPA, PAGE, SPAPR_DEVICE_READS, &error),
	      &error);
	check("map what is written",
	      spapr_map(vmm->space, target, TARGET_GPA, PAGE,
			SPAPR_DEVICE_READS | SPAPR_DEVICE_WRITES, &error),
	      &error);
	for (unsigned int i = 0; i < BYTES; i++) {
		vmm->memory[SOURCE_GPA + i] = (uint8_t)(i * 7 + 1);
	}
	transfer(vmm, SOURCE_IOVA, EDU_BUFFER, 0, event);
	transfer(vmm, EDU_BUFFER, target, EDU_TO_MEMORY, event);
	if (memcmp(vmm->memory + TARGET_GPA, vmm->memory + SOURCE_GPA, BYTES) != 0) {
		give_up("the bytes have not arrived");
	}
	say("DMA of %u bytes from 0x%" PRIx64 " to 0x%" PRIx64 ", with an interrupt each way",
	    BYTES, SOURCE_IOVA, target);
	check("unmap what was read", spapr_unmap(vmm->space, SOURCE_IOVA, PAGE, &error), &error);
	check("unmap what was written", spapr_unmap(vmm->space, target, PAGE, &error), &error);
	(void)close(event);
}

static void look_at_pe(const struct vmm *vmm)
{
	struct spapr_eeh_look look;
	struct spapr_error error;

	if (!vmm->container.has_eeh) {
		say("no EEH");
		return;
	}
	check("enable EEH", spapr_eeh_operate(vmm->space, vmm->groups[0], SPAPR_EEH_ENABLE, &error),
	      &error);
	check("look at the PE", spapr_eeh_look(vmm->space, vmm->groups[0], &look, &error), &error);
	say("the PE is %s, %" PRIu32 " of %" PRIu32 " devices are silent",
	    spapr_eeh_condition_text(look.condition), look.silent, look.devices);
}

/* another process */

/* It has all that this one has, and can do nothing with it. */
static void try_all(const struct vmm *vmm)
{
	struct spapr_kvm *kvm = NULL;
	struct spapr_error error;

	if (vmm->kvm) {
		expect("the VM in another process",
		       spapr_kvm_new(vmm->host, vmm->vm_fd, -1, &kvm, &error),
		       SPAPR_ERROR_ACCESS_DENIED, &error);
		expect("a group out of KVM in another process",
		       spapr_group_detach(vmm->space, vmm->groups[0], &error),
		       SPAPR_ERROR_ACCESS_DENIED, &error);
	}
	if (strcmp(vmm->container.iommu_type, "spapr-tce-v2") == 0) {
		expect("mapping in another process",
		       spapr_map(vmm->space, SOURCE_IOVA, SOURCE_GPA, PAGE, SPAPR_DEVICE_READS,
				 &error),
		       SPAPR_ERROR_KERNEL, &error);
	}
}

static void show_another_process(const struct vmm *vmm)
{
	pid_t child = fork();
	int status = -1;

	if (child < 0) {
		give_up("no process: %s", strerror(errno));
	}
	if (child == 0) {
		try_all(vmm);
		_exit(EXIT_SUCCESS);
	}
	if (waitpid(child, &status, 0) != child || status != 0) {
		give_up("the other process is not as expected");
	}
}

/* the end */

static void tear_down(struct vmm *vmm)
{
	struct spapr_error error;

	/* The guest's tables first: with the last fd of each KVM lets go of its window. */
	for (unsigned int i = 0; i < WINDOWS_MAX; i++) {
		if (vmm->tables[i] >= 0) {
			(void)close(vmm->tables[i]);
		}
	}
	if (vmm->window_count > 1 && can_have_another(vmm)) {
		check("remove a window",
		      spapr_window_remove(vmm->space, vmm->windows[vmm->window_count - 1].start,
					  &error),
		      &error);
		say("window 0x%" PRIx64 " removed", vmm->windows[vmm->window_count - 1].start);
	}
	for (int i = vmm->device_count - 1; i >= 0; i--) {
		check("detach", spapr_group_detach(vmm->space, vmm->groups[i], &error), &error);
		say("group %" PRIu32 " detached", vmm->groups[i]);
	}
	vmm->space = spapr_space_free(vmm->space);
	vmm->kvm = spapr_kvm_free(vmm->kvm);
	vmm->host = spapr_host_free(vmm->host);
	if (vmm->vm_fd >= 0) {
		(void)close(vmm->vm_fd);
	}
	(void)munmap(vmm->memory, MEMORY_SIZE);
	(void)close(vmm->memory_fd);
}

int main(int argc, char **argv)
{
	struct vmm vmm = {.vm_fd = -1, .memory_fd = -1};
	struct spapr_error error;

	if (argc < 2 || argc > DEVICES_MAX + 1) {
		(void)fprintf(stderr, "usage: example-vmm DEVICE [MORE-DEVICES...]\n");
		return 2;
	}
	for (unsigned int i = 0; i < WINDOWS_MAX; i++) {
		vmm.tables[i] = -1;
	}
	vmm.device_count = argc - 1;
	for (int i = 0; i < vmm.device_count; i++) {
		vmm.names[i] = argv[i + 1];
	}
	check("open the host", spapr_host_open(&vmm.host, &error), &error);
	check("make a space", spapr_space_new(vmm.host, NULL, &vmm.space, &error), &error);
	start_kvm(&vmm);
	add_memory(&vmm);
	attach(&vmm, 0);
	set_up_windows(&vmm);
	for (int i = 1; i < vmm.device_count; i++) {
		attach(&vmm, i);
	}
	open_device(&vmm);
	do_dma(&vmm);
	look_at_pe(&vmm);
	show_another_process(&vmm);
	tear_down(&vmm);
	say("all done");
	return EXIT_SUCCESS;
}
