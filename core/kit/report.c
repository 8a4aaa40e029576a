#include "kit/report.h"

#include <stdio.h>

struct outcome *report_add(struct report *report, const struct kit_test *test)
{
    if (report->count == report->capacity) {
        size_t capacity = report->capacity ? report->capacity * 2 : 64;
        struct outcome *grown = realloc(report->outcomes, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        report->outcomes = grown;
        report->capacity = capacity;
    }
    struct outcome *outcome = &report->outcomes[report->count++];
    *outcome = (struct outcome){ .test = test };
    return outcome;
}

void report_finding(struct outcome *outcome, char kind, kanal_str step, kanal_str text)
{
    struct finding *finding = calloc(1, sizeof *finding), **end = &outcome->findings;
    outcome->failures += kind == 'F';
    outcome->warnings += kind == 'W';
    outcome->skipped |= kind == 'S';
    if (!finding || !(finding->step = kanal_str_dup(step)) || !(finding->text = kanal_str_dup(text))) {
        if (finding)
            free(finding->step);
        free(finding);
        return; /* the counts stand */
    }
    finding->kind = kind;
    while (*end)
        end = &(*end)->next;
    *end = finding;
}

int report_line(struct outcome *outcome, kanal_str line)
{
    if (line.len < 2 || line.ptr[1] != '\t' || !strchr("FWSEO", line.ptr[0]))
        return 0;
    if (line.ptr[0] == 'E' || line.ptr[0] == 'O')
        return line.ptr[0] == 'E' ? 1 : 2;
    const char *step = line.ptr + 2, *tab = memchr(step, '\t', line.len - 2);
    if (tab)
        report_finding(outcome, line.ptr[0], kanal_str_of(step, (size_t)(tab - step)),
                       kanal_str_of(tab + 1, (size_t)(line.ptr + line.len - tab - 1)));
    return 0;
}

void report_release(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        while (report->outcomes[i].findings) {
            struct finding *finding = report->outcomes[i].findings;
            report->outcomes[i].findings = finding->next;
            free(finding->step);
            free(finding->text);
            free(finding);
        }
    }
    free(report->outcomes);
}

/* ---- For a person ---- */

static const char *name_of(const struct outcome *outcome)
{
    return outcome->failures   ? "failed"
           : outcome->skipped  ? "skipped"
           : outcome->warnings ? "warned"
                               : "passed";
}

static size_t count_of(const struct report *report, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++)
        count += strcmp(name_of(&report->outcomes[i]), name) == 0;
    return count;
}

size_t report_failed(const struct report *report)
{
    return count_of(report, "failed");
}

/* The test that found the same before, so that one defect is explained once. */
static const struct outcome *seen_before(const struct report *report, const struct outcome *now,
                                         const struct finding *finding)
{
    for (size_t i = 0; i < report->count && &report->outcomes[i] != now; i++)
        for (const struct finding *f = report->outcomes[i].findings; f; f = f->next)
            if (f->kind == 'F' && strcmp(f->text, finding->text) == 0)
                return &report->outcomes[i];
    return NULL;
}

void report_print_title(const struct report *report)
{
    printf("%s (%s), seed %llu\n\n", report->options->file, report->title,
           (unsigned long long)report->options->seed);
}

void report_print(const struct report *report, const struct outcome *outcome)
{
    static const struct {
        const char *name, *mark, *colour;
    } looks[] = {
        { "failed", "✗", "31" }, { "skipped", "–", "2" }, { "warned", "!", "33" }, { "passed", "✓", "32" }
    };
    size_t i = 0, told = 0, new_failures = 0;
    while (strcmp(looks[i].name, name_of(outcome)) != 0)
        i++;
    if (report->use_colour)
        printf("  \033[%sm%s\033[0m %-26s %s\n", looks[i].colour, looks[i].mark, outcome->test->name,
               outcome->test->what);
    else
        printf("  %s %-26s %s\n", looks[i].mark, outcome->test->name, outcome->test->what);
    for (const struct finding *f = outcome->findings; f; f = f->next) {
        const struct outcome *before = f->kind == 'F' ? seen_before(report, outcome, f) : NULL;
        if (f->kind == 'W' && new_failures == 0 && outcome->failures > 0)
            continue; /* the output of a failure that was explained before */
        const int is_output = strcmp(f->step, "its output") == 0;
        const char *word = f->kind == 'W' && !is_output ? "warning: " : "";
        if (before) {
            printf("      as in %s: %.60s…\n", before->test->name, f->text);
        } else {
            printf("      %s%s%s%s\n", word, f->step, f->step[0] ? ": " : "", f->text);
            new_failures += f->kind == 'F';
        }
        if (++told == 8) {
            if (f->next)
                printf("      … and more; see --json\n");
            break;
        }
    }
    if (new_failures > 0)
        printf("      to do: %s\n", outcome->test->advice);
    fflush(stdout);
}

void report_print_sum(const struct report *report)
{
    printf("\n%zu passed, %zu failed, %zu with warnings, %zu skipped\n", count_of(report, "passed"),
           report_failed(report), count_of(report, "warned"), count_of(report, "skipped"));
    if (report_failed(report) > 0)
        printf("One of them again: kanal plugin check %s --seed %llu --only NAME\n", report->options->file,
               (unsigned long long)report->options->seed);
}

/* ---- For a program ---- */

static void write_findings(struct kanal_json *json, const struct outcome *outcome, char kind, const char *key)
{
    kanal_json_key(json, key);
    kanal_json_array(json);
    for (const struct finding *f = outcome->findings; f; f = f->next) {
        if (f->kind != kind)
            continue;
        kanal_json_object(json);
        if (f->step[0])
            kanal_json_member_text(json, "where", f->step);
        kanal_json_member_text(json, "text", f->text);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

void report_print_json(const struct report *report)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "file", report->options->file);
    kanal_json_member_text(&json, "plugin", report->title);
    kanal_json_member_int(&json, "seed", (int64_t)report->options->seed);
    kanal_json_member_int(&json, "passed", (int64_t)count_of(report, "passed"));
    kanal_json_member_int(&json, "failed", (int64_t)report_failed(report));
    kanal_json_member_int(&json, "warned", (int64_t)count_of(report, "warned"));
    kanal_json_member_int(&json, "skipped", (int64_t)count_of(report, "skipped"));
    kanal_json_key(&json, "tests");
    kanal_json_array(&json);
    for (size_t i = 0; i < report->count; i++) {
        const struct outcome *outcome = &report->outcomes[i];
        kanal_json_object(&json);
        kanal_json_member_text(&json, "name", outcome->test->name);
        kanal_json_member_text(&json, "what", outcome->test->what);
        kanal_json_member_text(&json, "result", name_of(outcome));
        kanal_json_member_int(&json, "took_ms", outcome->took_ms);
        write_findings(&json, outcome, 'F', "failures");
        write_findings(&json, outcome, 'W', "warnings");
        write_findings(&json, outcome, 'S', "skipped");
        if (outcome->failures)
            kanal_json_member_text(&json, "advice", outcome->test->advice);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    printf("%.*s\n", (int)out.len, out.data ? out.data : "{}");
    kanal_buffer_release(&out);
}
