// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-workers - a service with a pool of workers
 *
 *   kdbus-workers BUS N	make /dev/kdbus/BUS; answer with N workers
 *
 * A connection is one thread's. That thread keeps each request, hands it to a worker,
 * and answers then. To try it: kdbus-ask BUS org.example.Workers TEXT 100
 */
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "sample.h"

#define NAME	"org.example.Workers"

struct job {
	struct kdb_view *view;
	const void *question;
	size_t size;
	char answer[64];
};

static int todo[2], done[2];	/* pipes of pointers to jobs */

static void *work(void *arg)
{
	struct job *job;

	while (read(todo[0], &job, sizeof(job)) > 0) {
		usleep(1000);
		snprintf(job->answer, sizeof(job->answer), "%.*s: worker %ld",
			 (int)job->size, (const char *)job->question, (long)arg);
		if (write(done[1], &job, sizeof(job)) < 0)
			err(1, "pipe");
	}
	return NULL;
}

/* The message stays in the pool until it is answered. */
static int take(struct kdb_conn *conn, struct kdb_view *view,
		struct kdb_msg *reply, void *arg)
{
	struct job *job = calloc(1, sizeof(*job));

	(void)conn;
	(void)reply;
	(void)arg;
	if (!job)
		return -ENOMEM;
	job->view = view;
	must(kdb_view_data(view, &job->question, &job->size), "payload");
	return write(todo[1], &job, sizeof(job)) < 0 ? -EPIPE : KDB_HOLD;
}

static void answer(struct kdb_msg *msg)
{
	struct job *job;

	if (read(done[0], &job, sizeof(job)) < 0)
		err(1, "pipe");
	kdb_msg_reset(msg);
	must(kdb_msg_put(msg, job->answer, strlen(job->answer)), "payload");
	kdb_reply(job->view, msg);
	kdb_view_release(job->view);
	free(job);
}

static void serve(struct kdb_conn *conn)
{
	struct pollfd fds[] = { { kdb_fd(conn), 0, 0 }, { done[0], POLLIN, 0 } };
	struct kdb_msg *msg;

	must(kdb_msg_new(conn, &msg), "message");
	kdb_set_handler(conn, take, NULL);
	must(kdb_name_acquire(conn, NAME, 0), NAME);
	for (;;) {
		fds[0].events = kdb_events(conn);
		poll(fds, 2, -1);
		while (fds[0].revents && must(kdb_process(conn), "request") > 0)
			;
		if (fds[1].revents)
			answer(msg);
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;
	long n = argc == 3 ? atol(argv[2]) : 0;

	if (n < 1 || pipe(todo) || pipe(done))
		errx(2, "usage: kdbus-workers BUS N");
	for (; n > 0; n--)
		must(-pthread_create(&thread, NULL, work, (void *)n), "thread");
	make_bus(argv[1]);
	serve(connect_to(argv[1]));
	return 0;
}
