/* Weight files of backbones, whatever their format, as one set in timm's names.
 *
 * Read: Google .npz, timm and transformers .safetensors (F32, F16, BF16), this program's HDF5;
 * told apart by content (METHOD section 3). Written: HDF5 and timm .safetensors.
 *
 * Names use '/' where timm writes '.': blocks/0/attn/qkv/weight [3D, D].
 */
#ifndef LAE_STORE_WEIGHTS_H
#define LAE_STORE_WEIGHTS_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/params/set.h"

enum lae_weights_format {
    LAE_WEIGHTS_NPZ,
    LAE_WEIGHTS_TIMM,
    LAE_WEIGHTS_TRANSFORMERS,
    LAE_WEIGHTS_HDF5,
};

struct lae_weights {
    enum lae_weights_format format;
    /* timm's names and layouts, float32, in this order; heads (classifiers) are left out:
     * cls_token [1, 1, D], pos_embed [1, 1 + G, D] (G a square), patch_embed/proj/{weight
     * [D, 3, p, p], bias}, blocks/I/{norm1,norm2}/{weight,bias}, blocks/I/attn/{qkv,proj}/...,
     * blocks/I/mlp/{fc1,fc2}/..., norm/{weight,bias} */
    struct lae_set tensors;
    double layer_norm_eps; /* 1e-6; 1e-12 for transformers; what our own files say */
    int heads;             /* where the file tells (npz, our own files), else 0 */
    char digest[65];       /* SHA-256 of the file */
};

/* Reads all of it. Missing, misshapen, unknown, non-finite or duplicated tensors, and damage of any
 * kind, are errors that name the file and the tensor (by the file's own name), with the shape found
 * and the shape wanted. `log` may be NULL: warnings go there. */
lae_status lae_weights_read(const char *path, struct lae_log *log,
                            struct lae_weights *weights) LAE_MUST_CHECK;
void lae_weights_free(struct lae_weights *weights);

/* Writes atomically, in the format that the path's ending asks for (.h5, .hdf5, .safetensors); what
 * lae_weights_read then gives has the same tensors, layer_norm_eps and heads. */
lae_status lae_weights_write(const char *path, const struct lae_weights *weights) LAE_MUST_CHECK;

const char *lae_weights_format_name(enum lae_weights_format format);

#endif
