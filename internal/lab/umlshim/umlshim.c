/*
 * umlshim stands between user-mode Linux 6.1 and the C library, for two things
 * that kernel does wrong on newer hosts and for our use. It is preloaded
 * (LD_PRELOAD); scripts/lab-kernels.sh builds it.
 *
 * 1. On CPUs with AMX it cannot start a process ("ptrace set fp regs failed,
 *    errno = 14"): the state it keeps of the floating-point registers ends behind
 *    AVX-512, and the host's kernel takes all of the state or none. We give the
 *    rest as zeros, which is the initial state, and the guest's processes cannot
 *    have any other: the host lets nobody use AMX that has not asked for it.
 *
 * 2. When it is killed, its helper processes stay for ever, and so do the
 *    processes of its guest, which from then on make their system calls on the
 *    host. So that all die with it: PTRACE_O_EXITKILL for what it traces,
 *    a parent-death signal for all it clones.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Linux's own numbers, where the C library's header lacks them. */
#define OLDSETOPTIONS 21
#define MAXSTATE (64 << 10)

/* Its kernel is one thread, and has little stack. */
static char state[MAXSTATE];
static size_t state_size; /* on this host; 0 is not known yet */

static long set_xstate(pid_t pid, void *addr, struct iovec *given)
{
	struct iovec all = { state, sizeof(state) };

	if (state_size == 0) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, addr, &all) < 0)
			return -1;
		state_size = all.iov_len;
		memset(state, 0, sizeof(state));
	}
	if (given->iov_len >= state_size)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, addr, given);
	memcpy(state, given->iov_base, given->iov_len);
	all.iov_len = state_size;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, addr, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t pid;
	void *addr, *data;
	long word, ret;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);

	switch ((int)request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER: /* the system call's result is elsewhere */
		ret = syscall(SYS_ptrace, request, pid, addr, &word);
		if (ret < 0)
			return ret;
		errno = 0;
		return word;
	case PTRACE_SETREGSET:
		if ((long)addr == NT_X86_XSTATE)
			return set_xstate(pid, addr, data);
		break;
	case PTRACE_SETOPTIONS:
	case OLDSETOPTIONS:
		data = (void *)((long)data | PTRACE_O_EXITKILL);
		break;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static int (*real_clone)(int (*)(void *), void *, int, void *, ...);

__attribute__((constructor)) static void find_clone(void)
{
	*(void **)&real_clone = dlsym(RTLD_NEXT, "clone");
}

/* What a clone begins with. A slot is read as soon as the clone runs. */
static struct start {
	int (*fn)(void *);
	void *arg;
	pid_t parent;
} starts[64];
static unsigned int next_start;

static int start_clone(void *p)
{
	struct start s = *(struct start *)p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s.parent)
		_exit(1); /* it died before we said so */
	return s.fn(s.arg);
}

/* UML passes none of the arguments that may follow. */
int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	struct start *s = &starts[next_start++ % (sizeof(starts) / sizeof(*starts))];

	*s = (struct start){ fn, arg, getpid() };
	return real_clone(start_clone, stack, flags, s);
}
