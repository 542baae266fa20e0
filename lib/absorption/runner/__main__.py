"""``python -m absorption.runner`` is ``absorption``."""

import sys

from absorption.runner.cli import main

sys.exit(main())
