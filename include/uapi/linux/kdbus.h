/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * kdbus: a message bus in the kernel
 *
 * The model. A domain holds buses, a bus holds endpoints, and an endpoint is a
 * device node that a process opens. KDBUS_CMD_HELLO on such a descriptor makes
 * it a connection: a numbered peer on the bus with a receive pool, a memory
 * area that the kernel writes and the process maps read-only.
 *
 * A message is a struct kdbus_msg followed by items. KDBUS_CMD_MSG_SEND copies
 * it, together with the payload its KDBUS_ITEM_PAYLOAD_VEC items point to,
 * straight into the pool of the receiver. KDBUS_CMD_MSG_RECV returns the offset
 * of the oldest message in the pool, KDBUS_CMD_FREE gives the space back.
 *
 * Conventions of every command:
 *
 *  - The argument is a pointer aligned to 8 bytes. Structures have the same
 *    layout for 32-bit and 64-bit programs; pointers travel in 64-bit members.
 *  - Structures that start with a size member may be followed by items, and
 *    size covers both. An item is a 16-byte header and its payload. The next
 *    item begins at the next multiple of 8; size does not count that padding.
 *  - Before flags is judged, the kernel stores the flags it knows, together
 *    with KDBUS_FLAG_KERNEL, in kernel_flags. A program that wants to know
 *    what the running kernel offers passes KDBUS_FLAG_KERNEL, which is never
 *    acceptable: the call fails with EINVAL and kernel_flags holds the answer.
 *  - A command returns 0, or -1 with errno set. A command that failed has
 *    changed nothing but kernel_flags, except that KDBUS_CMD_HELLO with EFAULT
 *    may have succeeded, that a synchronous request may have been sent, and
 *    what is said of extensions below.
 *
 * The direction bits of some command numbers do not describe what the command
 * does with its argument. They are part of the interface and stay as they are.
 *
 * Documentation/kdbus.txt describes each command with its errors.
 */
#ifndef _UAPI_LINUX_KDBUS_H
#define _UAPI_LINUX_KDBUS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Trailing arrays in unions and 64-bit enumerators are extensions that every
 * kernel compiler has and ISO C and C++ have not. Compilers do not warn of them in
 * system headers, which this is once installed; make it one elsewhere as well.
 */
#if !defined(__KERNEL__) && defined(__GNUC__)
#pragma GCC system_header
#endif

