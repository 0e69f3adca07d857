"""A fuzzer for the files that the package reads, and where it begins."""
