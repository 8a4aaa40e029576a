/* Reads "REGION<tab>typed" lines, says what each is: "1 +79161234567 12", "0 why", "- why". */
#include <stdio.h>
#include "kanal/sdk/phone.h"

int main(void)
{
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        kanal_str text = kanal_str_c(line);
        while (text.len > 0 && text.ptr[text.len - 1] == '\n')
            text.len--;
        const char *tab = memchr(text.ptr, '\t', text.len);
        size_t region = tab ? (size_t)(tab - text.ptr) : 0;
        struct kanal_phone phone;
        const char *why = "";
        int status =
            kanal_phone_read(kanal_str_from(text, region + 1), kanal_str_of(text.ptr, region), &phone, &why);
        if (status == 1)
            printf("1 %s %s\n", phone.number, phone.extension);
        else
            printf("%c %s\n", status == 0 ? '0' : '-', why);
    }
    return 0;
}
