/* Each image has a random number of its own, and of each class those with the smallest are taken.
 *
 * The numbers come from the image's place in its part and from no seed that a configuration can
 * set: runs that differ in their seeds are measured on the same images, and none of them has
 * trained on what another is measured on.
 */
#include "holdout.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct ticket {
    int label;
    uint32_t number, image;
};

static int compare(const void *a, const void *b)
{
    const struct ticket *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

static size_t how_many(size_t images, double share)
{
    size_t wanted = (size_t)floor(share * (double)images + 0.5);
    if (wanted == 0) wanted = 1;
    return wanted < images ? wanted : images - 1;
}

lae_status lae_holdout_choose(enum lae_purpose purpose, const int *label, size_t count, int classes,
                              double share, bool *held)
{
    struct ticket *tickets = calloc(count + 1, sizeof *tickets);
    size_t *images = calloc((size_t)classes + 1, sizeof *images);
    lae_status status = NULL;
    if (tickets == NULL || images == NULL)
        status = lae_out_of_memory(count * sizeof *tickets, "choosing the images to set aside");
    for (size_t i = 0; i < count && status == NULL; i++) {
        struct lae_random stream = lae_random_stream(0, purpose, 0, 0, (uint32_t)i);
        tickets[i] = (struct ticket){label[i], lae_random_bits(&stream, 0), (uint32_t)i};
        images[label[i]]++;
        held[i] = false;
    }
    if (status == NULL && count > 0) qsort(tickets, count, sizeof *tickets, compare);
    size_t first = 0;
    for (int class = 0; class < classes && status == NULL; class ++) {
        size_t taken = images[class] > 0 ? how_many(images[class], share) : 0;
        for (size_t i = 0; i < taken; i++)
            held[tickets[first + i].image] = true;
        first += images[class];
    }
    free(tickets);
    free(images);
    return status;
}
