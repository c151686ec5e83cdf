// SPDX-License-Identifier: GPL-2.0
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>

#include "compat/mm.h"
#include "compat/uaccess.h"
#include "memcg.h"
#include "pages.h"

/* pages mapped by one fault, if they are there */
#define KDBUS_FAULT_AROUND	16

#define KDBUS_PSEUDO_MAGIC	0x6b646275

struct pages_owner {
	struct kdbus_pages *pages;
	void *owner;
	void (*grown)(void *owner);
	void (*release)(void *owner);
};

static struct vfsmount *kdbus_mnt;

static int pages_fill(struct kdbus_pages *pages, unsigned long first,
		      unsigned long last)
{
	int r;

	mutex_lock(&pages->lock);
	r = kdbus_frames_fill(&pages->frames, first, last);
	mutex_unlock(&pages->lock);

	return r;
}

/**
 * kdbus_pages_populate() - see to it that a range has pages
 * @pages:	The pages
 * @offset:	Where the range begins, in bytes
 * @size:	Bytes in it, not 0
 *
 * The range must be in use, so that what is there stays.
 *
 * Context: May sleep, but not for long.
 *
 * Return: 0, or -ENOBUFS if the receiver or the machine has no more memory.
 */
int kdbus_pages_populate(struct kdbus_pages *pages, size_t offset, size_t size)
{
	unsigned long first = offset >> PAGE_SHIFT;
	unsigned long last = (offset + size - 1) >> PAGE_SHIFT;

	if (kdbus_frames_have(&pages->frames, first, last))
		return 0;
	if (pages_fill(pages, first, last) == 0)
		return 0;
	if (kdbus_memcg_reclaim_machine() &&
	    pages_fill(pages, first, last) == 0)
		return 0;
	return -ENOBUFS;
}

/**
 * kdbus_pages_drop() - give pages back to the system
 * @pages:	Where they were taken from, with kdbus_frames_take()
 * @batch:	The pages, of one range
 *
 * Context: May sleep; @pages->lock is held.
 */
void kdbus_pages_drop(struct kdbus_pages *pages,
		      struct kdbus_frames_batch *batch)
{
	unsigned int i;

	lockdep_assert_held(&pages->lock);

	if (!batch->n)
		return;

	/*
	 * What lies between first and last may be in use, and is mapped again
	 * at the next access.
	 */
	unmap_mapping_range(pages->file->f_mapping,
			    (loff_t)batch->first << PAGE_SHIFT,
			    (loff_t)(batch->last - batch->first + 1)
				<< PAGE_SHIFT, 1);
	for (i = 0; i < batch->n; i++)
		put_page(batch->pages[i]);
}

/**
 * kdbus_pages_window() - bytes that can be written in one go
 * @pages:	The pages
 * @offset:	Where they begin, populated and in use
 * @size:	How many are wanted, not 0; set to how many there are
 *
 * Return: Where they are.
 */
void *kdbus_pages_window(struct kdbus_pages *pages, size_t offset,
			 size_t *size)
{
	return kdbus_frames_window(&pages->frames, offset, size);
}

/**
 * kdbus_pages_write() - write bytes of the kernel
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	What
 * @size:	How much
 */
void kdbus_pages_write(struct kdbus_pages *pages, size_t offset,
		       const void *src, size_t size)
{
	void *to;
	size_t n;

	for (; size > 0; offset += n, src += n, size -= n) {
		n = size;
		to = kdbus_pages_window(pages, offset, &n);
		memcpy(to, src, n);
	}
}

/**
 * kdbus_pages_write_user() - write bytes from the memory of the caller
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	What
 * @size:	How much
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, or -EFAULT if @src cannot be read.
 */
int kdbus_pages_write_user(struct kdbus_pages *pages, size_t offset,
			   const void __user *src, size_t size)
{
	unsigned long left = 0;
	size_t n, copied = 0;
	void *to;

	for (; copied < size && !left; copied += n - left) {
		n = size - copied;
		to = kdbus_pages_window(pages, offset + copied, &n);
		/* whole pages: no object that hardening could look up */
		left = kdbus_copy_from_user(to, src + copied, n);
	}
	atomic64_add(copied, &pages->copied);

	return left ? -EFAULT : 0;
}

/**
 * kdbus_pages_copy() - write bytes of another pool
 * @pages:	The pages
 * @offset:	Where to, populated and in use
 * @src:	The other pages
 * @src_offset:	Where from, populated and in use
 * @size:	How much
 */
void kdbus_pages_copy(struct kdbus_pages *pages, size_t offset,
		      struct kdbus_pages *src, size_t src_offset, size_t size)
{
	const void *from;
	size_t n;

	for (; size > 0; offset += n, src_offset += n, size -= n) {
		n = size;
		from = kdbus_pages_window(src, src_offset, &n);
		kdbus_pages_write(pages, offset, from, n);
	}
}

/* a page that is not there yet comes into being, to whoever looks at it */
static struct page *fault_page(struct kdbus_pages *pages, unsigned long index)
{
	if (kdbus_frames_fill(&pages->frames, index, index) < 0)
		return NULL;
	return kdbus_frames_page(&pages->frames, index);
}

/* map a page, and those behind it that are there */
static vm_fault_t map_around(struct kdbus_pages *pages,
			     const struct vm_fault *vmf, struct page *page)
{
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long i;
	int r;

	for (i = 0; i < KDBUS_FAULT_AROUND && page; i++, addr += PAGE_SIZE) {
		if (addr >= vmf->vma->vm_end)
			break;
		r = vm_insert_page(vmf->vma, addr, page);
		/* another thread may have been faster, with the first one too */
		if (r == -EBUSY)
			break;
		if (r < 0)
			return i ? VM_FAULT_NOPAGE : vmf_error(r);
		page = kdbus_frames_page(&pages->frames, vmf->pgoff + i + 1);
	}

	return VM_FAULT_NOPAGE;
}

