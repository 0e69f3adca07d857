"""Journals: the format, the file, and the target that one belongs to."""
