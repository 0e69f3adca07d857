/* Checks for test programs in C: each is counted; a failing one is printed and the test continues.
 */
#ifndef PYDBGWRITE_TESTS_CHECK_H
#define PYDBGWRITE_TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_passed;
static int check_failed;

/* Returns the condition, so that a test can stop if it can't continue. */
static inline bool check_that(bool holds, const char *text, const char *file, int line)
{
    if (holds) {
        check_passed++;
    } else {
        check_failed++;
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    }
    return holds;
}

static inline bool check_equal(long long got, long long wanted, const char *text, const char *file,
                               int line)
{
    if (!check_that(got == wanted, text, file, line)) {
        fprintf(stderr, "    got %lld (0x%llx), wanted %lld (0x%llx)\n", got,
                (unsigned long long)got, wanted, (unsigned long long)wanted);
    }
    return got == wanted;
}

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(got, wanted)                                                                   \
    check_equal((long long)(got), (long long)(wanted), #got " == " #wanted, __FILE__, __LINE__)

#if defined(__SANITIZE_THREAD__)
#define CHECK_THREAD_SANITIZER true
#else
#define CHECK_THREAD_SANITIZER false
#endif

/* Returns the rounds of a test that is repeated: all in the full profile, else a quarter
 * (tests/conftest.py). */
static inline int check_rounds(int full)
{
    const char *profile = getenv("PYDBGWRITE_TEST_PROFILE");

    return profile != NULL && strcmp(profile, "full") == 0 ? full : (full + 3) / 4;
}

/* Prints the counts and returns the exit status: main() ends with `return check_report();`. */
static inline int check_report(void)
{
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed == 0 ? 0 : 1;
}

#endif
