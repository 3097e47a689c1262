#include "lae/store/predictions.h"

#include "hdf5_file.h"

#include <stdlib.h>

static lae_status write_attributes(struct lae_hdf5 *file, const struct lae_predictions *p)
{
    LAE_TRY(lae_hdf5_put_text(file, "", "split", p->split));
    LAE_TRY(lae_hdf5_put_int(file, "", "task", p->task));
    LAE_TRY(lae_hdf5_put_ints(file, "", "class_order", p->order_count, p->class_order));
    LAE_TRY(lae_hdf5_put_text(file, "", "checkpoint_sha256", p->checkpoint_digest));
    return lae_hdf5_put_text(file, "", "data_sha256", p->data_digest);
}

static lae_status write_content(struct lae_hdf5 *file, const struct lae_predictions *p)
{
    LAE_TRY(write_attributes(file, p));
    for (size_t i = 0; i < p->item_count; i++) {
        const struct lae_prediction *item = &p->items[i];
        const size_t shape[2] = {p->count, item->width};
        LAE_TRY(lae_hdf5_write_float(file, item->name, 2, shape, item->values));
    }
    LAE_TRY(lae_hdf5_write_int32(file, "labels", 1, &p->count, p->labels));
    return lae_hdf5_write_int32(file, "index", 1, &p->count, p->index);
}

lae_status lae_predictions_write(const char *path, const struct lae_predictions *predictions)
{
    struct lae_hdf5 file;
    LAE_TRY(lae_hdf5_create(path, LAE_PREDICTIONS_FORMAT, LAE_PREDICTIONS_VERSION, &file));
    lae_status status = write_content(&file, predictions);
    if (status == NULL) status = lae_hdf5_commit(&file);
    lae_hdf5_close(&file);
    return status;
}

void lae_predictions_free(struct lae_predictions *predictions)
{
    for (size_t i = 0; i < predictions->item_count; i++) {
        free(predictions->items[i].name);
        free(predictions->items[i].values);
    }
    free(predictions->items);
    free(predictions->labels);
    free(predictions->index);
    *predictions = (struct lae_predictions){0};
}
