/* Time that only goes forward, and where it goes. */
#ifndef LAE_BASE_CLOCK_H
#define LAE_BASE_CLOCK_H

/* Seconds since some fixed moment, unaffected by changes of the date. */
double lae_clock_seconds(void);

/* Seconds that a processor has spent on the calling thread. */
double lae_clock_thread_seconds(void);

/* Kinds of work that a thread does with an image. */
enum lae_work {
    LAE_WORK_IDLE,       /* between images */
    LAE_WORK_DATA,       /* pixels: read, augment, resize, normalise, cut into patches */
    LAE_WORK_PRODUCT,    /* with frozen weights */
    LAE_WORK_ATTENTION,  /* scores, softmax, weighted values */
    LAE_WORK_NORM,       /* layer norms */
    LAE_WORK_ACTIVATION, /* GELU of the MLPs */
    LAE_WORK_MODULES,    /* the PET modules */
    LAE_WORK_SUM,        /* classifier, loss, the exact sum */
    LAE_WORKS
};

/* "data", "product", ...: for tables and JSON. */
const char *lae_work_name(enum lae_work work);

/* One thread's time by kind of work; a zeroed one is ready. */
struct lae_stopwatch {
    double seconds[LAE_WORKS];
    double since; /* when the work at hand began; 0: not running */
    enum lae_work work;
};

/* From now on time counts as `work`. Some 30 ns. */
void lae_stopwatch_turn(struct lae_stopwatch *watch, enum lae_work work);

#endif
