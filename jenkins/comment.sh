#!/bin/sh
# Hands the text of a preview to whoever can put it under the change request: comment.sh STACK.
# COMMENT_COMMAND, set on the build server, is a program that gets the Markdown on its standard input and the change's
# number and address in the environment (CHANGE_ID, CHANGE_URL, which Jenkins sets). Without it the archived file is all.
set -eu
cd -- "$(dirname -- "$0")/.."
file=".local/preview/$1.md"
if [ ! -f "$file" ]; then
  echo "comment: found no $file: the preview did not get that far; its log says why"
elif [ -z "${COMMENT_COMMAND:-}" ]; then
  echo "comment: COMMENT_COMMAND is not set, so nothing is posted; the text is the artifact $file of this build"
elif ! "$COMMENT_COMMAND" <"$file"; then
  echo "comment: $COMMENT_COMMAND failed; the preview itself counts, the text is the artifact $file" >&2
fi
