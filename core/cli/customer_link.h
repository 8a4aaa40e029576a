/* cli/customer_link.h - `kanal customer link` and `kanal customer unlink`. */
#ifndef KANAL_CLI_CUSTOMER_LINK_H
#define KANAL_CLI_CUSTOMER_LINK_H
#include "cli/cli.h"

/* 1: the word names one of them. */
int customer_link_is(const char *word);
/* argv[1] is that word. An exit code. */
int customer_link_run(const struct cli_command *, int argc, char **argv);

/* Of the command's help. */
#define CUSTOMER_LINK_ARGUMENTS                                                                              \
    "link ADDRESS ADDRESS [OPTION …]\n       kanal customer unlink LINK [OPTION …]"
#define CUSTOMER_LINK_HELP                                                                                   \
    "  link             both are one customer from now on; nodes (a_…) may stand instead of addresses\n"   \
    "  unlink           undoes one link, exactly; what other links hold together stays so\n"                 \
    "      --reason TEXT          why, in words: kept with the link\n"

#endif
