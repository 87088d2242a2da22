"""The pages: their commands and fragments run as they stand, their lists name what there is."""
