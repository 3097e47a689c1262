/* Writes what is told of the program elsewhere, from the tables that the program itself reads: its
 * man page, the completion for bash, and the page of all commands and keys. Run by the build.
 *
 *     lae_document man|completion|page > FILE
 */
#include "lae/cmd/cmd.h"
#include "lae/config/config.h"
#include "lae/merge/merge.h"
#include "lae/pet/pet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls `write` for each row of the table of keys. */
typedef void key_writer(const struct lae_config_key *key, const char *before);

static lae_status each_key(key_writer *write)
{
    char before[64] = "";
    for (size_t row = 0;; row++) {
        struct lae_config_key key;
        LAE_TRY(lae_config_key_describe(row, &key));
        if (key.name == NULL) return NULL;
        write(&key, before);
        snprintf(before, sizeof before, "%s", key.name);
        lae_config_key_free(&key);
    }
}

/* "merge" of merge.method where the key before it was of another section, else NULL. */
static const char *new_section(const char *name, const char *before, char section[64])
{
    size_t length = strcspn(name, ".");
    if (strncmp(name, before, length + 1) == 0) return NULL;
    snprintf(section, 64, "%.*s", (int)length, name);
    return section;
}

/* What one command's names take: all KEY=VALUE, or some, or none. */
static bool takes_keys(const struct lae_command *command)
{
    return command->configurable || command->keys != NULL;
}

/* ---- the man page, in man(7)'s macros */

