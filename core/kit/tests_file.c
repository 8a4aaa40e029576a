/* What can be told from the file before any of its code runs. */
#include "kit/inside.h"

static void check_exports(struct kit_run *run)
{
    struct elf_symbol symbol;
    int found = 0;
    for (uint64_t i = 0; elf_symbol_at(&run->elf, i, &symbol); i++) {
        if (!symbol.is_defined || symbol.name.len == 0 || kanal_str_starts(symbol.name, "__odr_asan"))
            continue;
        if (kanal_str_is(symbol.name, "kanal_plugin_v1"))
            found = 1;
        else
            kit_fail(run, "it exports %.*s", (int)symbol.name.len, symbol.name.ptr);
    }
    if (!found)
        kit_fail(run, "it does not export kanal_plugin_v1");
}

/* Names are matched whole; one that ends with '*' is a beginning. */
static const struct import_rule {
    const char *names;
    char kind; /* 'F' or 'W' */
    const char *reason;
} import_rules[] = {
    { "fork vfork clone clone3 posix_spawn* execl execle execlp execv execve execveat execvp execvpe fexecve "
      "system popen "
      "wordexp",
      'F', "starts a process: the worker forbids it, and the gateway has nobody to wait for it" },
    { "socket socketpair connect bind listen accept accept4 getaddrinfo gethostbyname* getnameinfo "
      "res_query* "
      "res_search* curl_* nats*",
      'F', "uses the network by itself: ask the host (http_send, extensions), which guards and counts it" },
    { "dlopen dlmopen", 'F', "loads code that nobody checked" },
    { "exit _exit _Exit quick_exit __assert_perror_fail", 'F', "ends the process, and every channel in it" },
    { "signal sigaction sigprocmask pthread_sigmask raise kill tgkill alarm setitimer timer_create atexit "
      "on_exit",
      'F', "changes what belongs to the whole process" },
    { "sleep usleep nanosleep clock_nanosleep pause select poll ppoll epoll_wait pthread_join* "
      "pthread_cond_wait "
      "sem_wait",
      'F', "blocks the lane: use timer()" },
    { "setenv unsetenv putenv chdir fchdir chroot umask setlocale setrlimit prctl ptrace setuid setgid "
      "setresuid "
      "setresgid mount",
      'F', "changes what belongs to the whole process" },
    { "abort __assert_fail", 'W',
      "ends the process when it is called: answer with KANAL_E_INTERNAL instead" },
    { "open open64 __open_2 __open64_2 openat openat64 __openat_2 creat fopen fopen64 freopen opendir mkdir "
      "unlink "
      "rename remove mkstemp* tmpfile*",
      'W', "uses files: the sandbox shows it none; use state_put() or the blob extension" },
    { "getenv secure_getenv", 'W', "reads the environment, which is empty in a worker; use settings" },
    { "pthread_create thrd_create", 'W', "makes threads: only where its isolation permits them" },
    { "printf puts putchar vprintf fprintf vfprintf fputs fwrite perror __printf_chk __fprintf_chk "
      "__vfprintf_chk "
      "syslog __syslog_chk",
      'W', "writes to the process's output: use log()" },
    { "time gettimeofday clock_gettime ftime", 'W',
      "reads the clock by itself: use now_ms(), which tests can move" },
    { "rand srand random srandom rand_r drand48 getrandom getentropy arc4random*", 'W',
      "makes chance by itself: use random(), which is cryptographic, and repeatable under test" },
    { "localtime localtime_r mktime strtok setjmp gets", 'W', "depends on hidden state of the process" },
};

static int matches(const char *names, kanal_str name)
{
    while (*names) {
        size_t len = strcspn(names, " ");
        int is_start = len > 0 && names[len - 1] == '*';
        size_t fixed = is_start ? len - 1 : len;
        if ((is_start ? name.len >= fixed : name.len == fixed) && memcmp(names, name.ptr, fixed) == 0)
            return 1;
        names += len + strspn(names + len, " ");
    }
    return 0;
}

static void check_imports(struct kit_run *run)
{
    struct elf_symbol symbol;
    for (uint64_t i = 0; elf_symbol_at(&run->elf, i, &symbol); i++) {
        if (symbol.is_defined || symbol.name.len == 0)
            continue;
        if (kanal_str_starts(symbol.name, "kanal_"))
            kit_fail(run, "it leaves %.*s open: link the helpers into it (libkanal-sdk.a)",
                     (int)symbol.name.len, symbol.name.ptr);
        for (size_t k = 0; k < sizeof import_rules / sizeof *import_rules; k++) {
            const struct import_rule *rule = &import_rules[k];
            if (!matches(rule->names, symbol.name))
                continue;
            if (rule->kind == 'F')
                kit_fail(run, "%.*s() %s", (int)symbol.name.len, symbol.name.ptr, rule->reason);
            else
                kit_warn(run, "%.*s() %s", (int)symbol.name.len, symbol.name.ptr, rule->reason);
        }
    }
}

static void check_shape(struct kit_run *run)
{
    if (run->elf.has_executable_stack)
        kit_fail(run, "its stack is executable");
    if (run->elf.has_text_relocations)
        kit_fail(run, "it has text relocations: compile with -fPIC");
    if (run->elf.has_run_path)
        kit_warn(run,
                 "it names directories for its libraries (RPATH): they will not be there on another machine");
    if (run->elf.constructor_bytes > 2 * sizeof(void *) && !elf_needs(&run->elf, "libasan.so", NULL))
        kit_warn(
            run,
            "code of it runs while it is loaded (constructors), before the host can blame anything on it");
}

const struct kit_test file_tests[] = {
    { .name = "file.exports",
      .what = "exactly one exported symbol, kanal_plugin_v1",
      .advice =
          "compile with -fvisibility=hidden; for C++ and Rust also link with a version script that keeps "
          "everything else local",
      .run = check_exports,
      .file_only = 1 },
    { .name = "file.imports",
      .what = "nothing imported that a plugin may not do",
      .advice = "ask the host for it instead, see kanal/plugin.h",
      .run = check_imports,
      .file_only = 1 },
    { .name = "file.shape",
      .what = "an ordinary, position-independent shared object",
      .advice = "link with cc -shared -fPIC -Wl,-z,noexecstack",
      .run = check_shape,
      .file_only = 1 },
    { 0 },
};
