#include "lae/base/sheet.h"

#include "lae/base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHORTEST = 8 }; /* to which a text is shortened */
static const char gap[] = "...", elided[] = "..";

struct lae_sheet_column {
    char *title;
    int kind, width;
    bool shown, gap; /* in this block; in place of those that are left out */
};

/* Without cells and heading: a rule. */
struct lae_sheet_row {
    char **cells; /* [count], NULL: blank */
    size_t filled;
    char *heading;
};

/* ---- filling */

/* One line that may be shown anywhere; NULL where memory is out. */
static char *new_text(struct lae_sheet *sheet, const char *format, va_list args)
{
    char *text = NULL;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0) text = malloc((size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
        lae_text_tame(text);
    }
    va_end(again);
    sheet->failed = sheet->failed || text == NULL;
    for (char *c = text; c != NULL && (c = strchr(c, '\n')) != NULL;)
        *c = '?';
    return text;
}

/* Room for one more of a list that doubles; NULL where memory is out. */
static void *one_more(struct lae_sheet *sheet, void *items, size_t count, size_t size)
{
    bool full = (count & (count - 1)) == 0; /* a power of two, or none */
    void *more = full ? realloc(items, (count > 0 ? 2 * count : 1) * size) : items;
    if (more == NULL) sheet->failed = true;
    return more;
}

void lae_sheet_column(struct lae_sheet *sheet, int kind, const char *title)
{
    struct lae_sheet_column column = {.title = strdup(title), .kind = kind};
    void *more = one_more(sheet, sheet->columns, sheet->count, sizeof column);
    sheet->failed = sheet->failed || column.title == NULL;
    if (more != NULL) sheet->columns = more;
    if (more != NULL)
        sheet->columns[sheet->count++] = column;
    else
        free(column.title);
}

static struct lae_sheet_row *add_row(struct lae_sheet *sheet)
{
    void *more = one_more(sheet, sheet->rows, sheet->row_count, sizeof *sheet->rows);
    if (more == NULL) return NULL;
    sheet->rows = more;
    sheet->rows[sheet->row_count] = (struct lae_sheet_row){0};
    return &sheet->rows[sheet->row_count++];
}

void lae_sheet_row(struct lae_sheet *sheet)
{
    struct lae_sheet_row *row = add_row(sheet);
    if (row != NULL) row->cells = calloc(sheet->count + 1, sizeof *row->cells);
    if (row == NULL || row->cells == NULL) sheet->failed = true;
}

void lae_sheet_rule(struct lae_sheet *sheet)
{
    (void)add_row(sheet);
}

void lae_sheet_heading(struct lae_sheet *sheet, const char *format, ...)
{
    struct lae_sheet_row *row = add_row(sheet);
    va_list args;
    va_start(args, format);
    if (row != NULL) row->heading = new_text(sheet, format, args);
    va_end(args);
}

void lae_sheet_text(struct lae_sheet *sheet, const char *format, ...)
{
    if (sheet->failed) return;
    struct lae_sheet_row *row = &sheet->rows[sheet->row_count - 1];
    va_list args;
    va_start(args, format);
    row->cells[row->filled++] = new_text(sheet, format, args);
    va_end(args);
}

void lae_sheet_number(struct lae_sheet *sheet, int decimals, double value)
{
    if (isnan(value))
        lae_sheet_text(sheet, "-");
    else
        lae_sheet_text(sheet, "%.*f", decimals, value);
}

void lae_sheet_digits(struct lae_sheet *sheet, int digits, double value)
{
    if (isnan(value))
        lae_sheet_text(sheet, "-");
    else
        lae_sheet_text(sheet, "%.*g", digits, value);
}

void lae_sheet_free(struct lae_sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++)
        free(sheet->columns[i].title);
    for (size_t i = 0; i < sheet->row_count; i++) {
        for (size_t k = 0; k < sheet->rows[i].filled; k++)
            free(sheet->rows[i].cells[k]);
        free(sheet->rows[i].cells);
        free(sheet->rows[i].heading);
    }
    free(sheet->columns);
    free(sheet->rows);
    *sheet = (struct lae_sheet){0};
}

