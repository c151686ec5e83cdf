/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_LIMITS_H
#define __KDBUS_LIMITS_H

/**
 * DOC: Limits
 *
 * Every number that bounds something, in one place. All of them are
 * inclusive: the value itself is still allowed.
 *
 * Documentation/kdbus.txt, section 5.5.
 */

#include <linux/mm.h>
#include <linux/sizes.h>

/* bytes of struct and items of a command */
#define KDBUS_MSG_MAX_SIZE		SZ_8K
#define KDBUS_MAKE_MAX_SIZE		SZ_32K
#define KDBUS_HELLO_MAX_SIZE		SZ_32K

/* items in a message, of whatever type */
#define KDBUS_MSG_MAX_ITEMS		128

/* descriptors in a message */
#define KDBUS_MSG_MAX_FDS		253

/* sum of the sizes of all vecs of a message, zero vecs included */
#define KDBUS_MSG_MAX_PAYLOAD_VEC_SIZE	SZ_2M

/* bytes in a bloom filter */
#define KDBUS_BUS_BLOOM_MIN_SIZE	8
#define KDBUS_BUS_BLOOM_MAX_SIZE	SZ_4K

/* characters without the NUL: of node and connection names, of bus names */
#define KDBUS_SYSNAME_MAX_LEN		63
#define KDBUS_NAME_MAX_LEN		255

/*
 * Length of a node's path below /dev. A uevent carries it twice and has 2 KiB
 * for everything.
 */
#define KDBUS_PATH_MAX_LEN		767

#define KDBUS_UPDATE_MAX_SIZE		SZ_32K
#define KDBUS_MATCH_MAX_SIZE		SZ_32K

/* matches, names owned and waited for, requests without a reply, each */
#define KDBUS_MATCH_MAX			256
#define KDBUS_CONN_MAX_NAMES		64
#define KDBUS_CONN_MAX_WAITS		256
#define KDBUS_CONN_MAX_REQUESTS_PENDING	128

/* messages waiting in one connection */
#define KDBUS_CONN_MAX_MSGS		256

/*
 * As long as fewer than KDBUS_CONN_FREE_MSGS messages wait, none is counted.
 * Beyond, each sending user gets KDBUS_CONN_MAX_MSGS_PER_USER.
 */
#define KDBUS_CONN_FREE_MSGS		16
#define KDBUS_CONN_MAX_MSGS_PER_USER	16

/*
 * Notifications waiting in one connection, beside its messages. As long as
 * there are fewer than KDBUS_CONN_FREE_NOTES, none is counted. Beyond, each
 * user that causes some gets KDBUS_CONN_MAX_NOTES_PER_USER. Those about replies
 * come from requests of the connection itself.
 */
#define KDBUS_CONN_FREE_NOTES		240
#define KDBUS_CONN_MAX_NOTES_PER_USER	16
#define KDBUS_CONN_MAX_REPLY_NOTES	256

/* descriptors that one user may have waiting in a connection of another */
#define KDBUS_CONN_MAX_FDS_PER_USER	KDBUS_MSG_MAX_FDS

/*
 * Files that one user may have waiting in a connection, however many wait for
 * other connections of the same user.
 */
#define KDBUS_CONN_FREE_FILES		4

/* connections, buses and custom endpoints per user and domain */
#define KDBUS_USER_MAX_CONN		256
#define KDBUS_USER_MAX_BUSES		16
#define KDBUS_USER_MAX_EPS		256

/* matches of all connections of a user in a domain, and their bytes */
#define KDBUS_USER_MAX_MATCHES		16384
#define KDBUS_USER_MAX_MATCH_BYTES	SZ_16M

/*
 * Unused pages a pool keeps for good, and while it is busy. The second is
 * enough for two messages of the largest size in flight.
 */
#define KDBUS_POOL_KEEP_PAGES		(SZ_64K >> PAGE_SHIFT)
#define KDBUS_POOL_HOT_PAGES		((2 * KDBUS_MSG_MAX_PAYLOAD_VEC_SIZE + \
					  SZ_64K) >> PAGE_SHIFT)

#endif
