/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device_list_values.h"

#include <ctype.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "sim/number.h"
#include "sim/settings.h"

#define CONFIG_SIZE_MAX 4096U
#define WORD_SIZE       64

/* pieces of values */

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " \t");
}

/* The next word; false at the end, or when it is too long, which makes it empty. */
static bool take_word(const char **text, char ret_word[static WORD_SIZE])
{
	size_t length;

	*text = skip_spaces(*text);
	length = strcspn(*text, " \t");
	(void)snprintf(ret_word, WORD_SIZE, "%.*s", length < WORD_SIZE ? (int)length : 0, *text);
	*text += length;
	return length > 0;
}

/* "0x10000-0x1ffff" */
static bool parse_range(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	const char *rest;

	return number_take(text, UINT64_MAX, ret_first, &rest) && *rest == '-' &&
	       number_parse(rest + 1, UINT64_MAX, ret_last) && *ret_first <= *ret_last;
}

/* Letters, digits and what names of drivers have. Such words become names of files. */
static bool is_plain_word(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("_-+.", *c)) {
			return false;
		}
	}
	return *text != '\0' && *text != '.';
}

/* the host */

static const char *set_platform(struct listed_host *host, const char *value)
{
	static const char *const names[] = {
		[SIM_POWERNV] = "powernv",
		[SIM_PSERIES] = "pseries",
		[SIM_TYPE1] = "type1",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(value, names[i]) == 0) {
			host->platform = (enum sim_platform)i;
			return NULL;
		}
	}
	return "there are powernv, pseries and type1";
}

static const char *set_kernel(struct listed_host *host, const char *value)
{
	return sim_kernel_parse(value, &host->kernel) ? NULL : SIM_KERNEL_WANTED;
}

static const char *set_page_size(struct listed_host *host, const char *value)
{
	return sim_page_size_parse(value, &host->page_shift) ? NULL : SIM_PAGE_SIZE_WANTED;
}

static const char *set_page_sizes(struct listed_host *host, const char *value)
{
	return number_parse(value, UINT64_MAX, &host->page_sizes) && host->page_sizes >= 4096 &&
			       !(host->page_sizes & 4095U)
		       ? NULL
		       : "a number with one bit for each size from 4096 on is wanted";
}

static const char *set_eeh(struct listed_host *host, const char *value)
{
	host->eeh = strcmp(value, "yes") == 0;
	return host->eeh || strcmp(value, "no") == 0 ? NULL : "yes or no is wanted";
}

static const char *set_huge_pages(struct listed_host *host, const char *value)
{
	char word[WORD_SIZE];

	host->huge_page_count = 0;
	if (strcmp(value, "none") == 0) {
		return NULL;
	}
	while (take_word(&value, word)) {
		uint64_t size;

		if (!number_parse(word, UINT64_C(1) << 40, &size) || size < 8192 ||
		    (size & (size - 1)) != 0) {
			return "sizes in bytes are wanted, powers of two, or none";
		}
		if (host->huge_page_count >= SIM_HUGE_PAGES_MAX) {
			return "that are too many sizes";
		}
		host->huge_pages[host->huge_page_count++] = size;
	}
	return NULL;
}

static const char *set_iova_ranges(struct listed_host *host, const char *value)
{
	char word[WORD_SIZE];

	host->iova_range_count = 0;
	while (take_word(&value, word)) {
		struct sim_iova_range range;

		if (!parse_range(word, &range.first, &range.last)) {
			return "ranges FIRST-LAST are wanted, apart by spaces";
		}
		if (host->iova_range_count >= DEVICE_LIST_RANGES_MAX) {
			return "that are too many ranges";
		}
		if (host->iova_range_count > 0 &&
		    range.first <= host->iova_ranges[host->iova_range_count - 1].last) {
			return "the ranges overlap, or are not in order";
		}
		host->iova_ranges[host->iova_range_count++] = range;
	}
	return host->iova_range_count > 0 ? NULL : "at least one range is wanted";
}

static const char *set_dma_entry_limit(struct listed_host *host, const char *value)
{
	uint64_t limit;

	if (!number_parse(value, UINT32_MAX, &limit) || limit == 0) {
		return "a number of mappings is wanted";
	}
	host->dma_entry_limit = (uint32_t)limit;
	return NULL;
}

static const char *set_iommu(struct listed_host *host, const char *value)
{
	if (!is_plain_word(value) || strlen(value) >= sizeof(host->iommu)) {
		return "a name as in /sys/class/iommu is wanted";
	}
	(void)snprintf(host->iommu, sizeof(host->iommu), "%s", value);
	return NULL;
}

