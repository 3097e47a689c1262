/* Errors as values.
 *
 * A function that can fail returns `lae_status`: NULL when it worked, otherwise an error that
 * carries a message a user can act on (what is wrong, where, what to do) and the exit code the
 * program should end with. Whoever receives an error passes it up (LAE_TRY) or frees it.
 */
#ifndef LAE_BASE_STATUS_H
#define LAE_BASE_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exit codes, see README. */
enum lae_code {
    LAE_OK = 0,
    LAE_FAILED = 1,    /* anything that is not the user's input */
    LAE_BAD_INPUT = 2, /* usage, configuration, files */
    LAE_STOPPED = 75,  /* stopped on request, state saved */
};

typedef struct lae_error *lae_status;

#define LAE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define LAE_MUST_CHECK __attribute__((warn_unused_result))

/* A new error with a formatted message. Never NULL, also when memory is out. */
lae_status lae_status_new(enum lae_code code, const char *format, ...) LAE_PRINTF(2, 3);

/* Tells compilers and analyzers what they cannot see from another file: this is an error. */
static inline lae_status lae_status_is_error(lae_status status)
{
    if (status == NULL) __builtin_unreachable();
    return status;
}

#define lae_bad_input(...) lae_status_is_error(lae_status_new(LAE_BAD_INPUT, __VA_ARGS__))
#define lae_failed(...) lae_status_is_error(lae_status_new(LAE_FAILED, __VA_ARGS__))
#define lae_stopped() lae_status_is_error(lae_status_new(LAE_STOPPED, "stopped on request"))
#define lae_out_of_memory(bytes, what)                                                             \
    lae_failed("out of memory: %.1f MiB for %s", (double)(bytes) / 1048576.0, what)

/* Puts "prefix: " in front of the message of `status` and returns it; NULL stays NULL. */
lae_status lae_status_prefix(lae_status status, const char *format, ...) LAE_PRINTF(2, 3);

/* NULL has code LAE_OK and the message "ok". The text lives as long as the status. */
enum lae_code lae_status_code(const struct lae_error *status);
const char *lae_status_message(const struct lae_error *status);

/* NULL is allowed. */
void lae_status_free(lae_status status);

/* The first of the two; the second is freed when both are errors. For clean-up that can fail. */
lae_status lae_status_first(lae_status first, lae_status second);

/* Returns from the calling function when `expression` is an error. */
#define LAE_TRY(expression)                                                                        \
    do {                                                                                           \
        lae_status lae_try_status_ = (expression);                                                 \
        if (lae_try_status_ != NULL) return lae_try_status_;                                       \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
