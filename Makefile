# SPDX-License-Identifier: GPL-2.0
#
# kdbus, out of tree. Everything that is made goes to build/; 'make help' lists
# the targets.

# Kernel to build against: the running one when its headers are installed, else
# the newest whose headers are.
ifndef KDIR
KDIR := $(wildcard /lib/modules/$(shell uname -r)/build)
endif
ifeq ($(KDIR),)
KDIR := $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V | tail -n 1)
endif

# Not include/config/kernel.release: Debian's headers have another name there.
KREL := $(if $(KDIR),$(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null))

# Name of a second build beside the first: KDBUS_EXT=foo makes kdbusfoo.ko,
# which serves /dev/kdbusfoo. kdbus/Kbuild and vm-run read it as well.
KDBUS_EXT ?=
export KDBUS_EXT

# Of 'make coverage': kbuild reads it, and has the module count which lines run.
# Only from the command line, so that no other build does.
ifneq ($(origin GCOV_PROFILE),command line)
GCOV_PROFILE :=
unexport GCOV_PROFILE
endif

# Kernel that the guest of demo and check runs: a whole kernel tree has one,
# headers have not, so Debian's of the same release is fetched.
KERNEL ?= $(or $(wildcard $(KDIR)/arch/x86/boot/bzImage),$(KREL))

B := $(CURDIR)/build
# Builds of another VARIANT are made with other flags, and stay apart.
VARIANT ?=
STAGE := $(B)/modules/$(KREL)$(KDBUS_EXT:%=-%)$(VARIANT:%=-%)$(if $(GCOV_PROFILE),-gcov)
KO := $(STAGE)/kdbus/kdbus$(KDBUS_EXT).ko

# Whoever gives no -j gets one job per processor. Looked at in recipes only:
# make does not know before.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

VM := tools/testing/vm
TESTS := tools/testing/selftests/kdbus
LIB := tools/lib/kdbus

