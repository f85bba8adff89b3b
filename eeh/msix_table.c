/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "eeh/msix_table.h"

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eeh/capability.h"

#define WORDS (sizeof(struct msix_entry) / sizeof(uint32_t))
#define BARS  6U

_Static_assert(sizeof(struct msix_entry) == PCI_MSIX_ENTRY_SIZE, "as hardware has it");

bool msix_table_find(const uint8_t config[static WORKER_CONFIG_SIZE], struct msix_place *ret_place)
{
	size_t at = capability_find(config, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	const uint8_t *bytes = config + at;
	uint32_t table;

	if (at == 0) {
		return false;
	}
	table = bytes[PCI_MSIX_TABLE] | (uint32_t)bytes[PCI_MSIX_TABLE + 1] << 8 |
		(uint32_t)bytes[PCI_MSIX_TABLE + 2] << 16 |
		(uint32_t)bytes[PCI_MSIX_TABLE + 3] << 24;
	if ((table & PCI_MSIX_TABLE_BIR) >= BARS) {
		return false;
	}
	*ret_place = (struct msix_place){
		.bar = table & PCI_MSIX_TABLE_BIR,
		.offset = table & PCI_MSIX_TABLE_OFFSET,
		.entries = ((bytes[PCI_MSIX_FLAGS] | (uint32_t)bytes[PCI_MSIX_FLAGS + 1] << 8) &
			    PCI_MSIX_FLAGS_QSIZE) +
			   1,
	};
	return true;
}

/* mapping */

struct mapping {
	void *address;
	size_t size;
	volatile uint32_t *words; /* of the table */
	uint32_t entries;
};

static uint64_t page_size(const struct kernel *kernel)
{
	return kernel->page_shift ? UINT64_C(1) << kernel->page_shift
				  : (uint64_t)sysconf(_SC_PAGESIZE);
}

static int map(const struct device *device, const struct msix_place *place,
	       struct mapping *ret_mapping)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = place->bar};
	uint64_t page = page_size(device->kernel);
	uint64_t begin = place->offset & ~(page - 1);
	uint64_t end = place->offset + place->entries * (uint64_t)PCI_MSIX_ENTRY_SIZE;
	int r = kernel_ioctl(device->kernel, device->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	if (r != 0) {
		return r < 0 ? r : -EINVAL;
	}
	if (end > info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		return -EINVAL;
	}
	end = (end + page - 1) & ~(page - 1);
	ret_mapping->size = (size_t)(end - begin);
	ret_mapping->entries = place->entries;
	r = kernel_map(device->kernel, device->fd, info.offset + begin, ret_mapping->size,
		       PROT_READ | PROT_WRITE, &ret_mapping->address);
	if (r < 0) {
		return r;
	}
	ret_mapping->words =
		(volatile uint32_t *)((char *)ret_mapping->address + (place->offset - begin));
	return 0;
}

/* access */

/* The handler of SIGBUS is the process's, so there is one access at a time. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction usual;
static _Thread_local sigjmp_buf *volatile escape;

static void handle_bus_error(int signal)
{
	if (escape) {
		siglongjmp(*escape, 1);
	}
	/* It is none of ours: it comes again, to who handles it. */
	(void)sigaction(signal, &usual, NULL);
}

/* What is done to the words of a mapping. Returns 0 or -errno. */
struct access {
	int (*run)(struct access *access);
	volatile uint32_t *words;
	uint32_t entries;
	struct msix_entry *read;
	const struct msix_entry *write;
	uint32_t wrong;
};

/* SIGBUS is let in: the threads that come here have all signals blocked, and a fault that is
 * blocked ends the process, handler or not (force_sig_info_to_task). */
