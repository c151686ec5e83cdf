// SPDX-License-Identifier: GPL-2.0-only
/* The commands that carry items */

#include <unistd.h>

#include "cast.h"
#include "item-carrier.h"

#define POOL	(64 * KIB)

static struct bus bus;
static struct conn self;

static void begin_make(struct blob *b)
{
	char name[64];

	bus_name(name, sizeof(name));
	make_std(b, 0, name);
}

static int fire_make(struct blob *b)
{
	int fd = open_control();
	int ret = kt_cmd(fd, KDBUS_CMD_BUS_MAKE, b);

	close(fd);
	return ret;
}

static int accept_make(u64 type)
{
	return type == KDBUS_ITEM_MAKE_NAME ||
	       type == KDBUS_ITEM_BLOOM_PARAMETER ? -EEXIST : 0;
}

static void begin_hello(struct blob *b)
{
	hello_init(b, 0, POOL);
}

static int fire_hello(struct blob *b)
{
	int fd = open_endpoint(&bus);
	int ret = kt_cmd(fd, KDBUS_CMD_HELLO, b);

	close(fd);
	return ret;
}

static int accept_hello(u64 type)
{
	return type == KDBUS_ITEM_NAME ? -EINVAL : 0;
}

static void begin_send(struct blob *b)
{
	msg_init(b, self.id, 1);
}

static int fire_send(struct blob *b)
{
	int ret = conn_send(&self, b);
	unsigned int n = conn_drain(&self);

	kt_check(n == !ret, "MSG_SEND returned %s, %u messages came",
		 kt_err(ret), n);
	return ret;
}

/* 1: depends on more than the item's form, not tested here */
static int accept_send(u64 type)
{
	switch (type) {
	case KDBUS_ITEM_BLOOM_FILTER:
		return -EBADMSG;
	case KDBUS_ITEM_DST_NAME:
	case KDBUS_ITEM_FDS:
	case KDBUS_ITEM_PAYLOAD_MEMFD:
		return 1;
	default:
		return 0;
	}
}

static void begin_domain(struct blob *b)
{
	char name[64];

	bus_name(name, sizeof(name));
	make_init(b, 0);
	blob_add_str(b, KDBUS_ITEM_MAKE_NAME, name);
}

static int fire_domain(struct blob *b)
{
	int fd = open_control();
	int ret = kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, b);

	close(fd);
	return ret;
}

static int accept_domain(u64 type)
{
	return type == KDBUS_ITEM_MAKE_NAME ? -EEXIST : 0;
}

static int fire_endpoint(struct blob *b)
{
	int fd = open_endpoint(&bus);
	int ret = kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, b);

	close(fd);
	return ret;
}

/* of what depends on a name before it, or on the name itself */
static int accept_policy(u64 type)
{
	switch (type) {
	case KDBUS_ITEM_POLICY_ACCESS:
		return -EINVAL;
	case KDBUS_ITEM_NAME:
		return 1;
	default:
		return 0;
	}
}

static int accept_endpoint(u64 type)
{
	return type == KDBUS_ITEM_MAKE_NAME ? -EEXIST : accept_policy(type);
}

static void begin_update(struct blob *b)
{
	blob_init(b, sizeof(struct kdbus_cmd_update));
}

static int fire_endpoint_update(struct blob *b)
{
	static int owner;
	struct blob make;

	if (!owner) {
		owner = open_endpoint(&bus);
		begin_domain(&make);
		kt_assert_ret(kt_cmd(owner, KDBUS_CMD_ENDPOINT_MAKE, &make), 0,
			      "ENDPOINT_MAKE");
	}
	return kt_cmd(owner, KDBUS_CMD_ENDPOINT_UPDATE, b);
}

static int fire_conn_update(struct blob *b)
{
	return kt_cmd(self.fd, KDBUS_CMD_CONN_UPDATE, b);
}

static int accept_conn_update(u64 type)
{
	return type == KDBUS_ITEM_NAME || type == KDBUS_ITEM_POLICY_ACCESS ?
	       -EOPNOTSUPP : 0;
}

