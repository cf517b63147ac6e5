"""Loading and running compiled models. Never imports the compiler."""
