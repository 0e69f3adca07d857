/* Runs a harness on the files that are named, without libFuzzer. */
#include "input.h"

static bool run_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    uint8_t *data = fuzz_memory(1 << 16);
    size_t size = file == NULL ? 0 : fread(data, 1, 1 << 16, file);
    /* Of exactly that size, so that AddressSanitizer finds the first byte too many. */
    uint8_t *exact = fuzz_memory(size);

    for (size_t i = 0; i < size; i++) {
        exact[i] = data[i];
    }
    free(data);
    if (file != NULL) {
        fprintf(stderr, "%s\n", name); /* the last one printed is the one that fails */
        (void)fclose(file);
        (void)LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    return file != NULL;
}

int main(int argc, char **argv)
{
    int passed = 0;

    for (int i = 1; i < argc; i++) {
        passed += run_file(argv[i]) ? 1 : 0;
    }
    printf("%d passed, %d failed\n", passed, argc - 1 - passed);
    return passed == argc - 1 ? 0 : 1;
}
