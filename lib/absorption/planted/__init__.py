"""SAEs set by hand on a planted alphabet, in which every absorbed word is known."""