static void roff(const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

static void roff_line(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    roff(text);
    puts(after);
}

static void man_command(const struct lae_command *command)
{
    roff_line(".TP\n.B ", command->name, "");
    roff_line("", command->help, ".");
    roff_line(".br\nlae_mpi ", command->name, "");
    roff_line("", command->usage, "");
    roff_line(".br\nas in: ", command->example, "");
    const struct lae_option *option = command->options;
    if (option == NULL) return;
    puts(".RS");
    for (; option->name != NULL; option++) {
        fputs(".TP\n.BI \\-\\-", stdout);
        roff(option->name);
        if (option->value[0] != '\0') fputs(" \" ", stdout);
        roff(option->value);
        puts(option->value[0] != '\0' ? "\"" : "");
        roff_line("", option->help, "");
    }
    puts(".RE");
}

static void man_key(const struct lae_config_key *key, const char *before)
{
    char section[64];
    if (new_section(key->name, before, section) != NULL) printf(".SS \"%s\"\n", section);
    fputs(".TP\n.BR ", stdout);
    roff(key->name);
    fputs(" \"=", stdout);
    roff(key->initial);
    printf("%s\"\n", key->result ? "    *" : "");
    roff_line("", key->help, "");
    roff_line("(", key->wanted, ")");
}

static void man_name(const char *name, const char *help)
{
    roff_line(".TP\n.B ", name, "");
    roff_line("", help, "");
}

static lae_status man(void)
{
    printf(".TH LAE_MPI 1 \"\" \"lae_mpi %s\" \"User commands\"\n", LAE_VERSION);
    fputs(".SH NAME\nlae_mpi \\- continual learning with adapters on a frozen Vision Transformer, "
          "over MPI\n"
          ".SH SYNOPSIS\n.B lae_mpi\n.RI [ COMMAND ]\n.RI [ ARGUMENT ...]\n.RB [ \\-\\-config\n"
          ".IR FILE ]\n.RI [ KEY = VALUE ...]\n.PP\n.B mpirun \\-np 8 lae_mpi\n"
          ".SH DESCRIPTION\n"
          "Classes arrive in tasks and old images are gone: an online module learns the new task, "
          "an offline module accumulates all of them, and both vote. One configuration gives "
          "bit-identical checkpoints for any number of ranks and threads.\n.PP\n"
          "Without a configuration, data and weights the built-in demonstration is trained. "
          "Started again, a run goes on where it stood.\n"
          ".SH COMMANDS\n",
          stdout);
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        man_command(*c);
    fputs(".SH OPTIONS\n"
          ".TP\n.BI \\-\\-config \" FILE\"\nread the configuration from a YAML file, "
          "or from the one of that name among the program's own\n"
          ".TP\n.B \\-\\-print\\-config\nprint the resolved configuration and end\n"
          ".TP\n.B \\-\\-help\nusage; with a command its own and all keys\n"
          ".TP\n.B \\-\\-version\nversions of the program and its libraries\n"
          ".TP\n.B \\-\\-\nthe rest are arguments, whatever they look like\n"
          ".SH KEYS\n"
          "Given in the YAML file, or as KEY=VALUE after it. Those marked * can change the result: "
          "a run is resumed only with the values of these that it was begun with.\n",
          stdout);
    LAE_TRY(each_key(man_key));
    puts(".SS \"Modules\"");
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++)
        man_name(type->name, type->help);
    puts(".SS \"Methods of accumulation\"");
    for (const struct lae_merge_method *m = lae_merge_methods(); m->name != NULL; m++)
        man_name(m->name, m->help);
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\ndone; a run that is whole prints its table again\n"
          ".TP\n.B 2\nbad input: usage, configuration, files\n"
          ".TP\n.B 75\nstopped on request, the state saved: the same command goes on\n"
          ".TP\n.B 1\nanything else\n"
          ".SH SIGNALS\n"
          "SIGUSR1 at any rank finishes the step, SIGINT and SIGTERM drop it; the state is saved "
          "and the program exits 75. A second SIGINT or SIGTERM ends it at once.\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B LAE_HOME\nthe directory that holds configs/ and data/ of the program\n"
          ".TP\n.B NO_COLOR\nno colours, if set to anything\n"
          ".TP\n.B COLUMNS\nthe screen's width, if the terminal's own is not meant\n"
          ".SH FILES\n"
          ".TP\n.I RUN.ROOT/RUN.NAME/task_NN.h5\na finished task: parameters, classifiers, "
          "accuracies\n"
          ".TP\n.I run.h5\nlinks to all of them: h5ls \\-rE run.h5\n"
          ".TP\n.I resume.h5, resume\\-previous.h5\nthe newest state inside a task\n"
          ".TP\n.I metrics.jsonl, log.txt, config.yaml\nnumbers, words, every key\n"
          ".SH EXAMPLES\n.EX\n"
          "mpirun \\-np 8 lae_mpi\n"
          "mpirun \\-np 64 lae_mpi \\-\\-config lae_conv_adapter_ties.yaml train.epochs=2\n"
          "lae_mpi train \\-\\-print\\-config merge.method=ties\n"
          "lae_mpi inspect runs/demo\n"
          ".EE\n.SH SEE ALSO\n.BR mpirun (1),\n.BR h5ls (1),\n.BR h5diff (1)\n",
          stdout);
    return NULL;
}

/* ---- completion for bash */

/* "A, B" or "A|B" as words for the shell. */
static void shell_words(const char *words)
{
    for (; *words != '\0'; words++) {
        if (*words == ',') continue;
        putchar(*words == '|' ? ' ' : *words);
    }
}

static void complete_key(const struct lae_config_key *key, const char *before)
{
    (void)before;
    printf("        [%s]='", key->name);
    shell_words(key->words);
    printf("%s'\n", key->path ? " FILE" : "");
}

/* The words of the key that a list of values is for: merge's --method takes those of merge.method.
 */
static lae_status complete_list(const char *command, const char *option)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", command, option);
    for (size_t row = 0;; row++) {
        struct lae_config_key key;
        LAE_TRY(lae_config_key_describe(row, &key));
        if (key.name == NULL) return NULL;
        if (strcmp(key.name, name) == 0) shell_words(key.words);
        lae_config_key_free(&key);
    }
}

