/* Ranks of a node talk through files in /dev/shm (Open MPI 4's "vader", the "sm" of 5), some
 * megabytes a rank. They are removed when MPI ends, but not when the processes are killed: memory
 * would be lost until the node restarts. A mapped file needs no name, so the first rank of each
 * node removes those that it has mapped, after a message between every two ranks, which makes sure
 * that both have mapped the other's. */
#include "segments.h"

#include "comms.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lae_segments {
    size_t count;
    char names[][192];
};

static void talk_to_all(const struct lae_dist *dist)
{
    for (int step = 1; step < dist->node_size; step++) {
        int to = (dist->node_rank + step) % dist->node_size;
        int from = (dist->node_rank + dist->node_size - step) % dist->node_size;
        MPI_Sendrecv(NULL, 0, MPI_BYTE, to, 0, NULL, 0, MPI_BYTE, from, 0, dist->comms->node,
                     MPI_STATUS_IGNORE);
    }
    MPI_Barrier(dist->comms->node);
}

/* Adds a name that is not there yet, up to `most`. */
static void add(struct lae_segments *segments, size_t most, const char *name)
{
    for (size_t i = 0; i < segments->count; i++)
        if (strcmp(segments->names[i], name) == 0) return;
    if (segments->count == most || strlen(name) >= sizeof segments->names[0]) return;
    strcpy(segments->names[segments->count++], name);
}

/* Where the name of a segment begins in a line of /proc/self/maps, or NULL. */
static char *find_name(char *line)
{
    char *name = strstr(line, "/dev/shm/vader_segment.");
    return name != NULL ? name : strstr(line, "/dev/shm/sm_segment.");
}

/* The segments that this process has mapped. */
static void find_mapped(struct lae_segments *segments, size_t most)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *name = find_name(line);
        if (name == NULL) continue;
        name[strcspn(name, " \n")] = '\0';
        add(segments, most, name);
    }
    if (maps != NULL) fclose(maps);
}

void lae_segments_forget(struct lae_dist *dist)
{
    dist->segments = NULL;
    if (dist->node_size == 1) return;
    talk_to_all(dist);
    if (dist->node_rank != 0) return;
    size_t most = (size_t)dist->node_size;
    struct lae_segments *segments = calloc(1, sizeof *segments + most * sizeof segments->names[0]);
    if (segments == NULL) return; /* then they keep their names */
    find_mapped(segments, most);
    for (size_t i = 0; i < segments->count; i++)
        unlink(segments->names[i]);
    dist->segments = segments;
}

void lae_segments_restore(struct lae_dist *dist)
{
    if (dist->node_size == 1) return;
    for (size_t i = 0; dist->segments != NULL && i < dist->segments->count; i++) {
        /* Everybody may write there: what has the name by now is left alone, and no link followed.
         */
        int file = open(dist->segments->names[i],
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file >= 0) close(file);
    }
    free(dist->segments);
    dist->segments = NULL;
    MPI_Barrier(dist->comms->node);
}
