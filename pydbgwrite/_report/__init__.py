"""What is shown as HTML: the report page of a patch, and tables in notebooks."""
