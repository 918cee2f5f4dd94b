"""What must hold for convolutional networks and their blocks."""
