// SPDX-License-Identifier: GPL-2.0
#include <linux/audit.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <uapi/linux/kdbus.h>

#include "compat/capability.h"
#include "compat/cgroup.h"
#include "compat/fs.h"
#include "meta.h"

#define CMDLINE_MAX	4096
#define LABEL_MAX	4096

/* each can be written once, and until then nothing is mapped */
static unsigned int task_count_maps(const struct user_namespace *ns)
{
	return (READ_ONCE(ns->uid_map.nr_extents) > 0) +
	       2 * (READ_ONCE(ns->gid_map.nr_extents) > 0);
}

/**
 * kdbus_meta_key_init() - note which task is running
 * @key:	To be filled
 */
void kdbus_meta_key_init(struct kdbus_meta_key *key)
{
	key->cred = get_current_cred();
	key->maps = task_count_maps(key->cred->user_ns);
	key->pid = get_pid(task_tgid(current));
	key->tid = get_pid(task_pid(current));
	key->image = READ_ONCE(current->self_exec_id);
}

/**
 * kdbus_meta_key_exit() - drop what a key refers to
 * @key:	The key
 */
void kdbus_meta_key_exit(struct kdbus_meta_key *key)
{
	put_cred(key->cred);
	put_pid(key->pid);
	put_pid(key->tid);
}

static bool task_same_image(const struct kdbus_meta_key *key)
{
	return key->pid == task_tgid(current) &&
	       key->image == READ_ONCE(current->self_exec_id);
}

static bool task_cred_valid(const struct kdbus_meta_key *key, const void *payload,
			    size_t size)
{
	return key->cred == current_cred() &&
	       key->maps == task_count_maps(key->cred->user_ns);
}

static int task_collect_creds(struct kdbus_meta_key *key, void *to, size_t max)
{
	const struct cred *cred = current_cred();
	struct kdbus_creds *creds = to;

	creds->uid = from_kuid_munged(cred->user_ns, cred->uid);
	creds->gid = from_kgid_munged(cred->user_ns, cred->gid);
	creds->pid = task_tgid_vnr(current);
	creds->tid = task_pid_vnr(current);
	creds->starttime = current->group_leader->start_time;
	return sizeof(*creds);
}

static bool task_creds_valid(const struct kdbus_meta_key *key, const void *payload,
			     size_t size)
{
	return key->tid == task_pid(current) &&
	       task_cred_valid(key, payload, size);
}

static size_t task_auxgroups_max_size(void)
{
	return current_cred()->group_info->ngroups * sizeof(u64);
}

static int task_collect_auxgroups(struct kdbus_meta_key *key, void *to, size_t max)
{
	const struct cred *cred = current_cred();
	const struct group_info *groups = cred->group_info;
	u64 *gids = to;
	int i;

	for (i = 0; i < groups->ngroups; i++)
		gids[i] = from_kgid_munged(cred->user_ns, groups->gid[i]);
	return groups->ngroups * sizeof(*gids);
}

/* the buffer must be an array of this size */
static int task_copy_comm(struct task_struct *task, char *to)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, task);
	strscpy(to, comm, sizeof(comm));
	return strlen(to) + 1;
}

static bool task_is_comm(struct task_struct *task, const char *payload)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, task);
	return !strcmp(comm, payload);
}

static int task_collect_tid_comm(struct kdbus_meta_key *key, void *to, size_t max)
{
	return task_copy_comm(current, to);
}

static bool task_tid_comm_valid(const struct kdbus_meta_key *key,
				const void *payload, size_t size)
{
	return task_is_comm(current, payload);
}

static int task_collect_pid_comm(struct kdbus_meta_key *key, void *to, size_t max)
{
	return task_copy_comm(current->group_leader, to);
}

static bool task_pid_comm_valid(const struct kdbus_meta_key *key,
				const void *payload, size_t size)
{
	return task_is_comm(current->group_leader, payload);
}

static int task_collect_exe(struct kdbus_meta_key *key, void *to, size_t max)
{
	struct mm_struct *mm = current->mm;
	struct file *exe = mm ? kdbus_get_mm_exe_file(mm) : NULL;
	char *path;
	int r;

	if (!exe)
		return -ENOENT;

	key->renames = kdbus_count_renames();
	key->looked = jiffies;
	key->exe = exe;
	key->exe_unlinked = d_unlinked(exe->f_path.dentry);
	key->exe_detached = kdbus_file_is_detached(exe);
	key->root = kdbus_current_root();

	/* d_path() writes to the end of the buffer */
	path = d_path(&exe->f_path, to, max);
	r = PTR_ERR_OR_ZERO(path);
	if (r == 0) {
		r = to + max - (void *)path;
		memmove(to, path, r);
	}

	fput(exe);
	return r;
}

