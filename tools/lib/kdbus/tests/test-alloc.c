// SPDX-License-Identifier: GPL-2.0-only
/* Memory: none is allocated on the way of a message, and none need be there */
#include "kl.h"

static struct kl_server server;
static struct kdb_conn *client;
static struct kdb_msg *msg;
static unsigned int answers;

static int answered(struct kdb_conn *conn, int error, struct kdb_view *view,
		    void *arg)
{
	(void)conn;
	(void)view;
	(void)arg;
	answers += !error;
	return KDB_DONE;
}

static int told(struct kdb_conn *conn, struct kdb_view *view,
		struct kdb_msg *reply, void *arg)
{
	(void)conn;
	(void)view;
	(void)reply;
	answers += *(unsigned int *)arg;
	return KDB_DONE;
}

/* Everything that can happen to a message, once */
static void turn(void)
{
	struct kdb_view *answer, *more;
	const void *data;
	size_t size;

	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(server.conn));
	kl_ok(kdb_msg_put(msg, "text", 4));
	kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	kl_ok(kdb_view_data(answer, &data, &size));
	kt_check(kdb_view_meta(answer)->creds, "no metadata");
	kl_ok(kdb_call(msg, KDB_NO_DEADLINE, &more));
	kl_ok(kdb_view_release(answer));
	kl_ok(kdb_view_release(more));
	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, answered, NULL, NULL));
	kl_ok(kdb_wait(client, kdb_deadline(LONG_NS)));
	kt_check_ret(kdb_process(client), 1, "process");
	kl_ok(kdb_msg_to_name(msg, NAME_A));
	kl_ok(kdb_send(msg));
	kl_ok(kdb_recv_wait(client, &answer, KDB_NO_DEADLINE));
	kl_ok(kdb_view_release(answer));
	kl_ok(kdb_msg_to_all(msg));
	kl_ok(kdb_msg_tell(msg, "text:x"));
	kl_ok(kdb_send(msg));
	kl_ok(kdb_msg_put_fds(msg, &(int){ 0 }, 1));
	kdb_msg_to_id(msg, kdb_id(server.conn));
	kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	kl_ok(kdb_view_release(answer));
	/* larger than what is copied */
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(server.conn));
	kdb_set_file_size(client, 2);
	kl_ok(kdb_msg_put(msg, "text", 4));
	kdb_set_file_size(client, 2 * MIB);
	kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	kl_ok(kdb_view_release(answer));
}

KL_TEST(none_on_the_way)
{
	unsigned int before, i, count = 0;

	kl_bus();
	kl_ok(kdb_open_path(&client, bus.path, KDB_OPTIONS(.flags = how,
			.attach = _KDBUS_ATTACH_ALL, .pool_size = POOL)));
	kdb_set_handler(client, told, &count);
	msg = kl_msg(client);
	kl_serve(&server, kl_echo, &count);
	kl_ok(kdb_name_acquire(server.conn, NAME_A, 0));
	turn();
	before = kl_allocs;
	for (i = 0; i < 50; i++)
		turn();
	kt_check(kl_allocs == before, "%u allocations", kl_allocs - before);
	kt_check(answers == 51 && count == 51 * 6, "%u answers, %u messages",
		 answers, count);
	/* the counter counts */
	kdb_msg_free(msg);
	msg = kl_msg(client);
	kt_check(kl_allocs > before, "no allocation was seen");
	kl_serve_end(&server, client);
	kl_got(client, "stop");
	kdb_msg_free(msg);
	kl_close(client);
}

/* Each allocation of opening fails in turn. */
KL_TEST(open)
{
	unsigned int i, fds;
	int r;

	kl_bus();
	fds = kt_count_fds();
	for (i = 1;; i++) {
		kl_alloc_fails = i;
		r = kdb_open_path(&client, bus.path, NULL);
		if (kl_alloc_fails)
			break;
		kt_check_ret(r, -ENOMEM, "allocation %u", i);
		kt_check(kt_count_fds() == fds, "descriptors leak");
	}
	kl_alloc_fails = 0;
	kl_ok(r);
	kt_check(i > 5, "only %u allocations", i);
	kl_close(client);
}

KL_TEST(others)
{
	struct kdb_policy *policy;
	struct kdb_match *match;
	struct kdb_names *names;
	struct kdb_info *info;
	uint64_t cookie = 0;
	unsigned int i;

	kl_bus();
	client = kl_open();
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_msg_new(client, &msg));
	msg = kl_msg(client);
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_msg_to_all(msg));
	kl_ok(kdb_msg_to_all(msg));
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_match_new(client, &match));
	kl_ok(kdb_match_new(client, &match));
	kl_alloc_fails = 1;
	for (i = 0; i < 20; i++)
		kdb_match_from_id(match, i);
	kl_fails(ENOMEM, kdb_match_add(match, &cookie));
	kdb_match_reset(match);
	kl_ok(kdb_match_add(match, &cookie));
	kdb_match_free(match);
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_policy_new(&policy));
	kl_ok(kdb_policy_new(&policy));
	kl_alloc_fails = 1;
	for (i = 0; i < 20 && kdb_policy_name(policy, NAME_A) == 0; i++)
		;
	kt_check(i > 1 && i < 20, "%u names", i);
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_policy_name(policy, NAME_A));
	kl_alloc_fails = 1;
	kl_fails(ENOMEM, kdb_policy_grant(policy, KDBUS_POLICY_ACCESS_WORLD, 0,
					  KDBUS_POLICY_SEE));
	kl_ok(kdb_policy_grant(policy, KDBUS_POLICY_ACCESS_WORLD, 0,
			       KDBUS_POLICY_SEE));
	kdb_policy_free(policy);
	kl_alloc_fails = 1;
	kt_check_ret(kdb_names_list(client, 0, &names), -ENOMEM, "names");
	kl_alloc_fails = 1;
	kt_check_ret(kdb_info_of_bus(client, &info), -ENOMEM, "info");
	kl_alloc_fails = 1;
	kt_check_ret(kdb_name_watch(client, NAME_A, NULL, NULL, NULL), -ENOMEM,
		     "watch");
	kdb_msg_free(msg);
	kl_close(client);
}

/* As many views as there were at the beginning need no memory. */
KL_TEST(views)
{
	struct kdb_view *views[5];
	unsigned int i;

	kl_bus();
	client = kl_open();
	msg = kl_msg(client);
	for (i = 0; i < 4; i++) {
		kl_send(client, client, "x");
		views[i] = kl_recv(client);
	}
	kl_send(client, client, "y");
	kl_alloc_fails = 1;
	kt_check_ret(kdb_recv(client, &views[4]), -ENOMEM, "a fifth view");
	kl_alloc_fails = 1;
	kdb_msg_to_id(msg, kdb_id(client));
	kt_check_ret(kdb_call(msg, 1, &views[4]), -ENOMEM, "a call");
	for (i = 0; i < 4; i++)
		kl_ok(kdb_view_release(views[i]));
	kl_got(client, "y");
	kdb_msg_free(msg);
	kl_close(client);
}

KT_SUITE("lib-alloc")
{
	kl_test(none_on_the_way);
	kl_test(open);
	kl_test(others);
	kl_test(views);
}
