"""Many SAEs: shared work, tables of SAEs, what a sweep costs, and its results side by side.

The jobs themselves are in ``Snakefile`` and ``sweep/plan.py``, which run without this library."""