static const char *set_group_type(struct listed_host *host, const char *value)
{
	if (!is_plain_word(value) || strlen(value) >= sizeof(host->group_type)) {
		return "a word as in /sys/kernel/iommu_groups/0/type is wanted";
	}
	(void)snprintf(host->group_type, sizeof(host->group_type), "%s", value);
	return NULL;
}

/* "0xfee00000-0xfeefffff/msi" */
static const char *set_reserved_regions(struct listed_host *host, const char *value)
{
	static const char wanted[] = "regions FIRST-LAST/TYPE are wanted, apart by spaces";
	char word[WORD_SIZE];

	host->region_count = 0;
	while (take_word(&value, word)) {
		struct listed_region *region = &host->regions[host->region_count];
		char *slash = strchr(word, '/');

		if (host->region_count >= DEVICE_LIST_RANGES_MAX) {
			return "that are too many regions";
		}
		if (!slash || !is_plain_word(slash + 1) ||
		    strlen(slash + 1) >= sizeof(region->type)) {
			return wanted;
		}
		*slash = '\0';
		if (!parse_range(word, &region->first, &region->last)) {
			return wanted;
		}
		(void)snprintf(region->type, sizeof(region->type), "%s", slash + 1);
		host->region_count++;
	}
	return NULL;
}

const char *device_list_set_host(struct listed_host *host, const char *key, const char *value,
				 unsigned int **ret_line)
{
	static const struct {
		const char *name;
		const char *(*set)(struct listed_host *host, const char *value);
	} keys[HOST_KEY_COUNT] = {
		[HOST_KEY_PLATFORM] = {"platform", set_platform},
		[HOST_KEY_KERNEL] = {"kernel", set_kernel},
		[HOST_KEY_PAGE_SIZE] = {"page-size", set_page_size},
		[HOST_KEY_PAGE_SIZES] = {"iommu-page-sizes", set_page_sizes},
		[HOST_KEY_EEH] = {"eeh", set_eeh},
		[HOST_KEY_HUGE_PAGES] = {"huge-pages", set_huge_pages},
		[HOST_KEY_IOVA_RANGES] = {"iova-ranges", set_iova_ranges},
		[HOST_KEY_DMA_ENTRY_LIMIT] = {"dma-entry-limit", set_dma_entry_limit},
		[HOST_KEY_IOMMU] = {"iommu", set_iommu},
		[HOST_KEY_GROUP_TYPE] = {"group-type", set_group_type},
		[HOST_KEY_RESERVED_REGIONS] = {"reserved-regions", set_reserved_regions},
	};

	for (size_t i = 0; i < HOST_KEY_COUNT; i++) {
		if (strcmp(key, keys[i].name) == 0) {
			*ret_line = &host->line[i];
			return keys[i].set(host, value);
		}
	}
	return NULL;
}

/* a device */

static const char *set_bridge(struct listed_device *device, const char *value)
{
	device->on_root_bus = strcmp(value, "none") == 0;
	return device->on_root_bus || pci_address_parse(value, &device->bridge)
		       ? NULL
		       : "a PCI address is wanted, or none";
}

static const char *set_driver(struct listed_device *device, const char *value)
{
	if (strcmp(value, "none") == 0) {
		return NULL;
	}
	if (!is_plain_word(value) || strlen(value) >= sizeof(device->driver)) {
		return "the name of a driver is wanted, or none";
	}
	(void)snprintf(device->driver, sizeof(device->driver), "%s", value);
	return NULL;
}

static const char *set_group(struct listed_device *device, const char *value)
{
	uint64_t group = 0;

	device->no_group = strcmp(value, "none") == 0;
	if (!device->no_group && !number_parse(value, SIM_GROUPS_MAX - 1, &group)) {
		return "a group's number is wanted, below 16384, or none";
	}
	device->group = (uint32_t)group;
	return NULL;
}

static const char *set_reset(struct listed_device *device, const char *value)
{
	static const char *const methods[] = {
		"device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus"};
	const char *rest = value;
	char word[WORD_SIZE];

	if (strcmp(value, "none") == 0) {
		return NULL;
	}
	while (take_word(&rest, word)) {
		bool known = false;

		for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
			known = known || strcmp(word, methods[i]) == 0;
		}
		if (!known) {
			return "words as in sysfs's reset_method are wanted, or none";
		}
	}
	if (strlen(value) >= sizeof(device->reset)) {
		return "that are too many words";
	}
	(void)snprintf(device->reset, sizeof(device->reset), "%s", value);
	return NULL;
}