static bool task_same_exe(const struct kdbus_meta_key *key)
{
	struct mm_struct *mm = current->mm;
	struct file *exe = mm ? kdbus_get_mm_exe_file(mm) : NULL;
	bool same;

	if (!exe)
		return false;

	same = exe == key->exe &&
	       d_unlinked(exe->f_path.dentry) == key->exe_unlinked &&
	       kdbus_file_is_detached(exe) == key->exe_detached;

	fput(exe);
	return same;
}

static bool task_exe_valid(const struct kdbus_meta_key *key, const void *payload,
			   size_t size)
{
	const struct path root = kdbus_current_root();

	return task_same_image(key) && task_same_exe(key) &&
	       path_equal(&key->root, &root) &&
	       time_before(jiffies, key->looked + HZ) &&
	       /* odd while something is being renamed */
	       !(key->renames & 1) && key->renames == kdbus_count_renames();
}

static bool task_find_args(unsigned long *args, size_t *len)
{
	struct mm_struct *mm = current->mm;
	unsigned long end;

	if (!mm)
		return false;

	spin_lock(&mm->arg_lock);
	*args = mm->arg_start;
	end = mm->arg_end;
	spin_unlock(&mm->arg_lock);

	*len = end > *args ? min_t(size_t, end - *args, CMDLINE_MAX) : 0;
	return *len > 0;
}

/*
 * Copy what is there up to the first page that is not; returns how much. Page by
 * page, as a copy that fails may end before the last byte it could have had.
 */
static size_t task_copy_present(void *to, unsigned long from, size_t len)
{
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = min_t(size_t, len - at,
			  PAGE_SIZE - offset_in_page(from + at));
		if (copy_from_user(to + at, (void __user *)(from + at), n))
			break;
	}

	return at;
}

static int task_collect_cmdline(struct kdbus_meta_key *key, void *to, size_t max)
{
	size_t len;

	if (!task_find_args(&key->args, &key->args_len))
		return -ENOENT;

	len = task_copy_present(to, key->args, key->args_len);
	return len ?: -ENOENT;
}

static bool task_cmdline_valid(const struct kdbus_meta_key *key, const void *payload,
			       size_t size)
{
	size_t len, n, at = 0;
	unsigned long args;
	u8 buf[128];

	if (!task_find_args(&args, &len) || args != key->args || len != size)
		return false;

	for (; at < len; at += n) {
		n = min(len - at, sizeof(buf));
		if (copy_from_user(buf, (void __user *)args + at, n) ||
		    memcmp(buf, payload + at, n))
			return false;
	}

	return true;
}

static u32 *task_put_caps(u32 *to, kernel_cap_t set)
{
	u64 bits = kdbus_cap_bits(set) & GENMASK_ULL(CAP_LAST_CAP, 0);

	to[0] = lower_32_bits(bits);
	to[1] = upper_32_bits(bits);
	return to + 2;
}

static int task_collect_caps(struct kdbus_meta_key *key, void *to, size_t max)
{
	const struct cred *cred = current_cred();
	struct kdbus_caps *caps = to;
	u32 *words = caps->caps;

	caps->last_cap = CAP_LAST_CAP;
	words = task_put_caps(words, cred->cap_inheritable);
	words = task_put_caps(words, cred->cap_permitted);
	words = task_put_caps(words, cred->cap_effective);
	words = task_put_caps(words, cred->cap_bset);
	return (void *)words - to;
}

#ifdef CONFIG_CGROUPS

static int task_unified_cgroup_path(char *to, size_t max)
{
	int r;

	rcu_read_lock();
	r = cgroup_path(task_css_set(current)->dfl_cgrp, to, max);
	rcu_read_unlock();

	return r;
}

static int task_collect_cgroup(struct kdbus_meta_key *key, void *to, size_t max)
{
	int r;

	key->cgroup = kdbus_only_cgroup_id();
	r = key->cgroup ? -ENOENT : kdbus_legacy_cgroup_path(to, max);
	if (r == -ENOENT)
		r = task_unified_cgroup_path(to, max);
	if (r < 0)
		return r;
	/* a path that just fits may have been cut */
	return r + 1 < max ? r + 1 : -ENAMETOOLONG;
}

static bool task_cgroup_valid(const struct kdbus_meta_key *key, const void *payload,
			      size_t size)
{
	return key->cgroup && key->cgroup == kdbus_only_cgroup_id();
}

