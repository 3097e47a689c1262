#include "lae/dist/communicator.h"

#include "comms.h"
#include "notices.h"
#include "segments.h"
#include "start.h"

#include "lae/base/rounding.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count_ranks(struct lae_dist *dist)
{
    struct lae_comms *comms = dist->comms;
    MPI_Comm_rank(comms->world, &dist->rank);
    MPI_Comm_size(comms->world, &dist->size);
    MPI_Comm_split_type(comms->world, MPI_COMM_TYPE_SHARED, dist->rank, MPI_INFO_NULL,
                        &comms->node);
    MPI_Comm_rank(comms->node, &dist->node_rank);
    MPI_Comm_size(comms->node, &dist->node_size);
    int leader = dist->node_rank == 0;
    MPI_Comm_split(comms->world, leader ? 0 : MPI_UNDEFINED, dist->rank, &comms->leaders);
    MPI_Allreduce(&leader, &dist->nodes, 1, MPI_INT, MPI_SUM, comms->world);
    if (gethostname(dist->host, sizeof dist->host) != 0) strcpy(dist->host, "unknown");
    dist->host[sizeof dist->host - 1] = '\0';
}

lae_status lae_dist_use(MPI_Comm comm, struct lae_dist *dist)
{
    int provided, all;
    MPI_Query_thread(&provided);
    *dist = (struct lae_dist){.comms = calloc(1, sizeof *dist->comms)};
    int here = dist->comms != NULL;
    MPI_Allreduce(&here, &all, 1, MPI_INT, MPI_MIN, comm);
    if (!all) {
        free(dist->comms);
        dist->comms = NULL;
        return lae_out_of_memory(sizeof *dist->comms, "communicators");
    }
    MPI_Comm_dup(comm, &dist->comms->world);
    count_ranks(dist);
    lae_status status = provided >= MPI_THREAD_FUNNELED
                            ? lae_notices_create(dist)
                            : lae_failed("MPI was begun without thread support; MPI_Init_thread "
                                         "has to give MPI_THREAD_FUNNELED");
    if (status != NULL) lae_dist_release(dist);
    return status;
}

void lae_dist_release(struct lae_dist *dist)
{
    if (dist->comms == NULL) return;
    lae_notices_free(dist);
    if (dist->comms->leaders != MPI_COMM_NULL) MPI_Comm_free(&dist->comms->leaders);
    MPI_Comm_free(&dist->comms->node);
    MPI_Comm_free(&dist->comms->world);
    free(dist->comms);
    *dist = (struct lae_dist){0};
}

lae_status lae_dist_start(int *argc, char ***argv, struct lae_dist *dist)
{
    int provided;
    const char *by;
    int announced = lae_start_announced(&by);
    lae_start_waiting();
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    lae_start_done();
    lae_rounding_reset(); /* whatever the libraries that MPI loads have set */
    LAE_TRY(lae_dist_use(MPI_COMM_WORLD, dist));
    dist->announced = announced;
    dist->announced_by = by;
    lae_segments_forget(dist);
    return NULL;
}

void lae_dist_end(struct lae_dist *dist)
{
    if (dist->comms != NULL) lae_segments_restore(dist);
    lae_dist_release(dist);
    MPI_Finalize();
}

void lae_dist_broadcast_pieces(MPI_Comm comm, int root, void *data, size_t size)
{
    unsigned char *bytes = data;
    for (size_t at = 0; at < size; at += PIECE) {
        size_t count = size - at < PIECE ? size - at : PIECE;
        MPI_Bcast(bytes + at, (int)count, MPI_BYTE, root, comm);
    }
}

void lae_dist_broadcast(const struct lae_dist *dist, void *data, size_t size)
{
    lae_dist_broadcast_pieces(dist->comms->world, 0, data, size);
}