/* "1af4:1100" */
static const char *set_subsystem(struct listed_device *device, const char *value)
{
	char text[2 * sizeof("0x0000")];
	uint64_t vendor;
	uint64_t id;

	if (strlen(value) == 9 && value[4] == ':') {
		(void)snprintf(text, sizeof(text), "0x%.4s", value);
		if (number_parse(text, UINT16_MAX, &vendor)) {
			(void)snprintf(text, sizeof(text), "0x%s", value + 5);
			if (number_parse(text, UINT16_MAX, &id)) {
				device->subsystem_vendor = (uint16_t)vendor;
				device->subsystem_device = (uint16_t)id;
				return NULL;
			}
		}
	}
	return "vendor and device are wanted, as in 1af4:1100";
}

static const char *set_config_size(struct listed_device *device, const char *value)
{
	uint64_t size;

	if (!number_parse(value, CONFIG_SIZE_MAX, &size) || (size != 256 && size != 4096)) {
		return "256 or 4096 is wanted";
	}
	device->config_size = (uint32_t)size;
	return NULL;
}

static const char *set_resource(struct listed_device *device, const char *value, size_t index)
{
	struct sim_resource resource;
	const char *rest = value;

	if (!number_take(rest, UINT64_MAX, &resource.start, &rest) ||
	    !isspace((unsigned char)*rest) ||
	    !number_take(skip_spaces(rest), UINT64_MAX, &resource.end, &rest) ||
	    !isspace((unsigned char)*rest) ||
	    !number_parse(skip_spaces(rest), UINT64_MAX, &resource.flags)) {
		return "start, end and flags are wanted, as in sysfs's resource";
	}
	if (resource.end < resource.start) {
		return "it ends before it begins";
	}
	if (resource.start == 0 && resource.end == UINT64_MAX) {
		return "it is as large as all there is";
	}
	device->resource[index] = resource;
	return NULL;
}

/* numbers */

struct number_key {
	enum device_key key;
	const char *name;
	uint64_t most;
};

static const struct number_key number_keys[] = {
	{DEVICE_KEY_PE, "pe", UINT16_MAX},
	{DEVICE_KEY_VENDOR, "vendor", UINT16_MAX},
	{DEVICE_KEY_DEVICE, "device", UINT16_MAX},
	{DEVICE_KEY_CLASS, "class", 0xffffff},
	{DEVICE_KEY_REVISION, "revision", UINT8_MAX},
	{DEVICE_KEY_RESET_MILLISECONDS, "reset-milliseconds", 600000},
};

static void store_number(struct listed_device *device, enum device_key key, uint64_t value)
{
	switch ((unsigned int)key) {
	case DEVICE_KEY_PE:
		device->pe = (uint32_t)value;
		break;
	case DEVICE_KEY_VENDOR:
		device->vendor = (uint16_t)value;
		break;
	case DEVICE_KEY_DEVICE:
		device->device = (uint16_t)value;
		break;
	case DEVICE_KEY_CLASS:
		device->class_code = (uint32_t)value;
		break;
	case DEVICE_KEY_REVISION:
		device->revision = (uint8_t)value;
		break;
	case DEVICE_KEY_RESET_MILLISECONDS:
		device->reset_milliseconds = (uint32_t)value;
		break;
	default:
		break;
	}
}

static const char *set_number(struct listed_device *device, const struct number_key *key,
			      const char *value, char ret_wanted[static DEVICE_LIST_WANTED_SIZE])
{
	uint64_t number;

	if (!number_parse(value, key->most, &number)) {
		(void)snprintf(ret_wanted, DEVICE_LIST_WANTED_SIZE, "0x%" PRIx64, key->most);
		return "a number is wanted, up to ";
	}
	store_number(device, key->key, number);
	return NULL;
}

/* config space: "config-040 = 05 00 80 00", "config-800-fff = ff" */

static bool parse_offset(const char **text, uint32_t *ret_offset)
{
	char digits[sizeof("0x000")];
	size_t length = strspn(*text, "0123456789abcdefABCDEF");
	uint64_t offset;

	if (length == 0 || length > 3) {
		return false;
	}
	(void)snprintf(digits, sizeof(digits), "0x%.*s", (int)length, *text);
	if (!number_parse(digits, CONFIG_SIZE_MAX - 1, &offset)) {
		return false;
	}
	*text += length;
	*ret_offset = (uint32_t)offset;
	return true;
}

