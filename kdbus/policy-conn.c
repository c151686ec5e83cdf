// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/rcupdate.h>

#include "bus.h"
#include "conn.h"
#include "endpoint.h"
#include "policy.h"

/* does a database grant something to @conn for a name that @owner owns? */
static bool policy_grants_any(const struct kdbus_policy_db *db,
			      const struct kdbus_conn *conn,
			      const struct kdbus_conn *owner, u64 level)
{
	bool r;

	rcu_read_lock();
	r = kdbus_policy_db_grants_any(db, conn->cred,
				       rcu_dereference(owner->names.set),
				       level);
	rcu_read_unlock();

	return r;
}

static bool policy_is_same_user(const struct kdbus_conn *src,
				const struct kdbus_conn *dst)
{
	return uid_eq(src->cred->fsuid, dst->cred->uid);
}

/**
 * kdbus_policy_own() - may a connection own a name
 * @conn:	The connection that wants to
 * @name:	The name
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Context: Any.
 *
 * Return: 0 or -EPERM.
 */
int kdbus_policy_own(const struct kdbus_conn *conn, const char *name)
{
	if (conn->ep->custom &&
	    !kdbus_policy_db_grants(&conn->ep->policy, conn->cred, name,
				    KDBUS_POLICY_OWN))
		return -EPERM;
	if (conn->privileged)
		return 0;
	return kdbus_policy_db_grants(&conn->bus->policy, conn->cred, name,
				      KDBUS_POLICY_OWN) ? 0 : -EPERM;
}

/**
 * kdbus_policy_talk() - may one connection send to another
 * @src:	The connection that wants to
 * @dst:	The receiver
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Context: Any.
 *
 * Return: 0, -ENOENT if the endpoint of @src hides @dst, or -EPERM.
 */
int kdbus_policy_talk(const struct kdbus_conn *src,
		      const struct kdbus_conn *dst)
{
	if (src->ep->custom &&
	    !policy_grants_any(&src->ep->policy, src, dst, KDBUS_POLICY_TALK))
		return -ENOENT;
	if (src->privileged || policy_is_same_user(src, dst))
		return 0;
	return policy_grants_any(&src->bus->policy, src, dst, KDBUS_POLICY_TALK) ?
	       0 : -EPERM;
}

/**
 * kdbus_policy_signal() - may a broadcast reach a connection
 * @src:	The sender
 * @dst:	The receiver it would have
 *
 * It is the endpoint of the receiver that counts. Documentation/kdbus.txt,
 * section 5.4.
 *
 * Context: Any; ``bus->lock`` is held.
 *
 * Return: Whether it may.
 */
bool kdbus_policy_signal(const struct kdbus_conn *src,
			 const struct kdbus_conn *dst)
{
	lockdep_assert_held(&src->bus->lock);

	if (dst->ep->custom &&
	    (!policy_grants_any(&dst->ep->policy, src, dst, KDBUS_POLICY_TALK) ||
	     !kdbus_policy_see_conn(dst, src)))
		return false;
	if (src->privileged || policy_is_same_user(src, dst))
		return true;
	if (src->names.count > 0 && dst->names.count == 0)
		return true;
	return policy_grants_any(&src->bus->policy, src, dst, KDBUS_POLICY_TALK);
}

/**
 * kdbus_policy_see() - may a connection know of a name
 * @conn:	The connection that wants to
 * @name:	The name
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Context: Any.
 *
 * Return: Whether it may.
 */
bool kdbus_policy_see(const struct kdbus_conn *conn, const char *name)
{
	return !conn->ep->custom ||
	       kdbus_policy_db_grants(&conn->ep->policy, conn->cred, name,
				      KDBUS_POLICY_SEE);
}

/**
 * kdbus_policy_see_conn() - may a connection know of another
 * @conn:	The connection that wants to
 * @other:	The other one
 *
 * Documentation/kdbus.txt, section 5.4.
 *
 * Context: Any.
 *
 * Return: Whether it may.
 */
bool kdbus_policy_see_conn(const struct kdbus_conn *conn,
			   const struct kdbus_conn *other)
{
	return !conn->ep->custom ||
	       policy_grants_any(&conn->ep->policy, conn, other, KDBUS_POLICY_SEE);
}
