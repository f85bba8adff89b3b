/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "freeze.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The host bridges of POWER9 and POWER10 (PHB4 and PHB5; skiboot, include/phb4-regs.h). Their
 * registers are big-endian and of 64 bits. Tables of the I/O design architecture (IODA) are reached
 * through a register that selects an entry and one that has its contents.
 */
#define PHB_REGISTERS    0x1000U
#define PHB_IODA_ADDRESS 0x220U
#define PHB_IODA_DATA    0x228U

#define TABLE_SHIFT 48
#define TABLE_PESTA 7U  /* by PE: what its MMIO met */
#define TABLE_PESTB 8U  /* by PE: what its DMA met */
#define TABLE_PEEV  20U /* a bit for each PE whose entries the firmware is to look at */

#define STOPPED         (UINT64_C(1) << 63)
#define PES_OF_PEEV     64U
#define PEEV_BIT(index) (UINT64_C(1) << (63 - (index) % PES_OF_PEEV))

#define DEVICE_TREE "/proc/device-tree"
#define PHB_NODE    "pciex@"

const char *freeze_obstacle(const struct world *world)
{
	if (world->real && !world->host->emulates_freezes) {
		return "the emulated host bridge has no tables of stopped PEs";
	}
	return NULL;
}

/* -- a real kernel -- */

static uint64_t phb_id_of(const char *node)
{
	char path[512];
	uint64_t id = UINT64_MAX;
	FILE *file;

	(void)snprintf(path, sizeof(path), DEVICE_TREE "/%s/ibm,opal-phbid", node);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fread(&id, sizeof(id), 1, file), 1);
	(void)fclose(file);
	return be64toh(id);
}

/* Where the registers of a host bridge are: its node is named after that. */
static uint64_t find_registers(uint32_t phb)
{
	DIR *tree = opendir(DEVICE_TREE);
	const struct dirent *entry;
	uint64_t address = 0;

	assert_non_null(tree);
	while ((entry = readdir(tree))) {
		if (strncmp(entry->d_name, PHB_NODE, strlen(PHB_NODE)) == 0 &&
		    phb_id_of(entry->d_name) == phb) {
			address = strtoull(entry->d_name + strlen(PHB_NODE), NULL, 16);
		}
	}
	(void)closedir(tree);
	if (address == 0) {
		fail_msg("the device tree has no host bridge %" PRIu32, phb);
	}
	return address;
}

static volatile uint64_t *map_registers(uint32_t phb)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *registers;

	assert_true(fd >= 0);
	registers = mmap(NULL, PHB_REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 (off_t)find_registers(phb));
	(void)close(fd);
	assert_true(registers != MAP_FAILED);
	return registers;
}

static volatile uint64_t *select_entry(volatile uint64_t *registers, uint64_t table, uint32_t index)
{
	registers[PHB_IODA_ADDRESS / sizeof(uint64_t)] = htobe64(table << TABLE_SHIFT | index);
	__sync_synchronize();
	return registers + PHB_IODA_DATA / sizeof(uint64_t);
}

static void add_to_entry(volatile uint64_t *registers, uint64_t table, uint32_t index,
			 uint64_t bits)
{
	uint64_t entry = be64toh(*select_entry(registers, table, index));

	*select_entry(registers, table, index) = htobe64(entry | bits);
	__sync_synchronize();
}

/* What the firmware was told, to be taken back at the end: nothing in the emulation does that, and
 * the next reset of a sound PE would read as a freeze. */
#define TOLD_MAX 64U

static struct {
	volatile uint64_t *registers; /* stay mapped */
	uint32_t pe;
} told[TOLD_MAX];
static unsigned int told_count;

static void take_back(void)
{
	for (unsigned int i = 0; i < told_count; i++) {
		uint32_t index = told[i].pe / PES_OF_PEEV;
		uint64_t entry = be64toh(*select_entry(told[i].registers, TABLE_PEEV, index));

		*select_entry(told[i].registers, TABLE_PEEV, index) =
			htobe64(entry & ~PEEV_BIT(told[i].pe));
		__sync_synchronize();
	}
}

/* Without it the firmware takes the PE for a sound one. */
static void tell_firmware(volatile uint64_t *registers, uint32_t pe)
{
	add_to_entry(registers, TABLE_PEEV, pe / PES_OF_PEEV, PEEV_BIT(pe));
	assert_true(told_count < TOLD_MAX);
	if (told_count == 0) {
		assert_int_equal(atexit(take_back), 0);
	}
	told[told_count].registers = registers;
	told[told_count++].pe = pe;
}

static void freeze_by_registers(uint32_t phb, uint32_t pe, enum freeze what)
{
	volatile uint64_t *registers = map_registers(phb);

	if (what & FREEZE_IO) {
		add_to_entry(registers, TABLE_PESTA, pe, STOPPED);
	}
	if (what & FREEZE_DMA) {
		add_to_entry(registers, TABLE_PESTB, pe, STOPPED);
	}
	tell_firmware(registers, pe);
}

/* -- the simulated host -- */

static void freeze_by_simulator(const struct world *world, uint32_t group, enum freeze what)
{
	static const char *const words[] = {
		[FREEZE_IO] = "io", [FREEZE_DMA] = "dma", [FREEZE_BOTH] = "both"};

	dbus_message_unref(call(world->client, BUS_PATH_MANAGER, BUS_INTERFACE_SIMULATOR, "Freeze",
				NULL, DBUS_TYPE_UINT32, &group, DBUS_TYPE_STRING, &words[what],
				DBUS_TYPE_INVALID));
}

void freeze_pe(const struct world *world, const char *device, enum freeze what)
{
	uint32_t group = group_of(world->client, device);
	char path[64];

	if (!world->real) {
		freeze_by_simulator(world, group, what);
		return;
	}
	(void)snprintf(path, sizeof(path), BUS_PATH_GROUP_PREFIX "%" PRIu32, group);
	freeze_by_registers(
		(uint32_t)get_number(world->client, path, BUS_INTERFACE_GROUP, "PhbId"),
		(uint32_t)get_number(world->client, path, BUS_INTERFACE_GROUP, "PeNumber"), what);
}
