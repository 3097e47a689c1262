#include "lae/cmd/cmd.h"
#include "lae/store/weights.h"

static lae_status run(const struct lae_arguments *arguments, const struct lae_dist *dist,
                      struct lae_log *log)
{
    (void)dist;
    const char *in = arguments->positional[0], *out = arguments->positional[1];
    struct lae_weights weights;
    LAE_TRY(lae_weights_read(in, log, &weights));
    lae_status status = lae_weights_write(out, &weights);
    if (status == NULL)
        lae_log_info(log, "%s (%s, %zu tensors) written to %s", in,
                     lae_weights_format_name(weights.format), weights.tensors.count, out);
    lae_weights_free(&weights);
    return status;
}

const struct lae_command lae_command_convert = {
    .name = "convert",
    .usage = "IN OUT",
    .help =
        "rewrite a weight file (.npz, .safetensors, .h5) as .safetensors or .h5, by OUT's ending",
    .positional = 2,
    .serial = true,
    .run = run,
};
