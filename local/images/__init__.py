"""Images as content-addressed folders: what a Docker engine and a registry's storage are on AWS."""
