"""One module a notebook: its settings, its tables, its claims."""
