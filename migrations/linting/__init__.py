"""What a revision would run, and whether it is fit for its phase."""
