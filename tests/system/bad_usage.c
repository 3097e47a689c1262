/* Command lines that mean nothing, values that do not go together, and a program that cannot find
 * its own files. */
#include "bad.h"

#define LONG50 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define LONG300 LONG50 LONG50 LONG50 LONG50 LONG50 LONG50

/* Without the settings of a small run. */
static const struct bad_case bare[] = {
    /* commands and options */
    {.name = "no such command", .args = {"tarin"}, .word = "unknown command \"tarin\""},
    {.name = "a command misspelt", .args = {"evalute"}, .word = "did you mean \"evaluate\"?"},
    {.name = "a command cut short", .args = {"pred"}, .word = "did you mean \"predict\"?"},
    {.name = "a path for a command", .args = {"/etc/passwd"}, .word = "unknown command"},
    {.name = "an empty word", .args = {""}, .word = "unknown command \"\""},
    {.name = "a word after the command", .args = {"train", "now"}, .word = "train takes 0"},
    {.name = "five words", .args = {"train", "a", "b", "c", "d", "e"}, .word = "5 given"},
    {.name = "a word after a setting", .args = {"run.seed=1", "train"}, .word = "\"train\""},
    {.name = "no such option", .args = {"--confg", "a.yaml"}, .word = "unknown option --confg"},
    {.name = "an option misspelt", .args = {"--verison"}, .word = "did you mean \"--version\"?"},
    {.name = "a short option", .args = {"-v"}, .word = "unknown option -v"},
    {.name = "a dash", .args = {"-"}, .word = "unknown option"},
    {.name = "two dashes and no command", .args = {"--", "--help"}, .word = "unknown command"},
    {.name = "two dashes and an option", .args = {"report", "--", "--output"}, .word = "--output"},
    {.name = "two dashes and KEY=VALUE",
     .args = {"train", "--", "run.seed=1"},
     .word = "train takes 0"},
    {.name = "two dashes and a name like KEY=VALUE",
     .args = {"report", "--", "lr=0.1"},
     .word = "lr=0.1: "},
    {.name = "a path like KEY=VALUE",
     .args = {"report", "/nowhere/lr=0.1"},
     .word = "/nowhere/lr=0.1: "},
    {.name = "a name like KEY=VALUE", .args = {"report", "lr=0.1"}, .word = "after \"--\""},
    {.name = "a negative number", .args = {"train", "-1"}, .word = "unknown option -1"},
    {.name = "--config without a file", .args = {"train", "--config"}, .word = "--config needs"},
    {.name = "--config= without a file", .args = {"train", "--config="}, .word = "--config"},
    {.name = "--config with an option", .args = {"--config", "--help"}, .word = "--help"},
    {.name = "--config twice",
     .args = {"train", "--config", "{source}/configs/demo.yaml", "--config=/nowhere/b.yaml"},
     .word = "--config"},
    {.name = "no such file", .args = {"--config", "/nowhere/a.yaml"}, .word = "/nowhere/a.yaml"},
    {.name = "an escape sequence in a command", .args = {"\033[2J"}, .word = "unknown command"},
    {.name = "an escape sequence in an option", .args = {"--\033[2J"}, .word = "unknown option"},
    {.name = "an escape sequence in an argument",
     .args = {"run.seed=1", "\033[2J"},
     .word = "comes after"},
    {.name = "an escape sequence in a file's name",
     .args = {"--config", "/nowhere/\033[2J"},
     .word = "/nowhere/"},
    {.name = "a line break in a command", .args = {"tr\nlae_mpi: ain"}, .word = "unknown command"},
    {.name = "U+009B, which begins an escape sequence, in a command",
     .args = {"\xc2\x9b"
              "2J"},
     .word = "unknown command"},
    {.name = "U+009B in a file's name",
     .args = {"--config", "/nowhere/\xc2\x9b"
                          "2J"},
     .word = "/nowhere/?2J"},
    {.name = "a turn of direction in a file's name",
     .args = {"--config", "/nowhere/\xe2\x80\xae"
                          "lmay"},
     .word = "/nowhere/?lmay"},
    {.name = "a very long command", .args = {LONG300 LONG300}, .word = "unknown command"},
    {.name = "bytes that are not UTF-8", .args = {"run.name=caf\xe9"}, .word = "UTF-8"},

    /* report and merge */
    {.name = "report nothing", .args = {"report"}, .word = "report takes 1"},
    {.name = "report nowhere", .args = {"report", "/nowhere/run"}, .word = "/nowhere/run"},
    {.name = "report what is no run", .args = {"report", "{dir}"}, .word = "not a run's directory"},
    {.name = "report to nowhere",
     .args = {"report", "{dir}", "--output", "/nowhere/there/page.html"},
     .word = "{dir}"},
    {.name = "merge nothing", .args = {"merge"}, .word = "merge takes 1"},
    {.name = "merge nowhere", .args = {"merge", "/nowhere/run"}, .word = "/nowhere/run"},
    {.name = "merge what is no run", .args = {"merge", "{dir}"}, .word = "{dir}"},
    {.name = "merge a file", .args = {"merge", "{tiny}"}, .word = "{tiny}"},

    /* convert and synth */
    {.name = "convert nothing", .args = {"convert"}, .word = "convert takes 2"},
    {.name = "convert one file", .args = {"convert", "{tiny}"}, .word = "convert takes 2"},
    {.name = "convert three", .args = {"convert", "a", "b", "c"}, .word = "convert takes 2"},
    {.name = "convert with a key",
     .args = {"convert", "{tiny}", "{dir}/o.h5", "run.seed=1"},
     .word = "convert takes no configuration"},
    {.name = "convert with a file",
     .args = {"convert", "{tiny}", "{dir}/o.h5", "--config", "a.yaml"},
     .word = "convert takes no configuration"},
    {.name = "convert to npz", .args = {"convert", "{tiny}", "{dir}/o.npz"}, .word = "o.npz"},
    {.name = "convert without an ending",
     .args = {"convert", "{tiny}", "{dir}/o"},
     .word = "ending"},
    {.name = "convert from nothing",
     .args = {"convert", "/nowhere/w.npz", "{dir}/o.h5"},
     .word = "/nowhere/w.npz"},
    {.name = "convert to nowhere",
     .args = {"convert", "{tiny}", "/nowhere/there/o.h5"},
     .word = "/nowhere/there"},
    {.name = "convert to a directory", .args = {"convert", "{tiny}", "{dir}"}, .word = "{dir}"},
    {.name = "convert a directory", .args = {"convert", "{dir}", "{dir}/o.h5"}, .word = "{dir}"},
    {.name = "convert an empty name", .args = {"convert", "", "{dir}/o.h5"}, .word = "IN"},
    {.name = "synth nowhere", .args = {"synth"}, .word = "synth takes 1"},
    {.name = "synth twice", .args = {"synth", "a", "b"}, .word = "synth takes 1"},
    {.name = "synth with an unknown key",
     .args = {"synth", "{dir}/s", "data.synthetic.clases=3"},
     .word = "data.synthetic.classes"},
    {.name = "synth with CIFAR",
     .args = {"synth", "{dir}/s", "data.dataset=cifar10"},
     .word = "data.dataset"},
    {.name = "synth with too many classes",
     .args = {"synth", "{dir}/s", "data.synthetic.classes=257"},
     .word = "data.synthetic.classes"},
    {.name = "synth where a file is", .args = {"synth", "{tiny}"}, .word = "{tiny}"},
    {.name = "synth below a file", .args = {"synth", "{tiny}/a/b"}, .word = "{tiny}"},
    {.name = "synth an empty name", .args = {"synth", ""}, .word = "DIR"},

    /* the program's own files */
    {.name = "LAE_HOME nowhere", .environment = {"LAE_HOME=/nowhere"}, .word = "LAE_HOME"},
    {.name = "LAE_HOME a file", .environment = {"LAE_HOME={tiny}"}, .word = "LAE_HOME"},
    {.name = "no weights", .args = {"data.dataset=synthetic"}, .word = "model.weights"},
};

