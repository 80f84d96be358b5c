"""``python -m kwscore`` is ``kwscope``."""

from kwscore.cli.main import main

main()
