/* ops/instance.h - which gateway this is, also after it was killed and started again.
 *
 * data_dir/instance holds an id; who has the file locked has the id. The system gives the lock back when the process ends, however it
 * ends: whoever gets it knows that nobody else acts under this name. */
#ifndef KANAL_OPS_INSTANCE_H
#define KANAL_OPS_INSTANCE_H

#define INSTANCE_ID_LEN 28u

struct instance {
    int fd; /* locked; -1: none */
    char id[INSTANCE_ID_LEN + 1];
};

/* 0; -1: data_dir cannot be written, or another process runs with it: there is no id. */
int instance_open(struct instance *, const char *data_dir);
void instance_close(struct instance *);

#endif
