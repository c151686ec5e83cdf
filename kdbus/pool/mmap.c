// SPDX-License-Identifier: GPL-2.0
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../compat/mm.h"
#include "../compat/uaccess.h"
#include "../memcg.h"
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

/*
 * Only gives the files of pools their inodes. The file of a pool holds the
 * mount, the mount its superblock, and that the module: of __fput(), what comes
 * after the operations of the file still needs this. So the mount may exist
 * only as long as there are pools.
 */
static struct vfsmount *mmap_mnt;
static int mmap_mnt_users;

static int mmap_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, KDBUS_PSEUDO_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type mmap_fs_type = {
	.owner			= THIS_MODULE,
	.name			= KBUILD_MODNAME "-pool",
	.init_fs_context	= mmap_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/* a page, which is brought if it is not there: with a reference, or NULL */
static struct page *mmap_fault_find(struct kdbus_pages *pages, unsigned long index,
				    bool *brought)
{
	struct page *page;

	mutex_lock(&pages->lock);
	page = kdbus_ptab_page(&pages->ptab, index);
	*brought = !page;
	if (!page && kdbus_ptab_fill(&pages->ptab, index, index) == 0)
		page = kdbus_ptab_page(&pages->ptab, index);
	if (page)
		get_page(page);
	mutex_unlock(&pages->lock);

	return page;
}

/* those behind a page that are there: each with a reference, and locked */
static unsigned int mmap_fault_around(struct kdbus_pages *pages,
				      const struct vm_fault *vmf,
				      struct page **around)
{
	/* one page too many, and the kernel would map none */
	unsigned long left = (vmf->vma->vm_end - 1 - vmf->address) >> PAGE_SHIFT;
	unsigned int n, most = min(left, KDBUS_FAULT_AROUND - 1UL);

	mutex_lock(&pages->lock);
	for (n = 0; n < most; n++) {
		around[n] = kdbus_ptab_page(&pages->ptab,
					    vmf->pgoff + 1 + n);
		/* another fault has it if it is locked */
		if (!around[n] || !trylock_page(around[n]))
			break;
		get_page(around[n]);
	}
	mutex_unlock(&pages->lock);

	return n;
}

/* it need not succeed: what is not mapped now is when it is asked for */
static void mmap_fault_map_around(struct kdbus_pages *pages,
				  const struct vm_fault *vmf)
{
	struct page *around[KDBUS_FAULT_AROUND - 1];
	unsigned int n = mmap_fault_around(pages, vmf, around);
	unsigned long left = n;

	if (!n)
		return;

	vm_insert_pages(vmf->vma, (vmf->address & PAGE_MASK) + PAGE_SIZE,
			around, &left);
	while (n--) {
		unlock_page(around[n]);
		put_page(around[n]);
	}
}

/*
 * The page is left to the kernel to map, which knows what to do when the page
 * table is taken away meanwhile; a driver that maps pages cannot tell that from
 * a lack of memory. Nothing is held that a sender waits for while the kernel
 * allocates page tables, and reclaims memory for them. The page stays where it is
 * as long as it is locked.
 */
static vm_fault_t mmap_fault_lock(struct kdbus_pages *pages, struct vm_fault *vmf,
				  struct page *page)
{
	lock_page(page);
	if (!kdbus_ptab_is(&pages->ptab, vmf->pgoff, page)) {
		unlock_page(page);
		put_page(page);
		/* it was about to go: again */
		return VM_FAULT_NOPAGE;
	}
	/* the kernel takes poisoned pages that are locked for those of a file */
	if (PageHWPoison(page)) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_HWPOISON;
	}

	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static vm_fault_t mmap_fault(struct vm_fault *vmf)
{
	struct pages_owner *po = vmf->vma->vm_file->private_data;
	struct kdbus_pages *pages = po->pages;
	struct page *page;
	vm_fault_t ret;
	bool brought;

	if (vmf->pgoff >= pages->count)
		return VM_FAULT_SIGBUS;

	page = mmap_fault_find(pages, vmf->pgoff, &brought);
	if (!page && kdbus_memcg_reclaim_machine())
		page = mmap_fault_find(pages, vmf->pgoff, &brought);
	if (!page)
		return VM_FAULT_SIGBUS;

	ret = mmap_fault_lock(pages, vmf, page);
	if (ret == VM_FAULT_LOCKED)
		mmap_fault_map_around(pages, vmf);

	/* nobody will say that it is not needed any more */
	if (brought)
		po->grown(po->owner);
	return ret;
}

static const struct vm_operations_struct mmap_vm_ops = {
	.fault	= mmap_fault,
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
	vma->vm_ops = &mmap_vm_ops;
	kdbus_vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND, VM_MAYWRITE);
	return 0;
}

static int mmap_release(struct inode *inode, struct file *file)
{
	struct pages_owner *po = file->private_data;

	po->release(po->owner);
	kfree(po);
	/* the file has a reference of its own to the mount, until later */
	simple_release_fs(&mmap_mnt, &mmap_mnt_users);
	return 0;
}

static const struct file_operations mmap_fops = {
	.owner		= THIS_MODULE,
	.release	= mmap_release,
	.llseek		= noop_llseek,
};

static struct file *mmap_file_on(struct vfsmount *mnt, size_t size,
				 const char *name)
{
	struct inode *inode;
	struct file *file;

	inode = alloc_anon_inode(mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	i_size_write(inode, size);

	/* the file gives this back when it goes */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, mnt, name, O_RDONLY, &mmap_fops);
	if (IS_ERR(file)) {
		iput(inode);
		module_put(THIS_MODULE);
	}

	return file;
}

static struct file *mmap_file(size_t size, const char *name)
{
	struct file *file;
	int r;

	r = simple_pin_fs(&mmap_fs_type, &mmap_mnt, &mmap_mnt_users);
	if (r < 0)
		return ERR_PTR(r);

	file = mmap_file_on(mmap_mnt, size, name);
	if (IS_ERR(file))
		simple_release_fs(&mmap_mnt, &mmap_mnt_users);
	return file;
}

/**
 * kdbus_pages_init() - initialise the pages of a pool
 * @pages:	The pages
 * @size:	Bytes they hold, a multiple of the page size
 * @name:	What mappings are called in /proc/PID/maps
 * @owner:	Passed to @grown and @release
 * @grown:	Called when user space has looked at a page that was not there, and
 *		is not in use, without a lock
 * @release:	Called when the file is closed and no mapping is left
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
	kdbus_memcg_never_under(&pages->lock);
	atomic64_set(&pages->copied, 0);
	pages->count = size >> PAGE_SHIFT;

	file = mmap_file(size, name);
	if (IS_ERR(file)) {
		kfree(po);
		return PTR_ERR(file);
	}

	file->private_data = po;
	pages->file = file;
	kdbus_ptab_init(&pages->ptab, &pages->lock);
	return 0;
}

/**
 * kdbus_pages_clear() - free all pages
 * @pages:	The pages, neither in use nor mapped any more
 *
 * Context: May sleep.
 */
void kdbus_pages_clear(struct kdbus_pages *pages)
{
	kdbus_ptab_clear(&pages->ptab);
}

/**
 * kdbus_pages_exit() - get rid of what is left
 * @pages:	The pages, the file of which is gone
 *
 * Context: May sleep.
 */
void kdbus_pages_exit(struct kdbus_pages *pages)
{
	kdbus_ptab_exit(&pages->ptab);
}
