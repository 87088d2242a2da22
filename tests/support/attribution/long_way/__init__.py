"""The same from every row anew: what the sums that long windows are read from have to equal."""
