/* What cannot be seen in a backbone's tensors, and who says it: the file itself, or a config.json
 * beside it, as transformers and timm leave it. */
#ifndef LAE_WEIGHTS_FACTS_H
#define LAE_WEIGHTS_FACTS_H

#include "lae/base/log.h"
#include "lae/base/status.h"
#include "lae/weights/weights.h"

#include <jansson.h>
#include <stdint.h>

struct lae_facts {
    double layer_norm_eps; /* 0: not told */
    int heads;             /* 0: not told */
    int width, depth;      /* of the model that is spoken of; 0: not told */
    char activation[32];   /* "": not told */
    char from[LAE_ORIGIN_TEXT];
    struct lae_pixels pixels;
};

/* What our own files say of themselves: `eps` must be finite and above 0, `heads` 0 (unknown) or
 * more. */
lae_status lae_weights_facts_set(struct lae_facts *facts, double eps, int64_t heads) LAE_MUST_CHECK;

/* From the object of a config.json or of timm's pretrained_cfg; `from` names it. What it does not
 * say, or says in a way that nobody knows, stays untold. */
void lae_weights_facts_take(struct lae_facts *facts, const json_t *object, const char *from);

/* From config.json and preprocessor_config.json in the directory, as far as they are there. One
 * that is no JSON is a warning. */
lae_status lae_weights_facts_beside(const char *directory, struct lae_log *log,
                                    struct lae_facts *facts) LAE_MUST_CHECK;

/* What follows for a backbone whose tensors have been put together: heads and eps where they are
 * not known yet. What contradicts the tensors is warned of and not used. Errors: what is told is
 * not supported, or cannot be. `path` is for messages. */
lae_status lae_weights_facts_apply(const char *path, const struct lae_facts *own,
                                   const struct lae_facts *beside, struct lae_log *log,
                                   struct lae_weights *weights) LAE_MUST_CHECK;

/* Pixels as our own files keep them, {"mean": [...], "std": [...]}, as a new text; free(). */
char *lae_weights_pixels_text(const struct lae_pixels *pixels);
void lae_weights_pixels_take(struct lae_pixels *pixels, const json_t *mean, const json_t *std,
                             const char *from);

#endif
