/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_CALL_H
#define KDBUS_CALL_H

/**
 * DOC: Calls
 *
 * A call is a message whose receiver owes an answer until a deadline. kdb_call()
 * waits for it. kdb_call_async() does not, and has a function called when the
 * answer is there, or when it is certain that there will be none: exactly once.
 *
 * An answer to a call to an id comes from that connection. One to a name comes
 * from any connection that says so, as the name may have another owner by then: a
 * connection that may send to the caller could pretend to answer. With kdb_call()
 * it could not, as the kernel keeps track of the connection that owes the answer.
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * typedef kdb_answer_fn - is told how an asynchronous call has ended
 * @conn:	The connection
 * @error:	0 if there is an answer; -ETIMEDOUT; -EPIPE if the peer that owed
 *		it is gone, or has thrown the call away
 * @view:	The answer, or NULL
 * @arg:	As given to kdb_call_async()
 *
 * May do whatever a handler may.
 *
 * Return: KDB_DONE or KDB_HOLD as a handler, or a negative errno for kdb_process()
 * to return.
 */
typedef int (*kdb_answer_fn)(struct kdb_conn *conn, int error,
			     struct kdb_view *view, void *arg);

/**
 * kdb_call() - send a message and wait for the answer
 * @msg:	The message
 * @deadline:	Until when to wait, or KDB_NO_DEADLINE
 * @answer:	Where to put it; to be released
 *
 * A signal whose handler restarts system calls does not end the wait. After one
 * that does not, the same message can be passed again, unchanged and with the same
 * deadline: that goes on waiting, and sends nothing. Section 14.3 of the manual.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -ETIMEDOUT, -EINTR after a signal, -ECANCELED after kdb_cancel(),
 * -EPIPE if the receiver is gone, or has thrown the message away,
 * -EINVAL if @deadline is 0,
 * -EXFULL, -ENOBUFS also if there is no room for the answer,
 * -EMFILE if the descriptors of the answer cannot be had,
 * -EMLINK if 128 calls of the connection have no answer yet,
 * or as kdb_send().
 */
int kdb_call(struct kdb_msg *msg, uint64_t deadline, struct kdb_view **answer);

/**
 * kdb_cancel() - end a call that another thread waits for
 * @conn:	The connection
 * @cookie:	What kdb_msg_set_cookie() was given
 *
 * Context: Any thread, and handlers of signals.
 *
 * Return: 0, or -ENOENT if there is no such call.
 */
int kdb_cancel(const struct kdb_conn *conn, uint64_t cookie);

/**
 * kdb_call_async() - send a message and have the answer handled
 * @msg:	The message, which can be used for something else afterwards
 * @deadline:	Until when an answer is wanted, or KDB_NO_DEADLINE
 * @fn:		What to call when the call has ended, by kdb_process() or
 *		kdb_serve()
 * @arg:	For @fn
 * @cookie:	Where to put the number of the call, for kdb_forget(); or NULL
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -EINVAL if @deadline is 0,
 * -EEXIST if the message was given a number that a call has which is not over,
 * -EMLINK if 128 calls of the connection have no answer yet,
 * or as kdb_send().
 */
int kdb_call_async(struct kdb_msg *msg, uint64_t deadline, kdb_answer_fn fn,
		   void *arg, uint64_t *cookie);

/**
 * kdb_forget() - do not wait for an asynchronous call any more
 * @conn:	The connection
 * @cookie:	Number of the call
 *
 * Its function is not called; an answer is released. The receiver is not told.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOENT if there is no such call.
 */
int kdb_forget(struct kdb_conn *conn, uint64_t cookie);

/**
 * kdb_pending() - how many asynchronous calls wait for their end
 * @conn:	The connection
 *
 * Context: The thread of the connection.
 *
 * Return: the number.
 */
unsigned int kdb_pending(const struct kdb_conn *conn);

#ifdef __cplusplus
}
#endif

#endif
