"""What every room stands on: cache, settings, statistics, timing, paths. Nothing above is known here."""
