#!/bin/sh
# Starts the stand-in for Pulumi's Python language host. It lies beside the `pulumi` executable and belongs to no
# project: it runs on the virtual environment of the project in whose folder the engine starts it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

# The nearest folder upward with a Pulumi project, plugin or policy pack.
project=$PWD
while [ "$project" != / ] && ! [ -f "$project/Pulumi.yaml" ] && ! [ -f "$project/PulumiPolicy.yaml" ] \
    && ! [ -f "$project/PulumiPlugin.yaml" ]; do
    project=$(dirname -- "$project")
done
[ "$project" != / ] || project=$PWD

# What it says in `runtime: {options: {virtualenv: ...}}`.
declared=''
for file in Pulumi.yaml PulumiPolicy.yaml PulumiPlugin.yaml; do
    if [ -z "$declared" ] && [ -f "$project/$file" ]; then
        declared=$(sed -n "s/.*virtualenv:[[:space:]]*[\"']\{0,1\}\([^\"'#,}]*\).*/\1/p" "$project/$file" \
            | sed 's/[[:space:]]*$//' | head -n 1)
    fi
done

for venv in "$declared" "${PULUMI_RUNTIME_VIRTUALENV:-}" "${VIRTUAL_ENV:-}" .local/venv; do
    case $venv in
        '') continue ;;
        /*) ;;
        *) venv=$project/$venv ;;
    esac
    if [ -x "$venv/bin/python" ]; then
        exec "$venv/bin/python" -s "$here/@PACKAGE@" "--engine-pid=$PPID" "$@"
    fi
done
# Without an environment the official host runs whatever `python3` is.
if python3 -c 'import pulumi' 2>/dev/null; then
    exec python3 -s "$here/@PACKAGE@" "--engine-pid=$PPID" "$@"
fi
echo "pulumi-language-python: no virtual environment found for $project (Pulumi.yaml says '$declared'): run 'make tools' there" >&2
exit 1
