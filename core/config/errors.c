/* config/errors.c */
#include <stdlib.h>
#include <string.h>
#include "errors.h"
#include "json/quote.h"
#include "kanal/sdk/str.h"

int config_error_known(const struct config_errors *errors, const yyjson_mut_val *value)
{
    const struct config_position *position = config_position_find(errors->positions, value);

    for (size_t i = 0; position && i < errors->count && i < CONFIG_ERRORS; i++)
        if (errors->list[i].line == position->line && errors->list[i].column == position->column)
            return 1;
    return 0;
}

struct kanal_buffer *config_error_at(struct config_errors *errors, uint32_t line, uint32_t column)
{
    struct config_error *error;

    if (errors->count >= CONFIG_ERRORS) {
        errors->count++;
        kanal_buffer_clear(&errors->surplus);
        return &errors->surplus;
    }
    error = &errors->list[errors->count];
    memset(error, 0, sizeof *error);
    error->line = line;
    error->column = column;
    error->order = (uint32_t)errors->count++;
    return &error->text;
}

struct kanal_buffer *config_error_of(struct config_errors *errors, const yyjson_mut_val *value)
{
    const struct config_position *position = config_position_find(errors->positions, value);
    struct kanal_buffer *text =
        config_error_at(errors, position ? position->line : 1, position ? position->column : 1);

    config_path_append(text, errors->positions, value);
    if (text->len > 0)
        kanal_buffer_text(text, ": ");
    return text;
}

void config_error_say(struct config_errors *errors, const yyjson_mut_val *value, const char *words)
{
    kanal_buffer_text(config_error_of(errors, value), words);
}

void config_error_found(struct config_errors *errors, const yyjson_mut_val *value, const char *words,
                        const kanal_str *found)
{
    struct kanal_buffer *text = config_error_of(errors, value);

    kanal_buffer_text(text, words);
    if (!found)
        return;
    kanal_buffer_text(text, ", found ");
    json_quote(text, *found);
}

static int compare(const void *a, const void *b)
{
    const struct config_error *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void tell_one(const struct config_errors *errors, const struct config_error *error,
                     config_error_fn *fn, void *user)
{
    struct kanal_buffer line = { 0 };
    kanal_str text;

    kanal_buffer_text(&line, errors->file);
    if (error->line > 0 && !errors->placeless) {
        kanal_buffer_byte(&line, ':');
        kanal_buffer_uint(&line, error->line);
        kanal_buffer_byte(&line, ':');
        kanal_buffer_uint(&line, error->column);
    }
    kanal_buffer_text(&line, ": ");
    kanal_buffer_append(&line, error->text.data, error->text.failed ? 0 : error->text.len);
    text = kanal_buffer_view(&line);
    fn(user, text.ptr ? text : KANAL_LIT("out of memory"));
    kanal_buffer_release(&line);
}

size_t config_errors_tell(struct config_errors *errors, config_error_fn *fn, void *user)
{
    size_t count = errors->count, kept = count < CONFIG_ERRORS ? count : CONFIG_ERRORS;

    if (kept > 1)
        qsort(errors->list, kept, sizeof errors->list[0], compare);
    for (size_t i = 0; i < kept; i++) {
        tell_one(errors, &errors->list[i], fn, user);
        kanal_buffer_release(&errors->list[i].text);
    }
    if (count > kept) {
        struct config_error more = { 0 };
        kanal_buffer_text(&more.text, "and ");
        kanal_buffer_uint(&more.text, count - kept);
        kanal_buffer_text(&more.text, " more");
        tell_one(errors, &more, fn, user);
        kanal_buffer_release(&more.text);
    }
    kanal_buffer_release(&errors->surplus);
    errors->count = 0;
    return count;
}
