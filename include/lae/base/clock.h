/* Time that only goes forward. */
#ifndef LAE_BASE_CLOCK_H
#define LAE_BASE_CLOCK_H

/* Seconds since some fixed moment, unaffected by changes of the date. */
double lae_clock_seconds(void);

#endif
