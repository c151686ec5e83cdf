// SPDX-License-Identifier: GPL-2.0-only
/* Faults while messages are sent, received and thrown away */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault-util.h"
#include "meta-util.h"

#define NAME	"fault.name"

/* connections: who sends, who receives, others that listen */
enum { FROM, TO, LISTENER, NAMELESS, SPY };

static struct fault_world w;
static u8 payload[FAULT_POOL];

static int send_call(struct fault_world *w)
{
	return conn_send(&w->c[FROM], &w->cmd);
}

static void one_vec(struct fault_world *w)
{
	msg_init(&w->cmd, w->c[TO].id, 7);
	msg_vec(&w->cmd, payload, 20000);
}

static void many_vecs(struct fault_world *w)
{
	unsigned int i;

	msg_init(&w->cmd, w->c[TO].id, 7);
	for (i = 0; i < 40; i++)
		msg_vec(&w->cmd, payload + i * 100, 100);
}

static void memfds(struct fault_world *w)
{
	msg_init(&w->cmd, w->c[TO].id, 7);
	w->fd = kt_memfd(5000, KT_SEALS, 0);
	msg_vec(&w->cmd, payload, 100);
	msg_memfd(&w->cmd, w->fd, 5000);
	msg_memfd(&w->cmd, w->fd, 4000);
}

static void fds(struct fault_world *w)
{
	static const int fds[] = { 0, 1, 2, 1 };

	memfds(w);
	msg_fds(&w->cmd, fds, ARRAY_SIZE(fds));
}

static void to_name(struct fault_world *w)
{
	msg_init(&w->cmd, KDBUS_DST_ID_NAME, 7);
	blob_add_str(&w->cmd, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&w->cmd, payload, 1000);
}

static void a_request(struct fault_world *w)
{
	request_init(&w->cmd, w->c[TO].id, NULL, 7, in_ms(3600000));
}

/* metadata of a sender is collected for its first message */
static void fresh(struct fault_world *w)
{
	fault_open(w, FROM, FAULT_OWNER, 0, 0);
	kt_check_ret(name_acquire(&w->c[FROM], "of.sender", 0), 0, "a name");
	one_vec(w);
}

static void broadcast(struct fault_world *w)
{
	cast_init(&w->cmd, 7);
	w->fd = kt_memfd(5000, KT_SEALS, 0);
	msg_vec(&w->cmd, payload, 3000);
	msg_memfd(&w->cmd, w->fd, 5000);
}

static void fresh_broadcast(struct fault_world *w)
{
	fresh(w);
	broadcast(w);
}

/* found by a bit of their filters: a list of receivers of its own */
static void broadcast_bit(struct fault_world *w)
{
	cast_init(&w->cmd, 7);
	cast_set(&w->cmd, 3);
	msg_vec(&w->cmd, payload, 3000);
}

/* a pool that has no page yet */
static void to_fresh(struct fault_world *w)
{
	fault_open(w, LISTENER, FAULT_OTHER, 0, 0);
	msg_init(&w->cmd, w->c[LISTENER].id, 7);
	msg_vec(&w->cmd, payload, 20000);
}