/* ---- measuring */

static bool is(const struct lae_sheet_column *column, enum lae_sheet_kind kind)
{
    return (column->kind & (int)kind) != 0;
}

/* Line `line`, counted from the last one, of a title; *size its bytes. */
static const char *title_line(const char *title, int line, size_t *size)
{
    const char *end = strchr(title, '\n');
    *size = end != NULL && line == 1 ? (size_t)(end - title) : 0;
    if (line == 1) return title;
    const char *last = end != NULL ? end + 1 : title;
    *size = strlen(last);
    return last;
}

static int title_width(const char *title)
{
    size_t above, below;
    const char *first = title_line(title, 1, &above), *last = title_line(title, 0, &below);
    int a = lae_text_width(first, above), b = lae_text_width(last, below);
    return a > b ? a : b;
}

static int natural_width(const struct lae_sheet *sheet, size_t at)
{
    int width = title_width(sheet->columns[at].title);
    for (size_t i = 0; i < sheet->row_count; i++) {
        const struct lae_sheet_row *row = &sheet->rows[i];
        int own = at < row->filled ? lae_text_width(row->cells[at], strlen(row->cells[at])) : 0;
        if (own > width) width = own;
    }
    return width;
}

/* Optional columns are alike. */
static void measure(const struct lae_sheet *sheet)
{
    int widest = (int)strlen(elided);
    for (size_t i = 0; i < sheet->count; i++) {
        struct lae_sheet_column *column = &sheet->columns[i];
        column->width = natural_width(sheet, i);
        if (is(column, LAE_SHEET_OPTIONAL) && column->width > widest) widest = column->width;
    }
    for (size_t i = 0; i < sheet->count; i++)
        if (is(&sheet->columns[i], LAE_SHEET_OPTIONAL)) sheet->columns[i].width = widest;
}

/* With the blanks before it, which the first column has not. */
static int room_of(const struct lae_sheet *sheet, size_t at)
{
    const struct lae_sheet_column *column = &sheet->columns[at];
    return column->width + (at == 0 ? 0 : is(column, LAE_SHEET_TIGHT) ? 1 : 2);
}

/* Behind a column that is no key and those joined to it. */
static size_t end_of_unit(const struct lae_sheet *sheet, size_t from)
{
    size_t end = from + 1;
    while (end < sheet->count && is(&sheet->columns[end], LAE_SHEET_JOINED))
        end++;
    return end;
}

static int room_of_unit(const struct lae_sheet *sheet, size_t from)
{
    int room = 0;
    for (size_t i = from; i < end_of_unit(sheet, from); i++)
        room += room_of(sheet, i);
    return room;
}

static int room_of_keys(const struct lae_sheet *sheet)
{
    int room = 0;
    for (size_t i = 0; i < sheet->count; i++)
        if (is(&sheet->columns[i], LAE_SHEET_KEY)) room += room_of(sheet, i);
    return room;
}

/* What the narrowest blocks take. Optional columns need not be there. */
static int least_room(const struct lae_sheet *sheet)
{
    int widest = 0;
    for (size_t i = 0; i < sheet->count; i++) {
        bool counts = !is(&sheet->columns[i], LAE_SHEET_KEY) &&
                      !is(&sheet->columns[i], LAE_SHEET_OPTIONAL) &&
                      !is(&sheet->columns[i], LAE_SHEET_JOINED);
        int room = counts ? room_of_unit(sheet, i) : 0;
        if (room > widest) widest = room;
    }
    return room_of_keys(sheet) + widest;
}

int lae_sheet_width(const struct lae_sheet *sheet)
{
    int room = 0;
    if (sheet->failed) return 0;
    measure(sheet);
    for (size_t i = 0; i < sheet->count; i++)
        room += room_of(sheet, i);
    return room;
}

