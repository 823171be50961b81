"""The `aws` plugin of the embedded AWS: resource types as data, over botocore."""
