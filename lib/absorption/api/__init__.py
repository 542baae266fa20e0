"""What other people call: one SAE measured, its tables, and the files that others read."""