bool lae_sheet_fits(const struct lae_sheet *sheet, int width)
{
    if (sheet->failed) return true;
    measure(sheet);
    return least_room(sheet) <= width;
}

/* The widest text loses a place as long as that is needed and can be. */
static void shorten(const struct lae_sheet *sheet, int width)
{
    while (least_room(sheet) > width) {
        struct lae_sheet_column *widest = NULL;
        for (size_t i = 0; i < sheet->count; i++) {
            struct lae_sheet_column *column = &sheet->columns[i];
            bool longer = widest == NULL || column->width > widest->width;
            if (!is(column, LAE_SHEET_NUMBER) && longer) widest = column;
        }
        if (widest == NULL || widest->width <= SHORTEST) return;
        widest->width--;
    }
}

/* ---- blocks */

static int room_of_optional(const struct lae_sheet *sheet)
{
    int room = 0;
    for (size_t i = 0; i < sheet->count; i++)
        if (is(&sheet->columns[i], LAE_SHEET_OPTIONAL)) room += room_of(sheet, i);
    return room;
}

/* Of the optional columns, which stand at the end: all, or the first and last ones that have room
 * beside a mark. None where that would be one. */
static void choose_optional(const struct lae_sheet *sheet, int room)
{
    int all = room_of_optional(sheet),
        each = sheet->count > 0 ? room_of(sheet, sheet->count - 1) : 1;
    int count = all / each, most = room > 0 ? room / each : 0;
    int shown = count <= most ? count : most < 3 ? 0 : most, first = shown / 2;
    for (int i = 0; i < count; i++) {
        struct lae_sheet_column *column = &sheet->columns[sheet->count - (size_t)(count - i)];
        column->gap = shown < count && i == first;
        column->shown = i < first || (shown > 0 && column->gap) || i > count - (shown - first);
        if (shown == count) column->shown = true;
    }
}

/* Shows the key columns and as many others from `from` on as there is room for, at least one unit.
 * Returns where the next block begins. */
static size_t choose(const struct lae_sheet *sheet, size_t from, int width)
{
    int room = width - room_of_keys(sheet);
    bool any = false;
    for (size_t i = 0; i < sheet->count; i++)
        sheet->columns[i].shown = is(&sheet->columns[i], LAE_SHEET_KEY);
    while (from < sheet->count && !is(&sheet->columns[from], LAE_SHEET_OPTIONAL)) {
        size_t end = end_of_unit(sheet, from);
        bool key = is(&sheet->columns[from], LAE_SHEET_KEY);
        int unit = key ? 0 : room_of_unit(sheet, from);
        if (any && unit > room) return from;
        for (room -= unit; from < end; from++)
            sheet->columns[from].shown = true;
        any = any || !key;
    }
    if (from < sheet->count) choose_optional(sheet, room);
    return sheet->count;
}

/* ---- writing */

/* Blanks are written when something comes behind them. */
struct pen {
    FILE *out;
    int blanks;
};

static void put(struct pen *pen, const char *text, size_t size)
{
    if (size > 0) fprintf(pen->out, "%*s", pen->blanks, "");
    if (size > 0) pen->blanks = 0;
    fwrite(text, 1, size, pen->out);
}

/* The bytes of the character that `text` [left] begins with. */
static size_t step(const char *text, size_t left)
{
    uint32_t code;
    size_t size = lae_utf8_decode(text, left, &code);
    return size > 0 ? size : 1;
}

/* A text without its middle, `width` wide or a little less. */
static void put_shortened(struct pen *pen, const char *text, size_t size, int width)
{
    int room = width - (int)strlen(gap), before = (room + 1) / 2;
    size_t head = 0, next, tail;
    while (next = head + step(text + head, size - head), lae_text_width(text, next) <= before)
        head = next;
    for (tail = head; lae_text_width(text + tail, size - tail) > room - before;)
        tail += step(text + tail, size - tail);
    put(pen, text, head);
    put(pen, gap, strlen(gap));
    put(pen, text + tail, size - tail);
}

