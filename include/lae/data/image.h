/* From an image's bytes to the model's input: crop, resize, flip, normalise (METHOD section 2).
 *
 * Resizing is Pillow's 8-bit bilinear or bicubic, to the bit (Pillow, src/libImaging/Resample.c
 * describes the algorithm: separable filter, 22-bit fixed-point weights).
 */
#ifndef LAE_DATA_IMAGE_H
#define LAE_DATA_IMAGE_H

#include "lae/base/random.h"
#include "lae/data/dataset.h"

#define LAE_MAX_SIDE 16384 /* pixels, of an image or of the model's input */

struct lae_box {
    int left, top, width, height; /* pixels */
};

/* Memory for transforms of images up to some size, one a thread. */
struct lae_image_workspace;

/* For images no wider and no higher than `largest`, and inputs [3, image_size, image_size]. Errors:
 * memory, a size outside 1..LAE_MAX_SIDE. */
lae_status lae_image_workspace_create(struct lae_size largest, int image_size,
                                      enum lae_filter filter,
                                      struct lae_image_workspace **workspace) LAE_MUST_CHECK;
void lae_image_workspace_free(struct lae_image_workspace *workspace);

/* Resizes the box of rgb [height, width, 3] to out [out_height, out_width, 3]; pixels outside the
 * box do not count. Errors: memory, a box that is not inside the image, a size outside
 * 1..LAE_MAX_SIDE. */
lae_status lae_image_resize(enum lae_filter filter, const uint8_t *rgb, int width, int height,
                            struct lae_box box, uint8_t *out, int out_width,
                            int out_height) LAE_MUST_CHECK;

/* The crop of RandomResizedCrop (area 0.08..1, log-uniform aspect 3/4..4/3, ten tries, then the
 * whole image) and whether to flip, for one image. The stream's numbers are: 4t area, 4t + 1
 * aspect, 4t + 2 top, 4t + 3 left of try t = 0..9, and 40 the flip. */
struct lae_box lae_image_random_crop(const struct lae_random *stream, int width, int height,
                                     bool *flip);

/* rgb [height, width, 3] to x [3, S, S]: augmented by numbers of `stream`, or the test transform
 * where stream is NULL; then (v/255 - mean)/std, computed in double and rounded once. `size` is
 * at most what the workspace was made for. */
void lae_image_prepare(struct lae_image_workspace *workspace, const uint8_t *rgb,
                       struct lae_size size, const struct lae_random *stream, const double mean[3],
                       const double std[3], float *x);

#endif
