#include "lae/base/status.h"

#include "lae/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lae_error {
    enum lae_code code;
    char *message; /* in the same block of memory */
};

/* What is returned when not even the error's own memory can be had; never freed, never written. */
static lae_status no_memory_status(void)
{
    static char text[] = "out of memory";
    static struct lae_error error = {LAE_FAILED, text};
    return &error;
}

/* The formatted text and `suffix` as a new error. */
static lae_status make(enum lae_code code, const char *suffix, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) length = 0;
    size_t size = (size_t)length + strlen(suffix) + 1;
    lae_status status = malloc(sizeof *status + size);
    if (status == NULL) return no_memory_status();
    status->code = code;
    status->message = (char *)(status + 1);
    status->message[0] = '\0';
    vsnprintf(status->message, size, format, args);
    strcat(status->message, suffix);
    lae_text_tame(status->message); /* a file's name may hold what moves a terminal's cursor */
    return status;
}

lae_status lae_status_new(enum lae_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lae_status status = make(code, "", format, args);
    va_end(args);
    return status;
}

lae_status lae_status_prefix(lae_status status, const char *format, ...)
{
    if (status == NULL || status == no_memory_status()) return status;
    size_t size = strlen(status->message) + 3;
    char *rest = malloc(size);
    if (rest == NULL) return status;
    snprintf(rest, size, ": %s", status->message);
    va_list args;
    va_start(args, format);
    lae_status longer = make(status->code, rest, format, args);
    va_end(args);
    free(rest);
    lae_status_free(status);
    return longer;
}

enum lae_code lae_status_code(const struct lae_error *status)
{
    return status == NULL ? LAE_OK : status->code;
}

const char *lae_status_message(const struct lae_error *status)
{
    return status == NULL ? "ok" : status->message;
}

void lae_status_free(lae_status status)
{
    if (status != no_memory_status()) free(status);
}

lae_status lae_status_first(lae_status first, lae_status second)
{
    if (first == NULL) return second;
    lae_status_free(second);
    return first;
}
