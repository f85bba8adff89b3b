/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spaprctl pe watch and spaprctl pe recover: the story as it happens. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>

#include "cli/pe.h"
#include "cli/pe_events.h"
#include "cli/pe_session.h"
#include "cli/pe_story.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

/* What is listened to. */
static const char *const rules[] = {
	"type='signal',sender='" BUS_NAME "',interface='" BUS_INTERFACE_PE "'",
	"type='signal',sender='" BUS_NAME "',interface='" DBUS_INTERFACE_PROPERTIES
	"',member='PropertiesChanged',arg0='" BUS_INTERFACE_PE "'",
	"type='signal',sender='" DBUS_SERVICE_DBUS "',interface='" DBUS_INTERFACE_DBUS
	"',member='NameOwnerChanged',arg0='" BUS_NAME "'",
};

/* What ends it. */
struct goal {
	bool until_done;
	uint32_t event; /* only that one; 0: the next */
	uint64_t began; /* that one; µs, monotonic */
};

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static enum cli_status listen_to_all(const struct pe_session *session)
{
	struct error error;
	int r = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules) && r == 0; i++) {
		r = client_subscribe(session->client, rules[i], &error);
	}
	return pe_session_judge(session, r, &error);
}

/* Tell what has come. Whether that is the end; then *ret_status. */
static bool tell_messages(DBusConnection *connection, struct pe_story *story,
			  const struct goal *goal, enum cli_status *ret_status)
{
	DBusMessage *message;

	while ((message = dbus_connection_pop_message(connection))) {
		struct pe_story_time now = {read_clock(CLOCK_REALTIME),
					    read_clock(CLOCK_MONOTONIC)};
		struct pe_story_end end = pe_story_tell(story, message, now);

		dbus_message_unref(message);
		if (goal->until_done && end.service) {
			(void)fprintf(stderr, "spaprctl: spaprd ended before the recovery did\n");
			*ret_status = CLI_UNREACHABLE;
			return true;
		}
		if (goal->until_done && end.done &&
		    (goal->event == 0 || goal->event == end.event)) {
			*ret_status = end.recovered ? CLI_OK : CLI_FAILED;
			return true;
		}
	}
	return false;
}

/* ^C is an end like another. */
static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static enum cli_status tell_until(const struct pe_session *session, struct pe_story *story,
				  const struct goal *goal)
{
	DBusConnection *connection = client_connection(session->client);
	int signals cleanup(cleanup_fd) = open_signals();
	struct pollfd fds[] = {{.fd = -1, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	enum cli_status status = CLI_OK;

	(void)dbus_connection_get_unix_fd(connection, &fds[0].fd);
	while (!tell_messages(connection, story, goal, &status)) {
		(void)fflush(stdout);
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			perror("spaprctl: can't wait");
			return CLI_FAILED;
		}
		if (fds[1].revents) {
			/* With a goal, it was not reached. */
			return goal->until_done ? CLI_FAILED : CLI_OK;
		}
		if (!dbus_connection_read_write(connection, 0)) {
			(void)fprintf(stderr, "spaprctl: the bus closed the connection\n");
			return CLI_UNREACHABLE;
		}
	}
	return status;
}

static enum cli_status complain_of_memory(void)
{
	(void)fprintf(stderr, "spaprctl: there is no memory for the story\n");
	return CLI_FAILED;
}

/* It knows spaprd by the name that answered. */
static enum cli_status tell_story(const struct pe_session *session, const struct terminal *terminal,
				  bool json, const uint32_t *groups, size_t count,
				  const struct goal *goal)
{
	cleanup(cleanup_story) struct pe_story *story =
		pe_story_new(stdout, terminal, json, groups, count);
	const char *owner = dbus_message_get_sender(session->model->objects_reply);

	if (!story) {
		return complain_of_memory();
	}
	pe_story_set_owner(story, owner ? owner : "");
	if (goal->event) {
		pe_story_begin(story, groups[0], goal->event, goal->began);
	}
	return tell_until(session, story, goal);
}

/* -- watch -- */

struct watch_request {
	bool json;
	struct goal goal;
};

/* Groups as numbers. */
static enum cli_status find_groups(const struct pe_session *session, int count, char **names,
				   uint32_t *ret_groups)
{
	const struct model_group *group = NULL;
	struct error error;

	for (int i = 0; i < count; i++) {
		if (pe_find(session->model, names[i], &group, &error)) {
			return pe_session_judge(session, (int)error.code, &error);
		}
		ret_groups[i] = group->id;
	}
	return CLI_OK;
}

static enum cli_status watch(int count, char **names, const struct watch_request *request)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	cleanup(cleanup_free) uint32_t *groups = calloc((size_t)count + 1, sizeof(*groups));
	struct terminal terminal = terminal_detect(stdout);
	enum cli_status status;

	if (!groups) {
		return complain_of_memory();
	}
	status = pe_session_open(&session);
	if (status == CLI_OK) {
		status = find_groups(&session, count, names, groups);
	}
	if (status == CLI_OK) {
		status = listen_to_all(&session);
	}
	if (status != CLI_OK) {
		return status;
	}
	return tell_story(&session, &terminal, request->json, groups, (size_t)count,
			  &request->goal);
}

