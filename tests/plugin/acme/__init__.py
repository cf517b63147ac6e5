"""What another package looks like that adds to cocomp."""
