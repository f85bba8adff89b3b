/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about the kernel's VFIO ABI (question.h). This is a plain VFIO
 * program: it runs on a kernel, and by `spaprctl sim exec` on a simulated host,
 * and the answers of both are compared (compare.sh). One line for each
 * question:
 *
 *   SCENE/NUMBER QUESTION = ANSWER [locked KIB]
 *
 * with what the asking process has locked, where that has changed. Times and
 * addresses that a kernel chooses are never shown.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "peer.h"
#include "scenes.h"
#include "walk.h"

#define LINE_SIZE     2000
#define SCENE_SECONDS 120
#define WALKS         20U
#define WALK_STEPS    300U
#define SUM_STEPS     50U

static const struct scene_table *const *scenes;
static const struct scene_table *const *last_scenes;

/* By all processes. */
static unsigned int *questions_asked;

/* -- lines -- */

struct told {
	uint64_t locked; /* KiB, as told last */
};

static void print_line(const char *scene, unsigned int number, const char *what,
		       const struct answer *answer, struct told *told, uint64_t locked)
{
	char line[LINE_SIZE];

	answer_print(answer, line, sizeof(line));
	(void)printf("%s/%03u %s = %s", scene, number, what, line);
	if (locked != told->locked) {
		(void)printf(" locked %" PRIu64, locked);
	}
	told->locked = locked;
	(*questions_asked)++;
	(void)putchar('\n');
}

/* -- a process for each scene -- */

static bool in_process(const char *name, void (*run)(const void *what), const void *what)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)alarm(SCENE_SECONDS);
		run(what);
		(void)fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	if (status != 0) {
		(void)printf("%s ended by %s\n", name,
			     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "a failure");
	}
	return status == 0;
}

/* -- scenes -- */

struct asking {
	struct scene scene;
	struct peer peer;
	bool of_peer;
	struct told here;
	struct told there;
	unsigned int number;
};

/* Where the fds of the scene that can be passed are. */
static int *passed_fd(struct scene *scene, const struct question *question)
{
	const struct arguments *with = &question->with;

	return question->ask == PASS_CONTAINER ? &scene->container[with->container]
	       : question->ask == PASS_GROUP   ? &scene->group[with->group]
					       : &scene->device[with->group];
}

static void pass(struct asking *asking, const struct question *question)
{
	int *fd = passed_fd(&asking->scene, question);
	int *fds[SCENE_FDS] = {NULL};

	scene_fds(&asking->scene, fds);
	for (size_t i = 0; i < SCENE_FDS; i++) {
		if (fds[i] == fd) {
			peer_pass(&asking->peer, i, *fd);
		}
	}
}

/* Whether the row was one about peers. */
static bool do_with_peer(struct asking *asking, const struct scene_table *table,
			 const struct question *question)
{
	switch ((int)question->ask) {
	case START_PEER:
		peer_start(&asking->peer, &asking->scene, table,
			   (enum peer_kind)question->with.number);
		asking->there.locked = 0;
		return true;
	case THEN_PEER:
	case THEN_SELF:
		asking->of_peer = question->ask == THEN_PEER;
		return true;
	case PEER_EXECS:
		peer_exec(&asking->peer);
		asking->there.locked = 0;
		return true;
	case PASS_CONTAINER:
	case PASS_GROUP:
	case PASS_DEVICE:
		pass(asking, question);
		return true;
	case END_PEER:
	case KILL_PEER:
		(question->ask == END_PEER ? peer_end : peer_kill)(&asking->peer);
		asking->of_peer = false;
		return true;
	default:
		return false;
	}
}

static void ask_row(struct asking *asking, const struct scene_table *table, size_t row)
{
	const struct question *question = &table->questions[row];
	struct peer_reply reply;

	if (do_with_peer(asking, table, question)) {
		return;
	}
	if (asking->of_peer) {
		peer_ask(&asking->peer, table, row, &reply);
	} else {
		scene_ask(&asking->scene, question, &reply.answer);
		reply.locked = scene_locked();
	}
	print_line(table->name, ++asking->number, question->what, &reply.answer,
		   asking->of_peer ? &asking->there : &asking->here, reply.locked);
}

/* What stays locked when all is closed is told: it is lost. */
static void run_scene(const void *what)
{
	const struct scene_table *table = what;
	static struct asking asking;
	struct answer answer = {0};

	scene_begin(&asking.scene, table->name);
	scene_open(&asking.scene);
	for (size_t row = 0; row < table->count; row++) {
		ask_row(&asking, table, row);
	}
	peer_end(&asking.peer);
	scene_close(&asking.scene);
	answer_tell(&answer, "%" PRIu64 " KiB", scene_locked());
	asking.here.locked = scene_locked();
	print_line(table->name, ++asking.number, "closed", &answer, &asking.here,
		   asking.here.locked);
}

static const struct scene_table *find_scene_in(const struct scene_table *const *subjects,
					       const char *name)
{
	for (size_t i = 0; subjects[i]; i++) {
		for (const struct scene_table *scene = subjects[i]; scene->name; scene++) {
			if (strcmp(scene->name, name) == 0) {
				return scene;
			}
		}
	}
	return NULL;
}

static const struct scene_table *find_scene(const char *name)
{
	const struct scene_table *scene = find_scene_in(scenes, name);

	return scene ? scene : find_scene_in(last_scenes, name);
}

static bool run_scenes(const struct scene_table *const *subjects)
{
	bool ended = true;

	for (size_t i = 0; subjects[i]; i++) {
		for (const struct scene_table *scene = subjects[i]; scene->name; scene++) {
			ended &= in_process(scene->name, run_scene, scene);
		}
	}
	return ended;
}

/* -- walks -- */

