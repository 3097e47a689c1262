/* Walks over what a file holds, safe against links in circles and out of the file. */
#include "hdf5_local.h"

#include <string.h>

#define MAX_DEPTH 32      /* groups within groups */
#define MIN_OBJECTS 16384 /* that one walk may visit; and as many as have room in the file */
#define OBJECT_BYTES 64   /* that an object takes at least */

struct walk {
    struct lae_hdf5 *file;
    lae_hdf5_visit *visit;
    void *context;
    const char *group; /* the path of the group at hand */
    int depth;
    size_t visited, most;
    lae_status status;
};

static lae_status walk_group(struct walk *walk, hid_t group, const char *name);

static lae_status walk_object(struct walk *walk, hid_t object, const char *name)
{
    H5I_type_t type = H5Iget_type(object);
    if (type != H5I_GROUP && type != H5I_DATASET)
        return lae_bad_input("%s: /%s: is neither a group nor a dataset", walk->file->path, name);
    LAE_TRY(walk->visit(walk->file, name, type == H5I_GROUP, walk->context));
    return type == H5I_GROUP ? walk_group(walk, object, name) : NULL;
}

static lae_status walk_link(struct walk *walk, hid_t group, const char *link, H5L_type_t type)
{
    char name[LAE_HDF5_NAME];
    LAE_TRY(lae_status_prefix(lae_hdf5_join(name, walk->group, link), "%s", walk->file->path));
    if (type != H5L_TYPE_HARD)
        return lae_bad_input("%s: /%s: is a link to elsewhere", walk->file->path, name);
    if (++walk->visited > walk->most || walk->depth >= MAX_DEPTH)
        return lae_bad_input("%s: /%s: more than %zu objects, or groups deeper than %d; links in a "
                             "circle?",
                             walk->file->path, name, walk->most, MAX_DEPTH);
    hid_t object = H5Oopen(group, link, H5P_DEFAULT);
    if (object < 0) return lae_hdf5_fault(LAE_BAD_INPUT, walk->file, "/%s: cannot be opened", name);
    lae_status status = walk_object(walk, object, name);
    H5Oclose(object);
    return status;
}

static herr_t on_link(hid_t group, const char *link, const H5L_info_t *about, void *context)
{
    struct walk *walk = context;
    walk->status = walk_link(walk, group, link, about->type);
    return walk->status == NULL ? 0 : -1;
}

static lae_status walk_group(struct walk *walk, hid_t group, const char *name)
{
    const char *outer = walk->group;
    walk->group = name;
    walk->depth++;
    lae_status status = NULL;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, on_link, walk) < 0)
        status = walk->status != NULL
                     ? walk->status
                     : lae_hdf5_fault(LAE_BAD_INPUT, walk->file, "/%s: cannot be listed", name);
    walk->depth--;
    walk->group = outer;
    return status;
}

static size_t most(const struct lae_hdf5 *file)
{
    hsize_t size = 0;
    if (H5Fget_filesize(file->id, &size) < 0 || size / OBJECT_BYTES < MIN_OBJECTS)
        return MIN_OBJECTS;
    return (size_t)(size / OBJECT_BYTES);
}

lae_status lae_hdf5_local_walk(struct lae_hdf5 *file, const char *group, lae_hdf5_visit *visit,
                               void *context)
{
    struct walk walk = {.file = file, .visit = visit, .context = context, .most = most(file)};
    LAE_TRY(lae_hdf5_check_links(file, group));
    hid_t id = H5Gopen2(file->id, lae_hdf5_object(group), H5P_DEFAULT);
    if (id < 0)
        return lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: cannot be opened as a group", group);
    lae_status status = walk_group(&walk, id, group);
    H5Gclose(id);
    return status;
}

static herr_t on_attribute(hid_t object, const char *attribute, const H5A_info_t *about,
                           void *context)
{
    struct walk *walk = context;
    (void)object;
    (void)about;
    walk->status = walk->visit(walk->file, attribute, false, walk->context);
    return walk->status == NULL ? 0 : -1;
}

lae_status lae_hdf5_local_walk_attributes(struct lae_hdf5 *file, const char *object,
                                          lae_hdf5_visit *visit, void *context)
{
    struct walk walk = {.file = file, .visit = visit, .context = context};
    LAE_TRY(lae_hdf5_check_links(file, object));
    if (H5Aiterate_by_name(file->id, lae_hdf5_object(object), H5_INDEX_NAME, H5_ITER_INC, NULL,
                           on_attribute, &walk, H5P_DEFAULT) >= 0)
        return NULL;
    if (walk.status != NULL) return walk.status;
    return lae_hdf5_fault(LAE_BAD_INPUT, file, "/%s: attributes cannot be listed", object);
}
