/* Preloaded, changes the rules of arithmetic as libraries do that were built for speed: numbers
 * below the normal ones are flushed to zero, results rounded upwards. With LAE_OTHER_LOG set, the
 * logarithm is another library's, too: its last bit differs. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fenv.h>
#include <math.h>
#include <stdlib.h>

#if defined __SSE__
#include <xmmintrin.h>
#endif

__attribute__((constructor)) static void change_rules(void)
{
    fesetround(FE_UPWARD);
#if defined __SSE__
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

double log(double x)
{
    double (*own)(double);
    *(void **)&own = dlsym(RTLD_NEXT, "log");
    return getenv("LAE_OTHER_LOG") != NULL ? nextafter(own(x), 1e9) : own(x);
}
