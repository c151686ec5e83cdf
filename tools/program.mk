# SPDX-License-Identifier: GPL-2.0
#
# program.mk - build one program; to be included last by a Makefile that sets
#
#   PROG, SRCS      its name, and what it is made of
#   PROG_CFLAGS     besides those that all have here
#   PROG_LIBS
#
# and O, the directory to build in.

# one spelling: the dependency files name what they belong to
override O := $(abspath $(O))
UAPI := $(dir $(lastword $(MAKEFILE_LIST)))../include/uapi

CC ?= gcc
CFLAGS ?= -O2 -g
ALL_CFLAGS := -I$(UAPI) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	-Wno-missing-field-initializers $(PROG_CFLAGS)

# As kbuild: a line for each file, whole commands with V=1, nothing with -s.
ifeq ($(V)$(findstring s,$(firstword -$(MAKEFLAGS))),)
say = @printf '  %-7s %s\n' $(1) $(@F);
else ifneq ($(V),1)
say = @
endif

OBJS := $(SRCS:%.c=$(O)/obj/%.o)

all: $(O)/$(PROG)

$(O)/$(PROG): $(OBJS)
	$(call say,LD)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PROG_LIBS)

$(O)/obj/%.o: %.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(O)/obj $(O)/$(PROG)

-include $(OBJS:.o=.d)

.PHONY: all clean
