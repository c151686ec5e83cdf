// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 17: bus-proxyd, one connection per classic client */

#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>

#include "sd-util.h"

#define PROXY	20261		/* its dedicated user */
#define CLIENT	20262		/* who is at the other end of the socket */
#define OTHER	20263
#define FDS	KDBUS_HELLO_ACCEPT_FD
#define LABEL	"label-of-the-client"

static struct bus bus;
static struct conn service, user, proxy;

/* tid and starttime 0: unknown */
static const struct kdbus_creds peer = {
	.uid = CLIENT, .gid = CLIENT + 1, .pid = 4242,
};

static const struct sd_hello proxy_hello = {
	.flags = FDS, .attach = SD_PLAIN, .conn_name = "sd_2dproxy",
	.creds = &peer, .label = LABEL,
};

/* the dedicated user, that keeps only CAP_IPC_OWNER; there is no way back */
static void become_proxy(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { 0 };

	kt_assert(!prctl(PR_SET_KEEPCAPS, 1) && !setgroups(0, NULL) &&
		  !setresgid(PROXY, PROXY, PROXY) &&
		  !setresuid(PROXY, PROXY, PROXY), "dropping root: %m");
	d[0].permitted = 1 << CAP_IPC_OWNER;
	d[0].effective = 1 << CAP_IPC_OWNER;
	kt_assert(!syscall(SYS_capset, &h, d), "capset: %m");
}

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&service, &bus, SD_SYSTEM);
	kt_become(OTHER);
	sd_connect(&user, &bus, SD_SYSTEM);
	kt_become(0);
	kt_assert_ret(sd_request_name(&service, SD_NAME, 0), 1, "name");
	become_proxy();
	kt_assert_ret(sd_try_connect(&proxy, &bus, &proxy_hello), 0, "HELLO");
}

/* HELLO of the system's proxy, of a user's, and of one who may not */
START_TEST(hello_privilege)
{
	struct sd_hello h = proxy_hello;
	struct bus mine;
	struct conn c;

	prepare();
	/* ACCEPT_FD iff the client came over AF_UNIX, label if it has one */
	h.flags = 0;
	h.label = NULL;
	kt_check_ret(sd_try_connect(&c, &bus, &h), 0, "client without label");
	kt_check(c.hello.flags == 0, "flags %#llx", c.hello.flags);
	kt_drop_caps();
	kt_check_ret(sd_try_connect(&c, &bus, &proxy_hello), -EPERM,
		     "without CAP_IPC_OWNER");
	h.creds = NULL;
	kt_check_ret(sd_try_connect(&c, &bus, &h), 0, "under its own name");
	/* the proxy of a user, on the bus of that user */
	kt_assert_ret(sd_bus_try_make(&mine, 0, NULL), 0, "BUS_MAKE");
	kt_check_ret(sd_try_connect(&c, &mine, &proxy_hello), 0, "own bus");
}
END_TEST

static void check_faked(const struct kdbus_item *creds,
			const struct kdbus_item *label)
{
	kt_check(creds && creds->size == 56 &&
		 !memcmp(&creds->creds, &peer, sizeof(peer)), "CREDS");
	kt_check(label && label->size == HDR + sizeof(LABEL) &&
		 !strcmp(label->str, LABEL), "SECLABEL");
}