static enum cli_status run_watch(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"until-done", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct watch_request request = {.json = false};
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice == 'j') {
			request.json = true;
		} else if (choice == 'u') {
			request.goal.until_done = true;
		} else {
			return pe_handle_option(&pe_watch_command, choice, argv);
		}
	}
	return watch(argc - optind, argv + optind, &request);
}

const struct cli_command pe_watch_command = {
	.name = "pe watch",
	.summary = "tell what happens to PEs, as it happens",
	.help = "usage: spaprctl pe watch [GROUP...] [--until-done] [--json]\n"
		"\n"
		"Prints a line for each signal and each change of these PEs, or of all: the time, "
		"the\n"
		"time since the freeze, and what happens. ^C ends it.\n"
		"\n"
		"  --until-done  end with the next recovery: 0 when it worked, 1 when not, 3 when\n"
		"                spaprd ended before\n"
		"  --json        a JSON object in each line, for programs; times are in "
		"microseconds\n"
		"\n"
		"Example: spaprctl pe watch 0001:01:00.0 --until-done\n",
	.run = run_watch,
};

/* -- recover -- */

static enum cli_status begin_recovery(const struct pe_session *session,
				      const struct model_group *group, uint32_t *ret_event)
{
	cleanup(cleanup_message) DBusMessage *call =
		client_prepare(group->path, BUS_INTERFACE_PE, "Recover");
	cleanup(cleanup_message) DBusMessage *reply = NULL;
	dbus_uint32_t event = 0;
	struct error error;
	int r = client_call(session->client, call, "u", &reply, &error);

	if (r == 0) {
		(void)dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &event,
					    DBUS_TYPE_INVALID);
		*ret_event = event;
	}
	return pe_session_judge(session, r, &error);
}

/* When the event began, by the record: a manual recovery is of a freeze that was before. */
static uint64_t find_beginning(const struct pe_session *session, const struct model_group *group,
			       uint32_t event)
{
	cleanup(pe_events_done) struct pe_events events = PE_EVENTS_NONE;
	uint64_t monotonic;
	uint64_t realtime;
	uint64_t passed = 0;
	struct error error;

	(void)pe_events_read(session->client, group->path, event, 1, &events, &error);
	monotonic = read_clock(CLOCK_MONOTONIC);
	realtime = read_clock(CLOCK_REALTIME);
	if (events.count > 0 && events.items[0].number == event &&
	    events.items[0].began < realtime) {
		passed = realtime - events.items[0].began;
	}
	return monotonic - (passed < monotonic ? passed : 0);
}

static enum cli_status tell_recovery(const struct pe_session *session,
				     const struct model_group *group, uint32_t event)
{
	struct terminal terminal = terminal_detect(stdout);
	struct goal goal = {
		.until_done = true, .event = event, .began = find_beginning(session, group, event)};

	return tell_story(session, &terminal, false, &group->id, 1, &goal);
}

static enum cli_status recover(const char *name, bool wait)
{
	cleanup(pe_session_done) struct pe_session session = PE_SESSION_NONE;
	const struct model_group *group = NULL;
	enum cli_status status = pe_session_open_group(&session, name, &group);
	uint32_t event = 0;

	/* Before it begins: what is told early waits in the connection. */
	if (status == CLI_OK && wait) {
		status = listen_to_all(&session);
	}
	if (status == CLI_OK) {
		status = begin_recovery(&session, group, &event);
	}
	if (status != CLI_OK) {
		return status;
	}
	(void)printf("event %" PRIu32 "\n", event);
	return wait ? tell_recovery(&session, group, event) : CLI_OK;
}

static enum cli_status run_recover(int argc, char **argv)
{
	static const struct option table[] = {
		{"wait", no_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool wait = false;
	int choice;

	while ((choice = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (choice != 'w') {
			return pe_handle_option(&pe_recover_command, choice, argv);
		}
		wait = true;
	}
	return pe_check_arguments(&pe_recover_command, argc, 1, 1) ? recover(argv[optind], wait)
								   : CLI_USAGE;
}

const struct cli_command pe_recover_command = {
	.name = "pe recover",
	.summary = "begin the recovery of a PE",
	.help = "usage: spaprctl pe recover GROUP [--wait]\n"
		"\n"
		"Begins the recovery of a PE, and prints the number of the event: of one that "
		"waits for\n"
		"that (manual policy), of a normal one, which is reset then, or of one that was "
		"given\n"
		"up, whose budget of freezes begins anew; that is for root and the user that "
		"spaprd\n"
		"runs as.\n"
		"\n"
		"  --wait  tell the story up to the end: 0 when it worked, 1 when not, 3 when "
		"spaprd\n"
		"          ended before\n"
		"\n"
		"Example: spaprctl pe recover 2 --wait\n",
	.run = run_recover,
};
