/* Each file is read once to know it, by one rank of all, and once more to see all of it decoded:
 *
 *     examine   image i by rank i mod ranks       -> sizes and digests, summed over all ranks
 *     decode    image i by node rank i mod ranks of the node, into memory that the node shares
 *     check     image i by rank i mod ranks, its pixels dropped: where there is no room for all
 *
 * They go through the images in rounds, at the end of which all ranks know which files were no
 * good. What can be told of those is told of all together. Rank 0 tries the first few of them
 * itself, so that the message is the same for any number of ranks; where it finds nothing wrong,
 * what is wrong is a host's own.
 */
#include "decoding.h"

#include "lae/base/clock.h"
#include "lae/data/pictures.h"
#include "lae/sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one image in a round: whether it failed, its sides, its digest. */
enum { WORD_FAILED, WORD_SIDES, WORD_DIGEST, WORDS = WORD_DIGEST + LAE_PICTURE_DIGEST / 8 };

#define ROUND ((size_t)1 << 12)   /* images */
#define BROKEN ((int64_t)1 << 32) /* in WORD_FAILED: by what is not the image's fault */
#define PATIENCE 30.0             /* seconds, between lines where no line is live */

enum { SHOWN_FAULTS = 10 };

struct round;
typedef lae_status work_function(struct round *round, size_t image, int64_t *words);

/* An image that is no good. */
struct fault {
    work_function *work;
    enum lae_split part;
    size_t image;
    lae_status own; /* this rank's error, where it was this rank that tried */
};

/* All that were found; the same on all ranks, but for the errors. */
struct faults {
    size_t count;
    struct fault first[SHOWN_FAULTS];
};

struct round {
    struct lae_setup *setup;
    struct lae_sweep sweep;
    work_function *work;
    enum lae_split part;
    size_t first, count; /* images of the part */
    size_t rank, ranks;  /* this one, and those that share the work */
    int64_t *words;      /* [count, WORDS] */
    lae_status *errors;  /* [count] this rank's */
    struct faults faults;
    double told; /* when a line told how far it is, or the pass began */
};

/* ---- The work ----------------------------------------------------------------------------------
 */

static lae_status examine(struct round *round, size_t image, int64_t *words)
{
    struct lae_picture picture = {0};
    LAE_TRY(lae_picture_examine(&round->setup->dataset, round->part, image, &picture));
    words[WORD_SIDES] = (int64_t)picture.width << 32 | picture.height;
    memcpy(words + WORD_DIGEST, picture.digest, sizeof picture.digest);
    return NULL;
}

static lae_status decode(struct round *round, size_t image, int64_t *words)
{
    (void)words;
    const struct lae_dataset *dataset = &round->setup->dataset;
    uint8_t *decoded = round->setup->decoded.data;
    return lae_picture_decode(dataset, round->part, image,
                              decoded + lae_picture_of(dataset, round->part, image)->pixels);
}

static lae_status check(struct round *round, size_t image, int64_t *words)
{
    (void)words;
    const struct lae_dataset *dataset = &round->setup->dataset;
    const struct lae_picture *picture = lae_picture_of(dataset, round->part, image);
    size_t bytes = 3 * (size_t)picture->width * (size_t)picture->height;
    uint8_t *rgb = malloc(bytes);
    if (rgb == NULL) return lae_out_of_memory(bytes, lae_picture_path(dataset, round->part, image));
    lae_status status = lae_picture_decode(dataset, round->part, image, rgb);
    free(rgb);
    return status;
}

/* One that is known to be no good is not tried again. */
static void work_on_image(void *context, int number, size_t item)
{
    (void)number;
    struct round *round = context;
    size_t at = round->rank + item * round->ranks, image = round->first + at;
    int64_t *words = round->words + at * WORDS;
    if (lae_picture_of(&round->setup->dataset, round->part, image)->faulty != 0) return;
    lae_status status = round->work(round, image, words);
    round->errors[at] = status;
    if (status != NULL) words[WORD_FAILED] = lae_status_code(status) == LAE_BAD_INPUT ? 1 : BROKEN;
}

