/* Text of others in JSON. Private to report/. */
#ifndef LAE_REPORT_JSON_TEXT_H
#define LAE_REPORT_JSON_TEXT_H

#include <jansson.h>

/* The text with bytes that are no UTF-8 escaped (lae_text_escape), as a path may be anything; null
 * for NULL, and when memory is out. */
json_t *lae_json_text(const char *value);

#endif
