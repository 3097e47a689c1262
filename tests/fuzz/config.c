/* The configuration: YAML, or, when the input begins with "=", lines of KEY=VALUE. What is accepted
 * must print as a text that is accepted and prints the same again. */
#include "lae/config/config.h"

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static lae_status set_lines(struct lae_config *config, char *lines)
{
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        LAE_TRY(lae_config_set(config, line));
    return NULL;
}

static lae_status load(struct lae_config *config, const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '=')
        return lae_config_load_text(config, "input", (const char *)data, size);
    char *lines = (char *)lae_fuzz_copy(data + 1, size - 1);
    lines[size - 1] = '\0';
    lae_status status = set_lines(config, lines);
    free(lines);
    return status;
}

static void expect(lae_status status)
{
    LAE_FUZZ_CHECK(status == NULL);
}

static void check_printed(const struct lae_config *config)
{
    struct lae_config again;
    struct lae_config_differences differences;
    char *text = NULL, *text_again = NULL, *result = NULL;
    expect(lae_config_print(config, &text));
    expect(lae_config_print_result(config, &result));
    expect(lae_config_defaults(&again, NULL));
    expect(lae_config_load_text(&again, "printed", text, strlen(text)));
    expect(lae_config_print(&again, &text_again));
    LAE_FUZZ_CHECK(strcmp(text, text_again) == 0);
    expect(lae_config_differences("a", result, "b", "", &differences));
    lae_config_differences_free(&differences);
    lae_config_free(&again);
    free(text);
    free(text_again);
    free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lae_config config;
    expect(lae_config_defaults(&config, LAE_FUZZ_CONFIGS));
    lae_status status = load(&config, data, size);
    if (status == NULL) {
        check_printed(&config);
        status = lae_config_validate(&config, NULL);
    }
    lae_config_free(&config);
    lae_fuzz_end(status, NULL);
    return 0;
}
