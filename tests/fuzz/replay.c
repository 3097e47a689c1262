/* Runs a target over files: replay_TARGET [--valid DIRECTORY] FILE|DIRECTORY... A file that is a
 * find aborts again, as long as what it found is not mended; what is said to be valid must be
 * accepted: else the target tries nothing. With LAE_FUZZ_TELL in the environment it tells why
 * inputs are refused. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS = 60, MEGABYTES = 1024 }; /* that an input may take, and that all may take at once */

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    struct stat about;
    if (fstat(fileno(file), &about) != 0) about.st_size = 0;
    size_t size = (size_t)about.st_size;
    unsigned char *data = malloc(size + 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    printf("%s\n", path);
    fflush(stdout); /* the last name is the one that did not return */
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(data, size);
    alarm(0);
    free(data);
    return 1;
}

/* Files that are no inputs begin with a dot. A directory that is not there has none. */
static int run_directory(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[1024];
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count += run_file(name);
    }
    closedir(directory);
    return count;
}

/* From here on memory is out after MEGABYTES, which is no way to refuse an input (lae_fuzz_end).
 * AddressSanitizer reserves more than any limit. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    LAE_FUZZ_CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)MEGABYTES << 20);
    LAE_FUZZ_CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}) == 0);
#endif
}

int main(int argc, char **argv)
{
    int count = 0, first = 1;
    limit_memory();
    if (argc > 2 && strcmp(argv[1], "--valid") == 0) {
        count = run_directory(argv[2]);
        LAE_FUZZ_CHECK(count > 0 && lae_fuzz_refusals() == 0);
        first = 3;
    }
    for (int i = first; i < argc; i++) {
        struct stat about;
        bool file = stat(argv[i], &about) == 0 && S_ISREG(about.st_mode);
        count += file ? run_file(argv[i]) : run_directory(argv[i]);
    }
    printf("%d inputs\n", count);
    if (count == 0) fprintf(stderr, "replay: there are no inputs\n");
    return count == 0;
}
