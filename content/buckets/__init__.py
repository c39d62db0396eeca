"""The buckets of this product, one file each."""