static void drop_fd(struct fault_world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void got_it(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(fault_take(&w->c[TO]) == 7, "another message");
	expect_empty(&w->c[TO]);
	drop_fd(w);
}

static void fresh_got_it(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(fault_take(&w->c[LISTENER]) == 7, "another message");
	fault_close(w, LISTENER);
}

static void got_request(struct fault_world *w, bool fault)
{
	got_it(w, fault);
	kt_check_ret(reply(&w->c[TO], w->c[FROM].id, 7), 0, "the reply");
	fault_take(&w->c[FROM]);
}

static void got_fresh(struct fault_world *w, bool fault)
{
	got_it(w, fault);
	fault_close(w, FROM);
}

/* all of them; if there was a fault, who sends is not told who missed it */
static void all_got(struct fault_world *w, bool fault)
{
	unsigned int i, n = 0;

	for (i = TO; i <= SPY; i++) {
		u64 queued = w->c[i].pool ? fdinfo(&w->c[i], "queued:") : 0;

		kt_check(queued <= 1, "receiver %u: %llu messages", i, queued);
		if (queued)
			kt_check(fault_take(&w->c[i]) == 7, "another message");
		else if (w->c[i].pool)
			n++;
	}
	kt_check(!n || fault, "%u did not get it", n);
	drop_fd(w);
}

static void all_got_fresh(struct fault_world *w, bool fault)
{
	all_got(w, fault);
	fault_close(w, FROM);
}

#define ROW(n, b, a)							\
	{ .name = n, .errs = CAN_MEM | CAN_FAULT | CAN_BUFS,		\
	  .before = b, .call = send_call, .after = a }

static void open_pair(struct fault_world *w, u64 attach)
{
	fault_world(w);
	fault_open(w, TO, FAULT_OTHER, KDBUS_HELLO_ACCEPT_FD, attach);
	kt_fill(payload, sizeof(payload), 3);
}

/* nothing of what failed counts any more */
static void check_quota(struct fault_world *w)
{
	u64 half = FAULT_POOL / 2;

	update_mask(&w->c[TO], 0);
	kt_check_ret(conn_send_want(&w->c[FROM], w->c[TO].id, payload, half), 0,
		     "the share of a user");
	kt_check(conn_drain(&w->c[TO]) == 1, "a stray message");
	fault_end(w);
}

START_TEST(unicast)
{
	static const struct fault_scene scenes[] = {
		ROW("send a vec", one_vec, got_it),
		ROW("send many vecs", many_vecs, got_it),
		ROW("send memory files", memfds, got_it),
		ROW("send descriptors", fds, got_it),
		ROW("send to a name", to_name, got_it),
		ROW("send a request", a_request, got_request),
		ROW("send to a new pool", to_fresh, fresh_got_it),
	};

	open_pair(&w, 0);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	kt_become(FAULT_OWNER);
	kt_check_ret(name_acquire(&w.c[TO], NAME, 0), -EPERM, "no policy");
	kt_become(0);
	holder_open(&w.c[SPY], &w.bus, NAME " u%u:o", FAULT_OTHER);
	kt_check_ret(name_acquire(&w.c[TO], NAME, 0), 0, "NAME_ACQUIRE");
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	check_quota(&w);
}
END_TEST

START_TEST(metadata)
{
	static const struct fault_scene scenes[] = {
		ROW("send with all metadata", fresh, got_fresh),
		ROW("send with metadata again", one_vec, got_it),
	};

	open_pair(&w, KDBUS_ATTACH_NAMES | ~0ULL);
	fault_run(&w, &scenes[0]);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_run(&w, &scenes[1]);
	check_quota(&w);
}
END_TEST

static void listen(struct fault_world *w, unsigned int i, uid_t uid,
		   u64 attach)
{
	fault_open(w, i, uid, 0, attach);
	match_casts(&w->c[i]);
}

START_TEST(broadcasts)
{
	static const struct fault_scene scenes[] = {
		ROW("broadcast to three", broadcast, all_got),
		ROW("broadcast with metadata", fresh_broadcast, all_got_fresh),
		ROW("broadcast to one with a bit", broadcast_bit, all_got),
	};
	struct blob b;

	open_pair(&w, ~0ULL);
	match_init(&b, 1, 0);
	rule_bit(&b, KT_BLOOM_SIZE, 3);
	kt_assert_ret(match_add(&w.c[TO], &b), 0, "MATCH_ADD");
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_run(&w, &scenes[2]);
	fault_close(&w, FROM);
	match_casts(&w.c[TO]);
	listen(&w, LISTENER, FAULT_OTHER, KDBUS_ATTACH_CREDS);
	listen(&w, NAMELESS, FAULT_OWNER, 0);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_run(&w, &scenes[0]);
	fault_close(&w, FROM);
	fault_run(&w, &scenes[1]);
	fault_end(&w);
}
END_TEST

START_TEST(monitors)
{
	static const struct fault_scene scenes[] = {
		ROW("send, two monitors", fds, all_got),
		ROW("send, two monitors, metadata", fresh, all_got_fresh),
	};

	open_pair(&w, 0);
	fault_open(&w, SPY, FAULT_OWNER, MONITOR | KDBUS_HELLO_ACCEPT_FD,
		   ~0ULL);
	fault_open(&w, NAMELESS, FAULT_OWNER, MONITOR | KDBUS_HELLO_ACCEPT_FD,
		   KDBUS_ATTACH_CREDS);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_run(&w, &scenes[0]);
	fault_close(&w, FROM);
	fault_run(&w, &scenes[1]);
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The other side */

static void queue_one(struct fault_world *w)
{
	fds(w);
	kt_assert_ret(send_call(w), 0, "MSG_SEND");
}

static int recv_call(struct fault_world *w)
{
	return conn_recv(&w->c[TO], &w->off);
}

static int peek_call(struct fault_world *w)
{
	return conn_recv_flags(&w->c[TO], KDBUS_RECV_PEEK, &w->off);
}

static int drop_call(struct fault_world *w)
{
	return conn_recv_flags(&w->c[TO], KDBUS_RECV_DROP, NULL);
}

static int free_call(struct fault_world *w)
{
	return conn_free(&w->c[TO], w->off);
}

static void is_queued(struct fault_world *w)
{
	u64 off;

	kt_check_ret(conn_recv_flags(&w->c[TO], KDBUS_RECV_PEEK, &off), 0,
		     "PEEK");
	kt_check(conn_msg(&w->c[TO], off)->cookie == 7, "another message");
}

/* received already: its files are open */
static void close_files(struct fault_world *w)
{
	fault_close_files(conn_msg(&w->c[TO], w->off));
	drop_fd(w);
}

static void recv_after(struct fault_world *w, bool fault)
{
	(void)fault;
	close_files(w);
	kt_check_ret(free_call(w), 0, "FREE");
}

static void drop_after(struct fault_world *w, bool fault)
{
	(void)fault;
	expect_empty(&w->c[TO]);
	drop_fd(w);
}

static void receive_one(struct fault_world *w)
{
	queue_one(w);
	kt_assert_ret(recv_call(w), 0, "MSG_RECV");
	close_files(w);
}

static void free_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check_ret(free_call(w), -ENXIO, "FREE again");
}

START_TEST(receiving)
{
#define CAN	.errs = CAN_MEM | CAN_FAULT
	static const struct fault_scene scenes[] = {
		{ .name = "MSG_RECV", CAN, .before = queue_one,
		  .call = recv_call, .still = is_queued,
		  .after = recv_after },
		{ .name = "PEEK", CAN, .before = queue_one,
		  .call = peek_call, .still = is_queued, .after = got_it },
		{ .name = "DROP", CAN, .before = queue_one,
		  .call = drop_call, .still = is_queued,
		  .after = drop_after },
		{ .name = "FREE", CAN, .before = receive_one,
		  .call = free_call, .after = free_after },
	};

	open_pair(&w, 0);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	check_quota(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A table of descriptors that has to grow, which it does once in a process */

struct growth {
	struct fault_world *w;
	unsigned int n;
	int spare;
	bool fault;
	int ret;
};

static int grow(void *arg)
{
	struct growth *g = arg;
	unsigned int before;
	int file;

	/* the copy that fork() made of the table is full */
	close(g->spare);
	file = fault_file();
	kt_assert(file == g->spare, "%d is not %d", file, g->spare);
	fault_arm(file, g->n);
	g->ret = recv_call(g->w);
	g->fault = fault_disarm(file) && g->n;
	close(file);
	before = kt_count_fds();
	if (g->ret) {
		is_queued(g->w);
		kt_assert_ret(recv_call(g->w), 0, "MSG_RECV again");
	}
	recv_after(g->w, false);
	if (g->ret)
		kt_check(kt_count_fds() == before - 1, "fault %u: %u, not %u",
			 g->n, kt_count_fds(), before - 1);
	return 0;
}

START_TEST(growing)
{
	struct growth *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int mem = 0;

	open_pair(&w, 0);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fds(&w);
	while ((g->spare = dup(0)) < 63)
		kt_assert(g->spare > 0, "dup: %m");
	kt_assert(g->spare == 63, "number %d", g->spare);
	g->w = &w;
	do {
		kt_assert_ret(send_call(&w), 0, "MSG_SEND");
		kt_run_as(0, 0, grow, g);
		mem += g->ret == -ENOMEM;
		kt_check(!g->ret || (g->fault && fault_explains(
				     CAN_MEM | CAN_FAULT, g->ret)),
			 "fault %u: %s", g->n, kt_err(g->ret));
		g->n++;
	} while (g->n == 1 || g->fault);
	kt_note("a table that grows: %u faults, %u times ENOMEM", g->n - 2,
		mem);
	kt_check(mem, "the table did not grow");
	drop_fd(&w);
	check_quota(&w);
}
END_TEST

KT_SUITE_LATE("fault-send")
{
	kt_test_slow(unicast, 180);
	kt_test_slow(metadata, 180);
	kt_test_slow(broadcasts, 180);
	kt_test_slow(monitors, 180);
	kt_test_slow(receiving, 180);
	kt_test_slow(growing, 180);
}
