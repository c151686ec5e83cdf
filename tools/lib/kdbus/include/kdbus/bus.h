/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_BUS_H
#define KDBUS_BUS_H

/**
 * DOC: Making buses, endpoints and policies
 *
 * Buses, domains and custom endpoints are there as long as the descriptor is open
 * that the function which makes them returns; it is the caller's, and closed with
 * close().
 *
 * A policy grants users to own, see and talk to names. It is a list that is built up
 * and then passed: with the options of a connection that holds a name, or to a
 * function that makes or updates an endpoint. Sections 5.4 and 5.6 of the manual.
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * kdb_policy_new() - make an empty policy
 * @policy:	Where to put it
 *
 * Context: Any thread; from then on @policy is one thread's at a time.
 *
 * Return: 0, or -ENOMEM.
 */
int kdb_policy_new(struct kdb_policy **policy);

/**
 * kdb_policy_free() - give a policy back
 * @policy:	The policy, or NULL. What it was used for stays as it is
 *
 * Context: The thread of the policy.
 */
void kdb_policy_free(struct kdb_policy *policy);

/**
 * kdb_policy_name() - begin with a name
 * @policy:	The policy
 * @name:	The name, whose last element may be '*'. What is granted from now on is
 *		about this name; with nothing granted, nobody gets anything
 *
 * Context: The thread of the policy.
 *
 * Return: 0, -EINVAL if @name is empty or longer than 255 characters, or -ENOMEM.
 */
int kdb_policy_name(struct kdb_policy *policy, const char *name);

/**
 * kdb_policy_grant() - grant something about the name
 * @policy:	The policy
 * @who:	The kind of subject: KDBUS_POLICY_ACCESS_USER, _GROUP or _WORLD
 * @id:		The user or group
 * @access:	KDBUS_POLICY_SEE, _TALK or _OWN, each of which includes those before it
 *
 * Context: The thread of the policy.
 *
 * Return: 0, -EINVAL if there is no name yet, or for other values, or -ENOMEM.
 */
int kdb_policy_grant(struct kdb_policy *policy, uint64_t who, uint64_t id,
		     uint64_t access);

/**
 * kdb_policy_update() - replace the policy that a connection holds
 * @conn:	A policy holder
 * @policy:	The policy, of one name
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -EINVAL if the name or a user in it is not valid,
 * -E2BIG if there is more than one name,
 * -EEXIST if the name has another holder,
 * -EOPNOTSUPP if the connection does not hold a policy.
 */
int kdb_policy_update(struct kdb_conn *conn, const struct kdb_policy *policy);

/**
 * struct kdb_bus_options - how to make a bus
 * @size:		sizeof(struct kdb_bus_options)
 * @flags:		KDBUS_MAKE_ACCESS_GROUP, KDBUS_MAKE_ACCESS_WORLD: users that
 *			may connect besides the maker's. KDBUS_EXT_ATTACH: the last
 *			two members count
 * @bloom:		Shape of filters. Zeros: 64 bytes and 8 functions, as sd-bus has
 *			them
 * @attach_required:	KDBUS_ATTACH_* flags: what every connection has to let others
 *			know
 * @attach_owner:	KDBUS_ATTACH_* flags: what kdb_info_of_bus() may tell
 */
struct kdb_bus_options {
	size_t size;
	uint64_t flags;
	struct kdbus_bloom_parameter bloom;
	uint64_t attach_required;
	uint64_t attach_owner;
};

/**
 * kdb_bus_make() - make a bus
 * @domain:	Directory of the domain, NULL for KDB_DOMAIN
 * @name:	Name of the bus, which begins with the effective uid: 1000-mail
 * @options:	How, or NULL
 *
 * Section 7.1 of the manual.
 *
 * Context: Any thread.
 *
 * Return: a descriptor that the bus lives as long as, or
 * -ENOENT if there is no such domain, -EACCES if it may not be used,
 * -ENAMETOOLONG if @name has more than 63 characters, or @domain is too long,
 * -EINVAL if @name does not begin with the uid or is not valid, or the options are
 * not,
 * -EEXIST if there is a bus of this name,
 * -EMFILE if the user has too many, or the process descriptors,
 * -EOPNOTSUPP if the kernel does not know KDBUS_EXT_ATTACH.
 */
int kdb_bus_make(const char *domain, const char *name,
		 const struct kdb_bus_options *options);

/**
 * kdb_domain_make() - make a domain in a domain
 * @parent:	Directory of the parent, NULL for KDB_DOMAIN
 * @name:	Name of the domain
 * @flags:	KDBUS_MAKE_ACCESS_WORLD: everybody may make buses in it; or 0
 *
 * Section 7.2 of the manual.
 *
 * Context: Any thread.
 *
 * Return: a descriptor that the domain lives as long as, -EPERM without
 * privilege, or -ENOENT, -EACCES, -ENAMETOOLONG, -EINVAL, -EEXIST as above.
 */
int kdb_domain_make(const char *parent, const char *name, uint64_t flags);

/**
 * kdb_endpoint_make() - make a custom endpoint
 * @path:	Node of the bus: /dev/kdbus/1000-mail/bus
 * @name:	Name of the endpoint
 * @flags:	KDBUS_MAKE_ACCESS_GROUP, KDBUS_MAKE_ACCESS_WORLD, or 0
 * @policy:	What is possible through it, NULL for nothing
 *
 * Section 7.3 of the manual.
 *
 * Context: Any thread.
 *
 * Return: a descriptor that the endpoint lives as long as, or
 * -ENOENT if there is no such bus, -EACCES if it may not be used,
 * -EPERM if it is not the caller's,
 * -ENAMETOOLONG if @name has more than 63 characters,
 * -EINVAL if @name is not valid, or the policy is not, or for other flags,
 * -EEXIST if there is an endpoint of this name, or a name twice in the policy,
 * -ENOTTY if @path is something else,
 * -EMFILE if the user has too many, or the process descriptors.
 */
int kdb_endpoint_make(const char *path, const char *name, uint64_t flags,
		      const struct kdb_policy *policy);

/**
 * kdb_endpoint_update() - replace the policy of an endpoint
 * @fd:		What kdb_endpoint_make() has returned
 * @policy:	The policy, NULL for nothing
 *
 * Context: Any thread.
 *
 * Return: 0, -EBADF, -ENOTTY if it is something else, -EINVAL if the policy is not
 * valid, -EEXIST if a name is there twice.
 */
int kdb_endpoint_update(int fd, const struct kdb_policy *policy);

#ifdef __cplusplus
}
#endif

#endif
