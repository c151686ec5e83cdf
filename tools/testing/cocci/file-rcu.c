// SPDX-License-Identifier: GPL-2.0
/* What file-rcu.cocci has to find, and what not; never built */

static bool by_exe(const void *key)
{
	const struct file *exe;
	bool same;

	rcu_read_lock();
	exe = rcu_dereference(current->mm->exe_file);	/* found */
	same = exe == key && d_unlinked(exe->f_path.dentry);
	rcu_read_unlock();
	return same;
}

static bool by_table(struct fdtable *fdt, int fd)
{
	struct file *file;
	bool is;

	rcu_read_lock();
	file = rcu_dereference(fdt->fd[fd]);	/* found */
	is = file && S_ISREG(file_inode(file)->i_mode);
	rcu_read_unlock();
	return is;
}

static umode_t by_declaration(struct holder *h)
{
	struct file *file = READ_ONCE(h->file);	/* found */

	return file_inode(file)->i_mode;
}

static struct file *by_number(int fd)
{
	struct file *file;

	file = files_lookup_fd_rcu(current->files, fd);	/* found */
	if (file)
		get_file(file);
	return file;
}

static fmode_t at_once(struct holder *h)
{
	return rcu_dereference(h->file)->f_mode;	/* found */
}

static struct file *with_reference(struct holder *h)
{
	struct file *file;

	rcu_read_lock();
	file = rcu_dereference(h->file);
	if (file && !get_file_rcu(file))
		file = NULL;
	rcu_read_unlock();
	return file;
}

static struct file *kdbus_get_mm_exe_file(struct mm_struct *mm)
{
	return get_file_active(&mm->exe_file);
}

static struct file *with_fget(int fd)
{
	struct file *file = fget(fd);

	return file ?: ERR_PTR(-EBADF);
}
