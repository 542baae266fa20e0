"""Chapter 16, other hierarchies: are labels other than first letters absorbed, and more than chance has it?"""

from absorption.chapters.loading import load
from absorption.chapters.other_hierarchies.absorbed import list_absorbed
from absorption.chapters.other_hierarchies.basis import choose_concepts, measure_concepts
from absorption.chapters.other_hierarchies.control import vary_control
from absorption.chapters.other_hierarchies.depth import compare_depths
from absorption.chapters.other_hierarchies.rates import set_beside_nulls
