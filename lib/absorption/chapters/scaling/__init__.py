"""Chapter 15, scaling TopK: the joint law of error, latents and L0, dead latents, and what else moves with size."""

from absorption.chapters.scaling.again import measure_again
from absorption.chapters.scaling.beside_absorption import set_beside_absorption
from absorption.chapters.scaling.dead import count_dead
from absorption.chapters.scaling.joint_law import fit_law
from absorption.chapters.scaling.latents_kept import keep_other_numbers
from absorption.chapters.scaling.numbers import read_numbers
from absorption.chapters.scaling.quality import compare_quality
from absorption.chapters.scaling.refined import refine_activations
from absorption.chapters.scaling.sees_absorption import set_quality_beside
