#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

void cli_help(const struct cli_command *command)
{
    printf("usage: kanal %s %s\n\n%s\n\n%s", command->name, command->arguments, command->summary,
           command->help);
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "kanal %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see `kanal %s --help`\n", command->name);
    return CLI_USAGE;
}
