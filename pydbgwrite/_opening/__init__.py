"""Opening sessions: arguments, the ways on each platform, process servers, wrap()."""
