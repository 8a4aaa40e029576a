/* `kanal customer`: persons, as the gateway knows them. */
#include "cli/connect.h"
#include "cli/customer_link.h"
#include "cli/customer_profile.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    if (argc > 1 && customer_profile_is(argv[1]))
        return customer_profile_run(command, argc, argv);
    if (argc > 1 && customer_link_is(argv[1]))
        return customer_link_run(command, argc, argv);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cli_help(command);
            return CLI_OK;
        }
    return cli_usage(command, "expected get, update, link or unlink%s%s", argc > 1 ? ", found " : "",
                     argc > 1 ? argv[1] : "");
}

const struct cli_command command_customer = {
    .name = "customer",
    .arguments = CUSTOMER_PROFILE_ARGUMENTS "\n       kanal customer " CUSTOMER_LINK_ARGUMENTS,
    .summary = "Shows what is known of a person, changes it, and says who is one person.",
    .help = CUSTOMER_PROFILE_HELP CUSTOMER_LINK_HELP
    "      --agent ID             who says so, by their id in your own system\n"
    "      --json                 the gateway's answer as it is\n\n" CLIENT_HELP "\n"
    "Messages are never redirected by a link: answers go to addresses.\n"
    "The user needs PREFIX.api.customer-* and an inbox at the broker.\n"
    "Exit code 0: done; 1: refused or not found; 2: wrong words; 4: no gateway; 5: no answer.\n",
    .run = run,
};
