"""Runs notebooks strictly: unknown parameters refused, pages stamped, partial results kept."""
