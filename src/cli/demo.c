/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spaprctl demo: the life of an address space, from nothing to nothing, on a simulated host.
 *
 * Each step does one thing, checks what came of it, and fails if anything is not as it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/demo_print.h"
#include "cli/iova_drawing.h"
#include "cli/remote.h"
#include "cli/sim_remote.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/driver.h"
#include "common/names.h"

#define SPACE_NAME       "demo"
#define MEMORY_SIZE      (UINT64_C(16) << 20)
#define LOW_SIZE         (UINT64_C(1) << 20) /* what is mapped in the default window */
#define WRITE_OFFSET     0x2000              /* where the device writes, in the memory */
#define READ_OFFSET      0x3000              /* where the device reads */
#define DMA_TEXT_SIZE    64
#define OUTSIDE_DMA_SIZE 16

/* A reset takes four seconds on a real host, and a freeze is noticed within one. */
#define RECOVERY_SECONDS 60
#define RECOVERY_RULE                                                                   \
	"type='signal',sender='" BUS_NAME "',interface='" BUS_INTERFACE_PE "',member='" \
	"RecoveryDone'"

struct demo {
	struct client *client;
	struct demo_print print;
	struct model *model; /* as it was at the start */
	const struct model_group *group;
	const struct model_device *device;
	char *space; /* path, NULL while there is none */
	int memory_fd;
	unsigned char *memory;    /* MEMORY_SIZE bytes, the same that the device sees */
	struct model_window low;  /* the default window */
	struct model_window high; /* the one that is created */
};

/* A step returns 0, or a code with the error filled. */
typedef int (*demo_step)(struct demo *demo, struct error *error);

static struct model *read_model(struct demo *demo, struct error *error)
{
	struct model *model = NULL;

	return remote_read_model(demo->client, &model, error) ? NULL : model;
}

/* The last part of an object path, with the part before: "space/3". */
static const char *short_path(const char *path)
{
	const char *space = strstr(path, "space/");

	return space ? space : path;
}

/* -- the host -- */

static bool choose_device(struct demo *demo, const struct model_group *group)
{
	for (size_t i = 0; i < group->devices.count; i++) {
		const struct model_device *device =
			model_find_device(demo->model, group->devices.items[i]);

		if (device && driver_is_vfio(device->driver)) {
			demo->group = group;
			demo->device = device;
			return true;
		}
	}
	return false;
}

/* A demo freezes the PE. When policy allows no more freezes, spaprd would give it up. */
static bool may_freeze(const struct demo *demo, const struct model_group *group)
{
	const struct model_pe *pe = model_find_pe(demo->model, group->path);

	return !pe || pe->freezes_left > 0;
}

static int choose_group(struct demo *demo, struct error *error)
{
	for (size_t i = 0; i < demo->model->group_count; i++) {
		const struct model_group *group = &demo->model->groups[i];

		if (group->viable && strcmp(group->space, MODEL_NOWHERE) == 0 &&
		    may_freeze(demo, group) && choose_device(demo, group)) {
			return 0;
		}
	}
	return error_say(error,
			 "none of the %zu groups is viable, free, has a device bound to vfio-pci "
			 "and may still freeze; \"spaprctl status\" and \"spaprctl pe list\" show "
			 "them",
			 demo->model->group_count);
}

static int find_group(struct demo *demo, struct error *error)
{
	const char *kind;
	int r;

	demo_print_step(&demo->print, "Look for a free group with a device that VFIO has.");
	demo_print_call(&demo->print, "GetManagedObjects()");
	r = choose_group(demo, error);
	if (r) {
		return r;
	}
	kind = pci_class_name(demo->device->class);
	demo_print_done(&demo->print, "group %" PRIu32 " with %s (%04x:%04x%s%s)", demo->group->id,
			demo->device->name, demo->device->vendor, demo->device->device,
			kind ? ", " : "", kind ? kind : "");
	return 0;
}

/* -- the address space -- */

static int create_space(struct demo *demo, struct error *error)
{
	int r;

	demo_print_step(&demo->print,
			"Create an address space: what the devices of one tenant see.");
	demo_print_call(&demo->print, "CreateAddressSpace({name: \"" SPACE_NAME "\"})");
	r = remote_create_space(demo->client, SPACE_NAME, &demo->space, error);
	if (r) {
		return r;
	}
	demo_print_done(&demo->print, "%s", short_path(demo->space));
	return 0;
}

