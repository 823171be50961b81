#!/bin/sh
# Runs the project's Python: that of the virtual environment when it is there, else one that can make it.
# Usage: sh tools/python.sh ARGUMENTS...     (PYTHON=... chooses the interpreter for a new environment)
set -u
cd -- "$(dirname -- "$0")/.." || exit 1

if [ -z "${PYTHON:-}" ] && .local/venv/bin/python -c '' 2>/dev/null; then
    exec .local/venv/bin/python "$@"
fi
found=''
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
        3.11 | 3.12 | 3.13 | 3.14) ;;
        *) found="$found $python is $version;" && continue ;;
    esac
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        exec "$python" "$@"
    fi
    found="$found $python $version has no venv module (Debian and Ubuntu: apt-get install python$version-venv);"
done
echo "tools: no Python 3.11 to 3.14 that can make a virtual environment:${found:- none of ${PYTHON:-python3, python3.14 to python3.11} runs}" \
    "install Python 3.11 or newer, or say PYTHON=/path/to/python" >&2
exit 1