/* What may stand for an option's value: FILE, or words that the name or a key lists. */
static lae_status complete_option(const char *command, const struct lae_option *option)
{
    lae_status status = NULL;
    bool file = strcmp(option->value, "FILE") == 0 || strcmp(option->value, "OTHER") == 0 ||
                strstr(option->value, "DIR") != NULL;
    printf("        [%s--%s]='", command, option->name);
    if (file)
        fputs("FILE", stdout);
    else if (strcmp(option->value, "LIST") == 0)
        status = complete_list(command, option->name);
    else if (strchr(option->value, '|') != NULL && islower((unsigned char)option->value[0]))
        shell_words(option->value);
    puts("'");
    return status;
}

static void complete_command(const struct lae_command *command)
{
    printf("        [%s]='--help --version", command->name);
    if (command->configurable) fputs(" --config --print-config", stdout);
    for (const struct lae_option *o = command->options; o != NULL && o->name != NULL; o++)
        printf(" --%s", o->name);
    puts("'");
}

static void complete_keys_of(const struct lae_command *command)
{
    if (!takes_keys(command)) return;
    printf("        [%s]='", command->name);
    for (const char *k = command->configurable ? "*" : command->keys; *k != '\0'; k++)
        if (*k != ',') putchar(*k);
    puts("'");
}

static const char complete_end[] =
    "    local line=${COMP_LINE:0:COMP_POINT} command=train word before named=no key\n"
    "    local current=${line##*[[:space:]]}\n"
    "    local -a words patterns\n"
    "    read -ra words <<<\"${line%\"$current\"}\"\n"
    "    for word in \"${words[@]:1}\"; do\n"
    "        if [[ $named = no && -n ${options[$word]+known} ]]; then command=$word named=yes; fi\n"
    "    done\n"
    "    before=${words[-1]}\n"
    "    COMPREPLY=()\n"
    "    # The value of an option, as a word of its own or after \"=\".\n"
    "    if [[ $current = --*=* ]]; then\n"
    "        before=${current%%=*} current=${current#*=}\n"
    "    fi\n"
    "    if [[ $before = --config ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    elif [[ -n ${arguments[$command$before]+known} ]]; then\n"
    "        _lae_mpi_values \"${arguments[$command$before]}\"\n"
    "    elif [[ $current = -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"${options[$command]}\" -- \"$current\")\n"
    "    elif [[ $current = *=* ]]; then # readline takes \"=\" for the end of a word\n"
    "        key=${current%%=*} current=${current#*=}\n"
    "        _lae_mpi_values \"${values[$key]-}\"\n"
    "    else\n"
    "        if [[ $named = no ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"${!options[*]}\" -- \"$current\")\n"
    "        fi\n"
    "        read -ra patterns <<<\"${keys[$command]-}\"\n"
    "        for key in \"${!values[@]}\"; do\n"
    "            [[ $key = \"$current\"* ]] || continue\n"
    "            for word in \"${patterns[@]}\"; do\n"
    "                # shellcheck disable=SC2053\n"
    "                [[ $key = $word ]] && COMPREPLY+=(\"$key=\") && break\n"
    "            done\n"
    "        done\n"
    "        if [[ $named = yes ]]; then\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
    "        fi\n"
    "        if [[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *= ]]; then\n"
    "            compopt -o nospace 2>/dev/null\n"
    "        fi\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Completes $current with the words given, FILE standing for the names of files.\n"
    "_lae_mpi_values() {\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"${1/FILE/}\" -- \"$current\")\n"
    "    if [[ $1 = *FILE* ]]; then\n"
    "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _lae_mpi lae_mpi\n";

