"""What several cases use: measuring, targets, calls from C, builds and reports."""
