"""The `docker` plugin of the embedded AWS: builds images as folders and registers them in ECR."""
