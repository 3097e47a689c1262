#include "json_text.h"

#include "lae/base/text.h"

#include <stdlib.h>

json_t *lae_json_text(const char *value)
{
    char *escaped = value != NULL ? lae_text_escape(value, false) : NULL;
    json_t *string = escaped != NULL ? json_string(escaped) : NULL;
    free(escaped);
    return string != NULL ? string : json_null();
}
