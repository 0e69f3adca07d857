"""The contests with other packages: each contestant writes in its own process."""