static void begin_name(struct blob *b)
{
	blob_init(b, sizeof(struct kdbus_cmd_name));
	blob_add_str(b, KDBUS_ITEM_NAME, "com.example.item");
}

static int fire_acquire(struct blob *b)
{
	int ret = kt_cmd(self.fd, KDBUS_CMD_NAME_ACQUIRE, b);

	if (!ret)
		kt_check_ret(name_release(&self, "com.example.item"), 0,
			     "NAME_RELEASE");
	return ret;
}

static int fire_release(struct blob *b)
{
	int ret, again;

	kt_assert_ret(name_acquire(&self, "com.example.item", 0), 0,
		      "NAME_ACQUIRE");
	ret = kt_cmd(self.fd, KDBUS_CMD_NAME_RELEASE, b);
	again = name_release(&self, "com.example.item");
	kt_check_ret(again, ret ? 0 : -ESRCH, "after NAME_RELEASE: %s",
		     kt_err(ret));
	return ret;
}

static int accept_name(u64 type)
{
	return type == KDBUS_ITEM_NAME ? -EINVAL : 0;
}

static void begin_info(struct blob *b)
{
	struct kdbus_cmd_info *info = (void *)b;

	blob_init(b, sizeof(*info));
	info->id = self.id;
}

static int fire_info(unsigned long nr, struct blob *b)
{
	int ret = kt_cmd(self.fd, nr, b);
	u64 off = ((struct kdbus_cmd_info *)b)->offset;

	if (!ret)
		kt_check_ret(conn_free(&self, off), 0, "FREE");
	return ret;
}

static int fire_conn_info(struct blob *b)
{
	return fire_info(KDBUS_CMD_CONN_INFO, b);
}

static int fire_creator_info(struct blob *b)
{
	return fire_info(KDBUS_CMD_BUS_CREATOR_INFO, b);
}

static int accept_all(u64 type)
{
	(void)type;
	return 0;
}

static void begin_match(struct blob *b)
{
	match_init(b, 1, 0);
}

static int fire_match(struct blob *b)
{
	int ret = match_add(&self, b);

	kt_check_ret(match_remove(&self, 1), ret ? -ENOENT : 0,
		     "MATCH_REMOVE after %s", kt_err(ret));
	return ret;
}

static int accept_match(u64 type)
{
	return type == KDBUS_ITEM_NAME || type == KDBUS_ITEM_BLOOM_MASK;
}

const struct carrier carriers[] = {
	{ "BUS_MAKE", 24, 32768, begin_make, fire_make, accept_make },
	{ "DOMAIN_MAKE", 24, 32768, begin_domain, fire_domain, accept_domain },
	{ "ENDPOINT_MAKE", 24, 32768, begin_domain, fire_endpoint,
	  accept_endpoint },
	{ "ENDPOINT_UPDATE", 24, 32768, begin_update, fire_endpoint_update,
	  accept_policy },
	{ "HELLO", 88, 32768, begin_hello, fire_hello, accept_hello },
	{ "MSG_SEND", 72, 8192, begin_send, fire_send, accept_send },
	{ "NAME_ACQUIRE", 24, 296, begin_name, fire_acquire, accept_name },
	{ "NAME_RELEASE", 24, 296, begin_name, fire_release, accept_name },
	{ "CONN_INFO", 40, 312, begin_info, fire_conn_info, accept_all },
	{ "BUS_CREATOR_INFO", 40, 312, begin_info, fire_creator_info,
	  accept_all },
	{ "CONN_UPDATE", 24, 32768, begin_update, fire_conn_update,
	  accept_conn_update },
	{ "MATCH_ADD", 32, 32768, begin_match, fire_match, accept_match },
};

const unsigned int n_carriers = ARRAY_SIZE(carriers);

void carriers_prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&self, &bus, POOL);
}

void carriers_check_pool_empty(void)
{
	conn_check_pool_empty(&self, &self);
}
