# SPDX-License-Identifier: GPL-2.0
#
# How sphinx renders Documentation/ out of tree; tools/docs/build sets what is read
# from the environment. In a kernel tree the kernel's own conf.py does this.

import os
import sys

kernel = os.environ["KERNEL_DOC_TREE"]
sys.path.insert(0, os.path.join(kernel, "Documentation/sphinx"))

project = "kdbus"
version = os.environ["KDBUS_VERSION"]
root_doc = "kdbus/index"
extensions = ["kerneldoc"]
kerneldoc_bin = os.path.join(kernel, "scripts/kernel-doc")
kerneldoc_srctree = os.environ["srctree"]
# words of the kernel that are no C
c_id_attributes = ["__user", "__must_check", "__packed"]
html_theme = "alabaster"
html_show_copyright = False
