#include "lae/cmd/cmd.h"
#include "lae/nn/kernels.h"
#include "lae/nn/linear.h"

#include <archive.h>
#include <hdf5.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

const struct lae_command *const *lae_commands(void)
{
    static const struct lae_command *const commands[] = {&lae_command_train, &lae_command_convert,
                                                         &lae_command_synth, NULL};
    return commands;
}

static const struct lae_command *find_command(const char *name)
{
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

static lae_status unknown_command(const char *name)
{
    char known[256] = "";
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++) {
        strcat(known, known[0] != '\0' ? ", " : "");
        strcat(known, (*c)->name);
    }
    return lae_bad_input("unknown command \"%s\"; the commands are %s (lae_mpi --help)", name,
                         known);
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
        if (*at + 1 >= argc) return lae_bad_input("--config needs the name of a file");
        arguments->config = argv[++*at];
    } else if (strncmp(option, "--config=", 9) == 0) {
        arguments->config = option + 9;
    } else {
        return lae_bad_input("unknown option %s; see lae_mpi --help", option);
    }
    return NULL;
}

static lae_status check(const struct lae_arguments *arguments)
{
    const struct lae_command *command = arguments->command;
    if (arguments->help || arguments->version) return NULL;
    if (arguments->positional_count != command->positional)
        return lae_bad_input("%s takes %d argument(s), %d given: lae_mpi %s %s", command->name,
                             command->positional, arguments->positional_count, command->name,
                             command->usage);
    bool configured =
        arguments->config != NULL || arguments->setting_count > 0 || arguments->print_config;
    if (configured && !command->configurable)
        return lae_bad_input("%s takes no configuration: lae_mpi %s %s", command->name,
                             command->name, command->usage);
    return NULL;
}

/* A word that is no option: a setting, the command (the first such word), or its argument. */
static lae_status parse_word(char *word, struct lae_arguments *arguments)
{
    if (strchr(word, '=') != NULL) {
        arguments->settings[arguments->setting_count++] = word;
        return NULL;
    }
    if (arguments->setting_count > 0)
        return lae_bad_input("\"%s\" comes after KEY=VALUE and is none itself", word);
    if (!arguments->named) {
        const struct lae_command *command = find_command(word);
        if (command == NULL) return unknown_command(word);
        arguments->command = command;
        arguments->named = true;
        return NULL;
    }
    if (arguments->positional_count == LAE_MAX_POSITIONAL)
        return lae_bad_input("too many arguments, from \"%s\" on", word);
    arguments->positional[arguments->positional_count++] = word;
    return NULL;
}

lae_status lae_arguments_parse(int argc, char **argv, struct lae_arguments *arguments)
{
    *arguments = (struct lae_arguments){.command = lae_commands()[0]};
    arguments->settings = calloc((size_t)argc + 1, sizeof *arguments->settings);
    if (arguments->settings == NULL) return lae_out_of_memory(argc * 8, "the command line");
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-')
            LAE_TRY(parse_option(argv, argc, &at, arguments));
        else
            LAE_TRY(parse_word(argv[at], arguments));
    }
    return check(arguments);
}

void lae_arguments_free(struct lae_arguments *arguments)
{
    free(arguments->settings);
    arguments->settings = NULL;
}

static void print_program_help(void)
{
    printf("lae_mpi: continual learning with adapters on a frozen Vision Transformer, over MPI\n\n"
           "usage: lae_mpi [COMMAND] [ARGUMENT ...] [--config FILE] [KEY=VALUE ...]\n"
           "       mpirun -np 8 lae_mpi            trains the built-in demonstration\n\n"
           "commands:\n");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        printf("  %-10s %s\n", (*c)->name, (*c)->help);
    printf(
        "\noptions:\n"
        "  --config FILE    read the configuration from a YAML file\n"
        "  --print-config   print the resolved configuration and end\n"
        "  --help           this text; with a command, its own and all keys\n"
        "  --version        versions of the program and its libraries\n\n"
        "exit codes: 0 done, 2 bad input, 75 stopped on request with the state saved, 1 anything "
        "else\n");
}

void lae_print_help(const struct lae_command *command)
{
    if (command == NULL) {
        print_program_help();
        return;
    }
    printf("lae_mpi %s %s\n\n%s\n", command->name, command->usage, command->help);
    if (!command->configurable) return;
    char *keys = NULL;
    lae_status status = lae_config_help(&keys);
    if (status == NULL) printf("\n%s", keys);
    lae_status_free(status);
    free(keys);
}

void lae_print_version(void)
{
    char backend[256], mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    unsigned major, minor, release;
    int length, yaml[3];
    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    H5get_libversion(&major, &minor, &release);
    yaml_get_version(&yaml[0], &yaml[1], &yaml[2]);
    printf("lae_mpi %s\n%s\n%s\nHDF5 %u.%u.%u\nlibyaml %d.%d.%d\n%s\njansson %s\nkernels %s\n",
           LAE_VERSION, mpi, lae_linear_backend(backend, sizeof backend), major, minor, release,
           yaml[0], yaml[1], yaml[2], archive_version_string(), JANSSON_VERSION,
           lae_kernels_best()->name);
}
