#include "calls.h"

#define PROPERTIES_MAX 512u
#define FOLDED_MAX 40u

/* ---- Names ---- */

/* Folded: letters alone, in lower case. The second half: the names of Segment's first e-commerce specification. */
static const struct {
    const char *folded, *name;
} names[] = {
    { "productssearched", "Products Searched" },
    { "productlistviewed", "Product List Viewed" },
    { "productlistfiltered", "Product List Filtered" },
    { "promotionviewed", "Promotion Viewed" },
    { "promotionclicked", "Promotion Clicked" },
    { "productclicked", "Product Clicked" },
    { "productviewed", "Product Viewed" },
    { "productadded", "Product Added" },
    { "productremoved", "Product Removed" },
    { "cartviewed", "Cart Viewed" },
    { "checkoutstarted", "Checkout Started" },
    { "checkoutstepviewed", "Checkout Step Viewed" },
    { "checkoutstepcompleted", "Checkout Step Completed" },
    { "paymentinfoentered", "Payment Info Entered" },
    { "orderupdated", "Order Updated" },
    { "ordercompleted", "Order Completed" },
    { "orderrefunded", "Order Refunded" },
    { "ordercancelled", "Order Cancelled" },
    { "couponentered", "Coupon Entered" },
    { "couponapplied", "Coupon Applied" },
    { "coupondenied", "Coupon Denied" },
    { "couponremoved", "Coupon Removed" },
    { "productaddedtowishlist", "Product Added to Wishlist" },
    { "productremovedfromwishlist", "Product Removed from Wishlist" },
    { "wishlistproductaddedtocart", "Wishlist Product Added to Cart" },
    { "productshared", "Product Shared" },
    { "cartshared", "Cart Shared" },
    { "productreviewed", "Product Reviewed" },
    { "storevisited", "Store Visited" },
    { "pageviewed", "Page Viewed" },
    { "screenviewed", "Screen Viewed" },
    { "viewedproductcategory", "Product List Viewed" },
    { "viewedpromotion", "Promotion Viewed" },
    { "clickedpromotion", "Promotion Clicked" },
    { "viewedproduct", "Product Viewed" },
    { "addedproduct", "Product Added" },
    { "removedproduct", "Product Removed" },
    { "viewedcart", "Cart Viewed" },
    { "startedcheckout", "Checkout Started" },
    { "viewedcheckoutstep", "Checkout Step Viewed" },
    { "completedcheckoutstep", "Checkout Step Completed" },
    { "completedorder", "Order Completed" },
    { "refundedorder", "Order Refunded" },
    { "cancelledorder", "Order Cancelled" },
};

/* The letters alone, in lower case; "" if something else than letters, spaces, '_', '-' and '.' stands there. */
static void fold(kanal_str name, char out[FOLDED_MAX])
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (c == ' ' || c == '_' || c == '-' || c == '.')
            continue;
        if (c < 'a' || c > 'z' || n + 1 == FOLDED_MAX) {
            out[0] = 0;
            return;
        }
        out[n++] = c;
    }
    out[n] = 0;
}

kanal_str properties_name(kanal_str name)
{
    char folded[FOLDED_MAX];
    fold(name, folded);
    for (size_t i = 0; folded[0] != 0 && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(folded, names[i].folded) == 0)
            return kanal_str_c(names[i].name);
    }
    return name;
}

/* ---- Money ---- */

/* Members that are money wherever they stand; `value` only beside a currency. */
static int is_money(kanal_str name, int has_currency)
{
    static const char *const always[] = { "price",    "revenue", "total",   "subtotal",
                                          "shipping", "tax",     "discount" };
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        if (kanal_str_is(name, always[i]))
            return 1;
    }
    return has_currency && kanal_str_is(name, "value");
}

/* At most 15 digits before the point and 6 behind it, no exponent. */
static int is_decimal(kanal_str text)
{
    size_t i = text.len > 0 && text.ptr[0] == '-', before = 0, after = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        before++;
    if (i == text.len)
        return before >= 1 && before <= 15;
    if (text.ptr[i++] != '.')
        return 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        after++;
    return i == text.len && before >= 1 && before <= 15 && after >= 1 && after <= 6;
}

/* The shortest text that gives the number again, which is what the sender wrote: 19.9 is "19.9". */
static void write_money(struct kanal_json *json, yyjson_val *value)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json number;
    kanal_json_init(&number, &text);
    kanal_json_value(&number, value);
    kanal_str decimal = kanal_buffer_view(&text);
    if (decimal.len > 2 && memcmp(decimal.ptr + decimal.len - 2, ".0", 2) == 0)
        decimal.len -= 2;
    if (is_decimal(decimal))
        kanal_json_str(json, decimal);
    else
        kanal_json_value(json, value);
    kanal_buffer_release(&text);
}

/* ---- Values ---- */

static void write_products(struct kanal_json *json, yyjson_val *array)
{
    size_t index, max;
    yyjson_val *product;
    kanal_json_array(json);
    yyjson_arr_foreach (array, index, max, product) {
        if (yyjson_is_obj(product))
            properties_write(json, product, kanal_str_of(NULL, 0));
        else
            kanal_value_copy(json, product);
    }
    kanal_json_array_end(json);
}

static void write_member(struct kanal_json *json, kanal_str name, yyjson_val *value, int has_currency)
{
    kanal_json_key_str(json, name);
    if (yyjson_is_num(value) && is_money(name, has_currency))
        write_money(json, value);
    else if (yyjson_is_arr(value) && kanal_str_is(name, "products") && kanal_value_is_shallow(value, 4))
        write_products(json, value);
    else
        kanal_value_copy(json, value);
}

void properties_write(struct kanal_json *json, yyjson_val *properties, kanal_str page_name)
{
    size_t written = 0;
    kanal_json_object(json);
    int has_currency = kanal_json_text_at(properties, "currency").len > 0;
    if (page_name.len > 0 && kanal_json_at(properties, "name") == NULL) {
        kanal_json_member_str(json, "name", page_name);
        written++;
    }
    yyjson_obj_iter members = yyjson_obj_iter_with(properties);
    yyjson_val *key;
    while (written < PROPERTIES_MAX && (key = yyjson_obj_iter_next(&members)) != NULL) {
        write_member(json, kanal_json_text(key), yyjson_obj_iter_get_val(key), has_currency);
        written++;
    }
    kanal_json_object_end(json);
}