/* Find the space's only window, the default one. */
static int find_default_window(struct demo *demo, struct error *error)
{
	cleanup(cleanup_model) struct model *model = read_model(demo, error);
	const struct model_space *space;

	if (!model) {
		return (int)error->code;
	}
	space = model_find_space(model, demo->space);
	if (!space || space->windows.count != 1) {
		return error_say(error, "%s has %zu windows now, not the default one",
				 short_path(demo->space), space ? space->windows.count : 0);
	}
	demo->low = space->windows.items[0];
	return 0;
}

static int attach_group(struct demo *demo, struct error *error)
{
	cleanup(cleanup_free) char *container = NULL;
	int r;

	demo_print_step(&demo->print,
			"Attach the group: it gets a container, and with it the default window.");
	demo_print_call(&demo->print, "AttachGroup(%" PRIu32 ", {})", demo->group->id);
	r = remote_attach_group(demo->client, demo->space, demo->group->id, &container, error);
	if (r) {
		return r;
	}
	r = find_default_window(demo, error);
	if (r) {
		return r;
	}
	demo_print_done(&demo->print, "%s, window %s in pages of %s", short_path(container),
			range_format(demo->low.range).text,
			size_format(UINT64_C(1) << demo->low.page_shift).text);
	return 0;
}

/* -- memory -- */

/* Memory of this program that others can map, and that nobody can shrink any more. */
static int make_memory(struct demo *demo)
{
	void *memory;

	demo->memory_fd = memfd_create("spaprctl-demo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (demo->memory_fd < 0 || ftruncate(demo->memory_fd, (off_t)MEMORY_SIZE) < 0 ||
	    fcntl(demo->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, demo->memory_fd, 0);
	if (memory == MAP_FAILED) {
		return -errno;
	}
	demo->memory = memory;
	return 0;
}

static int add_memory(struct demo *demo, struct error *error)
{
	struct range gpa = {0, MEMORY_SIZE};
	uint32_t id = 0;
	int r;

	demo_print_step(&demo->print,
			"Add 16 MiB of this program's memory, a sealed memfd: the host pins it.");
	demo_print_call(&demo->print, "AddMemory(fd, 0x0, 0x0, 0x%" PRIx64 ", 0)", gpa.size);
	r = make_memory(demo);
	if (r < 0) {
		return error_say(error, "a memfd of 16 MiB can't be made (%s)", errno_name(-r));
	}
	r = remote_add_memory(demo->client, demo->space, demo->memory_fd, 0, gpa, 0, &id, error);
	if (r) {
		return r;
	}
	demo_print_done(&demo->print, "memory %" PRIu32, id);
	return 0;
}

/* -- windows and mappings -- */

static int create_window(struct demo *demo, struct error *error)
{
	struct model_window any = {.range = {.start = REMOTE_ANY_START}};
	int r;

	demo_print_step(
		&demo->print,
		"Create a window for 64-bit DMA: place, size and pages are spaprd's choice.");
	demo_print_call(&demo->print, "CreateWindow(2^64 - 1, 0, 0, 0, 0)");
	r = remote_create_window(demo->client, demo->space, &any, &demo->high, error);
	if (r) {
		return r;
	}
	if (demo->high.range.size < MEMORY_SIZE) {
		return error_say(error, "the window %s is smaller than the memory",
				 range_format(demo->high.range).text);
	}
	demo_print_done(&demo->print, "%s in pages of %s, %" PRIu32 " level%s",
			range_format(demo->high.range).text,
			size_format(UINT64_C(1) << demo->high.page_shift).text, demo->high.levels,
			demo->high.levels == 1 ? "" : "s");
	return 0;
}

static struct remote_mapping high_mapping(const struct demo *demo)
{
	return (struct remote_mapping){.range = {demo->high.range.start, MEMORY_SIZE},
				       .gpa = 0,
				       .prot = REMOTE_PROT_READ | REMOTE_PROT_WRITE};
}

static struct remote_mapping low_mapping(const struct demo *demo)
{
	/* In the middle: it could be anywhere. */
	uint64_t start = demo->low.range.start + demo->low.range.size / 2;

	return (struct remote_mapping){
		.range = {start, LOW_SIZE}, .gpa = 0, .prot = REMOTE_PROT_READ};
}

static int map(struct demo *demo, const struct remote_mapping *mapping, struct error *error)
{
	demo_print_call(&demo->print, "Map(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ", %s)",
			mapping->range.start, mapping->gpa, mapping->range.size,
			mapping->prot & REMOTE_PROT_WRITE ? "read|write" : "read");
	return remote_map(demo->client, demo->space, mapping, error);
}

