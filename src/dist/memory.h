/* What control groups leave of a host's memory. Private to dist/. */
#ifndef LAE_DIST_MEMORY_H
#define LAE_DIST_MEMORY_H

/* At most `most` bytes: what the groups of this process in `list` (/proc/self/cgroup) and those
 * that they are in still allow, by their files below `root` (/sys/fs/cgroup), version 1 and 2. */
double lae_memory_left_by_groups(const char *list, const char *root, double most);

#endif
