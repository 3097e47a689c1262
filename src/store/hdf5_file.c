/* What reading and writing share: failures as HDF5 tells them, names, closing. */
#include "hdf5_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what HDF5 says about a failure ---- */

struct cause {
    int error_number; /* of the system call that failed; 0: none did */
    char text[160];
};

/* Takes the innermost record; HDF5's file drivers put "errno = N" into its text. */
static herr_t take_cause(unsigned position, const H5E_error2_t *record, void *context)
{
    struct cause *cause = context;
    if (position != 0 || record->desc == NULL) return 0;
    const char *number = strstr(record->desc, "errno = ");
    if (number != NULL) cause->error_number = (int)strtol(number + strlen("errno = "), NULL, 10);
    snprintf(cause->text, sizeof cause->text, "%s", record->desc);
    return 0;
}

lae_status lae_hdf5_fault(enum lae_code code, const struct lae_hdf5 *file, const char *format, ...)
{
    struct cause cause = {.text = "HDF5 gives no reason"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_cause, &cause);
    char doing[512];
    va_list args;
    va_start(args, format);
    vsnprintf(doing, sizeof doing, format, args);
    va_end(args);
    if (cause.error_number != 0)
        return lae_failed("%s: %s: %s", file->path, doing, strerror(cause.error_number));
    return lae_status_new(code, "%s: %s: %s", file->path, doing, cause.text);
}

lae_status lae_hdf5_start(struct lae_hdf5 *file, const char *path, const char *format, int version)
{
    /* Else HDF5 prints its error stack to standard error at every failure. */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *file = (struct lae_hdf5){
        .channel = -1, .id = H5I_INVALID_HID, .format = format, .version = version};
    file->path = strdup(path);
    if (file->path == NULL) return lae_out_of_memory(strlen(path), "a path");
    return NULL;
}

bool lae_hdf5_measure(struct lae_hdf5 *file)
{
    hsize_t size = 0;
    bool known = H5Fget_filesize(file->id, &size) >= 0;
    file->unread = LAE_HDF5_NAMES * size;
    return known;
}

void lae_hdf5_close(struct lae_hdf5 *file)
{
    if (file->id >= 0) H5Fclose(file->id);
    if (file->channel >= 0) close(file->channel);
    if (file->image != NULL) free(file->image->bytes);
    free(file->image);
    free(file->path);
    file->id = H5I_INVALID_HID;
    file->channel = -1;
    file->path = NULL;
}

lae_status lae_hdf5_join(char path[LAE_HDF5_NAME], const char *group, const char *name)
{
    const char *slash = group[0] == '\0' ? "" : "/";
    int length = snprintf(path, LAE_HDF5_NAME, "%s%s%s", group, slash, name);
    if (length >= 0 && length < LAE_HDF5_NAME) return NULL;
    return lae_bad_input("the name %.64s... is longer than %d characters", name, LAE_HDF5_NAME - 1);
}

/* HDF5 would follow them, into whatever file or pipe they name. */
lae_status lae_hdf5_check_links(const struct lae_hdf5 *file, const char *name)
{
    for (size_t end = 0; *name != '\0'; end++) {
        if (name[end] != '/' && name[end] != '\0') continue;
        char part[LAE_HDF5_NAME];
        H5L_info_t about;
        snprintf(part, sizeof part, "%.*s", (int)end, name);
        bool known = H5Lget_info(file->id, part, &about, H5P_DEFAULT) >= 0;
        if (known && about.type != H5L_TYPE_HARD)
            return lae_bad_input("%s: /%s: is a link to elsewhere", file->path, part);
        if (!known || name[end] == '\0') return NULL;
    }
    return NULL;
}

const char *lae_hdf5_object(const char *name)
{
    return name[0] == '\0' ? "/" : name;
}
