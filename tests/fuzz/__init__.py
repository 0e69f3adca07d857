"""A fuzzer for the files that the package reads, and its first inputs."""