static lae_status completion(void)
{
    puts("# Completion of lae_mpi's commands, options, keys and their values for bash; written by "
         "the build.");
    puts("_lae_mpi() {\n    local -A options=( # of a command");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        complete_command(*c);
    puts("    )\n    local -A arguments=( # of a command's option");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        for (const struct lae_option *o = (*c)->options; o != NULL && o->name != NULL; o++)
            LAE_TRY(complete_option((*c)->name, o));
    puts("    )\n    local -A keys=( # that a command takes");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        complete_keys_of(*c);
    puts("    )\n    local -A values=( # of a key");
    LAE_TRY(each_key(complete_key));
    puts("    )");
    fputs(complete_end, stdout);
    return NULL;
}

/* ---- the page of commands and keys, in Markdown */

/* A cell of a table. */
static void cell(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|' || *text == '*') putchar('\\');
        putchar(*text);
    }
}

static void row(const char *name, const char *help)
{
    printf("| `%s` | ", name);
    cell(help);
    puts(" |");
}

static void page_key(const struct lae_config_key *key, const char *before)
{
    char section[64];
    if (new_section(key->name, before, section) != NULL)
        printf("\n### %s\n\n| key | default | | meaning | values |\n|---|---|---|---|---|\n",
               section);
    printf("| `%s` | `%s` | %s | ", key->name, key->initial, key->result ? "R" : "");
    cell(key->help);
    fputs(" | ", stdout);
    cell(key->wanted);
    puts(" |");
}

static void page_command(const struct lae_command *command)
{
    printf("\n### %s\n\n    lae_mpi %s %s\n\n", command->name, command->name, command->usage);
    printf("%c%s.\n", toupper((unsigned char)command->help[0]), command->help + 1);
    printf("\n    %s\n", command->example);
    if (command->keys != NULL)
        printf("\nThe configuration is the checkpoint's; these keys may be given anew: %s.\n",
               command->keys);
    if (command->options == NULL) return;
    puts("\n| option | meaning |\n|---|---|");
    for (const struct lae_option *o = command->options; o->name != NULL; o++) {
        printf("| `--%s%s", o->name, o->value[0] != '\0' ? " " : "");
        cell(o->value);
        fputs("` | ", stdout);
        cell(o->help);
        puts(" |");
    }
}

static lae_status page(void)
{
    puts("# Commands and keys\n\n"
         "Written from the program's own tables by `ninja -C build pages`; do not edit.\n"
         "`lae_mpi COMMAND --help` and `man lae_mpi` say the same.\n\n"
         "    lae_mpi [COMMAND] [ARGUMENT ...] [--config FILE] [KEY=VALUE ...]\n\n"
         "## Commands");
    for (const struct lae_command *const *c = lae_commands(); *c != NULL; c++)
        page_command(*c);
    puts("\n## Keys\n\n"
         "In a YAML file the dots are levels (`merge: {method: ties}`); on the command line keys "
         "are dotted\n(`merge.method=ties`) and come after what the file says. Keys marked R can "
         "change the result: a run is\nresumed only with the values of these that it was begun "
         "with.");
    LAE_TRY(each_key(page_key));
    puts("\n## Modules\n\nFor `pet.attn.type` and `pet.mlp.type`.\n\n| name | |\n|---|---|");
    for (const struct lae_pet_type *type = lae_pet_types(); type->name != NULL; type++)
        row(type->name, type->help);
    puts("\n## Methods of accumulation\n\nFor `merge.method`.\n\n| name | |\n|---|---|");
    for (const struct lae_merge_method *m = lae_merge_methods(); m->name != NULL; m++)
        row(m->name, m->help);
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        lae_status (*write)(void);
    } kinds[] = {{"man", man}, {"completion", completion}, {"page", page}};
    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0) continue;
        lae_status status = kinds[i].write();
        if (status == NULL && fflush(stdout) == 0) return 0;
        fprintf(stderr, "lae_document: %s\n",
                status != NULL ? lae_status_message(status) : "cannot write");
        lae_status_free(status);
        return 1;
    }
    fputs("usage: lae_document man|completion|page\n", stderr);
    return 2;
}
