/* The table of families. */
#include "family.h"

#include "vit/vit.h"

#include <string.h>

const struct lae_backbone_family *const lae_backbone_families[] = {&lae_vit_family, NULL};

struct lae_backbone_dims lae_backbone_pack_dims(const struct lae_backbone_family *family,
                                                const void *own, size_t size)
{
    struct lae_backbone_dims dims = {0};
    while (lae_backbone_families[dims.family] != family)
        dims.family++;
    memcpy(dims.own, own, size);
    return dims;
}

/* The first that claims the tensors; where nobody does, the first says what it lacks. */
static int find_family(const struct lae_set *tensors)
{
    for (int i = 0; lae_backbone_families[i] != NULL; i++)
        if (lae_backbone_families[i]->claims(tensors)) return i;
    return 0;
}

lae_status lae_backbone_dims_of(const struct lae_set *tensors,
                                const struct lae_backbone_hints *hints,
                                struct lae_backbone_dims *dims)
{
    *dims = (struct lae_backbone_dims){0};
    return lae_backbone_families[find_family(tensors)]->dims_of(tensors, hints, dims);
}

static const struct lae_backbone_size *find_size(const char *name, int *family, size_t *row)
{
    for (*family = 0; lae_backbone_families[*family] != NULL; ++*family) {
        const struct lae_backbone_size *sizes = lae_backbone_families[*family]->sizes;
        for (*row = 0; sizes[*row].name != NULL; ++*row)
            if (strcmp(sizes[*row].name, name) == 0) return &sizes[*row];
    }
    return NULL;
}

const struct lae_backbone_size *lae_backbone_find_size(const char *name)
{
    int family;
    size_t row;
    return find_size(name, &family, &row);
}

lae_status lae_backbone_dims_of_size(const struct lae_backbone_size *size, int image,
                                     struct lae_backbone_dims *dims)
{
    int family;
    size_t row;
    *dims = (struct lae_backbone_dims){0};
    find_size(size->name, &family, &row);
    return lae_backbone_families[family]->dims_of_size(row, image, dims);
}