/* This rank's images of the round, then what all ranks know. False, on all ranks: interrupted. */
static bool compute_round(struct round *round)
{
    struct lae_setup *setup = round->setup;
    size_t mine = round->count > round->rank
                      ? (round->count - round->rank + round->ranks - 1) / round->ranks
                      : 0;
    memset(round->words, 0, round->count * WORDS * sizeof *round->words);
    round->sweep = (struct lae_sweep){.dist = setup->dist,
                                      .team = setup->team,
                                      .heeds = LAE_REQUEST_STEP,
                                      .work = work_on_image,
                                      .context = round};
    enum lae_request request;
    if (!lae_sweep_run(&round->sweep, mine, &request)) {
        lae_team_drain(setup->team); /* they write into the round */
        if (lae_dist_is_broken(setup->dist)) lae_dist_leave(setup->dist, LAE_STOPPED);
        return false;
    }
    lae_dist_sum(setup->dist, round->words, round->count * WORDS);
    return true;
}

static bool has_failed(const struct round *round, size_t at)
{
    return round->words[at * WORDS + WORD_FAILED] != 0;
}

/* The images of the round that are no good join the others. An error that is no image's fault ends
 * it all. [collective] */
static lae_status judge_round(struct round *round)
{
    for (size_t at = 0; at < round->count; at++) {
        if (!has_failed(round, at)) continue;
        lae_status own = round->errors[at];
        round->errors[at] = NULL;
        if (round->words[at * WORDS + WORD_FAILED] >= BROKEN)
            return lae_dist_agree(round->setup->dist, own);
        struct faults *faults = &round->faults;
        if (faults->count < SHOWN_FAULTS)
            faults->first[faults->count] =
                (struct fault){round->work, round->part, round->first + at, own};
        else
            lae_status_free(own);
        faults->count++;
    }
    return NULL;
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

/* A line that stays, now and then, where no live one is seen. */
static void tell_progress(struct round *round, const char *what, size_t done, size_t all)
{
    struct lae_log *log = round->setup->log;
    double percent = 100.0 * (double)done / (double)all, now = lae_clock_seconds();
    lae_log_live(log, "%s %.0f %%", what, percent);
    if (now - round->told < PATIENCE) return;
    round->told = now;
    if (!log->terminal) lae_log_info(log, "%s: %zu of %zu (%.0f %%)", what, done, all, percent);
}

/* The first rank of each node writes for all of it. */
static void keep(const struct round *round)
{
    const struct lae_setup *setup = round->setup;
    if (setup->dist->node_rank != 0) return;
    struct lae_picture *pictures = setup->records[round->part].data;
    for (size_t i = 0; i < round->count; i++) {
        const int64_t *words = round->words + i * WORDS;
        struct lae_picture *picture = &pictures[round->first + i];
        if (has_failed(round, i)) picture->faulty = 1;
        if (round->work != examine) continue;
        picture->width = (int32_t)(words[WORD_SIDES] >> 32);
        picture->height = (int32_t)(words[WORD_SIDES] & INT32_MAX);
        memcpy(picture->digest, words + WORD_DIGEST, sizeof picture->digest);
    }
}

/* Every image of both parts. [collective] */
static lae_status do_all(struct round *round, work_function *work, const char *what)
{
    struct lae_setup *setup = round->setup;
    const struct lae_dataset *dataset = &setup->dataset;
    bool by_node = work == decode;
    size_t all = dataset->stored[LAE_TRAIN] + dataset->stored[LAE_TEST], done = 0;
    round->work = work;
    round->rank = (size_t)(by_node ? setup->dist->node_rank : setup->dist->rank);
    round->ranks = (size_t)(by_node ? setup->dist->node_size : setup->dist->size);
    round->told = lae_clock_seconds();
    for (int part = 0; part < LAE_SPLITS; part++) {
        round->part = (enum lae_split)part;
        for (round->first = 0; round->first < dataset->stored[part]; round->first += ROUND) {
            size_t left = dataset->stored[part] - round->first;
            round->count = left < ROUND ? left : ROUND;
            tell_progress(round, what, done, all);
            LAE_TRY(do_round(round));
            keep(round);
            done += round->count;
        }
        lae_shared_settle(&setup->records[part]);
    }
    return NULL;
}

/* ---- Images that are no good -------------------------------------------------------------------
 */

/* Why, by rank 0's word where it finds so too. [collective] */
static lae_status ask_again(struct round *round, struct fault *fault)
{
    int64_t unused[WORDS];
    lae_status own = fault->own;
    fault->own = NULL;
    round->part = fault->part;
    if (round->setup->dist->rank == 0 && own == NULL)
        own = fault->work(round, fault->image, unused);
    return lae_dist_agree(round->setup->dist, own);
}

static lae_status add_line(char **text, const char *line)
{
    size_t size = (*text != NULL ? strlen(*text) : 0) + strlen(line) + 4;
    char *longer = malloc(size);
    if (longer == NULL) return lae_out_of_memory(size, "the images that are no good");
    snprintf(longer, size, "%s\n  %s", *text != NULL ? *text : "", line);
    free(*text);
    *text = longer;
    return NULL;
}

static lae_status list_faults(struct round *round, char **text)
{
    struct faults *faults = &round->faults;
    size_t shown = faults->count < SHOWN_FAULTS ? faults->count : SHOWN_FAULTS;
    lae_status failure = NULL;
    for (size_t i = 0; i < shown; i++) {
        lae_status status = ask_again(round, &faults->first[i]);
        if (failure == NULL)
            failure =
                add_line(text, status != NULL ? lae_status_message(status) : "cannot be told");
        lae_status_free(status);
    }
    char more[64];
    snprintf(more, sizeof more, "and %zu more", faults->count - shown);
    if (failure == NULL && faults->count > shown) failure = add_line(text, more);
    return lae_dist_agree(round->setup->dist, failure);
}

/* All of them as one error; one alone is an error by itself. [collective] */
static lae_status tell_faults(struct round *round)
{
    const struct lae_dataset *dataset = &round->setup->dataset;
    size_t all = dataset->stored[LAE_TRAIN] + dataset->stored[LAE_TEST];
    char *text = NULL;
    if (round->faults.count == 1) return ask_again(round, &round->faults.first[0]);
    lae_status status = list_faults(round, &text);
    if (status == NULL)
        status = lae_bad_input("%zu of %zu images are no good; mend them, or take them out:%s",
                               round->faults.count, all, text);
    free(text);
    return status;
}

/* What nobody has labelled has no order that must be kept: the others are looked at without them.
 * [collective] */
static lae_status go_without(struct round *round)
{
    struct lae_setup *setup = round->setup;
    struct lae_dataset *dataset = &setup->dataset;
    size_t good = dataset->stored[LAE_TEST] - round->faults.count;
    lae_status status = tell_faults(round);
    if (good == 0) return status;
    setup->refused = status;
    if (setup->dist->node_rank == 0)
        lae_pictures_drop_faulty(dataset, LAE_TEST, setup->records[LAE_TEST].data);
    lae_shared_settle(&setup->records[LAE_TEST]);
    dataset->stored[LAE_TEST] = dataset->count[LAE_TEST] = good;
    return NULL;
}

static void forget_faults(struct round *round)
{
    for (int i = 0; i < SHOWN_FAULTS; i++)
        lae_status_free(round->faults.first[i].own);
    round->faults = (struct faults){0};
}

/* ---- Whether there is room ---------------------------------------------------------------------
 */

/* Whether the images are decoded once; all nodes do the same. [collective] */
static bool is_decoded_once(const struct lae_setup *setup, uint64_t bytes)
{
    enum lae_decode wanted = setup->config->compute.decode;
    int64_t too_small = wanted == LAE_DECODE_AUTO && setup->dist->node_rank == 0 &&
                        (double)bytes > lae_dist_free_memory(setup->dist) / 2.0;
    lae_dist_sum(setup->dist, &too_small, 1);
    return wanted != LAE_DECODE_EACH_TIME && too_small == 0;
}

/* What does not fit is not tried: the system ends who takes too much, without a word. */
static lae_status check_room(const struct lae_setup *setup, uint64_t bytes)
{
    double room = lae_dist_free_memory(setup->dist);
    lae_status status = NULL;
    if (setup->dist->node_rank == 0 && (double)bytes > room)
        status = lae_bad_input("compute.decode=once: all images take %.0f MB when they are "
                               "decoded, and %.0f MB can be had here; give each_time, or auto",
                               1e-6 * (double)bytes, 1e-6 * room);
    return lae_dist_agree(setup->dist, status);
}

/* Gives all images their places, and returns the bytes they take. [collective] */
static uint64_t place_images(struct lae_setup *setup)
{
    const struct lae_dist *dist = setup->dist;
    unsigned char *const records[LAE_SPLITS] = {setup->records[LAE_TRAIN].data,
                                                setup->records[LAE_TEST].data};
    uint64_t bytes = dist->node_rank == 0 ? lae_pictures_place(&setup->dataset, records) : 0;
    lae_dist_broadcast(dist, &bytes, sizeof bytes);
    for (int part = 0; part < LAE_SPLITS; part++)
        lae_shared_settle(&setup->records[part]);
    return bytes;
}

/* Every image is decoded, to be kept, where there is room for all; or where it must be known which
 * are no good. [collective] */
static lae_status decode_all(struct lae_setup *setup, struct round *round)
{
    uint64_t bytes = place_images(setup);
    bool once = round->faults.count == 0 && is_decoded_once(setup, bytes);
    if (!once && round->faults.count == 0 && !setup->dataset.unlabelled) return NULL;
    if (!once) return do_all(round, check, "checking the images");
    LAE_TRY(check_room(setup, bytes));
    LAE_TRY(lae_status_prefix(lae_shared_create(setup->dist, bytes, &setup->decoded),
                              "decoding the images once (compute.decode)"));
    LAE_TRY(do_all(round, decode, "decoding the images"));
    lae_shared_settle(&setup->decoded);
    setup->dataset.decoded = setup->decoded.data;
    return NULL;
}

/* [collective] */
static lae_status digest_all(struct lae_setup *setup)
{
    const struct lae_dist *dist = setup->dist;
    LAE_TRY(lae_dist_agree(
        dist, dist->rank == 0 ? lae_dataset_digest(&setup->dataset, setup->data_digest) : NULL));
    lae_dist_broadcast(dist, setup->data_digest, sizeof setup->data_digest);
    return NULL;
}

static lae_status read_all(struct lae_setup *setup, struct round *round)
{
    LAE_TRY(do_all(round, examine, "reading the images"));
    LAE_TRY(decode_all(setup, round));
    if (round->faults.count > 0)
        LAE_TRY(setup->dataset.unlabelled ? go_without(round) : tell_faults(round));
    lae_pictures_measure(&setup->dataset);
    return digest_all(setup);
}

static lae_status check_all(struct lae_setup *setup, struct round *round)
{
    (void)setup;
    LAE_TRY(do_all(round, check, "checking the images"));
    return round->faults.count > 0 ? tell_faults(round) : NULL;
}

static lae_status in_rounds(struct lae_setup *setup,
                            lae_status (*work)(struct lae_setup *setup, struct round *round))
{
    struct round round = {
        .setup = setup,
        .words = calloc(ROUND * WORDS, sizeof *round.words),
        .errors = calloc(ROUND, sizeof *round.errors),
    };
    lae_status status = NULL;
    if (round.words == NULL || round.errors == NULL)
        status = lae_out_of_memory(ROUND * WORDS * sizeof *round.words, "reading images");
    status = lae_dist_agree(setup->dist, status);
    if (status == NULL) status = work(setup, &round);
    forget_faults(&round);
    free(round.words);
    free(round.errors);
    return status;
}

lae_status lae_decoding_read(struct lae_setup *setup)
{
    return in_rounds(setup, read_all);
}

lae_status lae_setup_check_images(struct lae_setup *setup)
{
    bool files = setup->dataset.kind == LAE_DATASET_FOLDER && setup->dataset.decoded == NULL;
    return files ? in_rounds(setup, check_all) : NULL;
}
