#include "fields.h"
#include "phone.h"

#define IDENTIFIERS_MAX 8u
#define VALUES_MAX 64u
#define KEPT_FIELDS_MAX 32u   /* undeclared ones */
#define KEPT_LENGTH_MAX 1000u /* code points */
#define LIST_VALUE_LENGTH_MAX 4096u

struct check {
    const struct settings *settings;
    const struct submission *submission;
    struct complaints *complaints;
    struct kanal_json fields, identifiers;
    size_t identifier_count;
    kanal_str seen[IDENTIFIERS_MAX]; /* views into addresses */
    struct kanal_buffer addresses;
};

/* ---- Complaints ---- */

void complaints_init(struct complaints *c)
{
    memset(c, 0, sizeof *c);
    kanal_json_init(&c->list, &c->all);
    kanal_json_array(&c->list);
}

void complaints_release(struct complaints *c)
{
    kanal_buffer_release(&c->first);
    kanal_buffer_release(&c->all);
}

void complain(struct complaints *c, const char *code, kanal_str field, const char *message)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "code", code);
    kanal_json_member_text(&json, "message", message);
    kanal_json_member_str(&json, "field", field);
    kanal_json_object_end(&json);
    if (c->count++ == 0)
        kanal_buffer_str(&c->first, kanal_buffer_view(&text));
    kanal_json_raw(&c->list, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

/* ---- One value ---- */

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static kanal_str trim(kanal_str text)
{
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    size_t i = 0;
    while (i < text.len && is_space(text.ptr[i]))
        i++;
    return kanal_str_from(text, i);
}

static size_t count_characters(kanal_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

/* Controls that no form control lets through; line ends only where there are lines. */
static int has_controls(kanal_str text, int lines)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t' && !(lines && (c == '\n' || c == '\r'))) || c == 0x7F)
            return 1;
    }
    return 0;
}

