"""What other people call: one SAE measured, its tables, and the files that others read."""

from absorption.api.definitions import DEFINITIONS
from absorption.api.result import Result
from absorption.api.run import measure
from absorption.definitions.thresholds import Thresholds