static int map_memory(struct demo *demo, struct error *error)
{
	struct remote_mapping high = high_mapping(demo);
	struct remote_mapping low = low_mapping(demo);
	int r;

	demo_print_step(&demo->print,
			"Map the memory there, and 1 MiB of it in the default window, read-only.");
	r = map(demo, &high, error);
	if (r) {
		return r;
	}
	demo_print_done(&demo->print, "ok");
	r = map(demo, &low, error);
	if (r) {
		return r;
	}
	demo_print_done(&demo->print, "ok");
	return 0;
}

/* -- DMA -- */

/* words: what the device writes behind its name. */
static int write_by_device(struct demo *demo, const char *words, struct error *error)
{
	uint64_t iova = demo->high.range.start + WRITE_OFFSET;
	char text[DMA_TEXT_SIZE];
	uint32_t length;
	int r;

	(void)snprintf(text, sizeof(text), "%s %s", demo->device->name, words);
	length = (uint32_t)strlen(text);
	demo_print_call(&demo->print, "DmaWrite(\"%s\", 0x%" PRIx64 ", \"%s\")", demo->device->name,
			iova, text);
	if (memcmp(demo->memory + WRITE_OFFSET, text, length) == 0) {
		return error_say(error, "the bytes are there before the DMA");
	}
	r = remote_dma_write(demo->client, demo->device->name, iova, text, length, error);
	if (r) {
		return r;
	}
	if (memcmp(demo->memory + WRITE_OFFSET, text, length) != 0) {
		return error_say(error, "the memory at offset 0x%x does not have these bytes",
				 WRITE_OFFSET);
	}
	demo_print_done(&demo->print, "memory[0x%x] is \"%.*s\"", WRITE_OFFSET, (int)length,
			(const char *)demo->memory + WRITE_OFFSET);
	return 0;
}

static int device_writes(struct demo *demo, struct error *error)
{
	demo_print_step(&demo->print, "The device writes by DMA; this program finds it in its "
				      "memory.");
	return write_by_device(demo, "was here", error);
}

static int device_reads(struct demo *demo, struct error *error)
{
	static const char text[] = "hello, device";
	uint64_t iova = low_mapping(demo).range.start + READ_OFFSET;
	char found[sizeof(text)] = "";
	int r;

	memcpy(demo->memory + READ_OFFSET, text, sizeof(text));
	demo_print_step(&demo->print, "This program writes; the device reads it, through the "
				      "default window.");
	demo_print_call(&demo->print, "DmaRead(\"%s\", 0x%" PRIx64 ", %zu)", demo->device->name,
			iova, sizeof(text) - 1);
	r = remote_dma_read(demo->client, demo->device->name, iova, found, sizeof(text) - 1, error);
	if (r) {
		return r;
	}
	if (memcmp(found, text, sizeof(text)) != 0) {
		return error_say(error, "the device read other bytes than the program wrote");
	}
	demo_print_done(&demo->print, "\"%s\"", found);
	return 0;
}

/* -- what is refused -- */

/* r and error are what a call gave that has to be refused with that code. */
static int check_refusal(struct demo *demo, int r, enum error_code code, struct error *error)
{
	if (r == 0) {
		return error_say(error, "this was not refused, and should have been");
	}
	if (r != (int)code) {
		return r;
	}
	demo_print_done(&demo->print, "%s: %s", strrchr(error_bus_name(code), '.') + 1,
			error->text);
	return 0;
}

static int dma_outside(struct demo *demo, struct error *error)
{
	/* The end of a window that ends at 2^64 is 0, where the default window is: not mapped. */
	uint64_t end = demo->high.range.start + demo->high.range.size;
	char bytes[OUTSIDE_DMA_SIZE];
	int r;

	demo_print_step(&demo->print, "DMA outside the windows is refused.");
	demo_print_call(&demo->print, "DmaRead(\"%s\", 0x%" PRIx64 ", %zu)", demo->device->name,
			end, sizeof(bytes));
	r = remote_dma_read(demo->client, demo->device->name, end, bytes, sizeof(bytes), error);
	return check_refusal(demo, r, ERROR_DMA_FAULT, error);
}

static int map_outside(struct demo *demo, struct error *error)
{
	uint64_t page = UINT64_C(1) << demo->high.page_shift;
	struct remote_mapping mapping = {
		.range = {demo->high.range.start + demo->high.range.size - page, 2 * page},
		.prot = REMOTE_PROT_READ};
	int r;

	demo_print_step(&demo->print, "A mapping that leaves its window is refused.");
	r = map(demo, &mapping, error);
	return check_refusal(demo, r, ERROR_OUTSIDE_WINDOW, error);
}

/* -- a freeze -- */

struct recovery_done {
	dbus_uint32_t event;
	dbus_bool_t recovered;
	dbus_uint32_t milliseconds;
	const char *why;
};