static int is_number(kanal_str text)
{
    yyjson_doc *doc = kanal_json_parse(text);
    int right = yyjson_is_num(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return right;
}

/* The time of day, or the date, is checked as part of a whole time. */
static int is_moment(const char *before, kanal_str text, const char *after)
{
    struct kanal_buffer whole = { 0 };
    int64_t ms;
    kanal_buffer_text(&whole, before);
    kanal_buffer_str(&whole, text);
    kanal_buffer_text(&whole, after);
    int right = kanal_time_parse_rfc3339(kanal_buffer_view(&whole), &ms) == KANAL_OK;
    kanal_buffer_release(&whole);
    return right;
}

static int is_time_of_day(kanal_str text)
{
    return text.len == 5
               ? is_moment("2000-01-01T", text, ":00Z")
               : text.len >= 8 && text.ptr[text.len - 1] != 'Z' && is_moment("2000-01-01T", text, "Z");
}

static int is_web_url(kanal_str text)
{
    struct kanal_url url;
    return kanal_url_parse(text, &url) == KANAL_OK &&
           (kanal_str_starts(text, "http://") || kanal_str_starts(text, "https://"));
}

static int is_option(yyjson_val *options, kanal_str text)
{
    if (!options)
        return 1;
    for (size_t i = 0; i < yyjson_arr_size(options); i++) {
        if (kanal_str_equal(kanal_json_text(yyjson_arr_get(options, i)), text))
            return 1;
    }
    return 0;
}

/* What is wrong with a value by its type; NULL: nothing. address: of a phone or an e-mail. */
static const char *find_fault(struct check *check, const struct form_field *field, kanal_str value,
                              struct kanal_buffer *address)
{
    switch (field->type) {
    case FIELD_EMAIL:
        return email_address(value, address) < 0 ? "no e-mail address" : NULL;
    case FIELD_TEL:
        return phone_address(value, check->settings->default_country, address) < 0 ? "no telephone number"
                                                                                   : NULL;
    case FIELD_NUMBER:
        return is_number(value) ? NULL : "no number";
    case FIELD_DATE:
        return value.len == 10 && is_moment("", value, "T00:00:00Z") ? NULL : "no date (YYYY-MM-DD)";
    case FIELD_TIME:
        return is_time_of_day(value) ? NULL : "no time (HH:MM)";
    case FIELD_URL:
        return is_web_url(value) ? NULL : "no http or https URL";
    case FIELD_TEXT:
    case FIELD_TEXTAREA:
    case FIELD_SELECT:
    case FIELD_RADIO:
    case FIELD_CHECKBOX:
    case FIELD_HIDDEN:
    case FIELD_TYPES:
        break;
    }
    return has_controls(value, field->type == FIELD_TEXTAREA) ? "control characters" : NULL;
}

/* Only a claim: whoever fills in a form may fill in anything. */
static void add_identifier(struct check *check, kanal_str address)
{
    if (address.len == 0 || address.len > 512 || check->identifier_count == IDENTIFIERS_MAX)
        return;
    for (size_t i = 0; i < check->identifier_count; i++) {
        if (kanal_str_equal(check->seen[i], address))
            return;
    }
    if (address.len > check->addresses.capacity - check->addresses.len)
        return; /* views must not move; there is room for all */
    char *copy = check->addresses.data + check->addresses.len;
    kanal_buffer_str(&check->addresses, address);
    check->seen[check->identifier_count++] = kanal_str_of(copy, address.len);
    kanal_json_object(&check->identifiers);
    kanal_json_member_str(&check->identifiers, "address", address);
    kanal_json_member_bool(&check->identifiers, "verified", 0);
    kanal_json_member_text(&check->identifiers, "source", "form");
    kanal_json_object_end(&check->identifiers);
}

/* True if the value may stand in the event. */
static int check_value(struct check *check, const struct form_field *field, kanal_str value)
{
    size_t longest = field->multiple && field->max_length > LIST_VALUE_LENGTH_MAX ? LIST_VALUE_LENGTH_MAX
                                                                                  : field->max_length;
    struct kanal_buffer address = { 0 };
    const char *code = "field_invalid", *fault = NULL;
    if (count_characters(value) > longest) {
        code = "field_too_long";
        fault = "too long";
    } else if (!is_option(field->options, value)) {
        code = "field_not_an_option";
        fault = "none of the options";
    } else {
        fault = find_fault(check, field, value, &address);
    }
    if (fault != NULL)
        complain(check->complaints, code, field->name, fault);
    else
        add_identifier(check, kanal_buffer_view(&address));
    kanal_buffer_release(&address);
    return fault == NULL;
}

/* ---- One field ---- */

/* Its values that are not empty; at most VALUES_MAX are taken, all are counted. */
static size_t collect(const struct submission *submission, kanal_str name, kanal_str values[VALUES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < submission->field_count; i++) {
        if (!kanal_str_equal(submission->fields[i].name, name))
            continue;
        kanal_str value = trim(submission->fields[i].value);
        if (value.len == 0)
            continue;
        if (count < VALUES_MAX)
            values[count] = value;
        count++;
    }
    return count;
}

static void write_field(struct kanal_json *json, const struct form_field *field, const kanal_str *values,
                        size_t count)
{
    kanal_json_object(json);
    kanal_json_member_str(json, "name", field->name);
    kanal_json_member_str(json, "label", field->label);
    kanal_json_member_text(json, "type", field_type_names[field->type]);
    if (field->multiple) {
        kanal_json_key(json, "values");
        kanal_json_array(json);
        for (size_t i = 0; i < count; i++)
            kanal_json_str(json, values[i]);
        kanal_json_array_end(json);
    } else {
        kanal_json_member_str(json, "value", values[0]);
    }
    kanal_json_object_end(json);
}

static void check_field(struct check *check, const struct form_field *field)
{
    kanal_str values[VALUES_MAX];
    size_t count = collect(check->submission, field->name, values);
    if (count == 0) {
        if (field->required)
            complain(check->complaints, "field_required", field->name, "is required");
        return;
    }
    if (count > (field->multiple ? VALUES_MAX : 1u)) {
        complain(check->complaints, "field_repeated", field->name, "has too many values");
        return;
    }
    int right = 1;
    for (size_t i = 0; i < count; i++)
        right &= check_value(check, field, values[i]);
    if (right)
        write_field(&check->fields, field, values, count);
}

/* ---- What the form does not declare ---- */

static int is_declared(const struct settings *settings, const struct form *form, kanal_str name)
{
    for (size_t i = 0; i < form->field_count; i++) {
        if (kanal_str_equal(form->fields[i].name, name))
            return 1;
    }
    return kanal_str_equal(settings->honeypot, name);
}

static void check_undeclared(struct check *check, const struct form *form)
{
    const struct submission *submission = check->submission;
    size_t kept = 0;
    for (size_t i = 0; i < submission->field_count; i++) {
        const struct pair *pair = &submission->fields[i];
        if (is_declared(check->settings, form, pair->name))
            continue;
        if (check->settings->undeclared == UNDECLARED_REJECT) {
            complain(check->complaints, "field_unknown", kanal_str_of(NULL, 0),
                     "a field that the form does not have");
            return;
        }
        const struct form_field field = { .name = pair->name,
                                          .type = FIELD_TEXTAREA,
                                          .max_length = KEPT_LENGTH_MAX };
        kanal_str value = trim(pair->value);
        if (value.len == 0)
            continue;
        if (pair->name.len == 0 || pair->name.len > 128 || ++kept > KEPT_FIELDS_MAX) {
            complain(check->complaints, "field_unknown", kanal_str_of(NULL, 0),
                     "too many undeclared fields, or a name too long");
            return;
        }
        if (check_value(check, &field, value))
            write_field(&check->fields, &(const struct form_field){ .name = pair->name, .type = FIELD_TEXT },
                        &value, 1);
    }
}

void fields_check(const struct settings *settings, const struct form *form,
                  const struct submission *submission, struct complaints *complaints,
                  struct kanal_buffer *fields, struct kanal_buffer *identifiers)
{
    struct check check = { .settings = settings, .submission = submission, .complaints = complaints };
    kanal_buffer_reserve(&check.addresses, (size_t)IDENTIFIERS_MAX * 512);
    kanal_json_init(&check.fields, fields);
    kanal_json_init(&check.identifiers, identifiers);
    kanal_json_array(&check.fields);
    kanal_json_array(&check.identifiers);
    for (size_t i = 0; i < form->field_count; i++)
        check_field(&check, &form->fields[i]);
    if (settings->undeclared != UNDECLARED_DROP)
        check_undeclared(&check, form);
    kanal_json_array_end(&check.fields);
    kanal_json_array_end(&check.identifiers);
    if (check.identifier_count == 0)
        kanal_buffer_clear(identifiers);
    kanal_buffer_release(&check.addresses);
}

/* ---- Consent ---- */

static const struct consent *find_consent(const struct submission *submission, kanal_str purpose)
{
    for (size_t i = 0; i < submission->consent_count; i++) {
        if (kanal_str_equal(submission->consents[i].purpose, purpose))
            return &submission->consents[i];
    }
    return NULL;
}

static void write_consent(struct kanal_json *json, const struct consent *consent)
{
    kanal_json_object(json);
    kanal_json_member_str(json, "purpose", consent->purpose);
    kanal_json_member_bool(json, "given", consent->given);
    if (consent->text.len > 0 && count_characters(consent->text) <= 4096)
        kanal_json_member_str(json, "text", consent->text);
    if (consent->version.len > 0 && count_characters(consent->version) <= 64)
        kanal_json_member_str(json, "version", consent->version);
    kanal_json_object_end(json);
}

/* Declared ones in their order, with the operator's words; a box that was not ticked sends nothing, so silence is a no. Others
 * are the site's own affair and are passed on as they were told. */
void consents_check(const struct form *form, const struct submission *submission,
                    struct complaints *complaints, struct kanal_buffer *out)
{
    struct kanal_json json;
    size_t count = 0;
    kanal_json_init(&json, out);
    kanal_json_array(&json);
    for (size_t i = 0; i < form->consent_count; i++, count++) {
        const struct form_consent *declared = &form->consents[i];
        const struct consent *said = find_consent(submission, declared->purpose);
        const struct consent consent = { .purpose = declared->purpose,
                                         .text = declared->text,
                                         .version = declared->version,
                                         .given = said != NULL && said->given };
        if (declared->required && !consent.given)
            complain(complaints, "consent_required", declared->purpose, "consent is required");
        write_consent(&json, &consent);
    }
    for (size_t i = 0; i < submission->consent_count && count < CONSENTS_MAX; i++) {
        int is_declared_one = 0;
        for (size_t k = 0; k < form->consent_count; k++)
            is_declared_one |= kanal_str_equal(form->consents[k].purpose, submission->consents[i].purpose);
        if (is_declared_one)
            continue;
        write_consent(&json, &submission->consents[i]);
        count++;
    }
    kanal_json_array_end(&json);
    if (count == 0)
        kanal_buffer_clear(out);
}