/* what others see: exactly these items, and no CAPS; so it is unprivileged */
START_TEST(faked_credentials)
{
	const struct kdbus_item *item;
	const struct kdbus_info *i;
	const struct kdbus_msg *m;
	unsigned int n = 0;
	u64 off;

	prepare();
	kt_assert_ret(sd_info(&service, proxy.id, NULL, SD_SYSTEM, &off), 0,
		      "CONN_INFO");
	i = sd_info_at(&service, off);
	check_faked(sd_info_item(i, KDBUS_ITEM_CREDS, 0),
		    sd_info_item(i, KDBUS_ITEM_SECLABEL, 0));
	kt_check(i->size == 24 + 56 + ALIGN8(HDR + sizeof(LABEL)),
		 "CONN_INFO: size %llu", i->size);
	kt_check_ret(sd_request_name(&proxy, "com.example.Client", 0), 1,
		     "name");
	kt_check_ret(sd_send_call(&proxy, 0, 1, 0, SD_NAME), 0, "call");
	m = conn_recv_msg(&service, &off);
	check_faked(item_find(m, KDBUS_ITEM_CREDS, 0),
		    item_find(m, KDBUS_ITEM_SECLABEL, 0));
	item = item_find(m, KDBUS_ITEM_NAME, 0);
	kt_check(item && !strcmp(item->name.name, "com.example.Client"),
		 "NAME");
	for_each_item(item, m)
		n += item->type >= _KDBUS_ITEM_ATTACH_BASE;
	kt_check(n == 3, "%u items of metadata", n);
	/* CONN_NAME tells that it is a proxy, to who asks */
	kt_assert_ret(sd_info(&service, proxy.id, NULL,
			      KDBUS_ATTACH_CONN_NAME, &off), 0, "CONN_INFO");
	item = sd_info_item(sd_info_at(&service, off), KDBUS_ITEM_CONN_NAME,
			    0);
	kt_check(item && !strcmp(item->str, "sd_2dproxy"), "CONN_NAME");
}
END_TEST

/* the kernel judges by the real credentials: it can own and call anything */
START_TEST(may_do_anything)
{
	prepare();
	kt_check_ret(sd_request_name(&proxy, "com.example.Any", 0), 1, "own");
	kt_check_ret(sd_send_call(&proxy, 0, 1, 0, SD_NAME), 0, "of root");
	kt_check_ret(sd_send_call(&proxy, 0, 2, user.id, NULL), 0, "of a user");
	expect_msg(&user, 2, 0);
	kt_check_ret(sd_send_return(&user, 3, 2, proxy.id), 0, "answer");
	expect_msg(&proxy, 3, 2);
	/* its clients' user has nothing of that */
	kt_check_ret(sd_send_call(&user, 0, 4, proxy.id, NULL), -EPERM,
		     "another user");
	/* privilege is that of HELLO */
	kt_drop_caps();
	kt_check_ret(sd_send_call(&proxy, 0, 5, user.id, NULL), 0, "later");
	kt_check_ret(sd_request_name(&proxy, "com.example.Two", 0), 1, "own");
}
END_TEST

static void expect_type(u64 type, u64 old_id, u64 new_id, const char *name)
{
	if (type == KDBUS_ITEM_ID_ADD || type == KDBUS_ITEM_ID_REMOVE)
		expect_id_note(&proxy, type, new_id, FDS);
	else
		expect_name_note(&proxy, type, old_id, 0, new_id, 0, name);
}

/*
 * Own names: rules for NameOwnerChanged with arg1 and arg2 = own unique name,
 * for NameLost and NameAcquired
 */
START_TEST(own_names)
{
	static const u8 mask[SD_BLOOM] = { 1 };
	struct sd_rule r = { .name = DRIVER, .notes = true, .mask = mask };
	const char *name = "com.example.Mine";
	struct conn c;

	prepare();
	r.arg1 = proxy.id;
	kt_check_ret(sd_add_match(&proxy, 1, &r), 0, "arg1");
	r.arg1 = 0;
	r.arg2 = proxy.id;
	kt_check_ret(sd_add_match(&proxy, 2, &r), 0, "arg2");
	kt_check_ret(sd_request_name(&proxy, name, 0), 1, "acquire");
	expect_type(KDBUS_ITEM_NAME_ADD, 0, proxy.id, name);
	kt_check_ret(sd_request_name(&service, name, QUEUE), 0, "wait");
	kt_check_ret(sd_release_name(&proxy, name), 0, "release");
	expect_name_note(&proxy, KDBUS_ITEM_NAME_CHANGE, proxy.id, 0,
			 service.id, QUEUE, name);
	kt_check_ret(sd_request_name(&proxy, name, QUEUE), 0, "wait");
	expect_empty(&proxy);
	kt_check_ret(sd_release_name(&service, name), 0, "release");
	expect_name_note(&proxy, KDBUS_ITEM_NAME_CHANGE, service.id, QUEUE,
			 proxy.id, QUEUE, name);
	kt_check_ret(sd_release_name(&proxy, name), 0, "release");
	expect_name_note(&proxy, KDBUS_ITEM_NAME_REMOVE, proxy.id, QUEUE, 0, 0,
			 name);
	/* names of others are not heard of */
	kt_check_ret(sd_request_name(&service, name, 0), 1, "acquire");
	kt_check_ret(sd_release_name(&service, name), 0, "release");
	expect_empty(&proxy);
	/* ids are: false positives, that v217 hands to the client */
	sd_connect(&c, &bus, SD_PLAIN);
	expect_type(KDBUS_ITEM_ID_ADD, 0, c.id, NULL);
	conn_close(&c);
	expect_type(KDBUS_ITEM_ID_REMOVE, 0, c.id, NULL);
	expect_empty(&proxy);
}
END_TEST

