/* Structs as attributes of an object, a number each: written and read by one table. */
#include "lae/store/hdf5.h"

static bool is_whole(const struct lae_field *field)
{
    return field->kind == LAE_FIELD_FLAG || field->kind == LAE_FIELD_INT;
}

lae_status lae_hdf5_put_record(struct lae_hdf5 *file, const char *object,
                               const struct lae_record *record, const void *item)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct lae_field *field = &record->fields[i];
        double number = lae_field_get(field, item);
        LAE_TRY(is_whole(field) ? lae_hdf5_put_int(file, object, field->name, (int32_t)number)
                                : lae_hdf5_put_double(file, object, field->name, number));
    }
    return NULL;
}

static lae_status get_number(struct lae_hdf5 *file, const char *object,
                             const struct lae_field *field, double *number)
{
    int32_t whole = 0;
    if (!is_whole(field)) return lae_hdf5_get_double(file, object, field->name, number);
    LAE_TRY(lae_hdf5_get_int(file, object, field->name, &whole));
    *number = whole;
    return NULL;
}

lae_status lae_hdf5_get_record(struct lae_hdf5 *file, const char *object,
                               const struct lae_record *record, void *item)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct lae_field *field = &record->fields[i];
        double number = 0.0;
        if (field->later && !lae_hdf5_has_attribute(file, object, field->name)) continue;
        LAE_TRY(get_number(file, object, field, &number));
        if (!lae_field_set(field, item, number))
            return lae_bad_input("%s: /%s: attribute %s is %g, no count", file->path, object,
                                 field->name, number);
    }
    return NULL;
}