# Each of these has a Makefile that takes O=, the absolute directory to build in.
SUBDIRS := $(patsubst %/Makefile,%,$(wildcard samples/Makefile tools/*/Makefile \
	$(LIB)/Makefile $(LIB)/tests/Makefile $(TESTS)/Makefile))
samples_O := $(B)/samples
$(TESTS)_O := $(B)/tests
out = $(or $($(1)_O),$(B)/$(1))

.PHONY: all programs
all: module
programs: samples tools tests

#
# Module
#

# Staged: the sources are copied to a directory of the kernel and built there.
# The source tree stays clean, and builds for several kernels stay apart.
.PHONY: module
module: need-kdir
	@KDIR=$(KDIR) tools/stage $(STAGE) Kbuild kdbus include
	@+$(MAKE) $(JOBS) --no-print-directory -C $(KDIR) M=$(STAGE) modules

.PHONY: modules_install
modules_install: module
	@+$(MAKE) --no-print-directory -C $(KDIR) M=$(STAGE) modules_install

# kbuild updates the module index only where it finds the kernel's System.map
# beside the headers.
.PHONY: install install_lib
install: modules_install install_lib
	$(if $(INSTALL_MOD_PATH),,depmod -a $(KREL))

install_lib: $(LIB)
	@+$(MAKE) --no-print-directory -C $(LIB) O=$(B)/$(LIB) \
		DESTDIR=$(or $(DESTDIR),$(INSTALL_MOD_PATH)) install
	$(if $(DESTDIR)$(INSTALL_MOD_PATH),,ldconfig)

.PHONY: need-kdir
need-kdir:
	@[ -n "$(KREL)" ] || { \
		echo "*** No kernel headers in KDIR ('$(KDIR)')." \
		     "'make setup' installs some." >&2; exit 1; }

#
# Packages
#

.PHONY: dkms
dkms:
	@dir=$$(tools/packaging/dkms-tree $(B)/dkms) && \
	echo "$${dir#$(CURDIR)/}: to build and install it, as root: dkms install $$dir"

.PHONY: deb
deb:
	@tools/setup deb
	@tools/packaging/make-deb $(B)/deb

.PHONY: check-deb run-check-deb
check-deb:
	@tools/setup deb
	@+$(MAKE) -s --no-print-directory run-check-deb

run-check-deb: module programs
	@KDBUS_MODULE=$(KO) KERNEL=$(KERNEL) KDIR=$(KDIR) BUILD=$(B) \
		tools/testing/check-deb

#
# Programs
#

# "samples" is a target and its directory in one.
.PHONY: samples tools tests $(SUBDIRS)
tools: $(filter tools/%,$(filter-out $(TESTS),$(SUBDIRS)))
tests: $(filter $(TESTS),$(SUBDIRS))

$(SUBDIRS):
	@mkdir -p $(call out,$@)
	@+$(MAKE) $(JOBS) --no-print-directory -C $@ O=$(call out,$@)

# Built first, as these do not look whether it is as it should be.
$(LIB)/tests tools/bench tools/kdbusctl samples: $(LIB)

#
# Running it
#

.PHONY: setup
setup:
	@tools/setup

# setup may install the very headers that KDIR is to name: a new make looks. The
# output of the demo begins with the demo.
.PHONY: demo check
demo: setup
	@+$(MAKE) -s --no-print-directory run-$@
check: setup
	@+$(MAKE) --no-print-directory run-$@

.PHONY: run-demo
run-demo: module samples
	@KDBUS_MODULE=$(KO) $(VM)/vm-run --kernel $(KERNEL) \
		--add $(B)/samples/kdbus-demo:/bin/kdbus-demo -- \
		kdbus-demo -m kdbus$(KDBUS_EXT)

.PHONY: run-check
run-check: module programs
	@+KDBUS_MODULE=$(KO) KERNEL=$(KERNEL) KDIR=$(KDIR) BUILD=$(B) MAKE="$(MAKE)" \
		tools/testing/check

# A stage of 'make check' is a line in tools/testing/check.

# The tests on kernels of our own, which take minutes to build, once.
# make check-quick T=send/ runs the tests whose names have that.
T ?=
FAULT ?=
CONFIG_check-debug := debug
CONFIG_check-kcsan := kcsan
CONFIG_check-quick := um

.PHONY: check-debug check-kcsan check-quick
check-debug check-kcsan check-quick:
	@tools/setup kernel
	@+dir=$$($(VM)/build-kernel $(CONFIG_$@)) && \
	$(MAKE) -s --no-print-directory run-$@ KDIR=$$dir \
		CC="$$(command -v gcc-12 || echo gcc)"

.PHONY: run-check-debug run-check-kcsan run-check-quick
run-check-quick: export ARCH := um
run-check-debug run-check-kcsan run-check-quick: module tests tools
	@KDBUS_MODULE=$(KO) KDIR=$(KDIR) BUILD=$(B) \
		GCOV=$(if $(GCOV_PROFILE),$(B)/coverage/$(CONFIG_$(@:run-%=%))) \
		tools/testing/check-kernel $(CONFIG_$(@:run-%=%)) $(addprefix -t ,$(T))

# The library against the module: its own tests, in three machines.
.PHONY: check-lib run-check-lib
check-lib:
	@tools/setup kernel lib
	@+dir=$$($(VM)/build-kernel um) && \
	$(MAKE) -s --no-print-directory module KDIR=$$dir ARCH=um \
		CC="$$(command -v gcc-12 || echo gcc)" && \
	$(MAKE) -s --no-print-directory run-$@ UM=$$dir

run-check-lib: module $(LIB)/tests samples
	@+KDBUS_MODULE=$(KO) KERNEL=$(KERNEL) UM=$(UM) BUILD=$(B) MAKE="$(MAKE)" \
		tools/testing/check-lib $(addprefix -t ,$(T))

# kdbusctl with services to talk to.
.PHONY: check-ctl run-check-ctl
check-ctl:
	@tools/setup kernel lib ctl
	@+dir=$$($(VM)/build-kernel um) && \
	$(MAKE) -s --no-print-directory module KDIR=$$dir ARCH=um \
		CC="$$(command -v gcc-12 || echo gcc)" && \
	$(MAKE) -s --no-print-directory run-$@ UM=$$dir

run-check-ctl: tools/kdbusctl
	@+UM=$(UM) BUILD=$(B) MAKE="$(MAKE)" tools/testing/check-ctl $(if $(T),'$(T)')

# What the tests reach with these targets together: check-debug adds what needs two
# processors to meet, and takes much longer.
COVERAGE ?= check-quick

.PHONY: coverage
coverage:
	@tools/setup kernel coverage
	@+BUILD=$(B) MAKE="$(MAKE)" tools/testing/coverage $(COVERAGE)

# Deliberate faults, each of which has to be noticed.
.PHONY: check-broken
check-broken: tests
	@tools/setup kernel
	@+BUILD=$(B) MAKE="$(MAKE)" tools/testing/broken/run $(FAULT)

# make fuzz [ON=um|debug] [FUZZ='-t SECONDS -j GUESTS -s SEED' | '-r FILE' | '-m FILE...']
ON ?= um
FUZZ ?=
.PHONY: fuzz
fuzz:
	@tools/setup kernel
	@+dir=$$($(VM)/build-kernel $(ON)) && \
	$(MAKE) -s --no-print-directory run-fuzz KDIR=$$dir \
		CC="$$(command -v gcc-12 || echo gcc)" \
		VARIANT=kcov KCOV_INSTRUMENT=y $(if $(ON:um=),,ARCH=um)

.PHONY: run-fuzz
run-fuzz: module tools
	@KDBUS_MODULE=$(KO) KDIR=$(KDIR) BUILD=$(B) tools/fuzz/run $(FUZZ)

# NAMES='unix kdbus.call' measures what begins so; profile takes one whole name.
NAMES ?=

.PHONY: bench profile
bench profile:
	@tools/setup bench
	@+$(MAKE) --no-print-directory run-$@

.PHONY: run-bench run-profile
run-bench: module tools
	@KDBUS_MODULE=$(KO) KERNEL=$(KERNEL) BUILD=$(B) tools/bench/run $(NAMES)

run-profile: module tools
	@KDBUS_MODULE=$(KO) KERNEL=$(KERNEL) BUILD=$(B) tools/bench/profile $(NAMES)

# The tests on Debian's kernels, which are fetched, once.
# make check-kernels K=trixie/amd64 does that one.
K ?=

.PHONY: check-kernels run-check-kernels
check-kernels:
	@tools/setup kernels
	@+$(MAKE) --no-print-directory run-check-kernels

run-check-kernels: tests
	@+BUILD=$(B) MAKE="$(MAKE)" tools/testing/check-kernels $(addprefix -t ,$(T)) $(K)

# Also a stage of lint.
.PHONY: htmldocs
htmldocs:
	@tools/setup docs
	@tools/docs/build $(B)/docs

.PHONY: lint
lint:
	@tools/setup lint docs
	@+$(MAKE) --no-print-directory run-lint

.PHONY: run-lint
run-lint: need-kdir
	@+KDIR=$(KDIR) MAKE="$(MAKE)" tools/testing/lint

.PHONY: check-all
check-all:
	@+MAKE="$(MAKE)" tools/testing/check-all

#
# The rest
#

.PHONY: clean
clean:
	rm -rf $(B)

.PHONY: help
help:
	@echo 'Building:'
	@echo '  module           kdbus.ko (default); needs kernel headers and a compiler,'
	@echo '                   nothing else; V=1, W=1 and C=1 work as for a kernel'
	@echo '  programs         samples, tools and tests; each is a target, too'
	@echo '  modules_install  install the module; INSTALL_MOD_PATH as for a kernel'
	@echo '  install          the same, update the module index, and install the library'
	@echo '  install_lib      the library, its headers and kdbus.pc; PREFIX, DESTDIR'
	@echo '  dkms             make build/dkms/kdbus-VERSION, which "dkms install" takes'
	@echo '  deb              make packages of module, library and samples in build/deb/'
	@echo '  clean            remove build/'
	@echo
	@echo 'Running, in a virtual machine:'
	@echo '  demo             exchange messages and show what happened'
	@echo '  check            all tests; the last line says "N passed, N failed"'
	@echo '  setup            install the packages that all this needs, as root, or'
	@echo '                   name them; demo, check and the targets below begin'
	@echo '                   with it. KDBUS_SETUP=no: name them, install nothing'
	@echo '  check-debug      the tests of the module on a kernel with KASAN, lockdep'
	@echo '                   and kmemleak, which it builds the first time'
	@echo '  check-kcsan      the same with KCSAN, which finds data races'
	@echo '  check-quick      the same as a program, User-mode Linux: seconds;'
	@echo '                   T=PATTERN runs a part, as T=send/'
	@echo '  check-lib        the tests of the library, on User-mode Linux with valgrind,'
	@echo '                   and with the sanitizers; T= as above'
	@echo '  check-kernels    the same on the kernels of Debian 12, 13 and their'
	@echo '                   backports, for x86-64, arm64, i386, which it fetches;'
	@echo '                   K=trixie/amd64 does one, T= as above'
	@echo '  check-ctl        the tests of kdbusctl, on User-mode Linux, also with valgrind;'
	@echo "                   T='call_*' runs a part"
	@echo '  check-broken     break the module on purpose, in a copy: the kernels above'
	@echo '                   have to notice; FAULT=NAME does one of them'
	@echo '  coverage         which lines the tests reach: build/coverage/index.html'
	@echo '  check-deb        make the packages; install, upgrade the kernel and remove'
	@echo '                   them in a small Debian 12, and run what dkms built'
	@echo '  check-all        check, check-debug, check-quick and lint, for .ci/run'
	@echo '  fuzz             calls at random on User-mode Linux, for ten minutes;'
	@echo "                   FUZZ='-t SECONDS -j GUESTS', FUZZ='-r FILE' to"
	@echo '                   reproduce a finding; ON=debug for two processors'
	@echo '  bench            what operations cost, beside sockets, binder and D-Bus;'
	@echo '                   build/bench.json, build/bench.png; and what README shows'
	@echo '  profile          instructions of a call, by function of the kernel;'
	@echo '                   NAMES=kdbus.call.64'
	@echo '  lint             sparse, W=1, checkpatch, coccinelle, shellcheck, and the'
	@echo '                   manual against the code'
	@echo '  htmldocs         the manual and the kernel-doc of the module, as HTML'
	@echo '  To run something else: $(VM)/vm-run --help'
	@echo
	@echo 'Variables:'
	@echo '  KDIR=DIR         kernel headers or build tree to build against'
	@echo '                   [$(KDIR)]'
	@echo '  KERNEL=...       release or bzImage that demo and check boot'
	@echo '                   [$(KERNEL)]'
	@echo '  KDBUS_EXT=foo    build kdbusfoo.ko, to be loaded beside kdbus.ko'
	@echo
	@echo 'Result: $(patsubst $(CURDIR)/%,%,$(KO))'
