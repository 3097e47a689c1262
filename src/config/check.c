/* What one key alone cannot tell. Shapes of the backbone and contents of files are not known here:
 * pet, data and vit check against those, and name the key as well. */
#include "lae/config/config.h"

/* Classes of the dataset, as far as they are known without it, and its name. */
static int dataset_classes(const struct lae_data_options *data, const char **name)
{
    switch (data->dataset) {
    case LAE_DATASET_CIFAR100:
        *name = "cifar100";
        return 100;
    case LAE_DATASET_CIFAR10:
        *name = "cifar10";
        return 10;
    case LAE_DATASET_FOLDER:
        *name = "folder";
        return LAE_MAX_CLASSES;
    case LAE_DATASET_SYNTHETIC:
        break;
    }
    *name = "synthetic";
    return data->synthetic.classes;
}

/* Each label is one of the dataset's; how many a folder has is seen later. */
static lae_status check_labels(const char *key, const int *labels, int count, int classes,
                               const char *name)
{
    for (int i = 0; i < count; i++)
        if (labels[i] >= classes)
            return lae_bad_input("%s has class %d, data.dataset (%s) has 0 to %d", key, labels[i],
                                 name, classes - 1);
    return NULL;
}

static lae_status check_order(const struct lae_data_options *data, int classes, const char *name)
{
    bool subset = data->classes != NULL;
    int wanted = subset ? data->classes_count : classes;
    bool known = subset || data->dataset != LAE_DATASET_FOLDER;
    if (data->class_order == NULL) return NULL;
    if (known && data->class_order_count != wanted)
        return subset
                   ? lae_bad_input("data.class_order has %d classes, data.classes has %d; name "
                                   "each of them once",
                                   data->class_order_count, wanted)
                   : lae_bad_input("data.class_order has %d classes, data.dataset (%s) has %d; "
                                   "name each of them once, or take a part of them by data.classes",
                                   data->class_order_count, name, wanted);
    return check_labels("data.class_order", data->class_order, data->class_order_count, classes,
                        name);
}

static lae_status check_data(const struct lae_data_options *data)
{
    const char *name;
    int classes = dataset_classes(data, &name);
    if (data->dataset != LAE_DATASET_SYNTHETIC && data->path == NULL)
        return lae_bad_input("data.path is null; data.dataset (%s) needs the directory or archive "
                             "of its files, or use data.dataset=synthetic",
                             name);
    LAE_TRY(check_labels("data.classes", data->classes, data->classes_count, classes, name));
    LAE_TRY(check_order(data, classes, name));
    bool subset = data->classes != NULL;
    const char *whose = subset ? "data.classes" : name;
    const char *of = subset ? "" : "data.dataset (", *end = subset ? "" : ")";
    if (subset) classes = data->classes_count;
    if (data->first_classes > classes)
        return lae_bad_input("data.first_classes is %d, but %s%s%s has %d classes",
                             data->first_classes, of, whose, end, classes);
    if (data->classes_per_task > classes)
        return lae_bad_input("data.classes_per_task is %d, but %s%s%s has %d classes",
                             data->classes_per_task, of, whose, end, classes);
    return NULL;
}

static bool has_modules(const struct lae_pet_options *pet)
{
    bool typed = false;
    for (int site = 0; site < LAE_SITES; site++)
        typed = typed || pet->site[site].type != NULL;
    return typed && pet->block_count > 0;
}

/* Whether a head is left: those made from statistics need some. */
static lae_status check_heads(const struct lae_config *config)
{
    unsigned there = config->stats.views;
    if (!config->merge.method->has_offline) there &= ~(1U << LAE_VIEW_OFFLINE);
    if ((config->eval.heads & LAE_LINEAR_HEADS) != 0 || there != 0) return NULL;
    return lae_bad_input(
        "eval.heads has no linear, and stats.modules no module that there is, from "
        "whose statistics the other heads are made");
}

static lae_status check_start(const struct lae_config *config)
{
    if (config->train.start_from == LAE_START_ONLINE || config->merge.method->has_offline)
        return NULL;
    return lae_bad_input("train.start_from is offline, but merge.method (%s) makes no offline "
                         "module to start from",
                         config->merge.method->name);
}

lae_status lae_config_validate(const struct lae_config *config, struct lae_log *log)
{
    if (config->model.weights == NULL)
        return lae_bad_input("model.weights is null; name the backbone's weight file");
    LAE_TRY(lae_arithmetic_check(lae_config_arithmetic(config)));
    LAE_TRY(check_data(&config->data));
    LAE_TRY(lae_merge_check(&config->merge));
    LAE_TRY(check_start(config));
    LAE_TRY(check_heads(config));
    if (!has_modules(&config->pet))
        lae_log_warn(log, "pet.blocks, pet.attn.type and pet.mlp.type name no module: only the "
                          "classifiers learn");
    else if (config->train.freeze_epochs >= config->train.epochs)
        lae_log_warn(log,
                     "train.freeze_epochs (%d) leaves none of train.epochs (%d): the modules learn "
                     "in the first task only",
                     config->train.freeze_epochs, config->train.epochs);
    return NULL;
}
