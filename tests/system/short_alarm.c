/* Preloaded, makes a patience of minutes one of three seconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

unsigned alarm(unsigned seconds)
{
    unsigned (*real)(unsigned);
    *(void **)&real = dlsym(RTLD_NEXT, "alarm");
    return real(seconds > 60 ? 3 : seconds);
}
