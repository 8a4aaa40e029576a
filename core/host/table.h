/* host/table.h - the table of host services that a plugin in this process is given. [loop] */
#ifndef KANAL_HOST_TABLE_H
#define KANAL_HOST_TABLE_H
#include "kanal/plugin.h"

/* impl: the struct channel. */
void table_init(kanal_host *, void *impl);
/* The channel has stopped: slots that return an op return 0 from now on. */
void table_close(kanal_host *);

#endif