/* C++ has no flexible arrays, and empty structures have a size there */
#ifdef __cplusplus
#define __KDBUS_DECLARE_FLEX(type, name) struct { type name[0]; }
#else
#define __KDBUS_DECLARE_FLEX(type, name) \
	struct { struct { } __empty_ ## name; type name[]; }
#endif

#define __kdbus_aligned		__attribute__((__aligned__(8)))

#define KDBUS_IOCTL_MAGIC	0x95

/* src_id of a message that the kernel itself sent */
#define KDBUS_SRC_ID_KERNEL	(0)
/* dst_id: a KDBUS_ITEM_DST_NAME item names the receiver */
#define KDBUS_DST_ID_NAME	(0)
/* in the id of a match rule: any id */
#define KDBUS_MATCH_ID_ANY	(~0ULL)
/* dst_id: every connection with a match for the message */
#define KDBUS_DST_ID_BROADCAST	(~0ULL)

/* set in kernel_flags by the kernel, never valid in flags */
#define KDBUS_FLAG_KERNEL	(1ULL << 63)

/**
 * enum kdbus_ext_flags - what goes beyond version 1 of the interface
 * @KDBUS_EXT_ATTACH:	The sender has a say in what is attached to messages
 *
 * An extension is a flag of the commands it is about. A kernel that has it says
 * so in kernel_flags; a command that does not set it works as in version 1, and
 * nothing of an extension is shown to others: neither in the flags of buses nor
 * in those of connections.
 *
 * Extensions have bits 48 to 62, of commands and messages alike. Version 1 has
 * the lowest bits, and bit 63. Programs written for it probe what is between
 * with a bit that was unknown then, 32 for instance, and count on EINVAL: bits
 * up to 47 that version 1 does not have stay refused.
 *
 * KDBUS_EXT_ATTACH. In version 1 the receiver alone decides which metadata
 * comes with a message. With this extension each connection also has a mask of
 * what may be attached to its own messages and what KDBUS_CMD_CONN_INFO may
 * tell about it; a receiver gets what both masks have. The creator of a bus may
 * demand a minimum of these masks. Payload of the items is a __u64 of
 * KDBUS_ATTACH_* flags; ~0 stands for all that the kernel knows, any other
 * unknown bit is EINVAL, as is a payload of another size. They are ignored in a
 * command that does not set the flag.
 *
 *  - KDBUS_CMD_BUS_MAKE: KDBUS_ITEM_ATTACH_FLAGS_REQUIRED is what the mask of
 *    every connection must have, none by default.
 *    KDBUS_ITEM_ATTACH_FLAGS_OWNER is what KDBUS_CMD_BUS_CREATOR_INFO may tell,
 *    all by default. EEXIST if one is there twice.
 *  - KDBUS_CMD_HELLO: KDBUS_ITEM_ATTACH_FLAGS_SEND is the mask of the
 *    connection, all by default. ECONNREFUSED if it lacks what the bus
 *    demands; the handle can be used again. With that error, and with success,
 *    the kernel has stored what the bus demands, together with
 *    KDBUS_FLAG_KERNEL, in the payload of the item.
 *  - KDBUS_CMD_CONN_UPDATE: KDBUS_ITEM_ATTACH_FLAGS_SEND is the new mask, for
 *    messages sent from now on. EINVAL if it lacks something that the bus
 *    demands, EOPNOTSUPP if the connection is neither ordinary nor a monitor.
 *
 * Several KDBUS_ITEM_ATTACH_FLAGS_SEND items in one command: the last one
 * counts.
 */
enum kdbus_ext_flags {
	KDBUS_EXT_ATTACH	= 1ULL << 48,
};

/* in place of an offset: nothing there */
#define KDBUS_OFFSET_NONE	(~0ULL)

/**
 * struct kdbus_notify_id_change - a connection came or went
 * @id:		Id of the connection
 * @flags:	Its KDBUS_HELLO_* flags; ignored in a match rule
 *
 * Payload of KDBUS_ITEM_ID_ADD and KDBUS_ITEM_ID_REMOVE.
 */
struct kdbus_notify_id_change {
	__u64 id;
	__u64 flags;
} __kdbus_aligned;

/**
 * struct kdbus_notify_name_change - a well-known name changed hands
 * @old_id:	The former owner and its KDBUS_NAME_* flags, 0 if none
 * @new_id:	The new owner and its KDBUS_NAME_* flags, 0 if none
 * @name:	The name, with its NUL; absent in a match rule for all names
 *
 * Payload of KDBUS_ITEM_NAME_ADD, KDBUS_ITEM_NAME_REMOVE and
 * KDBUS_ITEM_NAME_CHANGE.
 */
struct kdbus_notify_name_change {
	struct kdbus_notify_id_change old_id;
	struct kdbus_notify_id_change new_id;
	__KDBUS_DECLARE_FLEX(char, name);
} __kdbus_aligned;

/**
 * struct kdbus_creds - credentials of the sender
 * @uid:	Real user id
 * @gid:	Real group id
 * @pid:	Process id
 * @tid:	Thread id
 * @starttime:	Start of the process, in nanoseconds of the CLOCK_MONOTONIC of
 *		the receiver
 */
struct kdbus_creds {
	__u64 uid;
	__u64 gid;
	__u64 pid;
	__u64 tid;
	__u64 starttime;
} __kdbus_aligned;

/**
 * struct kdbus_caps - capability sets of the sender
 * @last_cap:	Highest capability the kernel knows
 * @caps:	Inheritable, permitted, effective and bounding set, of equal
 *		length
 */
struct kdbus_caps {
	__u32 last_cap;
	__KDBUS_DECLARE_FLEX(__u32, caps);
};

/**
 * struct kdbus_audit - audit identity of the sender
 * @sessionid:	Audit session id
 * @loginuid:	Audit login uid
 */
struct kdbus_audit {
	__u64 sessionid;
	__u64 loginuid;
} __kdbus_aligned;

/**
 * struct kdbus_timestamp - when the message was sent
 * @seqnum:		Number of the message in its domain
 * @monotonic_ns:	CLOCK_MONOTONIC of the receiver, in nanoseconds
 * @realtime_ns:	CLOCK_REALTIME, in nanoseconds
 */
struct kdbus_timestamp {
	__u64 seqnum;
	__u64 monotonic_ns;
	__u64 realtime_ns;
} __kdbus_aligned;

/**
 * struct kdbus_vec - one run of payload bytes
 * @size:	Number of bytes
 * @address:	To the kernel: where they are in the memory of the sender, or 0
 *		for @size zero bytes that are not stored anywhere
 * @offset:	From the kernel: where they are, relative to the start of the
 *		message, or ~0 for zero bytes
 */
struct kdbus_vec {
	__u64 size;
	union {
		__u64 address;
		__u64 offset;
	};
} __kdbus_aligned;

/**
 * struct kdbus_bloom_parameter - shape of all bloom filters on a bus
 * @size:	Bytes in a filter: a multiple of 8 between 8 and 4096
 * @n_hash:	Hash functions per entry, at least 1; the kernel only passes
 *		it on
 */
struct kdbus_bloom_parameter {
	__u64 size;
	__u64 n_hash;
} __kdbus_aligned;

/**
 * struct kdbus_bloom_filter - what a broadcast is about
 * @generation:	Which generation of a subscriber's mask to compare with
 * @data:	The filter, as long as the bus says
 */
struct kdbus_bloom_filter {
	__u64 generation;
	__KDBUS_DECLARE_FLEX(__u64, data);
} __kdbus_aligned;

/**
 * struct kdbus_memfd - payload in a sealed memory file
 * @size:	How much of the file belongs to the message
 * @fd:		The descriptor; -1 in a message that was only peeked at
 * @__pad:	0
 */
struct kdbus_memfd {
	__u64 size;
	int fd;
	__u32 __pad;
} __kdbus_aligned;

/**
 * struct kdbus_name - a well-known name that the sender owns
 * @flags:	KDBUS_NAME_* flags it was acquired with
 * @name:	The name, with its NUL
 */
struct kdbus_name {
	__u64 flags;
	__KDBUS_DECLARE_FLEX(char, name);
} __kdbus_aligned;

enum kdbus_policy_access_type {
	_KDBUS_POLICY_ACCESS_NULL,
	KDBUS_POLICY_ACCESS_USER,
	KDBUS_POLICY_ACCESS_GROUP,
	KDBUS_POLICY_ACCESS_WORLD,
};

/* each level includes those before it */
enum kdbus_policy_type {
	KDBUS_POLICY_SEE,
	KDBUS_POLICY_TALK,
	KDBUS_POLICY_OWN,
};

/**
 * struct kdbus_policy_access - one grant in a policy
 * @type:	Kind of subject: KDBUS_POLICY_ACCESS_*
 * @access:	What: KDBUS_POLICY_*
 * @id:		The uid or gid, for users and groups
 */
struct kdbus_policy_access {
	__u64 type;
	__u64 access;
	__u64 id;
} __kdbus_aligned;

/**
 * enum kdbus_item_type - what the payload of an item is
 * @_KDBUS_ITEM_NULL:			Not used
 * @_KDBUS_ITEM_USER_BASE:		First of the types that users send
 * @KDBUS_ITEM_PAYLOAD_VEC:		struct kdbus_vec, bytes to send
 * @KDBUS_ITEM_PAYLOAD_OFF:		struct kdbus_vec, bytes received
 * @KDBUS_ITEM_PAYLOAD_MEMFD:		struct kdbus_memfd
 * @KDBUS_ITEM_FDS:			Array of int, file descriptors
 * @KDBUS_ITEM_BLOOM_PARAMETER:		struct kdbus_bloom_parameter
 * @KDBUS_ITEM_BLOOM_FILTER:		struct kdbus_bloom_filter
 * @KDBUS_ITEM_BLOOM_MASK:		One mask per generation
 * @KDBUS_ITEM_DST_NAME:		String, well-known name of the receiver
 * @KDBUS_ITEM_MAKE_NAME:		String, name of the object to make
 * @KDBUS_ITEM_ATTACH_FLAGS:		__u64, KDBUS_ATTACH_* flags
 * @KDBUS_ITEM_ATTACH_FLAGS_SEND:	__u64, with KDBUS_EXT_ATTACH only
 * @KDBUS_ITEM_ATTACH_FLAGS_REQUIRED:	__u64, with KDBUS_EXT_ATTACH only
 * @KDBUS_ITEM_ATTACH_FLAGS_OWNER:	__u64, with KDBUS_EXT_ATTACH only
 * @KDBUS_ITEM_FREE:			__u64, with KDBUS_MSG_EXT_FREE only: offset
 *					of what to free
 * @_KDBUS_ITEM_ATTACH_BASE:		First of the types that describe a peer
 * @KDBUS_ITEM_NAME:			String in commands and name lists,
 *					struct kdbus_name in messages
 * @KDBUS_ITEM_ID:			__u64, id of a connection
 * @KDBUS_ITEM_TIMESTAMP:		struct kdbus_timestamp
 * @KDBUS_ITEM_CREDS:			struct kdbus_creds
 * @KDBUS_ITEM_AUXGROUPS:		Array of __u64, supplementary groups
 * @KDBUS_ITEM_PID_COMM:		String, name of the process
 * @KDBUS_ITEM_TID_COMM:		String, name of the thread
 * @KDBUS_ITEM_EXE:			String, path of the executable
 * @KDBUS_ITEM_CMDLINE:			Strings, the command line
 * @KDBUS_ITEM_CGROUP:			String, path of the control group
 * @KDBUS_ITEM_CAPS:			struct kdbus_caps
 * @KDBUS_ITEM_SECLABEL:		String, security label
 * @KDBUS_ITEM_AUDIT:			struct kdbus_audit
 * @KDBUS_ITEM_CONN_NAME:		String, name the connection gave itself
 * @_KDBUS_ITEM_POLICY_BASE:		First of the policy types
 * @KDBUS_ITEM_POLICY_ACCESS:		struct kdbus_policy_access
 * @_KDBUS_ITEM_KERNEL_BASE:		First of the types that only the kernel
 *					sends
 * @KDBUS_ITEM_NAME_ADD:		struct kdbus_notify_name_change
 * @KDBUS_ITEM_NAME_REMOVE:		struct kdbus_notify_name_change
 * @KDBUS_ITEM_NAME_CHANGE:		struct kdbus_notify_name_change
 * @KDBUS_ITEM_ID_ADD:			struct kdbus_notify_id_change
 * @KDBUS_ITEM_ID_REMOVE:		struct kdbus_notify_id_change
 * @KDBUS_ITEM_REPLY_TIMEOUT:		Empty: no reply came in time
 * @KDBUS_ITEM_REPLY_DEAD:		Empty: no reply can come any more
 */
enum kdbus_item_type {
	_KDBUS_ITEM_NULL,
	_KDBUS_ITEM_USER_BASE,
	KDBUS_ITEM_PAYLOAD_VEC	= _KDBUS_ITEM_USER_BASE,
	KDBUS_ITEM_PAYLOAD_OFF,
	KDBUS_ITEM_PAYLOAD_MEMFD,
	KDBUS_ITEM_FDS,
	KDBUS_ITEM_BLOOM_PARAMETER,
	KDBUS_ITEM_BLOOM_FILTER,
	KDBUS_ITEM_BLOOM_MASK,
	KDBUS_ITEM_DST_NAME,
	KDBUS_ITEM_MAKE_NAME,
	KDBUS_ITEM_ATTACH_FLAGS,
	KDBUS_ITEM_ATTACH_FLAGS_SEND,
	KDBUS_ITEM_ATTACH_FLAGS_REQUIRED,
	KDBUS_ITEM_ATTACH_FLAGS_OWNER,
	KDBUS_ITEM_FREE,

	_KDBUS_ITEM_ATTACH_BASE	= 0x1000,
	KDBUS_ITEM_NAME		= _KDBUS_ITEM_ATTACH_BASE,
	KDBUS_ITEM_ID,
	KDBUS_ITEM_TIMESTAMP,
	KDBUS_ITEM_CREDS,
	KDBUS_ITEM_AUXGROUPS,
	KDBUS_ITEM_PID_COMM,
	KDBUS_ITEM_TID_COMM,
	KDBUS_ITEM_EXE,
	KDBUS_ITEM_CMDLINE,
	KDBUS_ITEM_CGROUP,
	KDBUS_ITEM_CAPS,
	KDBUS_ITEM_SECLABEL,
	KDBUS_ITEM_AUDIT,
	KDBUS_ITEM_CONN_NAME,

	_KDBUS_ITEM_POLICY_BASE	= 0x2000,
	KDBUS_ITEM_POLICY_ACCESS = _KDBUS_ITEM_POLICY_BASE,

	_KDBUS_ITEM_KERNEL_BASE	= 0x8000,
	KDBUS_ITEM_NAME_ADD	= _KDBUS_ITEM_KERNEL_BASE,
	KDBUS_ITEM_NAME_REMOVE,
	KDBUS_ITEM_NAME_CHANGE,
	KDBUS_ITEM_ID_ADD,
	KDBUS_ITEM_ID_REMOVE,
	KDBUS_ITEM_REPLY_TIMEOUT,
	KDBUS_ITEM_REPLY_DEAD,
};

/**
 * struct kdbus_item - header and payload of one item
 * @size:		Header and payload in bytes, without padding
 * @type:		KDBUS_ITEM_*, decides which member below holds
 * @data:		Payload as bytes
 * @data32:		Payload as 32-bit words
 * @data64:		Payload as 64-bit words
 * @str:		Payload as a NUL-terminated string
 * @id:			A connection id, or attach flags
 * @vec:		KDBUS_ITEM_PAYLOAD_VEC, KDBUS_ITEM_PAYLOAD_OFF
 * @creds:		KDBUS_ITEM_CREDS
 * @audit:		KDBUS_ITEM_AUDIT
 * @caps:		KDBUS_ITEM_CAPS
 * @timestamp:		KDBUS_ITEM_TIMESTAMP
 * @name:		KDBUS_ITEM_NAME in messages
 * @bloom_parameter:	KDBUS_ITEM_BLOOM_PARAMETER
 * @bloom_filter:	KDBUS_ITEM_BLOOM_FILTER
 * @memfd:		KDBUS_ITEM_PAYLOAD_MEMFD
 * @fds:		KDBUS_ITEM_FDS
 * @name_change:	KDBUS_ITEM_NAME_ADD, _REMOVE, _CHANGE
 * @id_change:		KDBUS_ITEM_ID_ADD, _REMOVE
 * @policy_access:	KDBUS_ITEM_POLICY_ACCESS
 */
struct kdbus_item {
	__u64 size;
	__u64 type;
	union {
		__KDBUS_DECLARE_FLEX(__u8, data);
		__KDBUS_DECLARE_FLEX(__u32, data32);
		__KDBUS_DECLARE_FLEX(__u64, data64);
		__KDBUS_DECLARE_FLEX(char, str);

		__u64 id;
		struct kdbus_vec vec;
		struct kdbus_creds creds;
		struct kdbus_audit audit;
		struct kdbus_caps caps;
		struct kdbus_timestamp timestamp;
		struct kdbus_name name;
		struct kdbus_bloom_parameter bloom_parameter;
		struct kdbus_bloom_filter bloom_filter;
		struct kdbus_memfd memfd;
		__KDBUS_DECLARE_FLEX(int, fds);
		struct kdbus_notify_name_change name_change;
		struct kdbus_notify_id_change id_change;
		struct kdbus_policy_access policy_access;
	};
} __kdbus_aligned;

/**
 * enum kdbus_msg_flags - flags of struct kdbus_msg
 * @KDBUS_MSG_FLAGS_EXPECT_REPLY:	The receiver owes an answer until
 *					timeout_ns
 * @KDBUS_MSG_FLAGS_SYNC_REPLY:		Wait for that answer in the call
 * @KDBUS_MSG_FLAGS_NO_AUTO_START:	Fail rather than wait for a service
 *					that is not running
 * @KDBUS_MSG_EXT_RECV:		Then receive, waiting for a message
 * @KDBUS_MSG_EXT_FREE:		When it has succeeded, free what
 *					KDBUS_ITEM_FREE says
 *
 * The last two go beyond version 1: kernel_flags says whether they are there.
 * They make one command of a turn. A client calls with
 * KDBUS_MSG_FLAGS_SYNC_REPLY and KDBUS_MSG_EXT_FREE, which frees the answer
 * before; a service answers with KDBUS_MSG_EXT_RECV and KDBUS_MSG_EXT_FREE, which
 * frees the request it answers and waits for the next one.
 *
 * With KDBUS_MSG_EXT_RECV the kernel stores in offset_reply where the message is
 * that was received, or KDBUS_OFFSET_NONE if none was: the command has succeeded
 * all the same, as its own message was sent. KDBUS_CMD_MSG_RECV tells why.
 * Receivers do not see these flags, nor the item.
 */
enum kdbus_msg_flags {
	KDBUS_MSG_FLAGS_EXPECT_REPLY	= 1ULL << 0,
	KDBUS_MSG_FLAGS_SYNC_REPLY	= 1ULL << 1,
	KDBUS_MSG_FLAGS_NO_AUTO_START	= 1ULL << 2,
	KDBUS_MSG_EXT_RECV		= 1ULL << 48,
	KDBUS_MSG_EXT_FREE		= 1ULL << 49,
};

/**
 * enum kdbus_payload_type - what the payload of a message is
 * @KDBUS_PAYLOAD_KERNEL:	A notification of the kernel; users may not
 *				send it
 * @KDBUS_PAYLOAD_DBUS:		A D-Bus message ("DBusDBus"); users may use any
 *				other value as well
 */
enum kdbus_payload_type {
	KDBUS_PAYLOAD_KERNEL,
	KDBUS_PAYLOAD_DBUS	= 0x4442757344427573ULL,
};

/**
 * struct kdbus_msg - a message, argument of KDBUS_CMD_MSG_SEND
 * @size:		Header and items; not the payload items refer to
 * @flags:		KDBUS_MSG_FLAGS_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @priority:		Urgency, smaller is more urgent
 * @dst_id:		Receiver: an id, KDBUS_DST_ID_NAME or
 *			KDBUS_DST_ID_BROADCAST
 * @src_id:		Sender; 0 or the own id when sending
 * @payload_type:	KDBUS_PAYLOAD_*
 * @cookie:		Chosen by the sender, to recognise the reply by
 * @timeout_ns:		In a request: when waiting for the reply ends, in
 *			nanoseconds of CLOCK_MONOTONIC; sender and receiver see
 *			that of their own time namespaces
 * @cookie_reply:	Else: cookie of the message this one answers, or 0
 * @offset_reply:	From a synchronous request: where the reply is in the
 *			pool; with KDBUS_MSG_EXT_RECV, what was received
 * @items:		Items
 */
struct kdbus_msg {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__s64 priority;
	__u64 dst_id;
	__u64 src_id;
	__u64 payload_type;
	__u64 cookie;
	union {
		__u64 timeout_ns;
		__u64 cookie_reply;
		__u64 offset_reply;
	};
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * enum kdbus_recv_flags - flags of struct kdbus_cmd_recv
 * @KDBUS_RECV_PEEK:		Show the message, leave it in the queue
 * @KDBUS_RECV_DROP:		Throw the message away
 * @KDBUS_RECV_USE_PRIORITY:	Take the most urgent message, if it is as
 *				urgent as priority says
 * @KDBUS_RECV_EXT_WAIT:	Wait until there is such a message
 * @KDBUS_RECV_EXT_FREE:	First free what is at offset, unless that is
 *				KDBUS_OFFSET_NONE
 *
 * The last two go beyond version 1: kernel_flags says whether they are there. A
 * command that has freed and then fails leaves KDBUS_OFFSET_NONE in offset, so it
 * can be repeated as it is.
 */
enum kdbus_recv_flags {
	KDBUS_RECV_PEEK		= 1ULL << 0,
	KDBUS_RECV_DROP		= 1ULL << 1,
	KDBUS_RECV_USE_PRIORITY	= 1ULL << 2,
	KDBUS_RECV_EXT_WAIT	= 1ULL << 48,
	KDBUS_RECV_EXT_FREE	= 1ULL << 49,
};

/**
 * struct kdbus_cmd_recv - argument of KDBUS_CMD_MSG_RECV
 * @flags:		KDBUS_RECV_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @priority:		Least urgent priority wanted
 * @offset:		0, or with KDBUS_RECV_EXT_FREE what to free; the kernel
 *			returns where the message is in the pool
 */
struct kdbus_cmd_recv {
	__u64 flags;
	__u64 kernel_flags;
	__s64 priority;
	__u64 offset;
} __kdbus_aligned;

/**
 * struct kdbus_cmd_cancel - argument of KDBUS_CMD_MSG_CANCEL
 * @cookie:	Cookie of the synchronous request to end
 * @flags:	0
 */
struct kdbus_cmd_cancel {
	__u64 cookie;
	__u64 flags;
} __kdbus_aligned;

/**
 * struct kdbus_cmd_free - argument of KDBUS_CMD_FREE
 * @offset:		An offset that a command returned
 * @flags:		0
 * @kernel_flags:	Written by the kernel: the flags it knows
 */
struct kdbus_cmd_free {
	__u64 offset;
	__u64 flags;
	__u64 kernel_flags;
} __kdbus_aligned;

/**
 * enum kdbus_hello_flags - flags of struct kdbus_cmd_hello
 * @KDBUS_HELLO_ACCEPT_FD:	Messages with file descriptors are welcome
 * @KDBUS_HELLO_ACTIVATOR:	Hold a name until its service starts
 * @KDBUS_HELLO_POLICY_HOLDER:	Only hold the policy of a name
 * @KDBUS_HELLO_MONITOR:	See what everybody else is sent
 * @KDBUS_HELLO_EXT_RESERVE:	Have all of the pool's memory from the beginning
 *
 * With KDBUS_HELLO_EXT_RESERVE the pages of the pool are allocated and charged to
 * the memory cgroup of the caller before the command returns, and none is given
 * back while there is a connection: later messages find room in the pool whatever
 * the memory situation is by then. ENOMEM if there is not enough, EINTR if a
 * signal came; the handle can be used again. See &enum kdbus_ext_flags.
 */
enum kdbus_hello_flags {
	KDBUS_HELLO_ACCEPT_FD		= 1ULL << 0,
	KDBUS_HELLO_ACTIVATOR		= 1ULL << 1,
	KDBUS_HELLO_POLICY_HOLDER	= 1ULL << 2,
	KDBUS_HELLO_MONITOR		= 1ULL << 3,
	KDBUS_HELLO_EXT_RESERVE		= 1ULL << 49,
};

/**
 * enum kdbus_attach_flags - what to tell a receiver about a sender
 * @KDBUS_ATTACH_TIMESTAMP:	KDBUS_ITEM_TIMESTAMP
 * @KDBUS_ATTACH_CREDS:		KDBUS_ITEM_CREDS
 * @KDBUS_ATTACH_AUXGROUPS:	KDBUS_ITEM_AUXGROUPS
 * @KDBUS_ATTACH_NAMES:		KDBUS_ITEM_NAME, one per name
 * @KDBUS_ATTACH_TID_COMM:	KDBUS_ITEM_TID_COMM
 * @KDBUS_ATTACH_PID_COMM:	KDBUS_ITEM_PID_COMM
 * @KDBUS_ATTACH_EXE:		KDBUS_ITEM_EXE
 * @KDBUS_ATTACH_CMDLINE:	KDBUS_ITEM_CMDLINE
 * @KDBUS_ATTACH_CGROUP:	KDBUS_ITEM_CGROUP
 * @KDBUS_ATTACH_CAPS:		KDBUS_ITEM_CAPS
 * @KDBUS_ATTACH_SECLABEL:	KDBUS_ITEM_SECLABEL
 * @KDBUS_ATTACH_AUDIT:		KDBUS_ITEM_AUDIT
 * @KDBUS_ATTACH_CONN_NAME:	KDBUS_ITEM_CONN_NAME
 * @_KDBUS_ATTACH_ALL:		All of these
 */
enum kdbus_attach_flags {
	KDBUS_ATTACH_TIMESTAMP	= 1ULL << 0,
	KDBUS_ATTACH_CREDS	= 1ULL << 1,
	KDBUS_ATTACH_AUXGROUPS	= 1ULL << 2,
	KDBUS_ATTACH_NAMES	= 1ULL << 3,
	KDBUS_ATTACH_TID_COMM	= 1ULL << 4,
	KDBUS_ATTACH_PID_COMM	= 1ULL << 5,
	KDBUS_ATTACH_EXE	= 1ULL << 6,
	KDBUS_ATTACH_CMDLINE	= 1ULL << 7,
	KDBUS_ATTACH_CGROUP	= 1ULL << 8,
	KDBUS_ATTACH_CAPS	= 1ULL << 9,
	KDBUS_ATTACH_SECLABEL	= 1ULL << 10,
	KDBUS_ATTACH_AUDIT	= 1ULL << 11,
	KDBUS_ATTACH_CONN_NAME	= 1ULL << 12,
	_KDBUS_ATTACH_ALL	= (1ULL << 13) - 1,
};

/**
 * struct kdbus_cmd_hello - argument of KDBUS_CMD_HELLO
 * @size:		Structure and items
 * @flags:		KDBUS_HELLO_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @attach_flags:	KDBUS_ATTACH_* wanted with each message
 * @bus_flags:		Written by the kernel: KDBUS_MAKE_* flags of the bus
 * @id:			Written by the kernel: id of the connection
 * @pool_size:		Bytes of receive pool, a multiple of the page size
 * @bloom:		Written by the kernel: bloom filters on this bus
 * @id128:		Written by the kernel: random id of the bus
 * @items:		Items
 */
struct kdbus_cmd_hello {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__u64 attach_flags;
	__u64 bus_flags;
	__u64 id;
	__u64 pool_size;
	struct kdbus_bloom_parameter bloom;
	__u8 id128[16];
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * enum kdbus_make_flags - flags of struct kdbus_cmd_make
 * @KDBUS_MAKE_ACCESS_GROUP:	The group of the creator may open the node
 * @KDBUS_MAKE_ACCESS_WORLD:	Everybody may open the node
 */
enum kdbus_make_flags {
	KDBUS_MAKE_ACCESS_GROUP	= 1ULL << 0,
	KDBUS_MAKE_ACCESS_WORLD	= 1ULL << 1,
};

/**
 * struct kdbus_cmd_make - argument of KDBUS_CMD_{BUS,DOMAIN,ENDPOINT}_MAKE
 * @size:		Structure and items
 * @flags:		KDBUS_MAKE_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @items:		Items: KDBUS_ITEM_MAKE_NAME, and for a bus
 *			KDBUS_ITEM_BLOOM_PARAMETER
 */
struct kdbus_cmd_make {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * enum kdbus_name_flags - how a name is owned
 * @KDBUS_NAME_REPLACE_EXISTING:	Take the name from an owner that allows
 *					it
 * @KDBUS_NAME_ALLOW_REPLACEMENT:	Allow others to take the name
 * @KDBUS_NAME_QUEUE:			Wait for the name if it is taken
 * @KDBUS_NAME_IN_QUEUE:		From the kernel: waiting
 * @KDBUS_NAME_ACTIVATOR:		From the kernel: owned by an activator
 */
enum kdbus_name_flags {
	KDBUS_NAME_REPLACE_EXISTING	= 1ULL << 0,
	KDBUS_NAME_ALLOW_REPLACEMENT	= 1ULL << 1,
	KDBUS_NAME_QUEUE		= 1ULL << 2,
	KDBUS_NAME_IN_QUEUE		= 1ULL << 3,
	KDBUS_NAME_ACTIVATOR		= 1ULL << 4,
};

/**
 * struct kdbus_cmd_name - argument of KDBUS_CMD_NAME_{ACQUIRE,RELEASE}
 * @size:		Structure and items
 * @flags:		KDBUS_NAME_*; the kernel adds KDBUS_NAME_IN_QUEUE
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @items:		One KDBUS_ITEM_NAME
 */
struct kdbus_cmd_name {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * struct kdbus_name_info - one record of a name list
 * @size:	Record and items
 * @flags:	KDBUS_NAME_* of the name
 * @conn_flags:	KDBUS_HELLO_* of the connection
 * @owner_id:	Id of the connection
 * @items:	KDBUS_ITEM_NAME, if the record is about a name
 */
struct kdbus_name_info {
	__u64 size;
	__u64 flags;
	__u64 conn_flags;
	__u64 owner_id;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * enum kdbus_name_list_flags - what to list
 * @KDBUS_NAME_LIST_UNIQUE:	Connections
 * @KDBUS_NAME_LIST_NAMES:	Well-known names
 * @KDBUS_NAME_LIST_ACTIVATORS:	Names with an activator
 * @KDBUS_NAME_LIST_QUEUED:	Connections that wait for a name
 */
enum kdbus_name_list_flags {
	KDBUS_NAME_LIST_UNIQUE		= 1ULL << 0,
	KDBUS_NAME_LIST_NAMES		= 1ULL << 1,
	KDBUS_NAME_LIST_ACTIVATORS	= 1ULL << 2,
	KDBUS_NAME_LIST_QUEUED		= 1ULL << 3,
};

/**
 * struct kdbus_cmd_name_list - argument of KDBUS_CMD_NAME_LIST
 * @flags:		KDBUS_NAME_LIST_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @offset:		Written by the kernel: where the struct kdbus_name_list
 *			is in the pool
 */
struct kdbus_cmd_name_list {
	__u64 flags;
	__u64 kernel_flags;
	__u64 offset;
} __kdbus_aligned;

/**
 * struct kdbus_name_list - a list of names
 * @size:	The whole list
 * @names:	Records, each at a multiple of 8
 */
struct kdbus_name_list {
	__u64 size;
	__KDBUS_DECLARE_FLEX(struct kdbus_name_info, names);
} __kdbus_aligned;

/**
 * struct kdbus_cmd_info - argument of KDBUS_CMD_{CONN,BUS_CREATOR}_INFO
 * @size:		Structure and items
 * @flags:		KDBUS_ATTACH_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @id:			Id of the connection, or 0 to look up a name
 * @offset:		Written by the kernel: where the struct kdbus_info is
 *			in the pool
 * @items:		KDBUS_ITEM_NAME, if @id is 0
 */
struct kdbus_cmd_info {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__u64 id;
	__u64 offset;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * struct kdbus_info - what is known about a connection or a bus
 * @size:	Structure and items
 * @id:		Id of the connection or bus
 * @flags:	KDBUS_HELLO_* of the connection, KDBUS_MAKE_* of the bus
 * @items:	Items
 */
struct kdbus_info {
	__u64 size;
	__u64 id;
	__u64 flags;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * struct kdbus_cmd_update - argument of KDBUS_CMD_{CONN,ENDPOINT}_UPDATE
 * @size:		Structure and items
 * @flags:		0
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @items:		What to change
 */
struct kdbus_cmd_update {
	__u64 size;
	__u64 flags;
	__u64 kernel_flags;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/**
 * enum kdbus_cmd_match_flags - flags of struct kdbus_cmd_match
 * @KDBUS_MATCH_REPLACE:	Remove what has the same cookie first
 */
enum kdbus_cmd_match_flags {
	KDBUS_MATCH_REPLACE	= 1ULL << 0,
};

/**
 * struct kdbus_cmd_match - argument of KDBUS_CMD_MATCH_{ADD,REMOVE}
 * @size:		Structure and items
 * @cookie:		Chosen by the caller, to remove the match by
 * @flags:		KDBUS_MATCH_*
 * @kernel_flags:	Written by the kernel: the flags it knows
 * @items:		Rules that must all hold
 */
struct kdbus_cmd_match {
	__u64 size;
	__u64 cookie;
	__u64 flags;
	__u64 kernel_flags;
	__KDBUS_DECLARE_FLEX(struct kdbus_item, items);
} __kdbus_aligned;

/* on a control node */
#define KDBUS_CMD_BUS_MAKE		_IOW(KDBUS_IOCTL_MAGIC, 0x00, \
					     struct kdbus_cmd_make)
#define KDBUS_CMD_DOMAIN_MAKE		_IOW(KDBUS_IOCTL_MAGIC, 0x10, \
					     struct kdbus_cmd_make)

/* on an endpoint node */
#define KDBUS_CMD_ENDPOINT_MAKE		_IOW(KDBUS_IOCTL_MAGIC, 0x20, \
					     struct kdbus_cmd_make)
#define KDBUS_CMD_HELLO			_IOWR(KDBUS_IOCTL_MAGIC, 0x30, \
					      struct kdbus_cmd_hello)

/* on a connection */
#define KDBUS_CMD_BYEBYE		_IO(KDBUS_IOCTL_MAGIC, 0x31)
#define KDBUS_CMD_MSG_SEND		_IOWR(KDBUS_IOCTL_MAGIC, 0x40, \
					      struct kdbus_msg)
#define KDBUS_CMD_MSG_RECV		_IOWR(KDBUS_IOCTL_MAGIC, 0x41, \
					      struct kdbus_cmd_recv)
#define KDBUS_CMD_MSG_CANCEL		_IOW(KDBUS_IOCTL_MAGIC, 0x42, \
					     struct kdbus_cmd_cancel)
#define KDBUS_CMD_FREE			_IOW(KDBUS_IOCTL_MAGIC, 0x43, \
					     struct kdbus_cmd_free)
#define KDBUS_CMD_NAME_ACQUIRE		_IOWR(KDBUS_IOCTL_MAGIC, 0x50, \
					      struct kdbus_cmd_name)
