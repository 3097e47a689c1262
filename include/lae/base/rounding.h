/* The rules of floating-point arithmetic that a thread works by. Libraries change them for the
 * thread that loads them (gcc's -ffast-math links such code in), and threads inherit them. */
#ifndef LAE_BASE_ROUNDING_H
#define LAE_BASE_ROUNDING_H

/* IEEE 754's defaults for the calling thread: results are rounded to nearest, numbers below the
 * normal ones are kept, and nothing traps. */
void lae_rounding_reset(void);

#endif