/* Whether a message is the signal, of the demo's group. */
static bool read_recovery_done(const struct demo *demo, DBusMessage *message,
			       struct recovery_done *ret_done)
{
	return dbus_message_is_signal(message, BUS_INTERFACE_PE, "RecoveryDone") &&
	       dbus_message_has_path(message, demo->group->path) &&
	       dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &ret_done->event,
				     DBUS_TYPE_BOOLEAN, &ret_done->recovered, DBUS_TYPE_UINT32,
				     &ret_done->milliseconds, DBUS_TYPE_STRING, &ret_done->why,
				     DBUS_TYPE_INVALID);
}

/* What has come so far. Whether that was the end of the recovery. */
static bool tell_recovery(struct demo *demo, int *ret_code, struct error *error)
{
	DBusMessage *message;
	bool ended = false;

	while (!ended && (message = dbus_connection_pop_message(client_connection(demo->client)))) {
		struct recovery_done done;

		ended = read_recovery_done(demo, message, &done);
		if (ended && done.recovered) {
			*ret_code = 0;
			demo_print_done(&demo->print, "%s, recovered after %" PRIu32 " ms",
					done.why, done.milliseconds);
		} else if (ended) {
			*ret_code = error_say(error, "the PE was given up: %s", done.why);
		}
		dbus_message_unref(message);
	}
	return ended;
}

static int await_recovery(struct demo *demo, struct error *error)
{
	time_t end = time(NULL) + RECOVERY_SECONDS;
	int r = 0;

	while (time(NULL) < end) {
		if (tell_recovery(demo, &r, error)) {
			return r;
		}
		if (!dbus_connection_read_write(client_connection(demo->client), 1000)) {
			return error_say(error, "the bus closed the connection");
		}
	}
	return error_say(error,
			 "the PE was not recovered within %d s; with a manual policy it waits for "
			 "\"spaprctl pe recover\"",
			 RECOVERY_SECONDS);
}

/* Where the host has EEH. */
static int freeze_pe(struct demo *demo, struct error *error)
{
	int r;

	if (!model_find_pe(demo->model, demo->group->path)) {
		return 0;
	}
	r = client_subscribe(demo->client, RECOVERY_RULE, error);
	if (r) {
		return r;
	}
	demo_print_step(&demo->print, "The hardware freezes the PE after an error; spaprd notices, "
				      "resets it and puts it right.");
	demo_print_call(&demo->print, "Freeze(%" PRIu32 ", \"both\")", demo->group->id);
	r = sim_remote_freeze(demo->client, demo->group->id, "both", error);
	if (r == 0) {
		r = await_recovery(demo, error);
	}
	if (r) {
		return r;
	}
	demo_print_step(&demo->print, "The window and its mappings are as they were: DMA again.");
	return write_by_device(demo, "is back", error);
}

/* -- the picture -- */

static bool is_same_mapping(const struct remote_mapping *a, const struct remote_mapping *b)
{
	return a->range.start == b->range.start && a->range.size == b->range.size &&
	       a->gpa == b->gpa && a->prot == b->prot;
}

static int draw(struct demo *demo, const struct remote_mappings *mappings, struct error *error)
{
	cleanup(cleanup_model) struct model *model = read_model(demo, error);
	const struct model_space *space;
	struct range ranges[2];

	if (!model) {
		return (int)error->code;
	}
	space = model_find_space(model, demo->space);
	if (!space || space->windows.count != 2) {
		return error_say(error, "the address space does not show its two windows");
	}
	for (size_t i = 0; i < 2; i++) {
		ranges[i] = mappings->items[i].range;
	}
	demo_print_done(&demo->print, "2 mappings; %s locked for memory and tables",
			size_format(space->locked_bytes).text);
	iova_drawing_print(demo->print.file, &demo->print.terminal, &space->windows, ranges, 2);
	return 0;
}

static int show_space(struct demo *demo, struct error *error)
{
	struct remote_mappings mappings = {.count = 0};
	struct remote_mapping high = high_mapping(demo);
	struct remote_mapping low = low_mapping(demo);
	int r;

	demo_print_step(&demo->print, "This is what the device sees now.");
	demo_print_call(&demo->print, "ListMappings(0x0, 10)");
	r = remote_list_mappings(demo->client, demo->space, 10, &mappings, error);
	if (r) {
		return r;
	}
	if (mappings.count == 2 && is_same_mapping(&mappings.items[0], &low) &&
	    is_same_mapping(&mappings.items[1], &high)) {
		r = draw(demo, &mappings, error);
	} else {
		r = error_say(error, "the list has %zu mappings, not the two that were made",
			      mappings.count);
	}
	free(mappings.items);
	return r;
}