#define KDBUS_CMD_NAME_RELEASE		_IOW(KDBUS_IOCTL_MAGIC, 0x51, \
					     struct kdbus_cmd_name)
#define KDBUS_CMD_NAME_LIST		_IOWR(KDBUS_IOCTL_MAGIC, 0x52, \
					      struct kdbus_cmd_name_list)
#define KDBUS_CMD_CONN_INFO		_IOWR(KDBUS_IOCTL_MAGIC, 0x60, \
					      struct kdbus_cmd_info)
#define KDBUS_CMD_CONN_UPDATE		_IOW(KDBUS_IOCTL_MAGIC, 0x61, \
					     struct kdbus_cmd_update)
#define KDBUS_CMD_BUS_CREATOR_INFO	_IOWR(KDBUS_IOCTL_MAGIC, 0x62, \
					      struct kdbus_cmd_info)
#define KDBUS_CMD_MATCH_ADD		_IOW(KDBUS_IOCTL_MAGIC, 0x80, \
					     struct kdbus_cmd_match)
#define KDBUS_CMD_MATCH_REMOVE		_IOW(KDBUS_IOCTL_MAGIC, 0x81, \
					     struct kdbus_cmd_match)

/* on the descriptor that made an endpoint */
#define KDBUS_CMD_ENDPOINT_UPDATE	_IOW(KDBUS_IOCTL_MAGIC, 0x71, \
					     struct kdbus_cmd_update)

#endif /* _UAPI_LINUX_KDBUS_H */
