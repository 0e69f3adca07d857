"""What errors say: of the engine, of Linux, of Windows."""
