"""One module per question; each gives rows of the table."""
