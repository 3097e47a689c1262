/* Class orders by name, from class_orders.yaml. */
#ifndef LAE_CONFIG_ORDERS_H
#define LAE_CONFIG_ORDERS_H

#include "document.h"

#include "lae/base/status.h"
#include "lae/config/config.h"

/* The entry `name` of class_orders.yaml beside the configuration file, else in the program's own
 * directory; free with lae_entry_free() and free(*file), the file it is from. Errors name the files
 * searched and, where there is one, the names it has. */
lae_status lae_order_find(const struct lae_config *config, const char *name,
                          struct lae_entry *entry, char **file) LAE_MUST_CHECK;

#endif