/* until Hello the kdbus side is not read: what comes, waits */
START_TEST(before_hello)
{
	const struct sd_rule r = { .notes = true };
	u32 i;

	prepare();
	kt_check_ret(sd_add_match(&proxy, 1, &r), 0, "rule");
	for (i = 1; i <= 100; i++)
		kt_check_ret(sd_send_call(&service, 0, i, proxy.id, NULL), 0,
			     "call %u", i);
	for (i = 1; i <= 100; i++)
		expect_msg(&proxy, i, 0);
	expect_empty(&proxy);
}
END_TEST

/* cookie, flags and 25 s of a forwarded call; an answer of another client */
START_TEST(forwarding)
{
	const struct kdbus_msg *m;
	struct sd_msg h;
	struct blob b;
	u64 off;

	prepare();
	kt_check_ret(sd_send_call(&proxy, SD_NO_START, 0xffffffff, 0, SD_NAME),
		     0, "call");
	m = conn_recv_msg(&service, &off);
	kt_check(m->cookie == 0xffffffff && m->flags == (EXPECT | NOAUTO) &&
		 m->timeout_ns > now_ns() &&
		 m->timeout_ns <= now_ns() + SD_TIMEOUT, "call");
	/* V217: a reply that lacks no-reply-expected goes as a request */
	sd_return(&h, 5, 0xffffffff, proxy.id);
	h.raw[2] = 0;
	sd_end(&h, 0);
	sd_msg_init(&b, &h, proxy.id, NULL);
	kt_check(b.msg.flags == EXPECT, "test bug: no request");
	kt_check_ret(sd_send(&service, &b), 0, "reply as request");
	sd_expect(&proxy, &h, service.id, proxy.id);
	/* and the call is still open */
	conn_close(&service);
	expect_note(&proxy, KDBUS_ITEM_REPLY_DEAD, 0xffffffff);
}
END_TEST

/* a sender that owns the driver's name is known by its NAME items */
START_TEST(driver_name)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *m;

	prepare();
	kt_check_ret(sd_request_name(&service, DRIVER, 0), 1, "name");
	kt_check_ret(sd_send_call(&service, 0, 1, proxy.id, NULL), 0, "call");
	m = conn_recv_msg(&proxy, NULL);
	item = item_find(m, KDBUS_ITEM_NAME, 0);
	kt_check(item && !strcmp(item->name.name, SD_NAME), "first name");
	item = item_find(m, KDBUS_ITEM_NAME, 1);
	kt_check(item && !strcmp(item->name.name, DRIVER), "driver's name");
	kt_check(!item_find(m, KDBUS_ITEM_CREDS, 0), "0x8 is NAMES only");
}
END_TEST

/* errors that are answered; the connection goes on */
START_TEST(send_errors)
{
	prepare();
	kt_check_ret(sd_send_call(&proxy, 0, 1, 999, NULL), -ENXIO, "id");
	kt_check_ret(sd_send_call(&proxy, 0, 2, 0, "a.b"), -ESRCH, "name");
	sd_activator(&service, &bus, "a.b");
	kt_check_ret(sd_send_call(&proxy, SD_NO_START, 3, 0, "a.b"),
		     -EADDRNOTAVAIL, "activatable");
	kt_check_ret(sd_send_call(&proxy, 0, 4, 0, "a.b"), 0, "starts it");
	expect_empty(&proxy);
}
END_TEST

KT_SUITE("sd-proxy")
{
	kt_test(hello_privilege);
	kt_test(faked_credentials);
	kt_test(may_do_anything);
	kt_test(own_names);
	kt_test(before_hello);
	kt_test(forwarding);
	kt_test(driver_name);
	kt_test(send_errors);
}
