/* The resize itself, of which a caller may want a window only: a centre crop after a resize costs
 * no more than what it keeps. Private to data/. */
#ifndef LAE_DATA_RESIZE_H
#define LAE_DATA_RESIZE_H

#include "lae/base/arena.h"
#include "lae/data/dataset.h"

#include <stdint.h>

/* One axis: `in` pixels become `out`, of which first .. first + count - 1 are wanted. All but first
 * are at least 1; `in` is at most LAE_MAX_SIDE, so that no sum overflows. */
struct lae_resize_axis {
    int in, out, first, count;
};

/* Memory that a resize works in. */
struct lae_resize_scratch {
    enum lae_filter filter;
    int32_t *weight; /* [taps of one output pixel] */
    int32_t *sum;    /* [x.count, 3] */
    uint8_t *rows;   /* [y.in, x.count, 3] */
};

/* Takes scratch for any resize by that filter that makes at most x->count pixels a row, from at
 * most y->in rows, and scales neither axis down by more than x and y do. */
void lae_resize_place(struct lae_arena *arena, enum lae_filter filter,
                      const struct lae_resize_axis *x, const struct lae_resize_axis *y,
                      struct lae_resize_scratch *scratch);

/* rgb [y.in, x.in, 3], its rows `stride` bytes apart, to out [y.count, x.count, 3]. */
void lae_resize_window(const struct lae_resize_scratch *scratch, const uint8_t *rgb, size_t stride,
                       const struct lae_resize_axis *x, const struct lae_resize_axis *y,
                       uint8_t *out);

#endif
