"""The journeys of this product, one file each."""
