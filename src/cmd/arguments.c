#include "lae/base/text.h"
#include "lae/cmd/cmd.h"

#include "lae/base/spelling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct lae_command *const *lae_commands(void)
{
    static const struct lae_command *const commands[] = {
        &lae_command_train,   &lae_command_evaluate,
        &lae_command_predict, &lae_command_merge,
        &lae_command_inspect, &lae_command_report,
        &lae_command_convert, &lae_command_synth,
        &lae_command_bench,   NULL};
    return commands;
}

static const struct lae_command *find_command(const char *name)
{
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

#define SHOWN 84 /* of a word in a message: 80 bytes, "..." and the zero */

/* A word of the command line as a message shows it: cut short, and without what would move a
 * terminal's cursor. */
static const char *show(const char *word, char shown[SHOWN])
{
    snprintf(shown, SHOWN, "%.80s%s", word, strlen(word) > 80 ? "..." : "");
    lae_text_tame(shown);
    for (char *c = shown; *c != '\0'; c++)
        if (*c == '\n') *c = '?';
    return shown;
}

static lae_status unknown_command(const char *name)
{
    char shown[SHOWN], asked[LAE_SPELLING_ASK], known[256] = "";
    struct lae_spelling spelling = lae_spelling_of(name);
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++) {
        strcat(known, known[0] != '\0' ? ", " : "");
        strcat(known, (*c)->name);
    }
    lae_spelling_try_list(&spelling, known);
    return lae_bad_input("unknown command \"%s\"%s%s the commands are %s (lae_mpi --help)",
                         show(name, shown), lae_spelling_ask(&spelling, asked),
                         asked[0] != '\0' ? "" : ";", known);
}

static lae_status take_config(const char *name, struct lae_arguments *arguments)
{
    if (name == NULL || name[0] == '\0') return lae_bad_input("--config needs the name of a file");
    if (arguments->config != NULL)
        return lae_bad_input("--config is given twice, but there can be only one file; single keys "
                             "may follow it as KEY=VALUE");
    arguments->config = name;
    return NULL;
}

/* The command's own option of that name (and perhaps "=VALUE"); -1: it has none. */
static int find_option(const struct lae_arguments *arguments, const char *word)
{
    const struct lae_option *options = arguments->command->options;
    for (int i = 0; options != NULL && options[i].name != NULL; i++) {
        size_t length = strlen(options[i].name);
        bool fits = strncmp(word, options[i].name, length) == 0;
        if (fits && (word[length] == '\0' || word[length] == '=')) return i;
    }
    return -1;
}

static lae_status unknown_option(const char *word, const struct lae_command *command)
{
    static const char *const general[] = {"--config", "--print-config", "--help", "--version"};
    char shown[SHOWN], asked[LAE_SPELLING_ASK], name[LAE_SPELLING_WORD];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    struct lae_spelling spelling = lae_spelling_of(name);
    for (size_t i = 0; i < sizeof general / sizeof general[0]; i++)
        lae_spelling_try(&spelling, general[i], strlen(general[i]));
    for (const struct lae_option *o = command->options; o != NULL && o->name != NULL; o++) {
        char option[LAE_SPELLING_WORD];
        snprintf(option, sizeof option, "--%s", o->name);
        lae_spelling_try(&spelling, option, strlen(option));
    }
    lae_spelling_ask(&spelling, asked);
    return lae_bad_input("unknown option %s%s", show(word, shown),
                         asked[0] != '\0' ? asked : "; see lae_mpi --help");
}

static lae_status take_option(char **argv, int argc, int *at, struct lae_arguments *arguments)
{
    const char *word = argv[*at];
    int which = strncmp(word, "--", 2) == 0 ? find_option(arguments, word + 2) : -1;
    if (which < 0) return unknown_option(word, arguments->command);
    const struct lae_option *option = &arguments->command->options[which];
    bool flag = option->value[0] == '\0';
    const char *value = strchr(word, '=');
    if (flag && value != NULL) return lae_bad_input("--%s takes no value", option->name);
    if (value != NULL)
        value++;
    else if (flag)
        value = option->name;
    else if (*at + 1 < argc)
        value = argv[++*at];
    if (value == NULL || value[0] == '\0')
        return lae_bad_input("--%s needs a value: --%s %s", option->name, option->name,
                             option->value);
    if (arguments->options[which] != NULL)
        return lae_bad_input("--%s is given twice", option->name);
    arguments->options[which] = value;
    return NULL;
}

static lae_status parse_option(char **argv, int argc, int *at, struct lae_arguments *arguments)
{
    const char *option = argv[*at];
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
        arguments->help = true;
    } else if (strcmp(option, "--version") == 0) {
        arguments->version = true;
    } else if (strcmp(option, "--print-config") == 0) {
        arguments->print_config = true;
    } else if (strcmp(option, "--config") == 0) {
        return take_config(*at + 1 < argc ? argv[++*at] : NULL, arguments);
    } else if (strncmp(option, "--config=", 9) == 0) {
        return take_config(option + 9, arguments);
    } else {
        return take_option(argv, argc, at, arguments);
    }
    return NULL;
}

