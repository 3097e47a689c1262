/* Each file is read once to know it, by one rank of all, and where there is room once more to have
 * its pixels, by one rank of each node:
 *
 *     examine   image i by rank i mod ranks       -> sizes and digests, summed over all ranks
 *     decode    image i by node rank i mod ranks of the node, into memory that the node shares
 *
 * Both go through the images in rounds, at the end of which all ranks know whether a file was no
 * good. Rank 0 then tries the first such file itself, so that the message is the same for any
 * number of ranks; where it finds nothing wrong, what is wrong is a host's own.
 */
#include "pictures.h"

#include "lae/data/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one image in a round: whether it failed, its sides, its digest. */
enum { WORD_FAILED, WORD_SIDES, WORD_DIGEST, WORDS = WORD_DIGEST + LAE_PICTURE_DIGEST / 8 };

#define ROUND ((size_t)1 << 14) /* images */

struct round {
    struct lae_job *job;
    lae_status (*work)(struct round *round, size_t image, int64_t *words);
    enum lae_split part;
    size_t first, count; /* images of the part */
    size_t rank, ranks;  /* this one, and those that share the work */
    int64_t *words;      /* [count, WORDS] */
    lae_status *errors;  /* [count] this rank's */
};

/* ---- The work ----------------------------------------------------------------------------------
 */

static lae_status examine(struct round *round, size_t image, int64_t *words)
{
    struct lae_picture picture = {0};
    LAE_TRY(lae_picture_examine(&round->job->dataset, round->part, image, &picture));
    words[WORD_SIDES] = (int64_t)picture.width << 32 | picture.height;
    memcpy(words + WORD_DIGEST, picture.digest, sizeof picture.digest);
    return NULL;
}

static lae_status decode(struct round *round, size_t image, int64_t *words)
{
    (void)words;
    const struct lae_dataset *dataset = &round->job->dataset;
    uint8_t *decoded = round->job->decoded.data;
    return lae_picture_decode(dataset, round->part, image,
                              decoded + lae_picture_of(dataset, round->part, image)->pixels);
}

static void work_on_image(void *context, int number, size_t item)
{
    (void)number;
    struct round *round = context;
    size_t at = round->rank + item * round->ranks;
    int64_t *words = round->words + at * WORDS;
    round->errors[at] = round->work(round, round->first + at, words);
    words[WORD_FAILED] = round->errors[at] != NULL;
}

static bool is_asked_to_stop(void *job)
{
    return lae_dist_request(((const struct lae_job *)job)->dist) != LAE_REQUEST_NONE;
}

/* This rank's images of the round, then what all ranks know. False, on all ranks: interrupted. */
static bool compute_round(struct round *round)
{
    struct lae_job *job = round->job;
    size_t mine = round->count > round->rank
                      ? (round->count - round->rank + round->ranks - 1) / round->ranks
                      : 0;
    memset(round->words, 0, round->count * WORDS * sizeof *round->words);
    bool done = lae_team_run_unless(job->team, mine, work_on_image, round, is_asked_to_stop, job);
    enum lae_request request;
    if (!lae_dist_meet(job->dist, &request) || request != LAE_REQUEST_NONE || !done) {
        lae_team_drain(job->team); /* they write into the round */
        if (lae_dist_is_broken(job->dist)) lae_dist_leave(job->dist, LAE_STOPPED);
        return false;
    }
    lae_dist_sum(job->dist, round->words, round->count * WORDS);
    return true;
}

/* The error of the first image of the round that failed anywhere. [collective] */
static lae_status judge_round(struct round *round)
{
    size_t at = 0;
    while (at < round->count && round->words[at * WORDS + WORD_FAILED] == 0)
        at++;
    if (at == round->count) return NULL;
    int64_t unused[WORDS];
    lae_status mine = round->errors[at];
    round->errors[at] = NULL;
    if (round->job->dist->rank == 0 && mine == NULL)
        mine = round->work(round, round->first + at, unused);
    return lae_dist_agree(round->job->dist, mine);
}

static lae_status do_round(struct round *round)
{
    lae_status status = compute_round(round) ? judge_round(round) : lae_stopped();
    for (size_t i = 0; i < round->count; i++) {
        lae_status_free(round->errors[i]);
        round->errors[i] = NULL;
    }
    return status;
}

