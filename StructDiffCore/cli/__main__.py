"""``python -m StructDiffCore.cli`` is the command ``structdiff``."""

import sys

from .main import main

sys.exit(main())
