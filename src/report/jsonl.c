#include "lae/report/jsonl.h"

#include "lae/files/own.h"
#include "lae/run/plan.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static lae_status cannot_write(const struct lae_jsonl *jsonl)
{
    return lae_failed("%s: cannot write: %s", jsonl->path, strerror(errno));
}

/* What is appended must not be taken for the rest of a line that a kill cut short. */
static lae_status end_cut_line(struct lae_jsonl *jsonl)
{
    bool cut = fseek(jsonl->file, -1, SEEK_END) == 0 && fgetc(jsonl->file) != '\n';
    fseek(jsonl->file, 0, SEEK_END); /* between reading and writing */
    errno = 0;
    if (cut && (fputc('\n', jsonl->file) == EOF || fflush(jsonl->file) != 0))
        return cannot_write(jsonl);
    return NULL;
}

lae_status lae_jsonl_open(struct lae_jsonl *jsonl, const char *path)
{
    *jsonl = (struct lae_jsonl){.path = strdup(path)};
    if (jsonl->path == NULL) return lae_out_of_memory(strlen(path), "a path");
    LAE_TRY(lae_own_append(path, &jsonl->file));
    return end_cut_line(jsonl);
}

void lae_jsonl_close(struct lae_jsonl *jsonl)
{
    if (jsonl->file != NULL) fclose(jsonl->file);
    free(jsonl->path);
    *jsonl = (struct lae_jsonl){0};
}

/* Writes and frees `object`. */
static lae_status write_line(struct lae_jsonl *jsonl, json_t *object)
{
    if (object == NULL) return lae_out_of_memory(1024, "a line of metrics");
    char *line = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (line == NULL) return lae_out_of_memory(1024, "a line of metrics");
    errno = 0;
    bool written = fprintf(jsonl->file, "%s\n", line) > 0 && fflush(jsonl->file) == 0;
    free(line);
    return written ? NULL : cannot_write(jsonl);
}

/* JSON has no NaN. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

lae_status lae_jsonl_begin(struct lae_jsonl *jsonl, const struct lae_setup *setup,
                           const struct lae_state *state)
{
    int64_t before = lae_plan_steps_before(setup->config, &setup->sequence, state->finished);
    return write_line(jsonl, json_pack("{ss si sI sI so}", "event", "begin", "task",
                                       state->finished, "step", (json_int_t)state->at.step,
                                       "run_step", (json_int_t)(before + state->at.step), "seconds",
                                       number(state->seconds)));
}

lae_status lae_jsonl_steps(struct lae_jsonl *jsonl, const struct lae_interval_report *report)
{
    const struct lae_position *at = &report->position;
    return write_line(jsonl,
                      json_pack("{ss si si sI sI sI so so so so so so}", "event", "steps", "task",
                                at->task, "epoch", at->epoch, "step", (json_int_t)at->step,
                                "run_step", (json_int_t)(at->before + at->step), "steps",
                                (json_int_t)report->steps, "loss", number(report->loss), "accuracy",
                                number(report->accuracy), "lr", number(report->lr), "gradient_norm",
                                number(report->gradient_norm), "images_per_s",
                                number(report->images_per_s), "seconds", number(report->seconds)));
}

lae_status lae_jsonl_epoch(struct lae_jsonl *jsonl, const struct lae_step_report *report,
                           double images_per_s)
{
    const struct lae_position *at = &report->position;
    return write_line(
        jsonl, json_pack("{ss si si sI sI so so so so so}", "event", "epoch", "task", at->task,
                         "epoch", at->epoch, "step", (json_int_t)at->step, "run_step",
                         (json_int_t)(at->before + at->step), "loss", number(report->epoch_loss),
                         "accuracy", number(report->epoch_accuracy), "lr", number(report->lr),
                         "images_per_s", number(images_per_s), "seconds", number(report->seconds)));
}

static json_t *evaluation_of(const struct lae_counts *counts, int scorer)
{
    json_t *tasks = json_array(), *local = json_array();
    for (int k = 0; k < counts->tasks; k++) {
        double images = (double)counts->images[k];
        json_array_append_new(tasks, number(100.0 * (double)counts->right[scorer][k] / images));
        json_array_append_new(local, number(100.0 * (double)counts->local[scorer][k] / images));
    }
    return json_pack("{so so so}", "seen", number(lae_counts_seen(counts, scorer)), "tasks", tasks,
                     "tasks_local", local);
}

lae_status lae_jsonl_evaluation(struct lae_jsonl *jsonl, const struct lae_position *position,
                                const struct lae_counts *counts)
{
    json_t *line = json_pack("{ss si si}", "event", "evaluation", "task", position->task, "epoch",
                             position->epoch);
    for (int i = 0; i < counts->scorers.count; i++)
        json_object_set_new(line, counts->scorers.items[i].name, evaluation_of(counts, i));
    return write_line(jsonl, line);
}

static json_t *merge_of(const struct lae_merge_stats *stats)
{
    json_t *object = json_object();
    for (size_t i = 0; i < lae_merge_record.count; i++) {
        const struct lae_field *field = &lae_merge_record.fields[i];
        json_object_set_new(object, field->name, number(lae_field_get(field, stats)));
    }
    return object;
}

lae_status lae_jsonl_merge(struct lae_jsonl *jsonl, int task, const struct lae_table *table,
                           const struct lae_merge_stats *stats)
{
    json_t *tensors = json_object();
    for (size_t i = 0; i < table->count; i++)
        json_object_set_new(tensors, table->items[i].name, merge_of(&stats[i]));
    return write_line(jsonl,
                      json_pack("{ss si so}", "event", "merge", "task", task, "tensors", tensors));
}

lae_status lae_jsonl_task(struct lae_jsonl *jsonl, const struct lae_state *state)
{
    json_t *line = json_pack("{ss si so}", "event", "task", "task", state->finished - 1, "seconds",
                             number(state->seconds));
    for (int i = 0; i < state->metrics.scorers.count; i++) {
        struct lae_summary s = lae_metrics_summary(&state->metrics, i, state->finished);
        json_object_set_new(line, state->metrics.scorers.items[i].name,
                            json_pack("{so so so so}", "last", number(s.last),
                                      "average_incremental", number(s.average_incremental),
                                      "forgetting", number(s.forgetting), "backward_transfer",
                                      number(s.backward_transfer)));
    }
    return write_line(jsonl, line);
}
