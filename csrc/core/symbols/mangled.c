/* Counts what a mangled name has of expressions and local names; see mangled.h. */
#include "mangled.h"

#include <string.h>

#define MOST_LOCAL       4
#define MOST_EXPRESSIONS 10
#define DIGITS_MOST      6
#define LONGEST          8192

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* Returns the end of a substitution or template parameter at `at` ("S_", "S1A_", "T_"), or `at`. */
static size_t end_of_reference(const char *name, size_t length, size_t at)
{
    size_t end = at + 1;

    while (end < length &&
           (is_digit(name[end]) || (name[at] == 'S' && name[end] >= 'A' && name[end] <= 'Z'))) {
        end++;
    }
    return end < length && name[end] == '_' ? end + 1 : at;
}

/* Returns the end of the identifier that begins with its length at `at`, or that of the digits
 * alone where they may be another number. */
static size_t end_of_number(const char *name, size_t length, size_t at, bool behind_reference)
{
    size_t end = at, size = 0;

    while (end < length && is_digit(name[end])) {
        size = end - at < DIGITS_MOST ? size * 10 + (size_t)(name[end] - '0') : length;
        end++;
    }
    if (!behind_reference &&
        (name[at - 1] == '_' || (end < length && (name[end] == '_' || name[end] == 'E')))) {
        return end;
    }
    return size < length - end ? end + size : length;
}

/* Returns whether two letters can begin an expression, or a part of one that has several readings.
 */
static bool begins_expression(char one, char two)
{
    static const char pairs[] = "DTDtDOsrclcvcpnwnailtlstszsZsPscatazadfLfpflfrppmmgsdldadsdecc"
                                "rcdcqu";

    if (one == 'X') {
        return true;
    }
    if (one == 'A') {
        return !is_digit(two);
    }
    if (one == 'L') {
        return two < 'a' || two > 'z';
    }
    for (size_t i = 0; i + 1 < sizeof pairs; i += 2) {
        if (pairs[i] == one && pairs[i + 1] == two) {
            return true;
        }
    }
    return false;
}

bool mangled_name_is_plain(const char *name, size_t length)
{
    int local = 0, expressions = 0;
    bool behind_reference = false;

    if (length < 3 || length > LONGEST || name[0] != '_' || (name[1] != 'Z' && name[1] != 'R')) {
        return false;
    }
    if (name[1] == 'R') { /* Rust's v0 has one reading */
        return true;
    }
    for (size_t at = 2; at < length;) {
        size_t end = at;

        if (name[at] == 'S' || name[at] == 'T') {
            end = end_of_reference(name, length, at);
            behind_reference = end > at;
        } else if (is_digit(name[at])) {
            end = end_of_number(name, length, at, behind_reference);
            behind_reference = false;
        } else {
            behind_reference = false;
        }
        if (end > at) {
            at = end;
            continue;
        }
        local += name[at] == 'Z';
        expressions += begins_expression(name[at], at + 1 < length ? name[at + 1] : '\0');
        at++;
    }
    return local <= MOST_LOCAL && expressions <= MOST_EXPRESSIONS;
}
