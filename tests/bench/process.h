/* bench/process.h - the programs that the bench starts, watches and ends. All of them are its children and die with it. */
#ifndef KANAL_BENCH_PROCESS_H
#define KANAL_BENCH_PROCESS_H
#include <stdint.h>
#include <sys/types.h>

double bench_seconds(void); /* monotonic */
void bench_sleep_ms(unsigned ms);

/* argv ends with NULL; both outputs go to log_path. Ends the bench if the program cannot be started. */
pid_t process_start(const char *log_path, const char *const *argv);
/* SIGTERM, and SIGKILL after 15 s. 0 is fine. */
void process_stop(pid_t pid);
/* 0 when it has ended by itself. */
int process_lives(pid_t pid);

/* A line of /proc/PID/status that counts kB ("VmHWM:", the highest resident size so far), in MB. */
double process_status_mb(pid_t pid, const char *line);
/* The same of /proc/PID/smaps_rollup, the sum of all lines that begin so ("Private_"). */
double process_rollup_mb(pid_t pid, const char *lines);
/* A child of the process; 0: it has none. */
pid_t process_child(pid_t pid);
/* User and system time so far. */
double process_cpu_seconds(pid_t pid);

/* A port of 127.0.0.1 that nobody listened on just now. */
uint16_t free_port(void);
/* Tries every 0.2 ms until something accepts, or until bench_seconds() is `until`. 0: too late. */
int wait_for_accept(uint16_t port, double until);
/* The same, until GET path is answered with 200. */
int wait_for_200(uint16_t port, const char *path, double until);

#endif
