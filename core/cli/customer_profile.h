/* cli/customer_profile.h - `kanal customer get` and `kanal customer update`. */
#ifndef KANAL_CLI_CUSTOMER_PROFILE_H
#define KANAL_CLI_CUSTOMER_PROFILE_H
#include "cli/cli.h"

/* 1: the word names one of them. */
int customer_profile_is(const char *word);
/* argv[1] is that word. An exit code. */
int customer_profile_run(const struct cli_command *, int argc, char **argv);

/* Of the command's help. */
#define CUSTOMER_PROFILE_ARGUMENTS                                                                           \
    "get CUSTOMER|NODE|ADDRESS [OPTION …]\n       kanal customer update CUSTOMER|NODE|ADDRESS CHANGE … " \
    "[OPTION …]"
#define CUSTOMER_PROFILE_HELP                                                                                \
    "  get              what is known of a person: addresses, names, touches, cart, consent\n"               \
    "  update           changes it:\n"                                                                       \
    "      --set NAME=VALUE       name, phone, attributes.plan …; JSON, or else a text\n"                  \
    "      --remove NAME          takes a member away; also preferred_channel, quiet_hours\n"                \
    "      --prefer CHANNEL       the customer's own choice\n"                                               \
    "      --quiet FROM-TO        when not to disturb: 22:00-08:00\n"                                        \
    "      --consent WHAT=yes|no  PURPOSE, PURPOSE@CHANNEL, @CHANNEL, or all\n"

#endif
