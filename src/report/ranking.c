#include "lae/report/ranking.h"
#include "json_text.h"

#include "lae/base/sheet.h"
#include "lae/base/text.h"
#include "lae/files/atomic.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int lae_ranking_best(const struct lae_ranking *ranking, size_t image, size_t best[LAE_RANKED])
{
    const struct lae_predictions *predictions = ranking->predictions;
    const float *p = predictions->items[ranking->by].values + image * predictions->classes;
    int count = 0;
    for (size_t c = 0; c < predictions->classes; c++) {
        int place = count;
        while (place > 0 && p[c] > p[best[place - 1]])
            place--;
        if (place == LAE_RANKED) continue;
        if (count < LAE_RANKED) count++;
        for (int i = count - 1; i > place; i--)
            best[i] = best[i - 1];
        best[place] = c;
    }
    return count;
}

static double score(const struct lae_ranking *ranking, size_t item, size_t image, size_t index)
{
    const struct lae_predictions *predictions = ranking->predictions;
    return (double)predictions->items[item].values[image * predictions->classes + index];
}

/* Heads made from class statistics give scores of other kinds. */
static bool is_probability(const char *name)
{
    return strcmp(name, "online") == 0 || strcmp(name, "offline") == 0 ||
           strcmp(name, "ensemble") == 0;
}

static void add_class(struct lae_sheet *sheet, const struct lae_ranking *ranking, size_t index)
{
    if (ranking->names == NULL)
        lae_sheet_text(sheet, "class %d", ranking->labels[index]);
    else
        lae_sheet_text(sheet, "%s", ranking->names[index]);
}

/* The file's name as JSON has it, but tame, above its classes. */
static lae_status print_image(FILE *out, const struct lae_ranking *ranking, size_t image)
{
    struct lae_sheet sheet = {0};
    size_t best[LAE_RANKED];
    int count = lae_ranking_best(ranking, image, best);
    char *name = lae_text_escape(ranking->files[image], false);
    if (name == NULL) return lae_out_of_memory(strlen(ranking->files[image]), "an image's name");
    lae_sheet_column(&sheet, LAE_SHEET_NUMBER, "");
    lae_sheet_column(&sheet, LAE_SHEET_JOINED, "");
    lae_sheet_heading(&sheet, "%s", name);
    for (int i = 0; i < count; i++) {
        double value = score(ranking, ranking->by, image, best[i]);
        lae_sheet_row(&sheet);
        if (is_probability(ranking->predictions->items[ranking->by].name))
            lae_sheet_text(&sheet, "  %6.2f %%", 100.0 * value);
        else
            lae_sheet_text(&sheet, "  %10.4g", value);
        add_class(&sheet, ranking, best[i]);
    }
    free(name);
    return lae_sheet_print(&sheet, out);
}

lae_status lae_ranking_print(FILE *out, const struct lae_ranking *ranking)
{
    for (size_t image = 0; image < ranking->predictions->count; image++)
        LAE_TRY(print_image(out, ranking, image));
    return NULL;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *class_of(const struct lae_ranking *ranking, size_t image, size_t index)
{
    const struct lae_predictions *predictions = ranking->predictions;
    json_t *object = json_object();
    json_object_set_new(object, "class",
                        lae_json_text(ranking->names != NULL ? ranking->names[index] : NULL));
    json_object_set_new(object, "label", json_integer(ranking->labels[index]));
    json_object_set_new(object, "output_index", json_integer((json_int_t)index));
    for (size_t item = 0; item < predictions->item_count; item++) {
        json_object_set_new(object, predictions->items[item].name,
                            number(score(ranking, item, image, index)));
    }
    return object;
}

/* Every class's score by output index, of each scorer. */
static json_t *scores_of(const struct lae_ranking *ranking, size_t image)
{
    const struct lae_predictions *predictions = ranking->predictions;
    json_t *object = json_object();
    for (size_t item = 0; item < predictions->item_count; item++) {
        json_t *list = json_array();
        for (size_t c = 0; c < predictions->classes; c++)
            json_array_append_new(list, number(score(ranking, item, image, c)));
        json_object_set_new(object, predictions->items[item].name, list);
    }
    return object;
}

static json_t *image_of(const struct lae_ranking *ranking, size_t image)
{
    size_t best[LAE_RANKED];
    int count = lae_ranking_best(ranking, image, best);
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, class_of(ranking, image, best[i]));
    json_t *object = json_object();
    json_object_set_new(object, "file", lae_json_text(ranking->files[image]));
    json_object_set_new(object, "best", list);
    json_object_set_new(object, "scores", scores_of(ranking, image));
    return object;
}

/* What an output index means. */
static json_t *classes_of(const struct lae_ranking *ranking)
{
    json_t *list = json_array();
    for (size_t c = 0; c < ranking->predictions->classes; c++) {
        json_t *object = json_object();
        json_object_set_new(object, "class",
                            lae_json_text(ranking->names != NULL ? ranking->names[c] : NULL));
        json_object_set_new(object, "label", json_integer(ranking->labels[c]));
        json_array_append_new(list, object);
    }
    return list;
}

lae_status lae_ranking_write(const char *path, const struct lae_ranking *ranking)
{
    json_t *images = json_array(), *object = json_object();
    for (size_t image = 0; image < ranking->predictions->count; image++)
        json_array_append_new(images, image_of(ranking, image));
    json_object_set_new(object, "by", lae_json_text(ranking->predictions->items[ranking->by].name));
    json_object_set_new(object, "classes", classes_of(ranking));
    json_object_set_new(object, "images", images);
    /* As single precision has them. */
    char *line = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (line == NULL) return lae_out_of_memory(0, path);
    lae_status status = lae_atomic_write(path, line, strlen(line));
    free(line);
    return status;
}