static int run_guarded(struct access *access)
{
	struct sigaction action = {.sa_handler = handle_bus_error};
	sigset_t bus_error;
	sigset_t before;
	sigjmp_buf place;
	int r;

	(void)sigemptyset(&bus_error);
	(void)sigaddset(&bus_error, SIGBUS);
	(void)pthread_mutex_lock(&guard);
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, &usual);
	(void)pthread_sigmask(SIG_UNBLOCK, &bus_error, &before);
	if (sigsetjmp(place, 1) == 0) {
		escape = &place;
		r = access->run(access);
	} else {
		r = -EIO;
	}
	escape = NULL;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)sigaction(SIGBUS, &usual, NULL);
	(void)pthread_mutex_unlock(&guard);
	return r;
}

static int run_mapped(const struct device *device, const struct msix_place *place,
		      struct access *access)
{
	struct mapping mapping = {.address = NULL};
	int r = map(device, place, &mapping);

	if (r < 0) {
		return r;
	}
	access->words = mapping.words;
	access->entries = mapping.entries;
	r = run_guarded(access);
	(void)kernel_unmap(device->kernel, mapping.address, mapping.size);
	return r;
}

static struct msix_entry load(volatile uint32_t *words)
{
	return (struct msix_entry){
		.address_low = le32toh(words[0]),
		.address_high = le32toh(words[1]),
		.data = le32toh(words[2]),
		.control = le32toh(words[3]),
	};
}

/* An address is a multiple of 4, so ones are nobody's. */
static bool is_silence(const struct msix_entry *entry)
{
	return entry->address_low == UINT32_MAX && entry->control == UINT32_MAX;
}

/* Of the control word only the mask is everybody's. */
static bool is_same(const struct msix_entry *a, const struct msix_entry *b)
{
	return a->address_low == b->address_low && a->address_high == b->address_high &&
	       a->data == b->data && ((a->control ^ b->control) & PCI_MSIX_ENTRY_CTRL_MASKBIT) == 0;
}

/* Stores arrive in order: on POWER they needn't by themselves. */
static void store(volatile uint32_t *word, uint32_t value)
{
	*word = htole32(value);
	atomic_thread_fence(memory_order_seq_cst);
}

static void store_entry(volatile uint32_t *words, const struct msix_entry *entry, uint32_t control)
{
	store(&words[3], control | PCI_MSIX_ENTRY_CTRL_MASKBIT);
	store(&words[0], entry->address_low);
	store(&words[1], entry->address_high);
	store(&words[2], entry->data);
	store(&words[3], (control & ~(uint32_t)PCI_MSIX_ENTRY_CTRL_MASKBIT) |
				 (entry->control & PCI_MSIX_ENTRY_CTRL_MASKBIT));
}

static int read_entries(struct access *access)
{
	for (uint32_t i = 0; i < access->entries; i++) {
		access->read[i] = load(access->words + i * WORDS);
		if (is_silence(&access->read[i])) {
			return -EIO;
		}
	}
	return 0;
}

static int write_entries(struct access *access)
{
	for (uint32_t i = 0; i < access->entries; i++) {
		volatile uint32_t *words = access->words + i * WORDS;
		struct msix_entry there = load(words);

		if (is_silence(&there)) {
			return -EIO;
		}
		if (!is_same(&there, &access->write[i])) {
			store_entry(words, &access->write[i], there.control);
		}
	}
	for (uint32_t i = 0; i < access->entries; i++) {
		struct msix_entry there = load(access->words + i * WORDS);

		if (is_silence(&there)) {
			return -EIO;
		}
		if (!is_same(&there, &access->write[i])) {
			access->wrong = i;
			return -EBADMSG;
		}
	}
	return 0;
}

int msix_table_read(const struct device *device, const struct msix_place *place,
		    struct msix_entry *ret_entries)
{
	struct access access = {.run = read_entries, .read = ret_entries};

	return run_mapped(device, place, &access);
}

int msix_table_write(const struct device *device, const struct msix_place *place,
		     const struct msix_entry *entries, uint32_t *ret_wrong)
{
	struct access access = {.run = write_entries, .write = entries};
	int r = run_mapped(device, place, &access);

	if (r == -EBADMSG) {
		*ret_wrong = access.wrong;
	}
	return r;
}
