/* Configuration files that are broken, hostile, or no files. */
#include "bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- short ones, written out */

struct text {
    const char *name, *text;
    size_t size; /* 0: up to the zero */
    const char *word;
};

static const struct text texts[] = {
    {"a tab for indentation", "run:\n\tname: a\n", 0, "bad.yaml:2:"},
    {"a bracket not closed", "pet:\n  blocks: [0, 1\n", 0, "bad.yaml:"},
    {"a quote not closed", "run:\n  name: \"a\n", 0, "bad.yaml:"},
    {"two colons", "run: name: a\n", 0, "bad.yaml:1:"},
    {"a wrong indentation", "run:\n  name: a\n seed: 1\n", 0, "bad.yaml:3:"},
    {"an unfinished escape", "run:\n  name: \"\\q\"\n", 0, "bad.yaml:2:"},
    {"a directive nobody knows", "%YAML 9.9\n---\nrun:\n  name: a\n", 0, "bad.yaml:1:"},
    {"only a list", "- 1\n- 2\n", 0, "keys with values are wanted"},
    {"only a word", "hello\n", 0, "keys with values are wanted"},
    {"only a number", "42\n", 0, "keys with values are wanted"},
    {"JSON of a list", "[{\"run\": 1}]\n", 0, "keys with values are wanted"},
    {"two documents", "run:\n  seed: 1\n---\nrun:\n  seed: 2\n", 0, "bad.yaml:3:"},
    {"a merge key", "run:\n  <<: {name: a}\n", 0, "run.<<"},
    {"an anchor", "run: &a\n  name: a\n", 0, "bad.yaml:1:"},
    {"an alias", "run:\n  name: *a\n", 0, "bad.yaml:2:"},
    {"a tag", "run:\n  name: !!python/object:os.system a\n", 0, "bad.yaml:2:"},
    {"a list as a key", "[1, 2]: 3\n", 0, "bad.yaml:1:"},
    {"a mapping as a key", "? {a: 1}\n: 3\n", 0, "bad.yaml:1:"},
    {"no key before the colon", ": 3\n", 0, "bad.yaml:1:1:"},
    {"an empty key", "\"\": 3\n", 0, "a key is missing"},
    {"a key of a dotted name twice", "run:\n  seed: 1\nrun:\n  seed: 2\n", 0, "given twice"},
    {"a dotted key", "run.sed: 1\n", 0, "did you mean \"run.seed\""},
    {"a section that is none", "runn:\n  name: a\n", 0, "did you mean \"run\""},
    {"a section with a value", "merge: ties\n", 0, "merge.method"},
    {"a section with a list", "merge: [ties]\n", 0, "merge.method"},
    {"a key as a section", "train:\n  epochs:\n    first: 1\n", 0, "train.epochs"},
    {"a list in a list", "pet:\n  blocks: [[0]]\n", 0, "bad.yaml:2:"},
    {"a mapping in a list", "pet:\n  blocks: [{a: 0}]\n", 0, "bad.yaml:2:"},
    {"a long key",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\n", 0,
     "bad.yaml:1:"},
    {"a control character in a key", "\"a\\e[2Jb\": 1\n", 0, "bad.yaml:1:"},
    {"an escape sequence as a value", "merge:\n  method: \"\\e[2J\"\n", 0, "merge.method"},
    {"Latin-1", "run:\n  name: caf\xe9\n", 0, "bad.yaml:2:12: byte 0xe9"},
    {"UTF-8 cut short", "run:\n  name: caf\xc3", 0, "is not UTF-8"},
    {"UTF-8 of a surrogate", "run:\n  name: \xed\xa0\x80\n", 0, "is not UTF-8"},
    {"UTF-8 longer than need be", "run:\n  name: \xc0\xaf\n", 0, "is not UTF-8"},
    {"UTF-16", "\xff\xfer\0u\0n\0:\0", 10, "is not UTF-8"},
    {"a zero byte", "run:\n  name: a\0b\n", 17, "bad.yaml:2:"},
    {"a zero byte at the end", "run:\n  seed: 1\n\0", 16, "bad.yaml:"},
    {"an escaped zero byte", "run:\n  name: \"a\\0b\"\n", 0, "zero byte"},
    {"a bell", "run:\n  name: a\x07\n", 0, "bad.yaml:2:"},
    {"a slash escaped into a name", "run:\n  name: \"a\\x2fb\"\n", 0, "run.name"},
    {"a program",
     "\x7f"
     "ELF\x02\x01\x01\0\0\0",
     10, "bad.yaml:"},
    {"a shell script", "#!/bin/sh\nexit 1\n", 0, "keys with values are wanted"},
};

static bool write_text(const struct bad_place *place, const void *with)
{
    const struct text *text = with;
    return bad_write(place->file, text->text, text->size > 0 ? text->size : strlen(text->text));
}

/* ---- long ones, grown */

struct grown {
    const char *name, *head, *unit, *tail;
    size_t times;
    const char *word;
};