static lae_status check(const struct lae_arguments *arguments)
{
    const struct lae_command *command = arguments->command;
    if (arguments->help || arguments->version) return NULL;
    int given = arguments->positional_count, wanted = command->positional;
    if (given < wanted || (given > wanted && !command->more))
        return lae_bad_input("%s takes %d argument(s)%s, %d given%s: lae_mpi %s %s", command->name,
                             wanted, command->more ? " or more" : "", given,
                             given < wanted && arguments->setting_count > 0
                                 ? " (one with \"=\" in it is written with \"./\" in front, or "
                                   "after \"--\")"
                                 : "",
                             command->name, command->usage);
    for (int i = 0; i < arguments->positional_count; i++)
        if (arguments->positional[i][0] == '\0')
            return lae_bad_input("argument %d of %s is empty: lae_mpi %s %s", i + 1, command->name,
                                 command->name, command->usage);
    bool whole = arguments->config != NULL || arguments->print_config;
    if (whole && command->keys != NULL)
        return lae_bad_input("%s takes its configuration from the checkpoint; only %s may be given",
                             command->name, command->keys);
    bool configured = whole || arguments->setting_count > 0;
    if (configured && !command->configurable && command->keys == NULL)
        return lae_bad_input("%s takes no configuration: lae_mpi %s %s", command->name,
                             command->name, command->usage);
    return NULL;
}

/* Whether a word is KEY=VALUE. What has a slash before the "=" is a path. */
static bool is_setting(const char *word)
{
    return word[strcspn(word, "/=")] == '=';
}

/* A word that is no option: a setting, the command (the first such word), or its argument. */
static lae_status parse_word(char *word, struct lae_arguments *arguments)
{
    char shown[SHOWN];
    if (is_setting(word)) {
        arguments->settings[arguments->setting_count++] = word;
        return NULL;
    }
    if (arguments->setting_count > 0)
        return lae_bad_input("\"%s\" comes after KEY=VALUE and is none itself", show(word, shown));
    if (!arguments->named) {
        const struct lae_command *command = find_command(word);
        if (command == NULL) return unknown_command(word);
        arguments->command = command;
        arguments->named = true;
        return NULL;
    }
    arguments->positional[arguments->positional_count++] = word;
    return NULL;
}

lae_status lae_arguments_parse(int argc, char **argv, struct lae_arguments *arguments)
{
    *arguments = (struct lae_arguments){.command = lae_commands()[0]};
    arguments->settings = calloc((size_t)argc + 1, sizeof *arguments->settings);
    arguments->positional = calloc((size_t)argc + 1, sizeof *arguments->positional);
    if (arguments->settings == NULL || arguments->positional == NULL)
        return lae_out_of_memory(argc * 8, "the command line");
    bool all = false; /* words are arguments from here on, whatever they look like */
    for (int at = 1; at < argc; at++) {
        if (all && arguments->named)
            arguments->positional[arguments->positional_count++] = argv[at];
        else if (strcmp(argv[at], "--") == 0)
            all = true;
        else if (argv[at][0] == '-' && !all)
            LAE_TRY(parse_option(argv, argc, &at, arguments));
        else
            LAE_TRY(parse_word(argv[at], arguments));
    }
    return check(arguments);
}

void lae_arguments_free(struct lae_arguments *arguments)
{
    free(arguments->settings);
    free(arguments->positional);
    arguments->settings = NULL;
    arguments->positional = NULL;
}

/* The rest of a line that is `indent` columns long, broken where the screen ends. */
static void print_text(size_t indent, const char *text)
{
    int terminal = lae_terminal_find(STDOUT_FILENO), width = lae_terminal_width(terminal);
    lae_terminal_close(terminal);
    lae_text_wrap(stdout, text, indent, (size_t)width);
    putchar('\n');
}

static void print_program_help(void)
{
    printf("lae_mpi: continual learning with adapters on a frozen Vision Transformer, over MPI\n\n"
           "usage: lae_mpi [COMMAND] [ARGUMENT ...] [--config FILE] [KEY=VALUE ...]\n"
           "       mpirun -np 8 lae_mpi            trains the built-in demonstration\n\n"
           "commands:\n");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        print_text((size_t)printf("  %-10s ", (*c)->name), (*c)->help);
    printf("\noptions:\n");
    print_text((size_t)printf("  --config FILE    "),
               "read the configuration from a YAML file, or the program's own of that name");
    printf("  --print-config   print the resolved configuration and end\n"
           "  --help           this text; with a command, its own and all keys\n"
           "  --version        versions of the program and its libraries\n"
           "  --               the rest are arguments, whatever they look like\n\n");
    print_text((size_t)printf("exit codes: "),
               "0 done, 2 bad input, 75 stopped on request with the state saved, 1 anything else");
}

static void print_keys(void)
{
    char *keys = NULL;
    lae_status status = lae_config_help(&keys);
    if (status == NULL) printf("\n%s", keys);
    lae_status_free(status);
    free(keys);
}

void lae_print_help(const struct lae_command *command)
{
    if (command == NULL) {
        print_program_help();
        return;
    }
    printf("lae_mpi %s %s\n\n", command->name, command->usage);
    print_text(0, command->help);
    const struct lae_option *option = command->options;
    if (option != NULL) printf("\noptions:\n");
    for (; option != NULL && option->name != NULL; option++)
        print_text((size_t)printf("  --%s %-*s  ", option->name, 14 - (int)strlen(option->name),
                                  option->value),
                   option->help);
    if (command->keys != NULL)
        printf("\nThe configuration is the checkpoint's; of its keys these may be given anew:\n"
               "%s (lae_mpi train --help says what they mean)\n",
               command->keys);
    if (command->configurable) print_keys();
    printf("\nexample: %s\n", command->example);
}
