"""Chapter 13, stitching: latents of larger SAEs in smaller ones, and what becomes of the letters' latents."""

from absorption.chapters.stitching.letters import follow_letters
from absorption.chapters.stitching.loss_by_latent import insert_into_the_model
from absorption.chapters.stitching.measured import load, measure_text
from absorption.chapters.stitching.one_by_one import insert_one_by_one
from absorption.chapters.stitching.step_by_step import go_step_by_step, splice
from absorption.stitching.pairs import THRESHOLD
