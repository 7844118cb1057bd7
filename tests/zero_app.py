"""The whole studio as on ZeroGPU: app.py's own main with a stand-in for the Hub's package, and a model that is lent beside its own ones."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from studio import models
from tests.fake_spaces import Spaces
from tests.test_zero import LARGE, Dots


def main() -> None:
    """Serve; the options are those of app.py, before them the seconds of a visitor's quota."""
    spaces = Spaces(quota=float(sys.argv.pop(1)))
    package: Any = ModuleType("spaces")
    package.GPU = spaces.GPU
    sys.modules["spaces"] = package
    known = {**models.engines(), "dots": SimpleNamespace(CARDS=(LARGE,), recipe=Dots().recipe)}
    models.engines = lambda: known
    import app

    app.main()


if __name__ == "__main__":
    main()
