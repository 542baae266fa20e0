"""Chapter 6, ablation mediation: through which latents, and in which layers, the model reads the first letter."""

from absorption.chapters.loading import load_with_companions
from absorption.chapters.mediation.depths import change_depths
from absorption.chapters.mediation.edits import set_letters
from absorption.chapters.mediation.estimates import estimate
from absorption.chapters.mediation.latents_removed import remove_in_order, time_the_ways
from absorption.chapters.mediation.parts_removed import LETTER_PARTS, mediate, study
from absorption.chapters.mediation.swaps import swap_letters
