"""Chapter 12, width, sparsity, architecture: the stored numbers of the family, and a part of them measured again."""

from absorption.chapters.hyper_parameters.again import measure_again
from absorption.chapters.hyper_parameters.beside_published import set_beside_published
from absorption.chapters.hyper_parameters.beside_seeds import compare_seeds
from absorption.chapters.hyper_parameters.numbers import every_rate, read_numbers, vary
from absorption.chapters.hyper_parameters.silence import by_silence
from absorption.chapters.hyper_parameters.slopes import fit_over_letters
from absorption.several_saes.quantities import RATES, SCORES
