"""Helpers that the tests share: engine cases, live child processes, a model of simulated memory."""