/* -- the end -- */

static int check_gone(struct demo *demo, struct error *error)
{
	cleanup(cleanup_model) struct model *model = read_model(demo, error);
	const struct model_group *group;

	if (!model) {
		return (int)error->code;
	}
	group = model_find_group(model, demo->group->path);
	if (model_find_space(model, demo->space)) {
		return error_say(error, "%s is still there", short_path(demo->space));
	}
	if (!group || strcmp(group->space, MODEL_NOWHERE) != 0) {
		return error_say(error, "group %" PRIu32 " is not free again", demo->group->id);
	}
	demo_print_done(&demo->print, "%s is gone, group %" PRIu32 " free", short_path(demo->space),
			demo->group->id);
	return 0;
}

static int close_space(struct demo *demo, struct error *error)
{
	int r;

	demo_print_step(&demo->print,
			"Close it: mappings, windows and memory go, and the group is free again.");
	demo_print_call(&demo->print, "Close()");
	r = remote_close_space(demo->client, demo->space, error);
	return r ? r : check_gone(demo, error);
}

/* -- the whole -- */

static const demo_step steps[] = {
	find_group, create_space,  attach_group, add_memory,  create_window,
	map_memory, device_writes, device_reads, dma_outside, map_outside,
	freeze_pe,  show_space,    close_space,
};

static void demo_done(struct demo *demo)
{
	demo->model = model_free(demo->model);
	if (demo->memory) {
		(void)munmap(demo->memory, MEMORY_SIZE);
	}
	demo->memory_fd = fd_close(demo->memory_fd);
	free(demo->space);
	demo->client = client_free(demo->client);
}

static enum cli_status fail(const struct demo *demo, const struct error *error)
{
	(void)fprintf(stderr, "spaprctl: %s\n", error->text);
	return !demo->client || client_is_unreachable(demo->client) ? CLI_UNREACHABLE : CLI_FAILED;
}

/* Connect, and see that the host can do DMA on demand. */
static enum cli_status begin(struct demo *demo)
{
	struct error error;

	if (client_new(&demo->client, &error) ||
	    remote_read_model(demo->client, &demo->model, &error)) {
		return fail(demo, &error);
	}
	if (!demo->model->host.simulated) {
		(void)error_say(&error, "this host is real, and the demo lets a device do DMA on "
					"demand: start \"spaprd --simulate\" for it");
		return fail(demo, &error);
	}
	return CLI_OK;
}

/* Run the steps. When one fails the rest can't work; spaprd closes what is left when we leave. */
static enum cli_status run_steps(struct demo *demo)
{
	struct error error;

	(void)fputs("A simulated ", demo->print.file);
	text_print(demo->print.file, demo->model->host.kind);
	(void)fputs(" host\n", demo->print.file);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (steps[i](demo, &error)) {
			demo_print_failed(&demo->print, error.text);
			return client_is_unreachable(demo->client) ? CLI_UNREACHABLE : CLI_FAILED;
		}
	}
	(void)fprintf(demo->print.file, "%sAll %u calls did what they should.%s\n",
		      terminal_begin(&demo->print.terminal, TERMINAL_GOOD), demo->print.checks,
		      terminal_end(&demo->print.terminal));
	return CLI_OK;
}

static enum cli_status show(void)
{
	struct demo demo = {.memory_fd = -1};
	enum cli_status status = begin(&demo);

	if (status == CLI_OK) {
		demo.print.file = stdout;
		demo.print.terminal = terminal_detect(stdout);
		status = run_steps(&demo);
	}
	demo_done(&demo);
	return status;
}

static enum cli_status run(int argc, char **argv)
{
	static const struct option table[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice = getopt_long(argc, argv, "", table, NULL);

	if (choice != -1) {
		return cli_handle_option(&demo_command, choice, argv);
	}
	if (optind < argc) {
		return cli_refuse("demo", "demo takes no argument \"%s\"", argv[optind]);
	}
	return show();
}

const struct cli_command demo_command = {
	.name = "demo",
	.summary = "lead an address space through its life, on a simulated host",
	.help = "usage: spaprctl demo\n"
		"\n"
		"Creates an address space on a simulated host, gives it a group, memory and a\n"
		"window, lets the device do DMA, freezes its PE, and closes it. Shows each call "
		"and\n"
		"checks what came of it. Takes the first free group; leaves everything as it was,\n"
		"but for the freeze that counts as one (\"spaprctl pe list\", LEFT).\n"
		"\n"
		"Example, while \"spaprd --simulate\" runs: spaprctl demo\n",
	.run = run,
};
