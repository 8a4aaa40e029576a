/* What lies in the customer's cart, by Segment's e-commerce events. They come by one stream, so they are taken in its order. */
#include "kanal/sdk/member.h"
#include "project/profile_inside.h"

enum cart_verb { CART_NONE, CART_ADD, CART_REMOVE, CART_IS, CART_CLEAR };

static const struct cart_word {
    const char *name;
    enum cart_verb verb;
} words[] = { { "Product Added", CART_ADD },   { "Product Removed", CART_REMOVE },
              { "Cart Viewed", CART_IS },      { "Cart Updated", CART_IS },
              { "Checkout Started", CART_IS }, { "Order Completed", CART_CLEAR },
              { "Cart Cleared", CART_CLEAR },  { NULL, CART_NONE } };

static enum cart_verb verb_of(kanal_str name)
{
    const struct cart_word *word = words;
    while (word->name && !kanal_str_equal_nocase(name, kanal_str_c(word->name)))
        word++;
    return word->verb;
}

/* A decimal number without exponent, as the contract writes money. */
int profile_is_money(kanal_str text)
{
    size_t i = 0, whole = 0, part = 0;
    if (i < text.len && text.ptr[i] == '-')
        i++;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        whole++;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
            part++;
        if (part == 0)
            return 0;
    }
    return i == text.len && whole >= 1 && whole <= 15 && part <= 6;
}

static void set_money(struct profile *p, yyjson_mut_val *object, const char *name, yyjson_val *value)
{
    char *written = yyjson_is_num(value) ? yyjson_val_write(value, YYJSON_WRITE_NOFLAG, NULL) : NULL;
    kanal_str text = written ? kanal_str_c(written) : kanal_json_text(value);
    if (profile_is_money(text))
        profile_set(p, object, name, profile_text(p, text));
    free(written);
}

static void set_text(struct profile *p, yyjson_mut_val *object, const char *name, kanal_str text,
                     size_t chars)
{
    if (text.len > 0)
        profile_set(p, object, name, profile_text(p, kanal_str_cut(text, chars)));
}

static int is_currency(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
            return 0;
    return text.len == 3;
}

static int is_url(kanal_str text)
{
    return text.len <= 4096 && (kanal_str_starts(text, "https://") || kanal_str_starts(text, "http://")) &&
           kanal_str_ascii(text);
}

/* "product_id", or else "sku", or the name. */
static kanal_str product_of(yyjson_val *said, const char **ret_member)
{
    static const char *const members[] = { "product_id", "sku", "name" };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        kanal_str text = kanal_str_cut(kanal_json_text_at(said, members[i]), i == 2 ? 512 : 256);
        *ret_member = i == 2 ? "name" : "id";
        if (text.len > 0)
            return text;
    }
    return (kanal_str){ 0 };
}

static yyjson_mut_val *find_item(yyjson_mut_val *items, yyjson_val *said)
{
    const char *member;
    size_t index, count;
    yyjson_mut_val *item;
    kanal_str product = product_of(said, &member);
    if (product.len > 0)
        yyjson_mut_arr_foreach(items, index, count, item)
        {
            if (yyjson_mut_equals_strn(yyjson_mut_obj_get(item, member), product.ptr, product.len))
                return item;
        }
    return NULL;
}

static double quantity_of(yyjson_val *said, double otherwise)
{
    yyjson_val *value = kanal_json_at(said, "quantity");
    double quantity = yyjson_get_num(value);
    return yyjson_is_num(value) && quantity > 0 && quantity < 1e9 ? quantity : otherwise;
}

/* Whole numbers stay whole. */
static void set_quantity(struct profile *p, yyjson_mut_val *item, double quantity)
{
    yyjson_mut_val *value = quantity == (double)(int64_t)quantity ? yyjson_mut_sint(p->doc, (int64_t)quantity)
                                                                  : yyjson_mut_real(p->doc, quantity);
    profile_set(p, item, "quantity", value);
}

static void describe(struct profile *p, yyjson_mut_val *item, yyjson_val *said)
{
    const char *member;
    kanal_str product = product_of(said, &member), url = kanal_json_text_at(said, "url");
    kanal_str image = kanal_json_text_at(said, "image_url"), currency = kanal_json_text_at(said, "currency");
    set_text(p, item, member, product, 512);
    set_text(p, item, "name", kanal_json_text_at(said, "name"), 512);
    set_money(p, item, "price", kanal_json_at(said, "price"));
    if (is_currency(currency))
        set_text(p, item, "currency", currency, 3);
    if (is_url(url))
        set_text(p, item, "url", url, 4096);
    if (is_url(image))
        set_text(p, profile_object(p, item, "image"), "url", image, 4096);
}