struct walk {
	char name[32];
	uint64_t seed;
	unsigned int steps;
	const char *only; /* numbers of steps with commas between, NULL for all */
};

static bool is_listed(const char *only, unsigned int step)
{
	while (only && *only) {
		char *end;

		if (strtoul(only, &end, 10) == step) {
			return true;
		}
		only = *end == ',' ? end + 1 : "";
	}
	return !only;
}

static void run_walk(const void *what)
{
	const struct walk *walk = what;
	static struct scene scene;
	struct told told = {0};

	scene_begin(&scene, walk->name);
	scene_open(&scene);
	guard_be_strict(scene.guard);
	for (unsigned int step = 0; step < walk->steps; step++) {
		struct question question;
		struct answer answer;
		char text[WALK_TEXT];

		if (!is_listed(walk->only, step)) {
			continue;
		}
		walk_step(walk->seed, step, &question, text);
		scene_ask(&scene, &question, &answer);
		print_line(walk->name, step, text, &answer, &told, scene_locked());
	}
}

static bool run_walks(void)
{
	bool ended = true;

	for (unsigned int seed = 1; seed <= WALKS; seed++) {
		struct walk walk = {.seed = seed, .steps = WALK_STEPS};

		(void)snprintf(walk.name, sizeof(walk.name), "walk-%u", seed);
		ended &= in_process(walk.name, run_walk, &walk);
	}
	return ended;
}

/* `walk --seed N --steps M [--only LIST]...`: with several lists, each is a walk of its own. */
static int main_walk(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"steps", required_argument, NULL, 'n'},
		{"only", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	struct walk walk = {.seed = 1, .steps = WALK_STEPS};
	unsigned int lists = 0;
	bool ended = true;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's') {
			walk.seed = strtoull(optarg, NULL, 10);
		} else if (option == 'n') {
			walk.steps = (unsigned int)strtoul(optarg, NULL, 10);
		} else if (option == 'o') {
			walk.only = optarg;
			(void)snprintf(walk.name, sizeof(walk.name), "walk-%" PRIu64 ".%u",
				       walk.seed, ++lists);
			ended &= in_process(walk.name, run_walk, &walk);
		} else {
			return 2;
		}
	}
	if (!lists) {
		(void)snprintf(walk.name, sizeof(walk.name), "walk-%" PRIu64, walk.seed);
		ended = in_process(walk.name, run_walk, &walk);
	}
	return ended ? 0 : 1;
}

/* -- shorter -- */

static void print_sum(const char *name, unsigned int step, uint64_t sum)
{
	(void)printf("%s/%03u and those after it = sum %016" PRIx64 "\n", name,
		     step / SUM_STEPS * SUM_STEPS, sum);
}

/* "walk-12/034 ...": its name and step. Returns whether the line is one of a walk. */
static bool read_walk(const char *line, char ret_name[static 32], unsigned int *ret_step)
{
	const char *end = strchr(line, '/');

	if (strncmp(line, "walk-", 5) != 0 || !end || end - line >= 32) {
		return false;
	}
	(void)snprintf(ret_name, 32, "%.*s", (int)(end - line), line);
	*ret_step = (unsigned int)strtoul(end + 1, NULL, 10);
	return true;
}

/* `sums`: the answers on standard input, with one line for each SUM_STEPS steps of a walk. */
static int main_sums(void)
{
	char line[LINE_SIZE];
	char name[32] = "";
	char last[32] = "";
	unsigned int step = 0;
	unsigned int last_step = 0;
	uint64_t sum = 0;

	while (fgets(line, sizeof(line), stdin)) {
		bool is_walk = read_walk(line, name, &step);

		if (sum && (!is_walk || strcmp(name, last) != 0 ||
			    step / SUM_STEPS != last_step / SUM_STEPS)) {
			print_sum(last, last_step, sum);
			sum = 0;
		}
		if (is_walk) {
			sum = answer_sum(sum, line, strlen(line));
			memcpy(last, name, sizeof(last));
			last_step = step;
		} else {
			(void)fputs(line, stdout);
		}
	}
	if (sum) {
		print_sum(last, last_step, sum);
	}
	return 0;
}

/* -- arguments -- */

static int main_all(void)
{
	bool ended = run_scenes(scenes);

	ended &= run_walks();
	ended &= run_scenes(last_scenes);
	(void)printf("%u questions asked\n", *questions_asked);
	return ended ? 0 : 1;
}

static int main_scenes(int argc, char **argv)
{
	bool ended = true;

	for (int i = 0; i < argc; i++) {
		const struct scene_table *scene = find_scene(argv[i]);

		if (!scene) {
			(void)fprintf(stderr, "no such scene: %s\n", argv[i]);
			return 2;
		}
		ended &= in_process(scene->name, run_scene, scene);
	}
	return ended ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "sums") == 0) {
		return main_sums();
	}
	questions_asked = mmap(NULL, sizeof(*questions_asked), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (questions_asked == MAP_FAILED) {
		perror("the count of questions");
		return 2;
	}
	world_find();
	scenes = world.page_size == 64 * KIB ? scenes_64 : scenes_4;
	last_scenes = world.page_size == 64 * KIB ? last_scenes_64 : last_scenes_4;
	if (strcmp(what, "peer") == 0) {
		return peer_main(argc, argv, find_scene);
	}
	if (strcmp(what, "walk") == 0) {
		return main_walk(argc - 1, argv + 1);
	}
	if (strcmp(what, "scenes") == 0) {
		return main_scenes(argc - 2, argv + 2);
	}
	if (argc > 1) {
		(void)fprintf(stderr,
			      "usage: test-conformance [scenes NAME... | walk --seed N --steps M "
			      "[--only LIST]... | sums]\n");
		return 2;
	}
	return main_all();
}
