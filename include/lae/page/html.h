/* Pieces of HTML that is well-formed XML, too. */
#ifndef LAE_PAGE_HTML_H
#define LAE_PAGE_HTML_H

#include "lae/base/status.h"

#include <stddef.h>
#include <stdio.h>

/* A text as content or as the value of an attribute. What is no UTF-8, or a character that XML does
 * not allow, becomes "?". */
void lae_html_text(FILE *out, const char *text);

/* Bytes in base64. Errors: memory. */
lae_status lae_html_base64(FILE *out, const char *data, size_t size) LAE_MUST_CHECK;

#endif
