#include "lae/config/scorers.h"

#include <stdio.h>
#include <string.h>

static struct lae_scorer *add(struct lae_scorers *scorers)
{
    struct lae_scorer *scorer = &scorers->items[scorers->count++];
    *scorer = (struct lae_scorer){0};
    return scorer;
}

static void add_linear(struct lae_scorers *scorers, const char *name, enum lae_view view)
{
    struct lae_scorer *scorer = add(scorers);
    scorer->view = view;
    snprintf(scorer->name, sizeof scorer->name, "%s", name);
}

static void add_linear_heads(struct lae_scorers *scorers, bool offline)
{
    add_linear(scorers, "online", LAE_VIEW_ONLINE);
    if (!offline) return;
    add_linear(scorers, "offline", LAE_VIEW_OFFLINE);
    add_linear(scorers, "ensemble", LAE_VIEW_OFFLINE);
    scorers->items[scorers->count - 1].ensemble = true;
}

static void add_head(struct lae_scorers *scorers, const struct lae_head_method *method,
                     unsigned views)
{
    for (enum lae_view view = 0; view < LAE_VIEWS; view++) {
        if ((views >> view & 1) == 0) continue;
        struct lae_scorer *scorer = add(scorers);
        scorer->method = method;
        scorer->view = view;
        snprintf(scorer->name, sizeof scorer->name, "%s_%s", method->name, lae_view_name(view));
    }
}

struct lae_scorers lae_scorers_of(unsigned heads, bool offline, unsigned views, unsigned ridge)
{
    struct lae_scorers scorers = {0};
    const struct lae_head_method *methods = lae_head_methods();
    if ((heads & LAE_LINEAR_HEADS) != 0) add_linear_heads(&scorers, offline);
    for (size_t i = 0; methods[i].name != NULL; i++)
        if ((heads >> (i + 1) & 1) != 0)
            add_head(&scorers, &methods[i], methods[i].lifted ? ridge : views);
    return scorers;
}

struct lae_scorers lae_scorers_all(void)
{
    const unsigned all = (1U << LAE_VIEWS) - 1;
    return lae_scorers_of(~0U, true, all, all);
}

bool lae_scorers_need(const struct lae_scorers *scorers, enum lae_view view)
{
    for (int i = 0; i < scorers->count; i++)
        if (scorers->items[i].view == view) return true;
    return false;
}

int lae_scorers_find(const struct lae_scorers *scorers, const char *name)
{
    for (int i = 0; i < scorers->count; i++)
        if (strcmp(scorers->items[i].name, name) == 0) return i;
    return -1;
}
