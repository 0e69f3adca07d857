"""Finding pointers in a target's memory: Session.find_pointers()."""
