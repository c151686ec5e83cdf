// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is filled when a test likes, and sends that read it */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "slow-util.h"

void slow_mem_init(struct slow_mem *mem)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	mem->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (mem->uffd < 0)
		kt_skip("this kernel refuses userfaultfd: %s",
			strerrorname_np(errno));
	kt_assert(!ioctl(mem->uffd, UFFDIO_API, &api), "UFFDIO_API: %m");
	mem->area = mmap(NULL, SLOW_LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kt_assert(mem->area != MAP_FAILED, "mmap: %m");
	reg.range.start = PTR64(mem->area);
	reg.range.len = SLOW_LEN;
	kt_assert(!ioctl(mem->uffd, UFFDIO_REGISTER, &reg),
		  "UFFDIO_REGISTER: %m");
}

unsigned int slow_mem_wait(struct slow_mem *mem)
{
	struct pollfd p = { .fd = mem->uffd, .events = POLLIN };
	struct uffd_msg msg;

	kt_assert(poll(&p, 1, 20000) == 1, "the sender does not read its data");
	kt_assert(read(mem->uffd, &msg, sizeof(msg)) == sizeof(msg),
		  "read from the userfaultfd: %m");
	kt_assert(msg.event == UFFD_EVENT_PAGEFAULT, "event %u", msg.event);
	return (msg.arg.pagefault.address - PTR64(mem->area)) / KT_PAGE;
}

void slow_mem_fill(struct slow_mem *mem, unsigned int page)
{
	static u8 bytes[KT_PAGE] __attribute__((__aligned__(4096)));
	struct uffdio_copy copy = {
		.dst = PTR64(mem->area + page * KT_PAGE),
		.src = PTR64(bytes), .len = KT_PAGE,
	};

	memset(bytes, 'a' + page, KT_PAGE);
	/* the kernel may have brought in more than the page it asked for */
	kt_assert(!ioctl(mem->uffd, UFFDIO_COPY, &copy) || errno == EEXIST,
		  "UFFDIO_COPY of page %u: %m", page);
}

bool slow_mem_filled(const void *p)
{
	const u8 *data = p;
	unsigned int i;

	for (i = 0; i < SLOW_LEN; i++)
		if (data[i] != 'a' + i / KT_PAGE)
			return false;
	return true;
}

static void *sends(void *arg)
{
	struct slow_send *s = arg;

	s->ret = conn_send(s->c, &s->m);
	__atomic_store_n(&s->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

void slow_send_start(struct slow_send *s, struct conn *c)
{
	slow_mem_init(&s->mem);
	s->c = c;
	s->done = false;
	msg_vec(&s->m, s->mem.area, SLOW_LEN);
	s->thread = kt_thread(sends, s);
	kt_check(slow_mem_wait(&s->mem) == 0, "not the first page");
}

void slow_send_to(struct slow_send *s, struct conn *c, u64 dst,
		  const char *name)
{
	msg_init(&s->m, dst, 1);
	if (name)
		blob_add_str(&s->m, KDBUS_ITEM_DST_NAME, name);
	slow_send_start(s, c);
}

void slow_send_check_stuck(struct slow_send *s)
{
	kt_check(!__atomic_load_n(&s->done, __ATOMIC_SEQ_CST),
		 "the slow sender is through, this proves nothing");
}

int slow_send_end(struct slow_send *s)
{
	unsigned int page;

	slow_send_check_stuck(s);
	for (page = 0; page < SLOW_PAGES; page++)
		slow_mem_fill(&s->mem, page);
	kt_join(s->thread);
	return s->ret;
}

int slow_send_fault(struct slow_send *s)
{
	struct uffdio_range range = {
		.start = PTR64(s->mem.area), .len = SLOW_LEN,
	};

	slow_send_check_stuck(s);
	kt_assert(!mprotect(s->mem.area, SLOW_LEN, PROT_NONE), "mprotect: %m");
	kt_assert(!ioctl(s->mem.uffd, UFFDIO_WAKE, &range), "UFFDIO_WAKE: %m");
	kt_join(s->thread);
	return s->ret;
}

struct bounded {
	void *(*fn)(void *arg);
	void *arg;
	void *ret;
	bool done;
};

static void *runs_bounded(void *arg)
{
	struct bounded *b = arg;

	b->ret = b->fn(b->arg);
	__atomic_store_n(&b->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

void *must_return(void *(*fn)(void *arg), void *arg, const char *what)
{
	struct bounded b = { .fn = fn, .arg = arg };
	u64 end = kt_now_ms() + 20000;
	pthread_t t = kt_thread(runs_bounded, &b);

	while (!__atomic_load_n(&b.done, __ATOMIC_SEQ_CST)) {
		kt_assert(kt_now_ms() < end, "%s waits for the slow sender",
			  what);
		usleep(1000);
	}
	kt_join(t);
	return b.ret;
}
