"""Modules and symbols: addresses by name, where the target's files and memory say them."""
