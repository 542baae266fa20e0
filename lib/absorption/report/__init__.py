"""One SAE in short, and several side by side: the numbers of all chapters in one table, and one-file pages."""
