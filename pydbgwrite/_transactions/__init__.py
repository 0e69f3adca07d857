"""Transactions: recording writes, and undoing them."""
