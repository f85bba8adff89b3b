/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support/many_pes.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Where the PHBs and their memory are on the emulated POWER9 host (src/sim/hosts/phb4.dtsi). */
#define PHB_BASE    UINT64_C(0x600c3c0000000)
#define PHB_SIZE    UINT64_C(0x100000)
#define MEMORY_BASE UINT64_C(0x600c000000000)
#define MEMORY_SIZE UINT64_C(0x80000000) /* of a PHB */
#define SLOT_SIZE   UINT64_C(0x100000)

struct slot {
	unsigned int group;
	unsigned int phb;
	unsigned int number; /* of the root port, and of the bus below it less one */
	uint64_t memory;
};

static struct slot slot_of(unsigned int group)
{
	struct slot slot = {
		.group = group,
		.phb = group / MANY_PES_SLOTS,
		.number = group % MANY_PES_SLOTS,
	};

	slot.memory = MEMORY_BASE + slot.phb * MEMORY_SIZE + slot.number * SLOT_SIZE;
	return slot;
}

void many_pes_name_device(unsigned int group, char ret_name[static MANY_PES_NAME_SIZE])
{
	struct slot slot = slot_of(group);

	(void)snprintf(ret_name, MANY_PES_NAME_SIZE, "%04x:%02x:00.0", slot.phb & 0xffffU,
		       (slot.number + 1) & 0xffU);
}

void many_pes_name_location(unsigned int group, char ret_name[static MANY_PES_NAME_SIZE])
{
	struct slot slot = slot_of(group);

	(void)snprintf(ret_name, MANY_PES_NAME_SIZE, "P%u-C%u", slot.phb & 0xffffU,
		       slot.number & 0xffU);
}

/* the tree */

static void write_tree_head(FILE *file)
{
	(void)fputs("/dts-v1/;\n"
		    "/ {\n"
		    "\tcompatible = \"qemu,powernv9\", \"ibm,powernv\";\n"
		    "\tmodel = \"a host of many PEs\";\n"
		    "\t#address-cells = <2>;\n"
		    "\t#size-cells = <2>;\n",
		    file);
}

static void write_phb_head(FILE *file, unsigned int phb)
{
	uint64_t memory = MEMORY_BASE + phb * MEMORY_SIZE;

	(void)fprintf(file,
		      "\tpciex@%" PRIx64 " {\n"
		      "\t\tcompatible = \"ibm,power9-pciex\", \"ibm,ioda3-phb\";\n"
		      "\t\tdevice_type = \"pciex\";\n"
		      "\t\tibm,opal-phbid = <0 %u>;\n"
		      "\t\tibm,opal-num-pes = <0x200>;\n"
		      "\t\tibm,opal-reserved-pe = <0x1ff>;\n"
		      "\t\tibm,supported-tce-sizes = <12 16 21 30>;\n"
		      "\t\tranges = <0x2000000 0 0x80000000 0x%x 0x%x 0 0x7fff0000>;\n"
		      "\t\t#address-cells = <3>;\n"
		      "\t\t#size-cells = <2>;\n",
		      PHB_BASE + phb * PHB_SIZE, phb, (unsigned int)(memory >> 32),
		      (unsigned int)memory);
}

static void write_slot(FILE *file, const struct slot *slot)
{
	char location[MANY_PES_NAME_SIZE];

	many_pes_name_location(slot->group, location);
	(void)fprintf(file,
		      "\t\tpci@%x {\n"
		      "\t\t\tvendor-id = <0x1014>;\n"
		      "\t\t\tdevice-id = <0x4c1>;\n"
		      "\t\t\tclass-code = <0x60400>;\n"
		      "\t\t\treg = <0x%x 0 0 0 0>;\n"
		      "\t\t\tibm,slot-label = \"%s\";\n"
		      "\t\t\tibm,loc-code = \"%s\";\n"
		      "\t\t\t#address-cells = <3>;\n"
		      "\t\t\t#size-cells = <2>;\n"
		      "\t\t\tethernet@0 {\n"
		      "\t\t\t\tvendor-id = <0x8086>;\n"
		      "\t\t\t\tdevice-id = <0x10d3>;\n"
		      "\t\t\t\tclass-code = <0x20000>;\n"
		      "\t\t\t\tibm,loc-code = \"%s\";\n"
		      "\t\t\t\treg = <0x%x 0 0 0 0>;\n"
		      "\t\t\t};\n"
		      "\t\t};\n",
		      slot->number, slot->number << 11, location, location, location,
		      (slot->number + 1) << 16);
}

