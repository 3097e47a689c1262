#include "lae/report/tensorboard.h"

#include "lae/report/blocks.h"
#include "lae/run/plan.h"
#include "lae/store/checkpoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A record under way. */
struct record {
    struct lae_event_value *values; /* [capacity] */
    size_t count, capacity;
};

static lae_status begin(struct record *record, size_t capacity)
{
    *record =
        (struct record){.values = calloc(capacity, sizeof *record->values), .capacity = capacity};
    if (record->values == NULL)
        return lae_out_of_memory(capacity * sizeof *record->values, "a record of an event file");
    return NULL;
}

/* The tag is of `format`. */
static void add(struct record *record, double value, const char *format, ...) LAE_PRINTF(3, 4);
static void add(struct record *record, double value, const char *format, ...)
{
    if (record->count == record->capacity) return;
    struct lae_event_value *item = &record->values[record->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(item->tag, sizeof item->tag, format, arguments);
    va_end(arguments);
    item->value = value;
}

static lae_status end(struct record *record, struct lae_event_file *events, int64_t step)
{
    lae_status status = lae_event_file_add(events, step, record->values, record->count);
    free(record->values);
    return status;
}

/* The evaluation that ends a task lies at its last step. Where it is still owed, one that had been
 * made, but not kept, goes with that step. After an epoch inside a task one may be there twice,
 * with the same values. */
lae_status lae_tensorboard_open(struct lae_event_file *events, const char *directory,
                                const struct lae_setup *setup, const struct lae_state *state)
{
    int64_t before = lae_plan_steps_before(setup->config, &setup->sequence, state->finished);
    int64_t next = before + state->at.step;
    bool owed = state->at.inside && state->at.epoch == setup->config->train.epochs;
    return lae_event_file_open(events, directory, owed ? next - 1 : next);
}

/* The number in the run of a position's step, or of the last before it. */
static int64_t step_of(const struct lae_position *at)
{
    return at->before + (at->step < at->steps ? at->step : at->steps - 1);
}

lae_status lae_tensorboard_steps(struct lae_event_file *events,
                                 const struct lae_interval_report *report)
{
    struct record record;
    LAE_TRY(begin(&record, 5));
    add(&record, report->loss, "train/loss");
    add(&record, report->accuracy, "train/accuracy");
    add(&record, report->lr, "train/learning_rate");
    add(&record, report->gradient_norm, "train/gradient_norm");
    add(&record, report->images_per_s, "train/images_per_second");
    return end(&record, events, step_of(&report->position));
}

static void add_scorer(struct record *record, const struct lae_counts *counts, int scorer,
                       bool single_tasks)
{
    const char *name = counts->scorers.items[scorer].name;
    add(record, lae_counts_seen(counts, scorer), "accuracy/%s", name);
    for (int k = 0; k < counts->tasks && single_tasks; k++)
        add(record, 100.0 * (double)counts->right[scorer][k] / (double)counts->images[k],
            "accuracy_task_%02d/%s", k, name);
}

lae_status lae_tensorboard_evaluation(struct lae_event_file *events,
                                      const struct lae_position *position,
                                      const struct lae_setup *setup,
                                      const struct lae_counts *counts)
{
    struct record record;
    bool single_tasks = setup->sequence.tasks <= LAE_FEW_TASKS;
    LAE_TRY(begin(&record, (size_t)counts->scorers.count * ((size_t)counts->tasks + 1)));
    for (int i = 0; i < counts->scorers.count; i++)
        add_scorer(&record, counts, i, single_tasks);
    return end(&record, events, step_of(position));
}

static void add_block(struct record *record, const struct lae_block_merge *merge)
{
    for (size_t i = 0; i < lae_merge_record.count; i++) {
        const struct lae_field *field = &lae_merge_record.fields[i];
        add(record, lae_field_get(field, &merge->stats), "merge_%s/block_%d", field->name,
            merge->block);
    }
}

static lae_status write_blocks(struct lae_event_file *events, int64_t step,
                               const struct lae_block_merges *merges)
{
    struct record record;
    LAE_TRY(begin(&record, lae_merge_record.count * merges->count + 1));
    for (size_t i = 0; i < merges->count; i++)
        add_block(&record, &merges->items[i]);
    return end(&record, events, step);
}

lae_status lae_tensorboard_merge(struct lae_event_file *events, const struct lae_position *position,
                                 const struct lae_setup *setup, const struct lae_state *state)
{
    const struct lae_table *table = &setup->pet.table;
    struct lae_block_merges merges = {0};
    lae_status status = NULL;
    for (size_t i = 0; i < table->count && status == NULL; i++)
        status = lae_block_merges_add(&merges, table->items[i].name, table->items[i].count,
                                      &state->merge[i]);
    if (status == NULL) status = write_blocks(events, step_of(position), &merges);
    lae_block_merges_free(&merges);
    return status;
}

lae_status lae_tensorboard_task(struct lae_event_file *events, const struct lae_setup *setup,
                                const struct lae_state *state)
{
    struct record record;
    LAE_TRY(begin(&record, 3 * LAE_MAX_SCORERS));
    for (int i = 0; i < state->metrics.scorers.count; i++) {
        const char *name = state->metrics.scorers.items[i].name;
        struct lae_summary summary = lae_metrics_summary(&state->metrics, i, state->finished);
        add(&record, summary.average_incremental, "average_incremental/%s", name);
        add(&record, summary.forgetting, "forgetting/%s", name);
        add(&record, summary.backward_transfer, "backward_transfer/%s", name);
    }
    int64_t done = lae_plan_steps_before(setup->config, &setup->sequence, state->finished);
    return end(&record, events, done - 1);
}
