"""``python -m rawtoolbox`` is the command ``rawtoolbox``."""

from rawtoolbox.console import main

main()
