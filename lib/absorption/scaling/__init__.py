"""TopK SAEs of many widths and L0s: how their error falls with either, and what else moves with it."""