static void add(struct profile *p, yyjson_mut_val *items, yyjson_val *said)
{
    const char *member;
    yyjson_mut_val *item = find_item(items, said);
    double before = item ? yyjson_mut_get_num(yyjson_mut_obj_get(item, "quantity")) : 0;
    if (!item && (product_of(said, &member).len == 0 || yyjson_mut_arr_size(items) >= PROFILE_CART_MAX ||
                  p->bytes > PROFILE_BYTES_MAX / 2))
        return;
    if (!item)
        item = yyjson_mut_arr_add_obj(p->doc, items);
    describe(p, item, said);
    set_quantity(p, item, before + quantity_of(said, 1));
    p->bytes += 256;
}

static void take_out(struct profile *p, yyjson_mut_val *items, yyjson_val *said)
{
    size_t index, count;
    yyjson_mut_val *one, *item = find_item(items, said);
    double left =
        item ? yyjson_mut_get_num(yyjson_mut_obj_get(item, "quantity")) - quantity_of(said, 1e9) : 0;
    if (item && left > 0) {
        set_quantity(p, item, left);
        return;
    }
    yyjson_mut_arr_foreach(items, index, count, one)
    {
        if (one == item) {
            yyjson_mut_arr_remove(items, index);
            return;
        }
    }
}

/* The cart that is spoken of, empty if it is another one than there was. */
static yyjson_mut_val *cart_of(struct profile *p, kanal_str id, int64_t stamp)
{
    yyjson_mut_val *cart = yyjson_mut_obj_get(p->root, "cart"), *was = yyjson_mut_obj_get(cart, "id");
    int is_other = id.len > 0 && was && !yyjson_mut_equals_strn(was, id.ptr, id.len);
    int64_t at = cart ? yyjson_mut_get_sint(yyjson_mut_obj_get(cart, "at")) : INT64_MIN;
    if (!cart || is_other || !yyjson_mut_is_arr(yyjson_mut_obj_get(cart, "items"))) {
        cart = yyjson_mut_obj(p->doc);
        profile_set(p, p->root, "cart", cart);
        profile_array(p, cart, "items");
    }
    profile_set(p, cart, "at", yyjson_mut_sint(p->doc, stamp > at ? stamp : at));
    set_text(p, cart, "id", id, 256);
    yyjson_mut_obj_remove_key(cart, "total");
    return cart;
}

/* An order of another cart than the one that is known leaves that one. */
static void clear(struct profile *p, kanal_str id, int64_t stamp)
{
    yyjson_mut_val *was = yyjson_mut_obj_get(yyjson_mut_obj_get(p->root, "cart"), "id");
    if (id.len > 0 && was && !yyjson_mut_equals_strn(was, id.ptr, id.len))
        return;
    yyjson_mut_arr_clear(yyjson_mut_obj_get(cart_of(p, id, stamp), "items"));
}

static void replace(struct profile *p, yyjson_mut_val *cart, yyjson_val *properties)
{
    size_t index, count;
    yyjson_val *product, *products = kanal_json_at(properties, "products");
    yyjson_mut_val *items = yyjson_mut_obj_get(cart, "items");
    if (!yyjson_is_arr(products))
        return;
    yyjson_mut_arr_clear(items);
    yyjson_arr_foreach (products, index, count, product)
        if (yyjson_is_obj(product))
            add(p, items, product);
    set_money(p, cart, "total", kanal_json_at(properties, "total"));
    if (!yyjson_mut_obj_get(cart, "total"))
        set_money(p, cart, "total", kanal_json_at(properties, "value"));
}

void profile_fold_cart(struct profile *p, const struct projected *event)
{
    yyjson_val *activity = kanal_json_at(event->data, "activity");
    yyjson_val *properties = kanal_json_at(activity, "properties");
    enum cart_verb verb = verb_of(kanal_json_text_at(activity, "name"));
    kanal_str id = kanal_str_cut(kanal_json_text_at(properties, "cart_id"), 256);
    kanal_str currency = kanal_json_text_at(properties, "currency");
    int64_t stamp = profile_stamp(event);
    if (verb == CART_NONE || !yyjson_is_obj(properties) || !kanal_str_is(event->type, "activity.tracked"))
        return;
    if (verb == CART_CLEAR) {
        clear(p, id, stamp);
        return;
    }
    yyjson_mut_val *cart = cart_of(p, id, stamp), *items = yyjson_mut_obj_get(cart, "items");
    if (verb == CART_ADD)
        add(p, items, properties);
    else if (verb == CART_REMOVE)
        take_out(p, items, properties);
    else
        replace(p, cart, properties);
    if (is_currency(currency))
        set_text(p, cart, "currency", currency, 3);
}
