#include "sandbox.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef LAE_HAVE_SECCOMP
#include <errno.h>
#include <seccomp.h>
#endif

#define SECONDS 5                   /* of the processor */
#define BYTES_A_SECOND (16UL << 20) /* and one more for so many bytes of the file */
#define MEMORY ((size_t)1 << 30)    /* beyond what is there and twice the file */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* which reserves more than any limit */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Never more than is allowed already. */
static void limit(int resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) return;
    if (now.rlim_max == RLIM_INFINITY || now.rlim_max > most) now.rlim_max = most;
    if (now.rlim_cur == RLIM_INFINITY || now.rlim_cur > now.rlim_max) now.rlim_cur = now.rlim_max;
    setrlimit(resource, &now);
}

#ifndef SANITIZED
static void limit_memory(size_t bytes)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return;
    if (fscanf(file, "%lu", &pages) == 1)
        limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY + 2 * bytes);
    fclose(file);
}
#endif

/* Under valgrind everything takes its time, and system calls are its own, too. */
static bool is_under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

static void limit_all(size_t bytes)
{
#ifndef SANITIZED
    limit_memory(bytes);
#endif
    limit(RLIMIT_CPU, SECONDS + bytes / BYTES_A_SECOND);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, 0); /* what is open stays so */
}

#ifdef LAE_HAVE_SECCOMP
/* What is not named fails with EPERM, as if it were not allowed to anybody. Without its directory's
 * name HDF5 2 breaks down on any file. */
static void forbid_system_calls(void)
{
    static const int allowed[] = {
        SCMP_SYS(recvfrom),      SCMP_SYS(sendto),          SCMP_SYS(brk),
        SCMP_SYS(mmap),          SCMP_SYS(munmap),          SCMP_SYS(mremap),
        SCMP_SYS(mprotect),      SCMP_SYS(madvise),         SCMP_SYS(futex),
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),    SCMP_SYS(getpid),
        SCMP_SYS(gettid),        SCMP_SYS(getrandom),       SCMP_SYS(sched_yield),
        SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),   SCMP_SYS(tgkill),          SCMP_SYS(exit),
        SCMP_SYS(exit_group),    SCMP_SYS(restart_syscall), SCMP_SYS(getcwd),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) return;
    int failed = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (failed == 0) failed = seccomp_load(filter); /* not in every container */
    seccomp_release(filter);
}
#endif

void lae_sandbox_enter(size_t bytes)
{
    if (is_under_valgrind()) return;
    limit_all(bytes);
#ifdef LAE_HAVE_SECCOMP
    forbid_system_calls();
#endif
}
