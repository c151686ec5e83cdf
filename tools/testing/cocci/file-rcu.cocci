// SPDX-License-Identifier: GPL-2.0
/// A file that is found under RCU may be another one by the time that it is looked
/// at: since Linux 6.7 files are used again without waiting for readers. Nothing of
/// it may be read without a reference, which get_file_rcu(), get_file_active() and
/// fget() take. mm->exe_file is for the one helper that does, in compat/fs.h.
//
// Options: --include-headers --no-includes

virtual report

@exe@
identifier fn != kdbus_get_mm_exe_file;
expression E;
position p;
@@
fn(...)
{
	<+...
	E->exe_file@p
	...+>
}

@script:python depends on report@
p << exe.p;
@@
coccilib.report.print_report(p[0], "exe_file outside of kdbus_get_mm_exe_file()")

@fetched@
identifier fetch = {rcu_dereference, rcu_dereference_check, rcu_dereference_raw,
	READ_ONCE, files_lookup_fd_rcu, files_lookup_fd_raw, task_lookup_fd_rcu,
	lookup_fd_rcu};
idexpression struct file *f;
position p;
@@
f =@p fetch(...)

@taken@
idexpression struct file *f;
position fetched.p;
expression E;
@@
f =@p E
... when any
get_file_rcu(f)

@script:python depends on report && !taken@
p << fetched.p;
@@
coccilib.report.print_report(p[0], "a file found under RCU, and no reference")

@declared@
identifier fetch = {rcu_dereference, rcu_dereference_check, rcu_dereference_raw,
	READ_ONCE, files_lookup_fd_rcu, files_lookup_fd_raw, task_lookup_fd_rcu,
	lookup_fd_rcu};
identifier f;
position p;
@@
(
struct file *f@p = fetch(...);
|
const struct file *f@p = fetch(...);
)

@kept@
identifier declared.f;
position declared.p;
expression E;
@@
(
struct file *f@p = E;
|
const struct file *f@p = E;
)
... when any
get_file_rcu(f)

@script:python depends on report && !kept@
p << declared.p;
@@
coccilib.report.print_report(p[0], "a file found under RCU, and no reference")

@used@
identifier fetch = {rcu_dereference, rcu_dereference_check, rcu_dereference_raw,
	READ_ONCE, files_lookup_fd_rcu, files_lookup_fd_raw, task_lookup_fd_rcu,
	lookup_fd_rcu};
identifier member =~ "^f_";
position p;
@@
fetch@p(...)->member

@script:python depends on report@
p << used.p;
@@
coccilib.report.print_report(p[0], "a file found under RCU, and no reference")