#else

static int task_collect_cgroup(struct kdbus_meta_key *key, void *to, size_t max)
{
	return -EOPNOTSUPP;
}

static bool task_cgroup_valid(const struct kdbus_meta_key *key, const void *payload,
			      size_t size)
{
	return true;
}

#endif

static int task_collect_audit(struct kdbus_meta_key *key, void *to, size_t max)
{
	struct kdbus_audit *audit = to;

	if (!IS_ENABLED(CONFIG_AUDITSYSCALL))
		return -EOPNOTSUPP;

	/* what is not set is ~0, in 32 bits */
	audit->sessionid = (u32)audit_get_sessionid(current);
	audit->loginuid = (u32)from_kuid(current_user_ns(),
					 audit_get_loginuid(current));
	return sizeof(*audit);
}

static bool task_audit_valid(const struct kdbus_meta_key *key, const void *payload,
			     size_t size)
{
	struct kdbus_audit audit;

	return task_collect_audit(NULL, &audit, sizeof(audit)) < 0 ||
	       !memcmp(payload, &audit, sizeof(audit));
}

static int task_collect_seclabel(struct kdbus_meta_key *key, void *to, size_t max)
{
	char *label = to;
	int r;

	kdbus_current_secid(&key->secid);
	r = kdbus_secid_to_label(&key->secid, label, max - 1);
	if (r <= 0)
		return r ?: -ENOENT;

	/* some modules count the NUL, others do not */
	label[r] = 0;
	return strlen(label) + 1;
}

static bool task_seclabel_valid(const struct kdbus_meta_key *key,
				const void *payload, size_t size)
{
	struct kdbus_secid secid;

	kdbus_current_secid(&secid);
	return task_cred_valid(key, payload, size) &&
	       !memcmp(&secid, &key->secid, sizeof(secid));
}

const struct kdbus_meta_kind kdbus_meta_kinds[KDBUS_META_KINDS] = {
	{
		.attach	= KDBUS_ATTACH_CREDS,
		.type	= KDBUS_ITEM_CREDS,
		.max	= sizeof(struct kdbus_creds),
		.collect	= task_collect_creds,
		.valid	= task_creds_valid,
	}, {
		.attach	= KDBUS_ATTACH_AUXGROUPS,
		.type	= KDBUS_ITEM_AUXGROUPS,
		.max_size	= task_auxgroups_max_size,
		.collect	= task_collect_auxgroups,
		.valid	= task_cred_valid,
	}, {
		.attach	= KDBUS_ATTACH_TID_COMM,
		.type	= KDBUS_ITEM_TID_COMM,
		.max	= TASK_COMM_LEN,
		.collect	= task_collect_tid_comm,
		.valid	= task_tid_comm_valid,
	}, {
		.attach	= KDBUS_ATTACH_PID_COMM,
		.type	= KDBUS_ITEM_PID_COMM,
		.max	= TASK_COMM_LEN,
		.collect	= task_collect_pid_comm,
		.valid	= task_pid_comm_valid,
	}, {
		.attach	= KDBUS_ATTACH_EXE,
		.type	= KDBUS_ITEM_EXE,
		.max	= PATH_MAX,
		.collect	= task_collect_exe,
		.valid	= task_exe_valid,
	}, {
		.attach	= KDBUS_ATTACH_CMDLINE,
		.type	= KDBUS_ITEM_CMDLINE,
		.max	= CMDLINE_MAX,
		.collect	= task_collect_cmdline,
		.valid	= task_cmdline_valid,
	}, {
		.attach	= KDBUS_ATTACH_CAPS,
		.type	= KDBUS_ITEM_CAPS,
		.max	= sizeof(struct kdbus_caps) + 8 * sizeof(u32),
		.collect	= task_collect_caps,
		.valid	= task_cred_valid,
	}, {
		.attach	= KDBUS_ATTACH_CGROUP,
		.type	= KDBUS_ITEM_CGROUP,
		.max	= PATH_MAX,
		.collect	= task_collect_cgroup,
		.valid	= task_cgroup_valid,
	}, {
		.attach	= KDBUS_ATTACH_AUDIT,
		.type	= KDBUS_ITEM_AUDIT,
		.max	= sizeof(struct kdbus_audit),
		.collect	= task_collect_audit,
		.valid	= task_audit_valid,
	}, {
		.attach	= KDBUS_ATTACH_SECLABEL,
		.type	= KDBUS_ITEM_SECLABEL,
		.max	= LABEL_MAX,
		.collect	= task_collect_seclabel,
		.valid	= task_seclabel_valid,
	},
};
