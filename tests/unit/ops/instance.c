#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/instance.h"

static char directory[64], path[96];

static void begin(void)
{
    snprintf(directory, sizeof directory, "/tmp/kanal-instance-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/instance", directory);
}

static void end(void)
{
    unlink(path);
    rmdir(directory);
}

TestSuite(instance, .init = begin, .fini = end);

Test(instance, the_next_one_has_the_same_id)
{
    struct instance first, second;
    cr_assert_eq(instance_open(&first, directory), 0);
    cr_assert_eq(strlen(first.id), INSTANCE_ID_LEN);
    char id[INSTANCE_ID_LEN + 1];
    snprintf(id, sizeof id, "%s", first.id);
    instance_close(&first);
    cr_assert_eq(instance_open(&second, directory), 0);
    cr_assert_str_eq(second.id, id);
    instance_close(&second);
}

Test(instance, two_at_once_are_not_the_same)
{
    struct instance first, second;
    cr_assert_eq(instance_open(&first, directory), 0);
    cr_assert_eq(instance_open(&second, directory), -1);
    cr_assert_str_eq(second.id, "");
    instance_close(&second);
    instance_close(&first);
}

Test(instance, what_is_no_id_is_replaced)
{
    static const char *const contents[] = { "", "l_", "l_ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                            "x_abcdefghijklmnopqrstuvwxyz", "l_abcdefghijklmnopqrstuvwxy\n" };
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct instance instance;
        FILE *file = fopen(path, "we");
        cr_assert_not_null(file);
        fputs(contents[i], file);
        fclose(file);
        cr_assert_eq(instance_open(&instance, directory), 0, "%zu", i);
        cr_assert_eq(strlen(instance.id), INSTANCE_ID_LEN);
        cr_assert_str_neq(instance.id, contents[i]);
        instance_close(&instance);
    }
}

Test(instance, a_folder_that_cannot_be_made)
{
    struct instance instance;
    cr_assert_eq(instance_open(&instance, "/proc/kanal/none"), -1);
    instance_close(&instance);
}