/* With them. */
static const struct bad_case small[] = {
    /* keys and values */
    {.name = "no key", .args = {"=1"}, .word = "unknown key \"\""},
    {.name = "a dot for a key", .args = {".=1"}, .word = "unknown key"},
    {.name = "a section", .args = {"merge=ties"}, .word = "merge.method"},
    {.name = "a key in no section", .args = {"epochs=3"}, .word = "train.epochs"},
    {.name = "a key in the wrong section", .args = {"run.epochs=3"}, .word = "train.epochs"},
    {.name = "a capital letter", .args = {"Run.Seed=3"}, .word = "unknown key \"Run.Seed\""},
    {.name = "a space before the equals sign", .args = {"run.seed =3"}, .word = "run.seed"},
    {.name = "a bad value that a good one follows",
     .args = {"train.epochs=0", "train.epochs=1"},
     .word = "train.epochs=0"},
    {.name = "a very long value",
     .args = {"merge.method=" LONG300 LONG300 LONG300},
     .word = "merge.method"},
    {.name = "an escape sequence as a value",
     .args = {"merge.method=\033]0;gone\007"},
     .word = "merge.method"},
    {.name = "more first classes than there are",
     .args = {"data.first_classes=13"},
     .word = "data.first_classes"},
    {.name = "more classes a task than there are",
     .args = {"data.classes_per_task=13"},
     .word = "data.classes_per_task"},
    {.name = "an order of too few classes",
     .args = {"data.class_order=0,1,2"},
     .word = "data.class_order"},
    {.name = "an order with a class too high",
     .args = {"data.class_order=0,1,2,3,4,5,6,7,8,9,10,12"},
     .word = "data.class_order"},
    {.name = "an order of other data",
     .args = {"data.class_order=cifar100_seed1993"},
     .word = "data.class_order"},
    {.name = "CIFAR without a path", .args = {"data.dataset=cifar100"}, .word = "data.path"},
    {.name = "heads that do not divide the width",
     .args = {"model.heads=3"},
     .word = "model.heads"},
    {.name = "more heads than width", .args = {"model.heads=32"}, .word = "model.heads"},
    {.name = "an image size that is no multiple of the patch",
     .args = {"data.image_size=18"},
     .word = "data.image_size"},
    {.name = "a block the backbone has not", .args = {"pet.blocks=0,2"}, .word = "pet.blocks"},
    {.name = "a module too large for any memory",
     .end = BAD_FAILED,
     .args = {"pet.attn.type=conv_adapter", "pet.attn.hidden=65536", "pet.attn.kernel=31"},
     .word = "out of memory"},
    {.name = "an escape sequence in a weight file's name",
     .args = {"model.weights=/nowhere/\033[2J"},
     .word = "/nowhere/"},

    /* names and places of runs */
    {.name = "a name of 300 letters", .args = {"run.name=" LONG300}, .word = "128"},
    {.name = "the parent for a name", .args = {"run.name=.."}, .word = "run.name"},
    {.name = "a name with a slash", .args = {"run.name=a/../../b"}, .word = "run.name"},
    {.name = "an absolute name", .args = {"run.name=/tmp/a"}, .word = "run.name"},
    {.name = "a name with a line break", .args = {"run.name=a\nb"}, .word = "run.name"},
    {.name = "a root with escape sequences",
     .end = BAD_FINE,
     .args = {"run.root={dir}/\033]0;gone\007\xc2\x9b"
              "2J",
              "run.tasks=1"}},
    {.name = "a root of 6,000 letters",
     .args = {"run.root=/tmp/" LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300
                  LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300 LONG300
                      LONG300 LONG300},
     .word = "run.root"},
    {.name = "a part of the root of 300 letters",
     .args = {"run.root={dir}/" LONG300},
     .word = "run.root"},
    {.name = "LAE_HOME nowhere, an order by name",
     .environment = {"LAE_HOME=/nowhere"},
     .args = {"data.class_order=cifar100_seed1993"},
     .word = "class_orders.yaml"},
};

void bad_usage(struct bad_list *list)
{
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        struct bad_case one = bare[i];
        one.settings = BAD_BARE;
        bad_add(list, &one);
    }
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        bad_add(list, &small[i]);
}