static vm_fault_t pages_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct pages_owner *po = vma->vm_file->private_data;
	struct kdbus_pages *pages = po->pages;
	struct page *page;
	vm_fault_t ret;
	bool missing;

	if (vmf->pgoff >= pages->count)
		return VM_FAULT_SIGBUS;

	mutex_lock(&pages->lock);
	missing = !kdbus_frames_page(&pages->frames, vmf->pgoff);
	page = fault_page(pages, vmf->pgoff);
	if (!page) {
		mutex_unlock(&pages->lock);
		if (!kdbus_memcg_reclaim_machine())
			return VM_FAULT_SIGBUS;
		mutex_lock(&pages->lock);
		page = fault_page(pages, vmf->pgoff);
	}

	ret = page ? map_around(pages, vmf, page) : VM_FAULT_SIGBUS;
	mutex_unlock(&pages->lock);

	/* nobody will say that it is not needed any more */
	if (page && missing)
		po->grown(po->owner);
	return ret;
}

static const struct vm_operations_struct pages_vm_ops = {
	.fault	= pages_fault,
};

/**
 * kdbus_pages_mmap() - map pages into user space
 * @pages:	The pages
 * @vma:	Where to
 *
 * Documentation/kdbus.txt, section 9.4.
 *
 * Context: May sleep; the mmap lock is held for writing.
 *
 * Return: 0, -EPERM if the mapping would be writable or -EFAULT if it is larger
 * than the pool.
 */
int kdbus_pages_mmap(struct kdbus_pages *pages, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	if (vma_pages(vma) > pages->count)
		return -EFAULT;

	/* the mapping stays when the device node is closed */
	vma_set_file(vma, pages->file);
	vma->vm_ops = &pages_vm_ops;
	kdbus_vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND, VM_MAYWRITE);
	return 0;
}

static int pages_release(struct inode *inode, struct file *file)
{
	struct pages_owner *po = file->private_data;

	po->release(po->owner);
	kfree(po);
	return 0;
}

static const struct file_operations pages_fops = {
	.owner		= THIS_MODULE,
	.release	= pages_release,
	.llseek		= noop_llseek,
};

static struct file *pages_file(struct kdbus_pages *pages, size_t size,
			       const char *name)
{
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(kdbus_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	i_size_write(inode, size);

	/* the file gives this back when it goes */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, kdbus_mnt, name, O_RDONLY, &pages_fops);
	if (IS_ERR(file)) {
		iput(inode);
		module_put(THIS_MODULE);
	}

	return file;
}

/**
 * kdbus_pages_init() - initialise the pages of a pool
 * @pages:	The pages
 * @size:	Bytes they hold, a multiple of the page size
 * @name:	What mappings are called in /proc/PID/maps
 * @owner:	Passed to @grown and @release
 * @grown:	Called when somebody has looked at a page that was not there, and
 *		is not in use, without a lock
 * @release:	Called when the file is closed and no mapping is left, from
 *		where kdbus_pages_exit() is to be called
 *
 * The calling task pays. On success the caller owns @pages->file.
 *
 * Context: May sleep.
 *
 * Return: 0, -EINVAL if @size is too large for a file, or -ENOMEM.
 */
int kdbus_pages_init(struct kdbus_pages *pages, size_t size, const char *name,
		     void *owner, void (*grown)(void *owner),
		     void (*release)(void *owner))
{
	struct pages_owner *po;
	struct file *file;

	if (size > MAX_LFS_FILESIZE)
		return -EINVAL;

	po = kmalloc(sizeof(*po), GFP_KERNEL_ACCOUNT);
	if (!po)
		return -ENOMEM;
	po->pages = pages;
	po->owner = owner;
	po->grown = grown;
	po->release = release;

	mutex_init(&pages->lock);
	atomic64_set(&pages->copied, 0);
	pages->count = size >> PAGE_SHIFT;

	file = pages_file(pages, size, name);
	if (IS_ERR(file)) {
		kfree(po);
		return PTR_ERR(file);
	}

	file->private_data = po;
	pages->file = file;
	kdbus_frames_init(&pages->frames, &pages->lock);
	return 0;
}

/**
 * kdbus_pages_exit() - free all pages
 * @pages:	The pages, neither in use nor mapped
 *
 * Context: May sleep.
 */
void kdbus_pages_exit(struct kdbus_pages *pages)
{
	kdbus_frames_exit(&pages->frames);
}

static int pages_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, KDBUS_PSEUDO_MAGIC) ? 0 : -ENOMEM;
}

/*
 * Never registered: only gives the files of pools their inodes. Without an
 * owner, or its one mount would keep the module; what is in use is the files,
 * and these do.
 */
static struct file_system_type pages_fs_type = {
	.name			= KBUILD_MODNAME "-pool",
	.init_fs_context	= pages_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/**
 * kdbus_pages_module_init() - prepare for files of pools
 *
 * Context: May sleep.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_pages_module_init(void)
{
	kdbus_mnt = kern_mount(&pages_fs_type);
	return PTR_ERR_OR_ZERO(kdbus_mnt);
}

/**
 * kdbus_pages_module_exit() - undo kdbus_pages_module_init()
 *
 * Context: May sleep.
 */
void kdbus_pages_module_exit(void)
{
	kern_unmount(kdbus_mnt);
}
