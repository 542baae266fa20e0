"""``python -m absorption.cli`` is ``absorption``."""

import sys

from absorption.cli.main import main

sys.exit(main())
