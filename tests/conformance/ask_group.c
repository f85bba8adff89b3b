/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* -- opening and closing -- */

void answer_opened(struct answer *answer, int *fd, int opened)
{
	answer_call(answer, opened < 0 ? -1 : 0);
	if (opened >= 0 && *fd >= 0) {
		(void)close(opened);
	} else if (opened >= 0) {
		*fd = opened;
	}
}

static void close_kept(int *fd, struct answer *answer)
{
	answer_call(answer, close(*fd));
	*fd = -1;
}

static void ask_open_container(struct scene *scene, const struct arguments *with,
			       struct answer *answer)
{
	answer_opened(answer, &scene->container[with->container],
		      open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
}

static void ask_close_container(struct scene *scene, const struct arguments *with,
				struct answer *answer)
{
	close_kept(&scene->container[with->container], answer);
}

static void ask_open_group(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/dev/vfio/%s", world.role[with->group].number);
	answer_opened(answer, &scene->group[with->group], open(path, O_RDWR | O_CLOEXEC));
}

static void ask_close_group(struct scene *scene, const struct arguments *with,
			    struct answer *answer)
{
	close_kept(&scene->group[with->group], answer);
}

static void ask_open_node(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char path[128];
	int fd;

	(void)scene;
	world_text(with->name, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	answer_call(answer, fd < 0 ? -1 : 0);
	if (fd >= 0) {
		(void)close(fd);
	}
}

/* -- groups -- */

static void ask_status(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	static const struct field fields[] = {
		FIELD(struct vfio_group_status, argsz),
		FIELD(struct vfio_group_status, flags),
	};
	struct vfio_group_status status = {
		.argsz = argsz_of(with, sizeof(status)),
		.flags = with->flags ? with->flags : 0x80,
	};
	const struct vfio_group_status before = status;

	answer_call(answer, ioctl(scene->group[with->group], VFIO_GROUP_GET_STATUS, &status));
	ANSWER_CHANGES(answer, fields, &before, &status);
}

static void ask_set_container(struct scene *scene, const struct arguments *with,
			      struct answer *answer)
{
	int opened = -1;
	int fd = pick_fd(scene, with, &opened);

	answer_call(answer, ioctl(scene->group[with->group], VFIO_GROUP_SET_CONTAINER, &fd));
	if (opened >= 0) {
		(void)close(opened);
	}
}

static void ask_unset_container(struct scene *scene, const struct arguments *with,
				struct answer *answer)
{
	answer_call(answer, ioctl(scene->group[with->group], VFIO_GROUP_UNSET_CONTAINER, 0));
}

static void ask_device_fd(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	char name[64];
	int fd;

	world_text(with->name, name, sizeof(name));
	fd = ioctl(scene->group[with->group], VFIO_GROUP_GET_DEVICE_FD, name);
	answer_call(answer, fd < 0 ? -1 : 0);
	if (fd >= 0) {
		(void)close(fd);
	}
}

static void ask_unknown(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, ioctl(scene->group[with->group], UNKNOWN_IOCTL, 0));
}

static void ask_container_ioctl(struct scene *scene, const struct arguments *with,
				struct answer *answer)
{
	answer_call(answer, ioctl(scene->group[with->group], VFIO_GET_API_VERSION, 0));
}

static void ask_pointer(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	ask_bad_pointer(scene->group[with->group], with, answer);
}

/* -- memory -- */

static void ask_drop(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, munmap(scene->memory[with->memory], scene_memory_size(with->memory)));
}

static void ask_make(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	answer_call(answer, scene_map_memory(scene, with->memory) ? 0 : -1);
}

static void ask_locked(struct scene *scene, const struct arguments *with, struct answer *answer)
{
	(void)scene;
	(void)with;
	answer_tell(answer, "%lu KiB", (unsigned long)scene_locked());
}

ask_function *const ask_of_group[ASKS] = {
	[OPEN_CONTAINER] = ask_open_container,
	[CLOSE_CONTAINER] = ask_close_container,
	[OPEN_GROUP] = ask_open_group,
	[CLOSE_GROUP] = ask_close_group,
	[OPEN_NODE] = ask_open_node,
	[DROP_MEMORY] = ask_drop,
	[MAKE_MEMORY] = ask_make,
	[GET_STATUS] = ask_status,
	[SET_CONTAINER] = ask_set_container,
	[UNSET_CONTAINER] = ask_unset_container,
	[GET_DEVICE_FD] = ask_device_fd,
	[UNKNOWN_OF_GROUP] = ask_unknown,
	[CONTAINER_IOCTL_OF_GROUP] = ask_container_ioctl,
	[BAD_POINTER_OF_GROUP] = ask_pointer,
	[LOCKED] = ask_locked,
};