static void put_cell(struct pen *pen, const struct lae_sheet_column *column, const char *text,
                     size_t size)
{
    int blanks = column->width - lae_text_width(text, size);
    bool right = is(column, LAE_SHEET_NUMBER);
    if (right && blanks > 0) pen->blanks += blanks;
    if (blanks < 0 && !right)
        put_shortened(pen, text, size, column->width);
    else
        put(pen, text, size);
    if (!right && blanks > 0) pen->blanks += blanks;
}

/* Blanks before a column. */
static void space(struct pen *pen, const struct lae_sheet *sheet, size_t at)
{
    pen->blanks += room_of(sheet, at) - sheet->columns[at].width;
}

static void write_title_line(const struct lae_sheet *sheet, int line, FILE *out)
{
    struct pen pen = {.out = out};
    for (size_t i = 0; i < sheet->count; i++) {
        const struct lae_sheet_column *column = &sheet->columns[i];
        size_t size;
        const char *title = title_line(column->title, line, &size);
        if (!column->shown) continue;
        space(&pen, sheet, i);
        if (column->gap)
            put_cell(&pen, column, elided, line == 0 ? strlen(elided) : 0);
        else
            put_cell(&pen, column, title, size);
    }
}

static void write_titles(const struct lae_sheet *sheet, FILE *out, const struct lae_paint *paint)
{
    bool written[2] = {false, false};
    for (size_t i = 0; i < sheet->count; i++)
        for (int line = 0; line < 2; line++) {
            size_t size;
            title_line(sheet->columns[i].title, line, &size);
            written[line] = written[line] || (sheet->columns[i].shown && size > 0);
        }
    for (int line = 1; line >= 0; line--) {
        if (!written[line]) continue;
        fputs(paint->faint, out);
        write_title_line(sheet, line, out);
        fprintf(out, "%s\n", paint->off);
    }
}

static void write_rule(const struct lae_sheet *sheet, FILE *out)
{
    for (size_t i = 0; i < sheet->count; i++)
        for (int k = 0; sheet->columns[i].shown && k < room_of(sheet, i); k++)
            fputc('-', out);
    fputc('\n', out);
}

static void write_row(const struct lae_sheet *sheet, const struct lae_sheet_row *row, FILE *out)
{
    struct pen pen = {.out = out};
    if (row->cells == NULL && row->heading == NULL) {
        write_rule(sheet, out);
        return;
    }
    if (row->heading != NULL) put(&pen, row->heading, strlen(row->heading));
    for (size_t i = 0; row->cells != NULL && i < sheet->count; i++) {
        const struct lae_sheet_column *column = &sheet->columns[i];
        const char *text = i < row->filled && !column->gap ? row->cells[i] : "";
        if (!column->shown) continue;
        space(&pen, sheet, i);
        put_cell(&pen, column, text, strlen(text));
    }
    fputc('\n', out);
}

static void write_blocks(const struct lae_sheet *sheet, FILE *out, int width,
                         const struct lae_paint *paint)
{
    size_t from = 0;
    do {
        if (from > 0) fputc('\n', out);
        from = choose(sheet, from, width);
        write_titles(sheet, out, paint);
        for (size_t i = 0; i < sheet->row_count; i++)
            write_row(sheet, &sheet->rows[i], out);
    } while (from < sheet->count);
}

lae_status lae_sheet_write(struct lae_sheet *sheet, FILE *out, int width,
                           const struct lae_paint *paint)
{
    lae_status status = sheet->failed ? lae_out_of_memory(0, "a table") : NULL;
    if (status == NULL) {
        measure(sheet);
        shorten(sheet, width);
        write_blocks(sheet, out, width, paint);
    }
    lae_sheet_free(sheet);
    return status;
}

lae_status lae_sheet_print(struct lae_sheet *sheet, FILE *out)
{
    return lae_sheet_write(sheet, out, lae_terminal_output_width(), lae_paint_none());
}