/* Every image of both parts; `keep` (may be NULL) after each round that went well. [collective] */
static lae_status do_all(struct round *round, const char *what, void (*keep)(const struct round *))
{
    const struct lae_dataset *dataset = &round->job->dataset;
    size_t all = dataset->stored[LAE_TRAIN] + dataset->stored[LAE_TEST], done = 0;
    for (int part = 0; part < LAE_SPLITS; part++) {
        round->part = (enum lae_split)part;
        for (round->first = 0; round->first < dataset->stored[part]; round->first += ROUND) {
            size_t left = dataset->stored[part] - round->first;
            round->count = left < ROUND ? left : ROUND;
            lae_log_live(round->job->log, "%s %.0f %%", what, 100.0 * (double)done / (double)all);
            LAE_TRY(do_round(round));
            if (keep != NULL) keep(round);
            done += round->count;
        }
    }
    return NULL;
}

/* ---- What comes of it --------------------------------------------------------------------------
 */

/* The first rank of each node writes for all of it. */
static void keep_sizes(const struct round *round)
{
    const struct lae_job *job = round->job;
    if (job->dist->node_rank != 0) return;
    struct lae_picture *pictures = job->records[round->part].data;
    for (size_t i = 0; i < round->count; i++) {
        const int64_t *words = round->words + i * WORDS;
        struct lae_picture *picture = &pictures[round->first + i];
        picture->width = (int32_t)(words[WORD_SIDES] >> 32);
        picture->height = (int32_t)(words[WORD_SIDES] & INT32_MAX);
        memcpy(picture->digest, words + WORD_DIGEST, sizeof picture->digest);
    }
}

/* [collective] */
static lae_status examine_all(struct lae_job *job, struct round *round)
{
    const struct lae_dist *dist = job->dist;
    round->work = examine;
    round->rank = (size_t)dist->rank;
    round->ranks = (size_t)dist->size;
    LAE_TRY(do_all(round, "reading the images", keep_sizes));
    for (int part = 0; part < LAE_SPLITS; part++)
        lae_shared_settle(&job->records[part]);
    lae_pictures_measure(&job->dataset);
    LAE_TRY(lae_dist_agree(
        dist, dist->rank == 0 ? lae_dataset_digest(&job->dataset, job->data_digest) : NULL));
    lae_dist_broadcast(dist, job->data_digest, sizeof job->data_digest);
    return NULL;
}

/* ---- Whether there is room ---------------------------------------------------------------------
 */

/* Whether the images are decoded once; all nodes do the same. [collective] */
static bool is_decoded_once(const struct lae_job *job, uint64_t bytes)
{
    enum lae_decode wanted = job->config->compute.decode;
    int64_t too_small = wanted == LAE_DECODE_AUTO && job->dist->node_rank == 0 &&
                        (double)bytes > lae_dist_free_memory(job->dist) / 2.0;
    lae_dist_sum(job->dist, &too_small, 1);
    return wanted != LAE_DECODE_EACH_TIME && too_small == 0;
}

/* [collective] */
static lae_status decode_all(struct lae_job *job, struct round *round)
{
    const struct lae_dist *dist = job->dist;
    unsigned char *const records[LAE_SPLITS] = {job->records[LAE_TRAIN].data,
                                                job->records[LAE_TEST].data};
    uint64_t bytes = dist->node_rank == 0 ? lae_pictures_place(&job->dataset, records) : 0;
    lae_dist_broadcast(dist, &bytes, sizeof bytes);
    for (int part = 0; part < LAE_SPLITS; part++)
        lae_shared_settle(&job->records[part]);
    if (!is_decoded_once(job, bytes)) return NULL;
    LAE_TRY(lae_status_prefix(lae_shared_create(dist, bytes, &job->decoded),
                              "decoding the images once (compute.decode)"));
    round->work = decode;
    round->rank = (size_t)dist->node_rank;
    round->ranks = (size_t)dist->node_size;
    LAE_TRY(do_all(round, "decoding the images", NULL));
    lae_shared_settle(&job->decoded);
    job->dataset.decoded = job->decoded.data;
    return NULL;
}

lae_status pictures_read(struct lae_job *job)
{
    struct round round = {
        .job = job,
        .words = calloc(ROUND * WORDS, sizeof *round.words),
        .errors = calloc(ROUND, sizeof *round.errors),
    };
    lae_status status = NULL;
    if (round.words == NULL || round.errors == NULL)
        status = lae_out_of_memory(ROUND * WORDS * sizeof *round.words, "reading images");
    status = lae_dist_agree(job->dist, status);
    if (status == NULL) status = examine_all(job, &round);
    if (status == NULL) status = decode_all(job, &round);
    free(round.words);
    free(round.errors);
    return status;
}