static const struct grown grown[] = {
    {"lists 10,000 deep", "run: ", "[", "", 10000, "bad.yaml:1:"},
    {"mappings 10,000 deep", "", "{a: ", "", 10000, "bad.yaml:1:"},
    {"blocks 1,000 deep", "", "? ", "", 1000, "bad.yaml:1:"},
    {"50 MB of a word", "run:\n  name: ", "aaaaaaaaaa", "\n", 5000000, "too many"},
    {"100 MB of spaces", "", "          ", "", 10000000, "too many"},
    {"1 MB of a word", "run:\n  name: ", "aaaaaaaaaa", "\n", 104000, "run.name"},
    {"1 MB of a number", "train:\n  epochs: ", "9999999999", "\n", 104000, "train.epochs"},
    {"1 MB of opened quotes", "run: ", "\"'\"'", "\n", 250000, "bad.yaml:"},
    {"1 MB of a list", "pet:\n  blocks: [", "0,", "0]\n", 500000, "pet.blocks"},
    {"1 MB of commas", "pet:\n  blocks: [", ",", "]\n", 1000000, "bad.yaml:2:"},
    {"100,000 documents", "", "---\n", "", 100000, "bad.yaml:2:"},
    {"100,000 keys", "", "run: 1\n", "", 100000, "given twice"},
};

static bool write_grown(const struct bad_place *place, const void *with)
{
    const struct grown *text = with;
    FILE *file = fopen(place->file, "wb");
    if (file == NULL) return bad_tell("write", place->file);
    fputs(text->head, file);
    for (size_t i = 0; i < text->times; i++)
        fputs(text->unit, file);
    fputs(text->tail, file);
    return fclose(file) == 0 || bad_tell("write", place->file);
}

/* Keys that all differ and are all unknown, but for their order: the first is reported. */
static bool write_many(const struct bad_place *place, const void *with)
{
    (void)with;
    FILE *file = fopen(place->file, "wb");
    if (file == NULL) return bad_tell("write", place->file);
    for (int i = 0; i < 50000; i++)
        fprintf(file, "key%d: 1\n", i);
    return fclose(file) == 0 || bad_tell("write", place->file);
}

/* Nine levels of nine aliases each. */
static bool write_laughs(const struct bad_place *place, const void *with)
{
    (void)with;
    FILE *file = fopen(place->file, "wb");
    if (file == NULL) return bad_tell("write", place->file);
    fputs("a0: &a0 [lol, lol, lol]\n", file);
    for (int i = 1; i < 10; i++) {
        fprintf(file, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            fprintf(file, "%s*a%d", k == 0 ? "" : ", ", i - 1);
        fputs("]\n", file);
    }
    return fclose(file) == 0 || bad_tell("write", place->file);
}

/* ---- no files */

static bool make_directory(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkdir(place->file, 0777) == 0 || bad_tell("make", place->file);
}

static bool make_pipe(const struct bad_place *place, const void *with)
{
    (void)with;
    return mkfifo(place->file, 0666) == 0 || bad_tell("make", place->file);
}

/* `with`: where the link leads; "" to itself. */
static bool make_link(const struct bad_place *place, const void *with)
{
    const char *target = with;
    return symlink(target[0] == '\0' ? place->file : target, place->file) == 0 ||
           bad_tell("make", place->file);
}

static bool make_secret(const struct bad_place *place, const void *with)
{
    (void)with;
    return bad_write(place->file, "run:\n", 5) &&
           (chmod(place->file, 0) == 0 || bad_tell("change", place->file));
}

static const char *unless_root(void)
{
    return geteuid() == 0 ? "files without permission to read: root may read them" : NULL;
}

static void add(struct bad_list *list, const char *name, bad_function *make, const void *with,
                const char *word)
{
    bad_add(list, &(struct bad_case){
                      .name = name,
                      .settings = BAD_BARE,
                      .args = {"train", "--config", "{file}", "run.root={runs}", "run.name=base"},
                      .run = "base",
                      .file = "bad.yaml",
                      .make = make,
                      .with = with,
                      .word = word,
                      .also = "bad.yaml",
                      .skip = make == make_secret ? unless_root() : NULL,
                  });
}

void bad_yaml(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(list, texts[i].name, write_text, &texts[i], texts[i].word);
    for (size_t i = 0; i < sizeof grown / sizeof *grown; i++)
        add(list, grown[i].name, write_grown, &grown[i], grown[i].word);
    add(list, "50,000 keys", write_many, NULL, "bad.yaml:");
    add(list, "a billion laughs", write_laughs, NULL, "anchors");
    add(list, "nothing there", NULL, NULL, "cannot be opened");
    add(list, "a directory", make_directory, NULL, "is a directory");
    add(list, "a named pipe", make_pipe, NULL, "not a regular file");
    add(list, "a device without end", make_link, "/dev/zero", "not a regular file");
    add(list, "the terminal", make_link, "/dev/tty", "bad.yaml");
    add(list, "a link to nothing", make_link, "/nowhere/there", "cannot be opened");
    add(list, "a link to itself", make_link, "", "cannot be opened");
    add(list, "no permission", make_secret, NULL, "cannot be opened");
}
