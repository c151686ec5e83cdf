/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_KDBUS_H
#define KDBUS_KDBUS_H

/**
 * DOC: libkdbus
 *
 * A library over the commands of kdbus, for services and their clients. It knows
 * no format of messages: a payload is bytes.
 *
 * Names. What <linux/kdbus.h> has begins with kdbus\_ and KDBUS\_, and that is the
 * kernel's to add to. Everything here begins with kdb\_ or KDB\_, so neither ever
 * gets into the way of the other, and where a structure or a flag of the kernel
 * says what there is to say it is used as it is.
 *
 * Objects. A &struct kdb_conn is a connection. A &struct kdb_msg is a message that
 * is being made; it is made once for a connection and used for one message after
 * the other. A &struct kdb_view is a message that was received: it shows memory
 * of the connection's pool, and is the caller's until kdb_view_release(). A
 * &struct kdb_match says which broadcasts are wanted, a &struct kdb_policy who
 * may own, see and talk to names, a &struct kdb_info what is known of a peer, and
 * a &struct kdb_names which names there are.
 *
 * Results. A function returns 0, or something positive that its description
 * tells, or a negative errno. One that fails has changed nothing, unless it says
 * so. The errors listed with a function are those that can happen to a caller
 * that passes what is asked for; -ENOMEM is possible where memory is allocated,
 * -EFAULT where memory is passed, and -ECONNRESET, the end of the connection, in
 * everything that talks to the kernel. The reference manual (kdbus.txt) has, with
 * each command, whatever else the kernel can say; functions name its sections.
 *
 * Ownership. What a function makes, the function of that name that ends in _free,
 * _release or _close gives back; that takes NULL as well. Memory that a function
 * returns a pointer into belongs to the object that was asked, and is there as
 * long as that is. Strings and structures that are passed are copied, but for
 * the payload of a message, which is read when it is sent. Descriptors keep
 * their owner: one that was passed to the library may be closed when the message
 * was sent, one that was received is closed by kdb_view_release() unless it was
 * taken.
 *
 * Threads. There is none in the library, nor a state outside of its objects. A
 * connection and all that was made for it belong to one thread at a time;
 * functions that any thread may call at any time say so. Nothing is locked.
 *
 * Memory. Functions to send, call, receive and answer allocate nothing once a
 * connection has had as many views in use at a time as it will have.
 *
 * Extensions. A kernel may offer to receive, answer and free in one command
 * (section 22.2 of the manual). That is found out when a connection is opened, and
 * used where it is there: kdb_view_release() then leaves small messages for the
 * next command of the connection to free. What a program sees is the same.
 *
 * Time is CLOCK_MONOTONIC in nanoseconds. A deadline is a moment, not a duration:
 * kdb_deadline() makes one of a duration, KDB_NO_DEADLINE is never.
 */

#include <kdbus/bus.h>
#include <kdbus/call.h>
#include <kdbus/connection.h>
#include <kdbus/info.h>
#include <kdbus/match.h>
#include <kdbus/message.h>
#include <kdbus/name.h>
#include <kdbus/receive.h>

#endif
