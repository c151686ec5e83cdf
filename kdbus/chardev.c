// SPDX-License-Identifier: GPL-2.0
#include <linux/cdev.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "chardev.h"
#include "compat/device.h"
#include "limits.h"
#include "node.h"

/* minors are 20 bits wide */
#define KDBUS_MINORS	MINORMASK

/**
 * struct kdbus_chardev - a device node
 * @dev:	Its device, which owns the memory
 * @mode:	Permissions of the node
 * @uid:	Owner of the node
 * @gid:	Group of the node
 */
struct kdbus_chardev {
	struct device dev;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
};

static struct bus_type chardev_subsys = {
	.name	= KBUILD_MODNAME,
};

static dev_t chardev_devt;
static struct cdev chardev_cdev;

/* minor to node */
static DEFINE_XARRAY_FLAGS(chardev_minors, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);

/*
 * The driver core would make a copy of the path itself, and if there is no memory
 * for it, the node is silently not made, or stays.
 */
static char *chardev_devnode(KDBUS_DEVNODE_CONST struct device *dev,
			     umode_t *mode, kuid_t *uid, kgid_t *gid)
{
	const struct kdbus_chardev *chardev =
		container_of(dev, struct kdbus_chardev, dev);
	char *path;

	if (mode)
		*mode = chardev->mode;
	if (uid)
		*uid = chardev->uid;
	if (gid)
		*gid = chardev->gid;

	path = kstrdup(dev_name(dev), GFP_KERNEL | __GFP_NOFAIL);
	strreplace(path, '!', '/');
	return path;
}

static void chardev_release(struct device *dev)
{
	kfree(container_of(dev, struct kdbus_chardev, dev));
}

static const struct device_type chardev_control_type = {
	.name		= "control",
	.devnode	= chardev_devnode,
	.release	= chardev_release,
};

static const struct device_type chardev_endpoint_type = {
	.name		= "endpoint",
	.devnode	= chardev_devnode,
	.release	= chardev_release,
};

/*
 * Documentation/kdbus.txt, section 2.2. Fails with -ENAMETOOLONG, -ENOMEM, or
 * -EBUSY if there are no minors left.
 */
static void *chardev_publish(struct kdbus_node *node, const char *path,
			     umode_t mode, kuid_t uid, kgid_t gid)
{
	struct kdbus_chardev *chardev;
	u32 minor;
	int r;

	lockdep_assert_held(&node->lock);

	if (strlen(path) > KDBUS_PATH_MAX_LEN)
		return ERR_PTR(-ENAMETOOLONG);

	chardev = kzalloc(sizeof(*chardev), GFP_KERNEL_ACCOUNT);
	if (!chardev)
		return ERR_PTR(-ENOMEM);

	chardev->mode = mode;
	chardev->uid = uid;
	chardev->gid = gid;

	device_initialize(&chardev->dev);
	/* nothing sleeps or wakes up here, so sysfs needs no files about that */
	device_set_pm_not_required(&chardev->dev);
	chardev->dev.bus = &chardev_subsys;
	chardev->dev.type = node->type == KDBUS_NODE_DOMAIN ? &chardev_control_type :
							      &chardev_endpoint_type;

	/* from here on the device can be opened, if only by its number */
	r = xa_alloc(&chardev_minors, &minor, node,
		     XA_LIMIT(0, KDBUS_MINORS - 1), GFP_KERNEL);
	if (r < 0)
		goto err_put;
	chardev->dev.devt = MKDEV(MAJOR(chardev_devt), minor);

	r = dev_set_name(&chardev->dev, "%s", path);
	if (r < 0)
		goto err_minor;

	r = device_add(&chardev->dev);
	if (r < 0)
		goto err_minor;

	return chardev;

err_minor:
	xa_erase(&chardev_minors, minor);
err_put:
	put_device(&chardev->dev);
	return ERR_PTR(r);
}

static void chardev_unpublish(void *shown)
{
	struct kdbus_chardev *chardev = shown;
	unsigned int minor = MINOR(chardev->dev.devt);

	/* no open() finds the node any more; sysfs has the number until del */
	xa_store(&chardev_minors, minor, NULL, GFP_KERNEL);
	device_del(&chardev->dev);
	xa_erase(&chardev_minors, minor);
	put_device(&chardev->dev);
}

static struct kdbus_node *chardev_find(const struct inode *inode)
{
	struct kdbus_node *node;

	xa_lock(&chardev_minors);
	node = xa_load(&chardev_minors, iminor(inode));
	if (node)
		kdbus_node_get(node);
	xa_unlock(&chardev_minors);

	return node;
}

const struct kdbus_front_door kdbus_chardev_door = {
	.publish	= chardev_publish,
	.unpublish	= chardev_unpublish,
	.find		= chardev_find,
};

/**
 * kdbus_chardev_init() - register subsystem and character device
 * @fops:	What can be done with an open device node
 *
 * Context: May sleep.
 *
 * Return: 0 or a negative errno.
 */
int kdbus_chardev_init(const struct file_operations *fops)
{
	int r;

	r = subsys_virtual_register(&chardev_subsys, NULL);
	if (r < 0)
		return r;

	r = alloc_chrdev_region(&chardev_devt, 0, KDBUS_MINORS, KBUILD_MODNAME);
	if (r < 0)
		goto err_subsys;

	cdev_init(&chardev_cdev, fops);
	chardev_cdev.owner = THIS_MODULE;
	r = cdev_add(&chardev_cdev, chardev_devt, KDBUS_MINORS);
	if (r < 0)
		goto err_region;

	return 0;

err_region:
	kobject_put(&chardev_cdev.kobj);
	unregister_chrdev_region(chardev_devt, KDBUS_MINORS);
err_subsys:
	bus_unregister(&chardev_subsys);
	return r;
}

/**
 * kdbus_chardev_exit() - undo kdbus_chardev_init()
 *
 * Context: May sleep; no device node is left and none is open.
 */
void kdbus_chardev_exit(void)
{
	cdev_del(&chardev_cdev);
	unregister_chrdev_region(chardev_devt, KDBUS_MINORS);
	bus_unregister(&chardev_subsys);
	xa_destroy(&chardev_minors);
}
