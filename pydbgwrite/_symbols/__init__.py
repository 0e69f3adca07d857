"""Modules and symbols: addresses by name, from the target's files and memory."""