static void write_tree(FILE *file, unsigned int count)
{
	write_tree_head(file);
	for (unsigned int group = 0; group < count; group++) {
		struct slot slot = slot_of(group);

		if (slot.number == 0) {
			write_phb_head(file, slot.phb);
		}
		write_slot(file, &slot);
		if (slot.number == MANY_PES_SLOTS - 1 || group == count - 1) {
			(void)fputs("\t};\n", file);
		}
	}
	(void)fputs("};\n", file);
}

/* the device list */

/* What the built-in host powernv9 has of its e1000e. */
static void write_function(FILE *file, const struct slot *slot)
{
	char name[MANY_PES_NAME_SIZE];

	many_pes_name_device(slot->group, name);
	(void)fprintf(file,
		      "[device %s]\n"
		      "driver = vfio-pci\n"
		      "group = %u\n"
		      "reset-milliseconds = 20\n",
		      name, slot->group);
	(void)fprintf(file,
		      "resource0 = 0x%" PRIx64 " 0x%" PRIx64 " 0x40200\n"
		      "resource1 = 0x%" PRIx64 " 0x%" PRIx64 " 0x40200\n"
		      "resource3 = 0x%" PRIx64 " 0x%" PRIx64 " 0x40200\n",
		      slot->memory, slot->memory + 0x1ffff, slot->memory + 0x20000,
		      slot->memory + 0x3ffff, slot->memory + 0x40000, slot->memory + 0x43fff);
	(void)fputs("config-000 = 86 80 d3 10 00 01 10 00 00 00 00 02 00 00 00 00\n"
		    "config-010 = 00 00 00 80 00 00 02 80 01 00 00 00 00 00 04 80\n"
		    "config-020 = 00 00 00 00 00 00 00 00 00 00 00 00 86 80 00 00\n"
		    "config-030 = 00 00 00 00 c8 00 00 00 00 00 00 00 00 01 00 00\n"
		    "config-0a0 = 11 00 04 00 03 00 00 00 03 20 00 00 00 00 00 00\n"
		    "config-0c0 = 00 00 00 00 00 00 00 00 01 d0 22 00 00 00 00 00\n"
		    "config-0d0 = 05 e0 80 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
		    "config-0e0 = 10 a0 01 00 20 80 00 00 00 00 00 00 11 04 00 00\n"
		    "config-0f0 = 00 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
		    "config-100 = 01 00 02 14 00 00 00 00 00 00 40 02 30 20 46 00\n"
		    "config-110 = 00 00 00 00 00 e0 00 00 e0 01 00 00 00 00 00 00\n"
		    "config-140 = 03 00 01 00 56 34 12 ff ff 00 54 52 00 00 00 00\n",
		    file);
}

static void write_list(FILE *file, unsigned int count)
{
	(void)fputs("[host]\nhuge-pages = none\n", file);
	for (unsigned int group = 0; group < count; group++) {
		struct slot slot = slot_of(group);

		write_function(file, &slot);
	}
}

/* the files */

static int write_file(const char *folder, const char *name, unsigned int count,
		      void (*write_all)(FILE *file, unsigned int count))
{
	char path[PATH_MAX];
	FILE *file;
	int failed;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		return -ENAMETOOLONG;
	}
	file = fopen(path, "we");
	if (!file) {
		return -errno;
	}
	write_all(file, count);
	failed = ferror(file) ? EIO : 0;
	if (fclose(file) != 0) {
		failed = errno;
	}
	if (failed) {
		(void)unlink(path);
	}
	return -failed;
}

int many_pes_write(const char *folder, unsigned int count)
{
	int r;

	if (count == 0 || count > MANY_PES_MAX) {
		return -EINVAL;
	}
	r = write_file(folder, "tree.dts", count, write_tree);
	return r ? r : write_file(folder, "devices.ini", count, write_list);
}
