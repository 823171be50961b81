#!/bin/sh
# The release of one stack, as Jenkins runs it: up.sh STACK. Without Jenkins: make up STACK=...
# Everything is exec'ed: between the build step and Pulumi's engine there is only what passes an abort on, once.
set -eu
cd -- "$(dirname -- "$0")/.."
sh tools/python.sh -m tools setup --quiet --stack "$1"
exec python3 jenkins/stop_once.py sh tools/python.sh -m tools up --stack "$1"
