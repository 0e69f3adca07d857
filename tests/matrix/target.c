/* The program that the matrix writes to. It says where its memory lies, and answers what that
 * memory holds: so what a session reports is checked by the one who owns the memory.
 *
 * It prints the addresses of 16 MiB that may be written, and of pages that are read-only and
 * without access. Then it answers lines: "ADDRESS COUNT STEP VALUE RISE" asks how many of COUNT
 * pointers, STEP bytes apart, hold VALUE, VALUE + RISE, ... The end of its input ends it. */
#define _GNU_SOURCE 1
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

#define ROOM ((size_t)16 << 20)
#define PAGE ((size_t)65536) /* the largest page of any machine */

volatile uint64_t matrix_table[4];

static uint64_t map(size_t size, int protection)
{
    void *start = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return start == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)start;
}

int main(void)
{
    unsigned long long address, count, step, value, rise;

    /* Where Yama lets only ancestors trace: anybody may. Refused where there is no Yama. */
    (void)prctl(PR_SET_PTRACER, ~0ul, 0ul, 0ul, 0ul);
    printf("{\"table\": %llu, \"rw\": %llu, \"read_only\": %llu, \"none\": %llu}\n",
           (unsigned long long)(uintptr_t)matrix_table,
           (unsigned long long)map(ROOM, PROT_READ | PROT_WRITE),
           (unsigned long long)map(PAGE, PROT_READ), (unsigned long long)map(PAGE, PROT_NONE));
    fflush(stdout);
    while (scanf("%llu %llu %llu %llu %llu", &address, &count, &step, &value, &rise) == 5) {
        unsigned long long found = 0;

        for (unsigned long long i = 0; i < count; i++) {
            const volatile uint64_t *place = (uint64_t *)(uintptr_t)(address + i * step);

            found += *place == value + i * rise;
        }
        printf("%llu\n", found);
        fflush(stdout);
    }
    return 0;
}