lae_status lae_dist_agree(const struct lae_dist *dist, lae_status mine)
{
    int failed[2] = {mine != NULL ? dist->rank : INT_MAX, mine != NULL ? 0 : 1};
    int lowest, someone_well;
    MPI_Allreduce(&failed[0], &lowest, 1, MPI_INT, MPI_MIN, dist->comms->world);
    MPI_Allreduce(&failed[1], &someone_well, 1, MPI_INT, MPI_MAX, dist->comms->world);
    if (lowest == INT_MAX) return NULL;

    struct {
        int code;
        char host[LAE_HOST_TEXT];
        char message[4096];
    } report = {0};
    if (dist->rank == lowest) {
        report.code = (int)lae_status_code(mine);
        snprintf(report.host, sizeof report.host, "%s", dist->host);
        snprintf(report.message, sizeof report.message, "%s", lae_status_message(mine));
    }
    lae_dist_broadcast_pieces(dist->comms->world, lowest, &report, sizeof report);
    lae_status_free(mine);
    /* Rank 0 reads the input for all: whose input was bad needs no rank's name. */
    bool common = report.code == LAE_BAD_INPUT && lowest == 0;
    if (!someone_well || common || dist->size == 1)
        return lae_status_new((enum lae_code)report.code, "%s", report.message);
    return lae_status_new((enum lae_code)report.code, "rank %d on %s: %s", lowest, report.host,
                          report.message);
}

lae_status lae_dist_broadcast_text(const struct lae_dist *dist, const char *text, char **copy)
{
    size_t size = dist->rank == 0 ? strlen(text) + 1 : 0;
    lae_dist_broadcast(dist, &size, sizeof size);
    *copy = malloc(size);
    lae_status status = *copy == NULL ? lae_out_of_memory(size, "a text") : NULL;
    status = lae_dist_agree(dist, status);
    if (status != NULL) { /* here, or on another rank */
        free(*copy);
        *copy = NULL;
        return status;
    }
    /* What all agreed upon, no analyzer knows. NOLINTNEXTLINE(clang-analyzer-core.NonNull*) */
    if (dist->rank == 0) memcpy(*copy, text, size);
    lae_dist_broadcast(dist, *copy, size);
    return NULL;
}

void lae_dist_gather(const struct lae_dist *dist, const float *mine, size_t count, float *all)
{
    MPI_Gather(mine, (int)count, MPI_FLOAT, all, (int)count, MPI_FLOAT, 0, dist->comms->world);
}

void lae_dist_sum(const struct lae_dist *dist, int64_t *values, size_t count)
{
    if (dist->size == 1) return;
    for (size_t at = 0; at < count; at += PIECE) {
        size_t piece = count - at < PIECE ? count - at : PIECE;
        MPI_Allreduce(MPI_IN_PLACE, values + at, (int)piece, MPI_INT64_T, MPI_SUM,
                      dist->comms->world);
    }
}

size_t lae_dist_share(const struct lae_dist *dist, size_t count)
{
    size_t ranks = (size_t)dist->size, rank = (size_t)dist->rank;
    return count > rank ? (count - rank + ranks - 1) / ranks : 0;
}

size_t lae_dist_position(const struct lae_dist *dist, size_t item)
{
    return (size_t)dist->rank + item * (size_t)dist->size;
}

lae_status lae_dist_same(const struct lae_dist *dist, enum lae_code code, const char *what,
                         const char *text)
{
    char *first = NULL;
    LAE_TRY(lae_dist_broadcast_text(dist, text, &first));
    lae_status mine = NULL;
    if (strcmp(first, text) != 0)
        mine = lae_status_new(code, "%s differs between ranks; rank 0 has\n  %s\nrank %d has\n  %s",
                              what, first, dist->rank, text);
    free(first);
    return lae_dist_agree(dist, mine);
}

/* Adds ",host" unless it is there already. */
static void add_host(char *list, const char *host)
{
    size_t length = strlen(host);
    for (const char *at = list; (at = strstr(at, host)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return;
    if (list[0] != '\0') strcat(list, ",");
    strcat(list, host);
}

char *lae_dist_hosts(const struct lae_dist *dist)
{
    size_t ranks = (size_t)dist->size;
    char *hosts = NULL, *list = NULL;
    if (dist->rank == 0) {
        hosts = malloc(ranks * LAE_HOST_TEXT);
        list = calloc(ranks, LAE_HOST_TEXT + 1);
    }
    int possible = dist->rank != 0 || (hosts != NULL && list != NULL);
    MPI_Bcast(&possible, 1, MPI_INT, 0, dist->comms->world);
    if (possible)
        MPI_Gather(dist->host, LAE_HOST_TEXT, MPI_CHAR, hosts, LAE_HOST_TEXT, MPI_CHAR, 0,
                   dist->comms->world);
    for (size_t i = 0; possible && hosts != NULL && list != NULL && i < ranks; i++)
        add_host(list, hosts + i * LAE_HOST_TEXT);
    free(hosts);
    return list;
}
