"""Patches: entries, files, previews, and applying them."""
