"""The cases: each function yields Figures."""
