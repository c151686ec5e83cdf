// SPDX-License-Identifier: GPL-2.0
/*
 * Module with the faults that vm-run and load-loop must notice. Without a
 * parameter it has none, and a device node where load-loop looks for one.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

static char *fault = "";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "refuse, warn, oops, leak or cache");

static const struct file_operations vmfaulty_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice vmfaulty_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.nodename = KBUILD_MODNAME "/control",
	.fops = &vmfaulty_fops,
};

static int __init vmfaulty_init(void)
{
	void *leak __maybe_unused;

	if (!strcmp(fault, "refuse"))
		return -ENODEV;
	WARN_ON(!strcmp(fault, "warn"));
	if (!strcmp(fault, "oops"))
		WRITE_ONCE(*(int *)8, 0);
	if (!strcmp(fault, "leak")) {
		leak = (void *)__get_free_pages(GFP_KERNEL, 2);
		leak = kmalloc(200, GFP_KERNEL);
	}
	if (!strcmp(fault, "cache"))
		leak = kmem_cache_create(KBUILD_MODNAME, 64, 0, 0, NULL);
	return misc_register(&vmfaulty_misc);
}

static void __exit vmfaulty_exit(void)
{
	misc_deregister(&vmfaulty_misc);
}

module_init(vmfaulty_init);
module_exit(vmfaulty_exit);

MODULE_DESCRIPTION("faults for the tests of vm-run");
MODULE_LICENSE("GPL");
