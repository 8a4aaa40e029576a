/* What a hostile plugin tries, by name. Each returns 0 when it was let, or -errno of what stopped it. */
#ifndef HOSTILE_ACTS_H
#define HOSTILE_ACTS_H

/* 1: there is no such act. */
int hostile_act(const char *name);

#endif
