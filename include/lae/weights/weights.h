/* Weight files of backbones, whatever their format, as one set in timm's names.
 *
 * Read: NumPy's .npz, .safetensors, PyTorch's .pth and .bin (F32, F16, BF16, F64), this program's HDF5;
 * one file, or several shards with an index or in a folder. Files are told apart by content, names
 * by themselves: Google's, big_vision's, timm's, transformers', torchvision's (METHOD sections 3
 * and 11). Written: HDF5 and timm .safetensors.
 *
 * Names use '/' where timm writes '.': blocks/0/attn/qkv/weight [3D, D].
 */
#ifndef LAE_WEIGHTS_WEIGHTS_H
#define LAE_WEIGHTS_WEIGHTS_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/params/set.h"

#include <stdbool.h>

enum { LAE_ORIGIN_TEXT = 96 };

/* What pixels in 0..1 have to be made into: (x - mean) / std for each colour. */
struct lae_pixels {
    bool known;
    double mean[3], std[3];
    char from[LAE_ORIGIN_TEXT]; /* who says so */
};

struct lae_weights {
    char format[64]; /* names and container: "timm safetensors", "HDF5" */
    /* timm's names and layouts, float32, in this order; heads (classifiers) are left out:
     * cls_token [1, 1, D], dist_token [1, 1, D] and reg_token [1, R, D] where there are some,
     * pos_embed [1, P + G, D] (P rows for these tokens, G a square), patch_embed/proj/{weight
     * [D, 3, p, p], bias}, blocks/I/{norm1,norm2}/{weight,bias}, blocks/I/attn/{qkv,proj}/...,
     * blocks/I/mlp/{fc1,fc2}/..., norm/{weight,bias} */
    struct lae_set tensors;
    double layer_norm_eps;
    int heads;                        /* of attention; 0: not known */
    char heads_from[LAE_ORIGIN_TEXT]; /* who says so, for "12 heads (...)" */
    bool heads_told;                  /* not only known from published models of that width */
    struct lae_pixels pixels;
    char digest[65]; /* SHA-256 of the file; of several, of the list of their digests */
};

/* Reads all of it. `path` is a file, the index of a sharded model (*.index.json), or a folder that
 * holds one model. Missing, misshapen, unknown, non-finite or duplicated tensors, and damage of any
 * kind, are errors that name the file and the tensor (by the file's own name), with the shape found
 * and the shape wanted. `log` may be NULL: warnings go there, and what was passed over. */
lae_status lae_weights_read(const char *path, struct lae_log *log,
                            struct lae_weights *weights) LAE_MUST_CHECK;
void lae_weights_free(struct lae_weights *weights);

/* Whether a directory holds weight files, which a run's does not. */
bool lae_weights_are_in(const char *directory);

/* Writes atomically, in the format that the path's ending asks for (.h5, .hdf5, .safetensors); what
 * lae_weights_read then gives has the same tensors, layer_norm_eps, heads and pixels. */
lae_status lae_weights_write(const char *path, const struct lae_weights *weights) LAE_MUST_CHECK;

#endif
