"""The command ``absorption`` and all that follows it."""
