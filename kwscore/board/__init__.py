"""The board: wire protocol, serial client, engine on a board, and virtual boards that behave like the real one."""