static bool take_byte(const char **text, uint8_t *ret_byte)
{
	char digits[sizeof("0x00")];
	char word[WORD_SIZE];
	uint64_t value;

	if (!take_word(text, word) || strlen(word) != 2) {
		return false;
	}
	(void)snprintf(digits, sizeof(digits), "0x%.2s", word);
	if (!number_parse(digits, UINT8_MAX, &value)) {
		return false;
	}
	*ret_byte = (uint8_t)value;
	return true;
}

static const char *fill_config(struct listed_device *device, uint32_t first, uint32_t last,
			       const char *value)
{
	uint8_t byte = 0;

	if (last < first || !take_byte(&value, &byte) || *skip_spaces(value) != '\0') {
		return "one byte of two digits is wanted for all of a range";
	}
	memset(device->config + first, byte, last - first + 1);
	device->config_end = last + 1 > device->config_end ? last + 1 : device->config_end;
	return NULL;
}

static const char *set_config(struct listed_device *device, const char *offsets, const char *value)
{
	uint32_t offset;
	uint32_t last;

	if (!device->config) {
		device->config = calloc(1, CONFIG_SIZE_MAX);
		if (!device->config) {
			return "there is no memory for it";
		}
	}
	if (!parse_offset(&offsets, &offset)) {
		return "the key has an offset of up to three digits, as in config-040";
	}
	if (*offsets == '-') {
		offsets++;
		if (!parse_offset(&offsets, &last) || *offsets != '\0') {
			return "a range is as in config-800-fff";
		}
		return fill_config(device, offset, last, value);
	}
	/* Later lines follow earlier ones, so none is given twice. */
	if (*offsets != '\0' || offset < device->config_end) {
		return "the offset is not behind that of the line before";
	}
	while (*skip_spaces(value) != '\0') {
		if (offset >= CONFIG_SIZE_MAX || !take_byte(&value, &device->config[offset])) {
			return "bytes of two digits are wanted, apart by spaces, below 0x1000";
		}
		offset++;
	}
	device->config_end = offset;
	return NULL;
}

static bool is_config_key(const char *key)
{
	return strncmp(key, "config-", strlen("config-")) == 0;
}

/* "resource0" to "resource16", or "region9" to "region16" */
static bool parse_numbered_key(const char *key, const char *name, size_t first, size_t count,
			       size_t *ret_index)
{
	uint64_t number;

	if (strncmp(key, name, strlen(name)) != 0 ||
	    !number_parse(key + strlen(name), first + count - 1, &number) || number < first) {
		return false;
	}
	*ret_index = (size_t)number - first;
	return true;
}

const char *device_list_set_device(struct listed_device *device, const char *key, const char *value,
				   unsigned int **ret_line,
				   char ret_wanted[static DEVICE_LIST_WANTED_SIZE])
{
	static const struct {
		enum device_key key;
		const char *name;
		const char *(*set)(struct listed_device *device, const char *value);
	} keys[] = {
		{DEVICE_KEY_BRIDGE, "bridge", set_bridge},
		{DEVICE_KEY_DRIVER, "driver", set_driver},
		{DEVICE_KEY_GROUP, "group", set_group},
		{DEVICE_KEY_SUBSYSTEM, "subsystem", set_subsystem},
		{DEVICE_KEY_RESET, "reset", set_reset},
		{DEVICE_KEY_CONFIG_SIZE, "config-size", set_config_size},
	};
	size_t index;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(key, keys[i].name) == 0) {
			*ret_line = &device->line[keys[i].key];
			return keys[i].set(device, value);
		}
	}
	for (size_t i = 0; i < sizeof(number_keys) / sizeof(*number_keys); i++) {
		if (strcmp(key, number_keys[i].name) == 0) {
			*ret_line = &device->line[number_keys[i].key];
			return set_number(device, &number_keys[i], value, ret_wanted);
		}
	}
	if (parse_numbered_key(key, "resource", 0, SIM_RESOURCES, &index)) {
		*ret_line = &device->line[DEVICE_KEY_RESOURCE_0 + index];
		return set_resource(device, value, index);
	}
	if (parse_numbered_key(key, "region", VFIO_PCI_NUM_REGIONS, SIM_EXTRA_REGIONS_MAX,
			       &index)) {
		*ret_line = &device->line[DEVICE_KEY_REGION_0 + index];
		return device_list_set_region(device, value, index);
	}
	if (is_config_key(key)) {
		*ret_line = &device->line[DEVICE_KEY_CONFIG];
		return set_config(device, key + strlen("config-"), value);
	}
	return NULL;
}
