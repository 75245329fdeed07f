#!/usr/bin/env bash
# Stands for `lnn` while a document's commands are run: the program that was built, with trainings as trials.
set -euo pipefail
if [ "${1-}" = train ] && [[ " $* " != *" --trial "* ]]; then set -- "$@" --trial; fi
exec built-lnn "$@"
